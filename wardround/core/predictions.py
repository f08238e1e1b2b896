"""Predictions on rows that were held back, with what is needed to judge them honestly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """One model's probabilities on n rows, for C classes.

    cases, groups: (n,) text, salted hashes of the image's path and of its patient (or near-duplicate group); a group is what an
    interval resamples. sites: (n,) the hospital a row belongs to. splits: (n,) "val", "test" or "test-leak" (a row of the published
    test split that leaks into training: judged apart). truth: (n,) int64. probabilities: (n, C) float64, rows sum to 1.
    """

    classes: tuple[str, ...]
    cases: np.ndarray
    groups: np.ndarray
    sites: np.ndarray
    splits: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray) -> Predictions:
        """The predictions on these rows (indices or a mask)."""
        return replace(self, cases=self.cases[rows], groups=self.groups[rows], sites=self.sites[rows], splits=self.splits[rows],
                       truth=self.truth[rows], probabilities=self.probabilities[rows])
