"""The table of images: one row an image, no pixels. Readers in `data/datasets/` make it, everything else selects from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from wardround.errors import CatalogueError
from wardround.lookup import suggestion

UNKNOWN = ""  # a missing patient, site or published split


@dataclass(frozen=True, kw_only=True, eq=False)
class Catalogue:
    """Images with their labels. All columns have n rows; text columns are NumPy object arrays of str, "" where unknown.

    images: path relative to root in POSIX form; "FILE.npz#KEY/INDEX" for a row of an array file.
    labels: (n,) int64 in 0..C-1, an index into classes. patients: the unit of splits and intervals. splits: the published split
    ("train", "val", "test" or ""). columns: any further column (age, view ...), usable for sites and subgroups.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    images: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    splits: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    licence: str = ""
    citation: str = ""
    phantom: bool = False

    def __post_init__(self) -> None:
        n = len(self.images)
        if n == 0:
            raise CatalogueError(f"{self.root}: no images found for data set '{self.name}'. Check the folder's layout with "
                                 f"'wardround data inspect {self.root}'.")
        lengths = {"labels": self.labels, "patients": self.patients, "splits": self.splits, **self.columns}
        for column, values in lengths.items():
            if len(values) != n:
                raise CatalogueError(f"{self.name}: column '{column}' has {len(values)} rows, images has {n}")
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            raise CatalogueError(f"{self.name}: a label lies outside 0..{len(self.classes) - 1}")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Catalogue:
        """The catalogue of these rows (indices or a mask), in the given order."""
        return replace(self, images=self.images[rows], labels=self.labels[rows], patients=self.patients[rows],
                       splits=self.splits[rows], columns={name: values[rows] for name, values in self.columns.items()})

    def with_classes(self, classes: tuple[str, ...]) -> Catalogue:
        """The catalogue with these classes in this order; CatalogueError naming a label that is none of them, and its first image."""
        for index, name in enumerate(self.classes):
            rows = np.flatnonzero(self.labels == index)
            if name not in classes and len(rows):
                raise CatalogueError(f"{self.name}: unknown label '{name}' in {len(rows)} of {len(self)} rows (first: "
                                     f"{self.images[rows[0]]}).{suggestion(name, list(classes))} data.classes allows: "
                                     f"{', '.join(classes)}. Correct the label, or add it to data.classes.")
        places = np.array([classes.index(name) if name in classes else -1 for name in self.classes], np.int64)
        return replace(self, classes=classes, labels=places[self.labels])

    def column(self, name: str) -> np.ndarray:
        """A further column, or CatalogueError naming those there are."""
        if name not in self.columns:
            known = ", ".join(sorted(self.columns)) or "none"
            raise CatalogueError(f"data set '{self.name}' has no column '{name}'. Columns there are: {known}.")
        return self.columns[name]


def text_column(values: list[str]) -> np.ndarray:
    """A text column from a list."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
