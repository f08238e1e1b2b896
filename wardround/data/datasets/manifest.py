"""A table of images as CSV: columns image and label, optionally patient, site and split, and any others.

Where a label holds "|", as in "Effusion|Mass", an image may have several findings; "" and "No Finding" are then none.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from wardround.core.events import Watch, silent
from wardround.data.catalogue import NO_FINDING, UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets.base import existing, is_phantom
from wardround.data.datasets.layout import class_order
from wardround.data.datasets.tables import records_of
from wardround.data.labels import class_index
from wardround.errors import CatalogueError
from wardround.lookup import suggestion

REQUIRED = ("image", "label")
KNOWN = (*REQUIRED, "patient", "site", "split")
BETWEEN = "|"  # findings of one image
MOST_CLASSES = 1000
SPLITS = {"": UNKNOWN, "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
          "testing": "test"}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Text columns of a CSV by name. rows: the number of each in the file, the header being row 1."""

    path: Path
    columns: dict[str, list[str]]
    rows: list[int]

    def fail(self, index: int, problem: str) -> CatalogueError:
        """The error of one row. It gives the number, never the cells, which may identify a patient."""
        return CatalogueError(f"{self.path}, row {self.rows[index]}: {problem}")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Reads a CSV, or the one CSV (or manifest.csv) of a folder. Image paths are relative to the CSV's folder.

    classes: the labels allowed, in order; () takes those of the table, sorted. Comma, semicolon or tab separated, UTF-8.
    """

    name: str = "manifest"
    title: str = "A table of images (CSV)"
    task: Task = "multiclass"
    classes: tuple[str, ...] = ()
    licence: str = ""
    citation: str = ""
    url: str = ""

    def matches(self, folder: Path) -> bool:
        """Whether there is one CSV, and it has the columns image and label."""
        try:
            with _csv_of(folder).open(newline="", encoding="utf-8-sig") as file:
                header = file.readline(2**20)
        except (CatalogueError, OSError, UnicodeDecodeError):
            return False
        try:
            return set(REQUIRED) <= set(_header(next(csv.reader([header], delimiter=_delimiter(header)), [])))
        except csv.Error:
            return False

    def read(self, folder: Path) -> Catalogue:
        """The catalogue in the order of the table; site and further columns become its columns. CatalogueError names the row."""
        path = _csv_of(existing(folder, self.title))
        table = _read_table(path)
        _check_columns(table)
        has_several = any(BETWEEN in label for label in table.columns["label"])
        classes = self.classes or class_order({name for label in set(table.columns["label"]) for name in _findings(label)})
        if not classes:
            raise CatalogueError(f"{path}: no label names a finding. Put the findings of each image into 'label', separated by "
                                 f"'{BETWEEN}'.")
        if len(classes) > MOST_CLASSES:
            raise CatalogueError(f"{path}: {len(classes):,} different labels, more than the limit of {MOST_CLASSES:,}. Is 'label' a column "
                                 "of names or measurements? Put the class of each image there.")
        return Catalogue(name=self.name, root=path.parent, classes=classes, images=text_column(_images(table)),
                         labels=_finding_table(table, classes) if has_several else _label_indices(table, classes),
                         patients=text_column(_patients(table)), splits=text_column(_splits(table)),
                         columns={name: text_column(values) for name, values in table.columns.items()
                                  if name not in KNOWN or name == "site"},
                         licence=self.licence, citation=self.citation, phantom=is_phantom(path.parent))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """CatalogueError: a table of one's own has no phantom."""
        raise CatalogueError("'manifest' has no phantoms. Name a CSV or its folder with --data, or use the phantoms of "
                             "'brain-tumour-mri' or 'chest-xray'.")


def _csv_of(place: Path) -> Path:
    if not place.is_dir():
        if place.suffix.lower() != ".csv":
            raise CatalogueError(f"{place}: not a CSV. Name a file NAME.csv with the columns image,label, or its folder.")
        return place
    if (place / "manifest.csv").is_file():
        return place / "manifest.csv"
    found = sorted(path.name for path in place.iterdir() if path.suffix.lower() == ".csv" and not path.name.startswith("."))
    if len(found) != 1:
        there = f"{len(found)} CSV files ({', '.join(found[:5])})" if found else "no CSV file"
        raise CatalogueError(f"{place}: {there}. Name the table with --data FILE.csv, or call it manifest.csv.")
    return place / found[0]


def _read_table(path: Path) -> Table:
    records = records_of(path)
    header = _header(records[0] if records else [])
    filled = [(number, record) for number, record in enumerate(records[1:], start=2) if any(cell.strip() for cell in record)]
    for number, record in filled:
        if len(record) != len(header):
            raise CatalogueError(f"{path}, row {number}: {len(record)} cells, the header has {len(header)}. Put cells that hold the "
                                 "separator in double quotes.")
    for name in header:
        if header.count(name) > 1:
            raise CatalogueError(f"{path}: column '{name}' occurs twice. Rename one of them.")
    columns = {name: [record[place].strip() for _, record in filled] for place, name in enumerate(header)}
    return Table(path=path, columns=columns, rows=[number for number, _ in filled])


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _header(cells: Sequence[str]) -> list[str]:
    """Column names; those with a meaning in lower case."""
    return [name.lower() if name.lower() in KNOWN else name for name in (cell.strip() for cell in cells)]


