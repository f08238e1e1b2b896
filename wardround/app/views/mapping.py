"""A hospital's own table of images, its columns mapped by hand to what wardround reads. The table and the images stay as they are.

Readers take no image that lies outside of their table's folder. The images are therefore linked into a folder of the workspace (hard
links, which take no room), or copied where the file system cannot, beside a new table.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wardround.app.views.grid import Grid
from wardround.core.events import Note, Progress, Watch, silent
from wardround.errors import CatalogueError, DataError

PREVIEW = 8
SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".tif", ".tiff", ".bmp", ".nii.gz", ".nii")
NAMES = {"image": ("image", "filename", "file", "path", "img", "image_path", "image_index", "file_name", "filepath", "image_id", "scan"),
         "label": ("label", "class", "diagnosis", "finding_labels", "dx", "target", "category", "finding"),
         "patient": ("patient", "patient_id", "patientid", "subject", "subject_id", "case", "case_id"),
         "site": ("site", "hospital", "institution", "centre", "center", "clinic"),
         "split": ("split", "set", "subset", "partition", "usage"),
         "mask": ("mask", "mask_path", "segmentation", "seg", "mask_file")}
PRESENT, ABSENT = frozenset({"1", "1.0", "true", "yes", "y", "positive", "present", "x"}), frozenset(
    {"", "0", "0.0", "false", "no", "n", "negative", "absent"})
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}
NO_FINDING = "No Finding"
MEANT = frozenset({"image", "label", "patient", "site", "split", "mask", "patientid", "patients", "subject", "subjectid"})  # by readers
TOLD = 500  # images between two reports of progress


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The column of each role, "" for none. findings: columns of 1 and 0, instead of a label. mask: its values are 0 and 1 or 255,
    or 0, 1, 2 ... as mask_classes names them, the background first. folder: where paths of images start, None for the table's folder."""

    image: str = ""
    label: str = ""
    findings: tuple[str, ...] = ()
    mask: str = ""
    mask_classes: tuple[str, ...] = ()
    patient: str = ""
    site: str = ""
    split: str = ""
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Columns:
    """A table's header and first rows, how many rows there are, and the roles that the columns' names suggest."""

    path: Path
    names: tuple[str, ...]
    first: Grid
    num_rows: int
    guess: Roles


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """What was written. place: what a plan names as data.folder."""

    place: Path
    dataset: str
    num_images: int
    num_missing: int
    said: str


def columns_of(table: Path) -> Columns:
    """Read a table's columns; CatalogueError if it is none."""
    header, rows = _read(table)
    return Columns(path=table, names=tuple(header), num_rows=len(rows), guess=_guess(header),
                   first=Grid(columns=tuple(header), rows=tuple(tuple(row) for row in list(rows.values())[:PREVIEW])))


def lacking(roles: Roles) -> str:
    """What must still be chosen, in a sentence; "" if nothing."""
    named = [name for name in (roles.image, roles.label, *roles.findings, roles.mask, roles.patient, roles.site, roles.split) if name]
    twice = next((name for name in named if named.count(name) > 1), "")
    if not roles.image:
        return "Choose the column that names the image files."
    if not (roles.label or roles.findings or roles.mask):
        return "Choose what is learnt: a column of labels, columns of findings, or a column of masks."
    if bool(roles.label) + bool(roles.findings) + bool(roles.mask) > 1:
        return "Choose one of label, findings and mask: a model learns one of them."
    if twice:
        return f"Column '{twice}' has two roles. Give each role a column of its own."
    if not roles.mask and roles.mask_classes:
        return "Classes of masks are named, but no column of masks is chosen."
    return ""


def cautions(roles: Roles) -> tuple[str, ...]:
    """What is worth knowing about what is left out, in sentences."""
    return ("Without a column of patients, images of one patient may lie on both sides of the split.",) * (not roles.patient)


def place_of(table: Path, workspace: Path) -> Path:
    """Where a mapped table goes: of its own for each table, so that two of one name do not replace each other."""
    return workspace / "tables" / f"{table.stem}-{hashlib.sha256(str(table.absolute()).encode()).hexdigest()[:8]}"


