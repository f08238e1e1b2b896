"""Sums that a site reports instead of images or single predictions: they add up to the exact result over all sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SCORE_BINS = 1024


@dataclass(frozen=True, kw_only=True)
class ClassTally:
    """Sums over the images of one site, for C classes of which an image has one.

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
        one_hot = np.eye(num_classes, dtype=np.int64)[truth]
        return ClassTally(loss_sum=float(loss_sum), confusion=confusion, scores=_histograms(probabilities, one_hot))


@dataclass(frozen=True, kw_only=True)
class FindingTally:
    """Sums over the images of one site, for C findings of which an image may have any number. scores: as in ClassTally."""

    loss_sum: float
    scores: np.ndarray

    @property
    def num_examples(self) -> int:
        return int(self.scores[0].sum())

    def __add__(self, other: FindingTally) -> FindingTally:
        return FindingTally(loss_sum=self.loss_sum + other.loss_sum, scores=self.scores + other.scores)

    @staticmethod
    def of(probabilities: np.ndarray, truth: np.ndarray, loss_sum: float) -> FindingTally:
        """Count. probabilities: (n, C) in 0..1. truth: (n, C) of 0 and 1."""
        return FindingTally(loss_sum=float(loss_sum), scores=_histograms(probabilities, truth))


@dataclass(frozen=True, kw_only=True)
class DiceTally:
    """Sums over the patients of one site. loss_sum: of each patient's mean loss. names: (K,) regions or classes.
    dice_sum: (K,) float64, summed Dice; every patient has one (empty masks: evaluation/segmentation.py)."""

    loss_sum: float
    num_examples: int
    names: tuple[str, ...]
    dice_sum: np.ndarray

    def __add__(self, other: DiceTally) -> DiceTally:
        return DiceTally(loss_sum=self.loss_sum + other.loss_sum, num_examples=self.num_examples + other.num_examples,
                         names=self.names, dice_sum=self.dice_sum + other.dice_sum)


Tally = ClassTally | FindingTally | DiceTally


def _histograms(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(C, 2, SCORE_BINS) counts. probabilities: (n, C). truth: (n, C) of 0 and 1."""
    num_classes = probabilities.shape[1]
    scores = np.zeros((num_classes, 2, SCORE_BINS), np.int64)
    bins = np.minimum((probabilities * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
    for label in range(num_classes):
        np.add.at(scores[label], (truth[:, label], bins[:, label]), 1)
    return scores
