"""Results on rows that were held back, with what is needed to judge them honestly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Held:
    """Where n results belong.

    cases, groups: (n,) text, salted hashes of the image's path and of its patient (or near-duplicate group); a group is what an
    interval resamples. sites: (n,) the hospital a row belongs to. splits: (n,) "val", "test" or "test-leak" (a row of the published
    test split that leaks into training: judged apart).
    """

    cases: np.ndarray
    groups: np.ndarray
    sites: np.ndarray
    splits: np.ndarray

    def __len__(self) -> int:
        return len(self.cases)

    def take(self, rows: np.ndarray) -> Self:
        """The results on these rows (indices or a mask)."""
        columns = {name: value[rows] for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return replace(self, **columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions(Held):
    """One model's probabilities on n images, for C classes.

    truth: (n,) int64 class of each image; its probabilities, (n, C) float64, sum to 1 in a row. Of several findings an image,
    truth is (n, C) int64 of 0 and 1, and each probability stands for itself.
    """

    classes: tuple[str, ...]
    truth: np.ndarray
    probabilities: np.ndarray

    @property
    def is_multilabel(self) -> bool:
        return self.truth.ndim == 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured(Held):
    """One model's segmentations of n patients, as measured against the truth.

    names: (M,) e.g. "dice_WT". values: (n, M) float64, NaN where a measure cannot be taken (evaluation/segmentation.py).
    """

    names: tuple[str, ...]
    values: np.ndarray


Results = Predictions | Measured