def mapped(table: Path, roles: Roles, out: Path, *, watch: Watch = silent) -> Mapped:
    """Write the table that wardround reads, with the images linked beside it, into the new folder `out`; nothing else is changed.

    CatalogueError names the column or row that cannot be understood; images that are not there become rows of the ledger."""
    if fault := lacking(roles):
        raise CatalogueError(f"{table}: {fault}")
    header, rows = _read(table)
    for name in (roles.image, roles.label, *roles.findings, roles.mask, roles.patient, roles.site, roles.split):
        if name and name not in header:
            raise CatalogueError(f"{table}: no column '{name}'. Columns found: {', '.join(header)}.")
    source = _Source(table=table, roles=roles, rows=[dict(zip(header, row, strict=True)) for row in rows.values()], numbers=list(rows),
                     folder=(roles.folder or table.parent).expanduser().resolve())
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        result = _with_masks(source, part, watch) if roles.mask else _with_labels(source, part, watch)
        shutil.rmtree(out, ignore_errors=True)
        part.rename(out)
    except OSError as error:
        raise DataError(f"{out}: the images cannot be linked or copied here ({error.strerror or error}). Choose a workspace on a disk with "
                        "room, best on that of the images.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    num, missing, copied = result
    how = f"{copied:,} of them copied" if copied else "linked, which takes no room"
    gone = f" {missing:,} images are not there: the ledger names them." if missing else ""
    return Mapped(place=out if roles.mask else out / "manifest.csv", dataset="image-mask" if roles.mask else "manifest", num_images=num,
                  num_missing=missing, said=f"{num:,} images of {table.name} are in {out} ({how}).{gone}")


@dataclass(frozen=True, kw_only=True)
class _Source:
    """The table's rows by column, their numbers in the file, and where its paths start."""

    table: Path
    roles: Roles
    rows: Sequence[dict[str, str]]
    numbers: Sequence[int]
    folder: Path

    def cells(self, column: str) -> list[str]:
        return [row[column] for row in self.rows]

    def fail(self, row: int, problem: str) -> CatalogueError:
        """The error of a row, by its number in the file."""
        return CatalogueError(f"{self.table}, row {self.numbers[row]}: {problem}")

    def file(self, cell: str) -> Path:
        """The file that a cell means, with the suffix that the cell leaves out; it need not be there."""
        path = self.folder / cell.replace("\\", "/")
        if path.is_file():
            return path
        with_suffix = (path.with_name(path.name + suffix) for suffix in SUFFIXES) if path.name else iter(())
        return next((other for other in with_suffix if other.is_file()), path)

    def files(self, column: str) -> list[Path]:
        """The files of a column, links resolved; CatalogueError for an empty cell, two of one file, one that lies outside of the folder,
        or if none of them is there."""
        found, first = [], dict[Path, int]()
        for row, cell in enumerate(self.cells(column)):
            if not cell:
                raise self.fail(row, f"'{column}' is empty. Fill it, or take the row out.")
            path = self.file(cell).resolve()
            if not path.is_relative_to(self.folder):
                raise self.fail(row, f"its file lies outside of {self.folder}. Choose the folder that holds all images.")
            if path in first:
                raise self.fail(row, f"the same file as in row {self.numbers[first[path]]}. Each image may have one row.")
            first[path] = row
            found.append(path)
        if not any(path.is_file() for path in found):
            raise CatalogueError(f"{self.table}: none of the {len(found)} files of column '{column}' is there. The first was looked for as "
                                 f"{found[0]}. Choose the folder in which these names start, or another column.")
        return found


def _with_labels(source: _Source, out: Path, watch: Watch) -> tuple[int, int, int]:
    """Write manifest.csv and link the images; how many rows, how many missing, how many copied."""
    roles = source.roles
    files = source.files(roles.image)
    names = [f"images/{path.relative_to(source.folder).as_posix()}" for path in files]
    columns = {"image": names, "label": _labels(source)} | _further(source)
    num = len(files)
    missing, copied = _linked(zip(files, names, strict=True), num, out, watch)
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return num, missing, copied


def _with_masks(source: _Source, out: Path, watch: Watch) -> tuple[int, int, int]:
    """Write images/ and masks/, by published split where there is one, with patients.csv and classes.json."""
    roles = source.roles
    images, masks = source.files(roles.image), source.files(roles.mask)
    splits = _splits(source, may_be_empty=False) if roles.split else [""] * len(images)
    pairs = []
    for row, (image, mask, split) in enumerate(zip(images, masks, splits, strict=True)):
        name = f"{row:06d}_{_stem(image)}"
        place = f"{split}/" if split else ""
        pairs += [(image, f"{place}images/{name}{_suffix(image)}"), (mask, f"{place}masks/{name}{_suffix(mask)}")]
    missing, copied = _linked(iter(pairs), len(pairs), out, watch)
    further = _further(source)
    further.pop("split", None)
    if "patient" in further:
        columns = {"image": [name for _, name in pairs[::2]]} | further
        with (out / "patients.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    elif "site" in further:
        watch(Note(text="Sites of images with masks are read beside patients only: choose a column of patients to keep them."))
    if roles.mask_classes:
        values = {str(index): index for index in range(len(roles.mask_classes))}
        (out / "classes.json").write_text(json.dumps({"classes": list(roles.mask_classes), "values": values}), encoding="utf-8")
    return len(images), missing, copied


def _labels(source: _Source) -> list[str]:
    roles = source.roles
    if not roles.findings:
        return source.cells(roles.label)
    labels = []
    for number, row in enumerate(source.rows):
        for name in roles.findings:
            if row[name].lower() not in PRESENT | ABSENT:
                raise source.fail(number, f"'{row[name][:40]}' in column '{name}' says neither that the finding is there (1) nor that it "
                                          "is not (0 or empty). Decide what it means, and write 1 or 0.")
        labels.append("|".join(name for name in roles.findings if row[name].lower() in PRESENT) or NO_FINDING)
    return labels


def _splits(source: _Source, *, may_be_empty: bool) -> list[str]:
    splits = []
    for number, cell in enumerate(source.cells(source.roles.split)):
        known = SPLITS.get(cell.lower(), "")
        if not known and (cell or not may_be_empty):
            raise source.fail(number, f"'{cell[:40]}' in column '{source.roles.split}' is no split. Known: train, val, test.")
        splits.append(known)
    return splits


def _further(source: _Source) -> dict[str, list[str]]:
    """Patient, site and split, and every other column under its own name."""
    roles = source.roles
    taken = {roles.image, roles.label, roles.mask, *roles.findings, roles.patient, roles.site, roles.split}
    columns = {role: source.cells(name) for role, name in (("patient", roles.patient), ("site", roles.site)) if name}
    if roles.split:
        columns["split"] = _splits(source, may_be_empty=True)
    for name in source.rows[0]:
        if name not in taken:
            key = name.lower().replace("_", "").replace(" ", "")
            columns[f"{name} (column)" if key in MEANT else name] = source.cells(name)
    return columns


def _linked(pairs: Iterator[tuple[Path, str]], num: int, out: Path, watch: Watch) -> tuple[int, int]:
    """Link (or copy) each file that is there; how many are missing, how many were copied."""
    missing, copied, link = 0, 0, _Link()
    for done, (path, name) in enumerate(pairs):
        if done % TOLD == 0:
            watch(Progress(stage="link", done=done, total=num))
        if not path.is_file():
            missing += 1
            continue
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copied += link(path, target)
    return missing, copied


class _Link:
    """Links until the file system refuses, and copies from then on."""

    def __init__(self) -> None:
        self._is_refused = False

    def __call__(self, source: Path, target: Path) -> bool:
        """Whether it had to be copied."""
        if not self._is_refused:
            try:
                os.link(source, target)
                return False
            except OSError:  # another disk, or a file system without links
                self._is_refused = True
        shutil.copyfile(source, target)
        return True


def _read(table: Path) -> tuple[list[str], dict[int, list[str]]]:
    """Header, and rows by their number in the file, cells stripped, empty rows left out; CatalogueError names a row of another length."""
    from wardround.data.datasets.tables import records_of

    if not table.is_file():
        raise CatalogueError(f"{table}: no such file. Choose a table of images saved as CSV.")
    records = [[cell.strip() for cell in record] for record in records_of(table)]
    header = records[0] if records else []
    rows = {number: row for number, row in enumerate(records[1:], start=2) if any(row)}
    if len(header) < 2 or not rows:
        raise CatalogueError(f"{table}: {len(header)} columns and {len(rows)} rows. A table of images needs a header and at least the "
                             "columns of images and labels, separated by commas, semicolons or tabs.")
    if len(set(header)) < len(header) or "" in header:
        twice = next(name for name in header if not name or header.count(name) > 1)
        raise CatalogueError(f"{table}: column '{twice}' " + ("occurs twice. Rename one." if twice else "has no name. Name every column."))
    for number, row in rows.items():
        if len(row) != len(header):
            raise CatalogueError(f"{table}, row {number}: {len(row)} cells, the header has {len(header)}. Put cells that hold the "
                                 "separator in double quotes.")
    return header, rows


def _guess(header: Sequence[str]) -> Roles:
    plain = {name.lower().replace(" ", "_").replace("-", "_"): name for name in reversed(header)}
    pick: Callable[[str], str] = lambda role: next((plain[name] for name in NAMES[role] if name in plain), "")  # noqa: E731
    return Roles(image=pick("image"), label="" if pick("mask") else pick("label"), mask=pick("mask"), patient=pick("patient"),
                 site=pick("site"), split=pick("split"))


def _stem(path: Path) -> str:
    return path.name.removesuffix(_suffix(path)) or path.name


def _suffix(path: Path) -> str:
    return path.name[-7:] if path.name.lower().endswith(".nii.gz") else path.suffix
