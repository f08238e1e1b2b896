"""Sums that a site reports instead of images or single predictions: they add up to the exact result over all sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SCORE_BINS = 1024


@dataclass(frozen=True, kw_only=True)
class ClassTally:
    """Sums over the images of one site, for C classes.

    loss_sum: summed loss. confusion: (C, C) int64, truth by row. scores: (C, 2, SCORE_BINS) int64, for each class the counts of
    its probability among images of other classes (0) and of the class (1): AUROC to within one bin.
    """

    loss_sum: float
    confusion: np.ndarray
    scores: np.ndarray

    @property
    def num_examples(self) -> int:
        return int(self.confusion.sum())

    def __add__(self, other: ClassTally) -> ClassTally:
        return ClassTally(loss_sum=self.loss_sum + other.loss_sum, confusion=self.confusion + other.confusion,
                          scores=self.scores + other.scores)

    @staticmethod
    def of(probabilities: np.ndarray, truth: np.ndarray, loss_sum: float) -> ClassTally:
        """Count. probabilities: (n, C) in 0..1. truth: (n,) int in 0..C-1."""
        num_classes = probabilities.shape[1]
        confusion = np.zeros((num_classes, num_classes), np.int64)
        np.add.at(confusion, (truth, probabilities.argmax(1)), 1)
        scores = np.zeros((num_classes, 2, SCORE_BINS), np.int64)
        bins = np.minimum((probabilities * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
        for label in range(num_classes):
            np.add.at(scores[label], ((truth == label).astype(np.int64), bins[:, label]), 1)
        return ClassTally(loss_sum=float(loss_sum), confusion=confusion, scores=scores)
