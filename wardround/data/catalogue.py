"""The table of images: one row an image, no pixels. Readers in `data/datasets/` make it, everything else selects from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from wardround.errors import CatalogueError
from wardround.lookup import suggestion

UNKNOWN = ""  # a missing patient, site, mask or published split
ALL = "All images"
NO_FINDING = "No Finding"  # stratum of the images of a multi-label set that show none of its findings

Task = Literal["binary", "multiclass", "multilabel", "segmentation"]

_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Catalogue:
    """Images with their labels or masks. All columns have n rows; text columns are NumPy object arrays of str, "" where unknown.

    images: path relative to root in POSIX form; "FILE.npz#KEY/INDEX" for a row of an array file; "DIR/case_{t1,t2}.nii.gz" for an
    image whose channels lie in several files (see `files_of`). labels: (n,) int64 in 0..C-1, an index into classes; for several
    findings an image (n, C) int64 of 0 and 1; all 0 where masks tell the classes. patients: the unit of splits and intervals.
    splits: the published split ("train", "val", "test" or ""). columns: any further column (age, view ...), usable for sites and
    subgroups.

    masks: paths of segmentations, one an image. mask_values: what a value in a mask file means, as an index into classes, of which
    0 is the background. regions: names of unions of classes that are scored too, e.g. WT -> (1, 2, 3).
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    images: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    splits: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    masks: np.ndarray | None = None
    mask_values: Mapping[int, int] = field(default_factory=dict)
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    licence: str = ""
    citation: str = ""
    phantom: bool = False

    def __post_init__(self) -> None:
        n = len(self.images)
        if n == 0:
            raise CatalogueError(f"{self.root}: no images found for data set '{self.name}'. Check the folder's layout with "
                                 f"'wardround data inspect {self.root}'.")
        lengths = {"labels": self.labels, "patients": self.patients, "splits": self.splits, **self.columns}
        if self.masks is not None:
            lengths["masks"] = self.masks
        for column, values in lengths.items():
            if len(values) != n:
                raise CatalogueError(f"{self.name}: column '{column}' has {len(values)} rows, images has {n}")
        highest = 1 if self.labels.ndim == 2 else len(self.classes) - 1
        if self.labels.min() < 0 or self.labels.max() > highest:
            raise CatalogueError(f"{self.name}: a label lies outside 0..{highest}")
        if self.labels.ndim == 2 and self.labels.shape[1] != len(self.classes):
            raise CatalogueError(f"{self.name}: labels have {self.labels.shape[1]} columns, there are {len(self.classes)} findings")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def task(self) -> Task:
        """What a model of these images answers."""
        if self.masks is not None:
            return "segmentation"
        if self.labels.ndim == 2:
            return "multilabel"
        return "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def strata(self) -> tuple[str, ...]:
        """Names of what splits and sites are balanced by: the classes; also "No Finding" for several findings an image; "images" alone
        for segmentation."""
        if self.task == "segmentation":
            return ("images",)
        return (*self.classes, NO_FINDING) if self.task == "multilabel" else self.classes

    def stratum_table(self) -> np.ndarray:
        """Which strata each image belongs to: (n, len(strata)) int64 of 0 and 1, at least one 1 in a row."""
        if self.task == "segmentation":
            return np.ones((len(self), 1), np.int64)
        if self.task == "multilabel":
            return np.concatenate([self.labels, (self.labels.sum(1, keepdims=True) == 0).astype(np.int64)], axis=1)
        table: np.ndarray = np.eye(len(self.classes), dtype=np.int64)[self.labels]
        return table

    def counts(self, rows: np.ndarray | None = None) -> dict[str, int]:
        """Images of each stratum among these rows (indices or a mask; None: all). Where an image may belong to several, the number
        of images follows under ALL."""
        table = self.stratum_table() if rows is None else self.stratum_table()[rows]
        found: dict[str, int] = dict(zip(self.strata, table.sum(0).tolist(), strict=True))
        return found | {ALL: len(table)} if self.task == "multilabel" else found

    def take(self, rows: np.ndarray) -> Catalogue:
        """The catalogue of these rows (indices or a mask), in the given order."""
        return replace(self, images=self.images[rows], labels=self.labels[rows], patients=self.patients[rows],
                       splits=self.splits[rows], masks=None if self.masks is None else self.masks[rows],
                       columns={name: values[rows] for name, values in self.columns.items()})

    def with_classes(self, classes: tuple[str, ...]) -> Catalogue:
        """The catalogue with these classes in this order; CatalogueError naming a label that is none of them, and its first image.

        Of several findings an image, those left out are forgotten."""
        if self.task == "segmentation":
            raise CatalogueError(f"{self.name}: the classes of masks are fixed ({', '.join(self.classes)}). Leave out data.classes.")
        if self.task == "multilabel":
            return self._with_findings(classes)
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

    def _with_findings(self, classes: tuple[str, ...]) -> Catalogue:
        for name in classes:
            if name not in self.classes:
                raise CatalogueError(f"{self.name}: data.classes names '{name}', which is no finding of this data set."
                                     f"{suggestion(name, list(self.classes))} Findings: {', '.join(self.classes)}.")
        return replace(self, classes=classes, labels=self.labels[:, [self.classes.index(name) for name in classes]])


def text_column(values: list[str]) -> np.ndarray:
    """A text column from a list."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def files_of(image: str) -> list[str]:
    """The files of a catalogue's image: "a/x_{t1,t2}.nii" is a/x_t1.nii and a/x_t2.nii, in this order; other names are one file."""
    found = _ALTERNATIVES.search(image)
    if found is None:
        return [image]
    return [image[: found.start()] + part + image[found.end():] for part in found[1].split(",")]


def suffixes_of(image: str) -> tuple[str, ...]:
    """How the files of such an image end, if its channels lie in several: "x_{t1,t2}.nii" gives ("t1.nii", "t2.nii"), others ()."""
    found = _ALTERNATIVES.search(image)
    return () if found is None else tuple(part + image[found.end():] for part in found[1].split(","))