def _check_columns(table: Table) -> None:
    found = list(table.columns)
    for name in REQUIRED:
        if name not in found:
            raise CatalogueError(f"{table.path}: no column '{name}'.{suggestion(name, found)} Columns found: "
                                 f"{', '.join(found) or 'none'}. A manifest needs image,label and may have patient,site,split.")
    if not table.rows:
        raise CatalogueError(f"{table.path}: no rows below the header. Add a row for each image.")
    near = [name for name in found if name.lower().replace("_", "").replace(" ", "") in ("patientid", "patients", "subject", "subjectid")]
    if near and "patient" not in found:  # unread, it would let one patient into training and test
        raise CatalogueError(f"{table.path}: column '{near[0]}' looks like the patients' and would not be used to split by patient. "
                             "Rename it to 'patient'.")


def _images(table: Table) -> list[str]:
    """Image paths in POSIX form, each once, none leading out of the folder, by its name or by a link."""
    images = [image.replace("\\", "/") for image in table.columns["image"]]
    first: dict[str, int] = {}
    for index, image in enumerate(images):
        path = PurePosixPath(image)
        if not path.name:
            raise table.fail(index, "the image is empty. Fill it, or take the row out.")
        if path.is_absolute() or ".." in path.parts or path.parts[0].endswith(":") or "\0" in image:
            raise table.fail(index, f"the image's path leads out of {table.path.parent}. Paths must be relative to the CSV's folder, "
                                    "without '..'.")
        images[index] = str(path)
        if images[index] in first:
            raise table.fail(index, f"the same image as in row {table.rows[first[images[index]]]}. Each image may have one row.")
        first[images[index]] = index
    for name in _leading_out(table.path.parent, images):
        raise table.fail(first[name], f"the image is a link, or lies in one, that leads out of {table.path.parent}. Copy the images "
                                      "beside the CSV, or put the CSV where the images are.")
    return images


def _leading_out(root: Path, images: Sequence[str]) -> Iterator[str]:
    """Those images that links take out of the folder. Each folder is listed once: asking for every file would take minutes on a network."""
    inside, listed = root.resolve(), dict[PurePosixPath, list[str]]()
    for image in images:
        listed.setdefault(PurePosixPath(image).parent, []).append(image)
    for place, held in listed.items():
        if not (root / place).resolve().is_relative_to(inside):
            yield from held
        links = _links(root / place)
        yield from (image for image in held if PurePosixPath(image).name in links
                    and not (root / image).resolve().is_relative_to(inside))


def _links(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_symlink()}
    except OSError:  # absent, or no folder: its images will be unreadable
        return set()


def _label_indices(table: Table, classes: tuple[str, ...]) -> np.ndarray:
    """(n,) int64."""
    labels = table.columns["label"]
    index_of = {label: class_index(label, classes) for label in set(labels)}
    for row, label in enumerate(labels):
        if not label:
            raise table.fail(row, "the label is empty. Fill it, or take the row out.")
        if index_of[label] is None:
            raise table.fail(row, f"unknown label '{label}'.{suggestion(label, list(classes))} Known: {', '.join(classes)}.")
    return np.array([index_of[label] for label in labels], dtype=np.int64)


def _findings(label: str) -> list[str]:
    return [name for name in (part.strip() for part in label.split(BETWEEN)) if name not in ("", NO_FINDING)]


def _finding_table(table: Table, classes: tuple[str, ...]) -> np.ndarray:
    """(n, C) int64 of 0 and 1."""
    found = np.zeros((len(table.rows), len(classes)), np.int64)
    for row, label in enumerate(table.columns["label"]):
        for name in _findings(label):
            index = class_index(name, classes)
            if index is None:
                raise table.fail(row, f"unknown finding '{name}'.{suggestion(name, list(classes))} Known: {', '.join(classes)}.")
            found[row, index] = 1
    return found


def _patients(table: Table) -> list[str]:
    patients = table.columns.get("patient", [UNKNOWN] * len(table.rows))
    empty = [index for index, patient in enumerate(patients) if not patient]
    if empty and len(empty) < len(patients):
        raise CatalogueError(f"{table.path}: 'patient' is empty in {len(empty)} of {len(patients)} rows (first: row "
                             f"{table.rows[empty[0]]}). Splits are by patient, so every image needs one. Fill the column, or leave it "
                             "out if no patient is known.")
    return patients


def _splits(table: Table) -> list[str]:
    splits = table.columns.get("split", [UNKNOWN] * len(table.rows))
    for index, split in enumerate(splits):
        if split.lower() not in SPLITS:
            raise table.fail(index, f"unknown split '{split}'.{suggestion(split.lower(), ['train', 'val', 'test'])} Known: train, val, "
                                    "test or empty.")
    return [SPLITS[split.lower()] for split in splits]


READER = Manifest()
