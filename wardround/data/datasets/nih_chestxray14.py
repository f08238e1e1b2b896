"""Chest X-rays of adults with up to 14 findings each (NIH ChestX-ray14, Wang 2017), in the layout of the NIH release."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wardround.core.events import Watch, silent
from wardround.data.catalogue import NO_FINDING, UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets.base import draw_phantom, existing, is_phantom
from wardround.data.datasets.layout import image_names, locate, subfolders
from wardround.data.datasets.tables import records_of
from wardround.data.labels import class_index
from wardround.errors import CatalogueError
from wardround.lookup import suggestion

FINDINGS = ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax", "Consolidation",
            "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia")
TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")  # the newer one counts where both lie
LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}
OLDEST = 120  # years
REQUIRED = ("Image Index", "Finding Labels", "Patient ID")
FURTHER = {"Patient Age": "age", "Patient Gender": "sex", "Patient Sex": "sex", "View Position": "view", "Follow-up #": "follow_up"}

_ARCHIVE = re.compile(r"images(_\d+)?")  # images, images_001 ... images_012
_AGE = re.compile(r"(\d+)([YMD]?)")  # 58, 058Y, 011M, 003D
_log = logging.getLogger(__name__)


class NihChestXray14:
    """The table, the image folders and the official lists. Columns: age (years), age_flag, sex, view, follow_up.

    An image is in the catalogue if it is in the table and on disk; what is in one of them only is counted in a warning. An age
    that is missing, no number or above 120 becomes "", and age_flag "impossible". There is no published val.
    """

    name = "nih-chestxray14"
    title = "NIH ChestX-ray14, 14 findings, Wang 2017"
    task: Task = "multilabel"
    classes: tuple[str, ...] = FINDINGS
    licence = "Free to use; cite the paper, link to the source and acknowledge the NIH Clinical Center"
    citation = ("Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM. ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks on "
                "Weakly-Supervised Classification and Localization of Common Thorax Diseases. CVPR 2017. Data: NIH Clinical Center")
    url = "https://nihcc.app.box.com/v/ChestXray-NIHCC"

    def matches(self, folder: Path) -> bool:
        """Whether a table of one of its names lies beside a folder images or images_NNN."""
        return locate(folder, {"images": ""}, _fits) is not None

    def read(self, folder: Path) -> Catalogue:
        """The catalogue in order of image names; CatalogueError names the row of the table that cannot be used."""
        root = locate(existing(folder, self.title), {"images": ""}, _fits)
        if root is None:
            raise CatalogueError(f"{folder}: not the layout of '{self.name}'. Expected {' or '.join(reversed(TABLES))} beside images/*.png "
                                 f"or images_001/images/*.png ... 'wardround data inspect {folder}' says what it looks like.")
        table = _Table(_table_of(root))
        names, places = table.column("Image Index"), _images(root)
        _check_names(table, names)
        rows = np.array(sorted((row for row, name in enumerate(names) if name in places), key=names.__getitem__), np.int64)
        _report(root, len(names), len(places), len(rows))
        kept = text_column(names)[rows]
        splits = _splits(root)
        return Catalogue(name=self.name, root=root, classes=FINDINGS, images=text_column([places[name] for name in kept]),
                         labels=_labels(table)[rows], patients=_patients(table)[rows],
                         splits=text_column([splits.get(name, UNKNOWN) for name in kept]),
                         columns={name: values[rows] for name, values in _further(table).items()},
                         licence=self.licence, citation=self.citation, phantom=is_phantom(folder) or is_phantom(root))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """Synthetic X-rays with a table, lists and file names of the same form."""
        from wardround.data.phantoms import nih

        draw_phantom(folder, dataset=self.name, num=num, seed=seed, draw=lambda: nih.write_folders(folder, num, seed, watch))


class _Table:
    """The rows below the header, by column name. The header of 2017 has cells that are cut in two by a comma in a name; they come
    after those that are read."""

    def __init__(self, path: Path) -> None:
        records = records_of(path, ",")
        self.path = path
        self.header = [name.strip() for name in records[0]] if records else []
        self.numbers = [number for number, record in enumerate(records[1:], start=2) if record]
        self.records = [record for record in records[1:] if record]
        for name in REQUIRED:
            if name not in self.header:
                raise CatalogueError(f"{path}: no column '{name}'.{suggestion(name, self.header)} Columns found: "
                                     f"{', '.join(self.header) or 'none'}. Download the table anew.")

    def column(self, name: str) -> list[str]:
        """The cells of a column, stripped."""
        place = self.header.index(name)
        try:
            return [record[place].strip() for record in self.records]
        except IndexError:
            short = next(row for row, record in enumerate(self.records) if len(record) <= place)
            raise self.fail(short, f"{len(self.records[short])} cells, too few to hold '{name}'. Was the download cut short?") from None

    def fail(self, row: int, problem: str) -> CatalogueError:
        """The error of one row. It gives the number, never the cells that may identify a patient."""
        return CatalogueError(f"{self.path}, row {self.numbers[row]}: {problem}")


def _fits(folder: Path) -> bool:
    return any((folder / name).is_file() for name in TABLES) and any(_ARCHIVE.fullmatch(name) for name in subfolders(folder))


def _table_of(root: Path) -> Path:
    return next(root / name for name in TABLES if (root / name).is_file())


def _images(root: Path) -> dict[str, str]:
    """Image name -> path below root. Each folder is listed once; of two files of one name the first folder's counts."""
    places: dict[str, str] = {}
    for archive in subfolders(root):
        if _ARCHIVE.fullmatch(archive):
            for folder in (archive, f"{archive}/images"):
                if (root / folder).is_dir():
                    for name in image_names(root / folder):
                        places.setdefault(name, f"{folder}/{name}")
    return places


