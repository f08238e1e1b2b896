"""Sums that a site reports instead of images or single predictions: they add up to the exact result over all sites.

Counts are kept sparse, so that a thousand sites of one image each cost no more than one site of a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np

SCORE_BINS = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """A vector of `size` counts, most of them 0. cells: (k,) int64, places of the others. numbers: (k,) int64, their counts."""

    size: int
    cells: np.ndarray
    numbers: np.ndarray

    @cached_property
    def dense(self) -> np.ndarray:
        """(size,) int64."""
        whole = np.zeros(self.size, np.int64)
        np.add.at(whole, self.cells, self.numbers)
        return whole

    @staticmethod
    def of_parts(cells: np.ndarray, part: np.ndarray, num_parts: int, size: int) -> list[Counts]:
        """Count the cells, (n, k), of each part of the rows; part: (n,) the number of each row's part, rising.

        The cells rise: the order of rows, which would tell the cells of one image, is not kept."""
        found, numbers = np.unique(part[:, None] * size + cells, return_counts=True)
        ends = np.searchsorted(found, size * np.arange(num_parts + 1)).tolist()
        return [Counts(size=size, cells=found[start:end] - index * size, numbers=numbers[start:end])
                for index, (start, end) in enumerate(pairwise(ends))]

    @staticmethod
    def total(parts: Sequence[Counts]) -> Counts:
        """The sum of counts of one size."""
        return Counts(size=parts[0].size, cells=np.concatenate([part.cells for part in parts]),
                      numbers=np.concatenate([part.numbers for part in parts]))


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelTally:
    """Sums over labelled images of one site. loss_sum: summed loss. num_classes: C. counts: see the kinds below."""

    loss_sum: float
    num_classes: int
    counts: Counts

    @classmethod
    def of(cls, probabilities: np.ndarray, truth: np.ndarray, losses: np.ndarray) -> Self:
        """Count. probabilities: (n, C) in 0..1. truth: the labels. losses: (n,), of each image."""
        return cls.of_parts(probabilities, truth, losses, [len(truth)])[0]

    @classmethod
    def of_parts(cls, probabilities: np.ndarray, truth: np.ndarray, losses: np.ndarray, sizes: Sequence[int]) -> list[Self]:
        """A tally of each part of the rows. sizes: rows of each part, in order."""
        num_classes = probabilities.shape[1]
        cells, size = cls._cells(probabilities, truth), cls._size(num_classes)
        part = np.repeat(np.arange(len(sizes)), sizes)
        sums = np.bincount(part, losses, minlength=len(sizes)).tolist()
        nothing = cls(loss_sum=0.0, num_classes=num_classes, counts=Counts(size=size, cells=part[:0], numbers=part[:0]))
        return [cls(loss_sum=loss_sum, num_classes=num_classes, counts=counts) if held else nothing
                for held, loss_sum, counts in zip(sizes, sums, Counts.of_parts(cells, part, len(sizes), size), strict=True)]

    @classmethod
    def total(cls, parts: Sequence[Self]) -> Self:
        """The tally of all parts together."""
        return cls(loss_sum=sum(part.loss_sum for part in parts), num_classes=parts[0].num_classes,
                   counts=Counts.total([part.counts for part in parts]))

    @property
    def scores(self) -> np.ndarray:
        """(C, 2, SCORE_BINS) int64: for each class the counts of its probability among images without it (0) and with it (1).

        AUROC follows to within one bin."""
        return self.counts.dense[: _num_scores(self.num_classes)].reshape(self.num_classes, 2, SCORE_BINS)

    @classmethod
    def _cells(cls, probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """(n, k): which counts each image raises."""
        raise NotImplementedError

    @classmethod
    def _size(cls, num_classes: int) -> int:
        raise NotImplementedError


class ClassTally(LabelTally):
    """One class an image. truth: (n,) int in 0..C-1. counts: `scores`, then `confusion`, flat."""

    @property
    def num_examples(self) -> int:
        return int(self.confusion.sum())

    @property
    def confusion(self) -> np.ndarray:
        """(C, C) int64 counts, truth by row."""
        return self.counts.dense[_num_scores(self.num_classes) :].reshape(self.num_classes, self.num_classes)

    @classmethod
    def _cells(cls, probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
        num_classes = probabilities.shape[1]
        confused = _num_scores(num_classes) + truth * num_classes + probabilities.argmax(1)
        return np.column_stack([_score_cells(probabilities, truth[:, None] == np.arange(num_classes)), confused])

    @classmethod
    def _size(cls, num_classes: int) -> int:
        return _num_scores(num_classes) + num_classes**2


class FindingTally(LabelTally):
    """Any number of C findings an image. truth: (n, C) of 0 and 1. counts: `scores`, flat."""

    @property
    def num_examples(self) -> int:
        return int(self.scores[0].sum())

    @classmethod
    def _cells(cls, probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
        return _score_cells(probabilities, truth)

    @classmethod
    def _size(cls, num_classes: int) -> int:
        return _num_scores(num_classes)


@dataclass(frozen=True, kw_only=True)
class DiceTally:
    """Sums over the patients of one site. loss_sum: of each patient's mean loss. names: (K,) regions or classes.
    dice_sum: (K,) float64, summed Dice; every patient has one (empty masks: evaluation/segmentation.py)."""

    loss_sum: float
    num_examples: int
    names: tuple[str, ...]
    dice_sum: np.ndarray

    @classmethod
    def total(cls, parts: Sequence[DiceTally]) -> DiceTally:
        """The tally of all parts together."""
        return cls(loss_sum=sum(part.loss_sum for part in parts), num_examples=sum(part.num_examples for part in parts),
                   names=parts[0].names, dice_sum=sum((part.dice_sum for part in parts[1:]), parts[0].dice_sum))


Tally = ClassTally | FindingTally | DiceTally


def total(tallies: Sequence[Tally]) -> Tally:
    """The tally over all sites; all are of one kind, at least one."""
    kind: type[Tally] = type(tallies[0])
    return kind.total(tallies)  # type: ignore[arg-type]


def _num_scores(num_classes: int) -> int:
    return 2 * num_classes * SCORE_BINS


def _score_cells(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(n, C) places in a flat (C, 2, SCORE_BINS). truth: (n, C) of 0 and 1."""
    bins = np.minimum((probabilities * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
    cells: np.ndarray = (2 * np.arange(probabilities.shape[1]) + truth) * SCORE_BINS + bins
    return cells