def _check_names(table: _Table, names: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        if first.setdefault(name, row) != row:
            raise table.fail(row, f"the same image as in row {table.numbers[first[name]]}. Each image may have one row.")


def _report(root: Path, num_rows: int, num_images: int, num_both: int) -> None:
    """Count what is in the table or on disk only; CatalogueError if nothing is in both."""
    if not num_both:
        raise CatalogueError(f"{root}: none of the {num_rows} rows of {_table_of(root).name} has its image ({num_images} images found). "
                             "Put the .png files into images/, or unpack images_001.tar.gz ... beside the table.")
    if num_both < num_rows:
        _log.warning("%d of %d rows of %s have no image file and are left out", num_rows - num_both, num_rows, _table_of(root).name)
    if num_both < num_images:
        _log.warning("%d of %d images have no row in %s and are left out", num_images - num_both, num_images, _table_of(root).name)


def _labels(table: _Table) -> np.ndarray:
    """(n,) texts such as "Mass|Nodule" -> (n, 14) int64 of 0 and 1."""
    found: dict[str, int] = {}
    codes = np.empty(len(table.records), np.int64)
    kinds: list[np.ndarray] = []
    for row, text in enumerate(table.column("Finding Labels")):
        if text not in found:
            found[text] = len(kinds)
            kinds.append(_findings(table, row, text))
        codes[row] = found[text]
    return np.stack(kinds)[codes] if kinds else np.zeros((0, len(FINDINGS)), np.int64)


def _findings(table: _Table, row: int, text: str) -> np.ndarray:
    shown = np.zeros(len(FINDINGS), np.int64)
    names = [name.strip() for name in text.split("|")]
    if names == [NO_FINDING]:
        return shown
    for name in names:
        index = class_index(name, FINDINGS)
        if index is None:
            fault = "is named beside findings" if name == NO_FINDING else "is no finding of this data set" if name else "is empty"
            raise table.fail(row, f"'Finding Labels': '{name}' {fault}.{suggestion(name, list(FINDINGS))} Findings, separated by "
                                  f"'|': {', '.join(FINDINGS)}; or {NO_FINDING} alone.")
        shown[index] = 1
    return shown


def _patients(table: _Table) -> np.ndarray:
    patients = table.column("Patient ID")
    if UNKNOWN in patients:
        raise table.fail(patients.index(UNKNOWN), "'Patient ID' is empty. Splits are by patient, so every image needs one.")
    return text_column(patients)


def _further(table: _Table) -> dict[str, np.ndarray]:
    columns = {column: text_column(table.column(name)) for name, column in FURTHER.items() if name in table.header}
    if "age" in columns:
        ages = {text: age_of(text) for text in set(columns["age"])}
        columns["age"] = text_column([ages[text] for text in columns["age"]])
        columns["age_flag"] = text_column([UNKNOWN if age else "impossible" for age in columns["age"]])
    return columns


def age_of(text: str) -> str:
    """Completed years: "058Y" and "58" are "58", "011M" is "0"; "" if it is missing, no number or above 120 years."""
    found = _AGE.fullmatch(text.strip())
    if not found:
        return UNKNOWN
    years = int(found[1]) // {"": 1, "Y": 1, "M": 12, "D": 365}[found[2]]
    return str(years) if years <= OLDEST else UNKNOWN


def _splits(root: Path) -> dict[str, str]:
    """Image name -> published split, by the lists there are; CatalogueError if both name an image."""
    splits: dict[str, str] = {}
    for file, split in LISTS.items():
        try:
            names = (root / file).read_text(encoding="utf-8-sig").split() if (root / file).is_file() else []
        except (OSError, UnicodeDecodeError) as error:
            raise CatalogueError(f"{root / file}: cannot be read ({error}). Download the list anew.") from error
        torn = sum(splits.get(name, split) != split for name in names)
        if torn:
            raise CatalogueError(f"{root}: {torn} images are in both {' and '.join(LISTS)}. Download the lists anew, or remove both "
                                 "and let wardround split by patient.")
        splits.update(dict.fromkeys(names, split))
    return splits


READER = NihChestXray14()
