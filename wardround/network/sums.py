"""The sums over a site's test rows of which the results over all sites are made: they add up, over sites and over resampled patients.

A row gives a vector of K numbers: its cell of the confusion table, its squared error, the bins of its scores. Confusion, Brier score and
Dice of all sites are then exact. AUROC, average precision and calibration error treat scores in one of the BINS bins as equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from wardround.build import Design
from wardround.core.predictions import Measured, Predictions, Results
from wardround.errors import SiteError
from wardround.evaluation.intervals import Bootstrap
from wardround.evaluation.metrics import (
    ECE_BINS,
    binned_auroc,
    binned_average_precision,
    confidence,
    decide,
    equal_mass_bins,
    mean_estimable,
    ratio,
    table_accuracy,
    table_f1s,
    table_recalls,
)
from wardround.evaluation.segmentation import measure_names, scored_regions
from wardround.rng import stream_seed

BINS = 64
LIMITS = 1 / (1 + np.exp(-np.linspace(-9.2, 9.2, BINS - 1)))  # between bins, even in the logit: a sure model's scores lie near 0 and 1
MAX_RESAMPLES = 500  # their percentiles waver by a tenth of the interval's width; more would be megabytes a site

Values = dict[str, np.ndarray]  # metric -> (...)
Kind = TypeVar("Kind", Predictions, Measured)


class Sums(Protocol):
    """How the K numbers of a row are laid out."""

    @property
    def size(self) -> int: ...

    def of_rows(self, found: Results) -> np.ndarray:
        """(n, K) float64."""
        ...

    def metrics(self, sums: np.ndarray, *, rare: frozenset[str] = frozenset()) -> Values:
        """The metrics of evaluation/scores.py, in its order, from (..., K) sums. rare: findings that means leave out."""
        ...

    def support(self, sums: np.ndarray) -> dict[str, int]:
        """Rows of each class, or with each finding, or patients that have each measure, from (K,) sums."""
        ...


def sums_of(design: Design, threshold: float | None) -> Sums:
    """The layout for the design's task."""
    if design.task == "segmentation":
        return MeasureSums(names=measure_names(scored_regions(design.classes, design.regions)))
    if design.task == "multilabel":
        return FindingSums(classes=design.classes)
    return ClassSums(classes=design.classes, threshold=threshold)


@dataclass(frozen=True, kw_only=True)
class ClassSums:
    """One class an image: confusion (C, C), then the squared error, then for each ranked class (2, BINS) counts of its score among the
    other rows and its own, then (3, BINS) of the confidence: rows, their summed confidence, hits."""

    classes: tuple[str, ...]
    threshold: float | None

    @property
    def labels(self) -> list[int]:
        """The classes whose scores are ranked: the second of two, else all."""
        return [1] if len(self.classes) == 2 else list(range(len(self.classes)))

    @property
    def size(self) -> int:
        return len(self.classes) ** 2 + 1 + (2 * len(self.labels) + 3) * BINS

    def of_rows(self, found: Results) -> np.ndarray:
        predictions = _of_kind(found, Predictions)
        truth, p, num = predictions.truth, predictions.probabilities, len(self.classes)
        squares = (p - np.eye(num)[truth]) ** 2
        parts = [_one_hot(truth * num + decide(p, self.threshold), num * num), (squares[:, 1] if num == 2 else squares.sum(1))[:, None]]
        parts += [_one_hot((truth == label) * BINS + _bin(p[:, label]), 2 * BINS) for label in self.labels]
        return np.concatenate([*parts, _confidence(*confidence(truth, p))], axis=1)

    def confusion(self, sums: np.ndarray) -> np.ndarray:
        """(..., C, C), truth by row."""
        num = len(self.classes)
        return sums[..., : num * num].reshape(*sums.shape[:-1], num, num)

    def scores(self, sums: np.ndarray) -> np.ndarray:
        """(..., ranked classes, 2, BINS)."""
        start = len(self.classes) ** 2 + 1
        return sums[..., start : -3 * BINS].reshape(*sums.shape[:-1], len(self.labels), 2, BINS)

    def confidence(self, sums: np.ndarray) -> np.ndarray:
        """(..., 3, BINS)."""
        return sums[..., -3 * BINS :].reshape(*sums.shape[:-1], 3, BINS)

    def metrics(self, sums: np.ndarray, *, rare: frozenset[str] = frozenset()) -> Values:
        table, scores = self.confusion(sums), self.scores(sums)
        recalls, areas = table_recalls(table), mean_estimable(binned_auroc(scores))
        accuracy, balanced = table_accuracy(table), mean_estimable(recalls)
        errors = {"brier": ratio(sums[..., len(self.classes) ** 2], table.sum((-2, -1))), "ece": binned_ece(self.confidence(sums))}
        if len(self.classes) == 2:
            return {"auroc": areas, "auprc": mean_estimable(binned_average_precision(scores)), "accuracy": accuracy,
                    "balanced_accuracy": balanced, "sensitivity": recalls[..., 1], "specificity": recalls[..., 0],
                    "f1": table_f1s(table)[..., 1], **errors}
        return {"accuracy": accuracy, "balanced_accuracy": balanced, "auroc": areas, "f1": mean_estimable(table_f1s(table)), **errors,
                **{f"recall_{name}": recalls[..., label] for label, name in enumerate(self.classes)}}

    def support(self, sums: np.ndarray) -> dict[str, int]:
        return dict(zip(self.classes, self.confusion(sums).sum(1).astype(int).tolist(), strict=True))


@dataclass(frozen=True, kw_only=True)
class FindingSums:
    """Several findings an image: for each the squared error, (2, BINS) counts of its score among the rows without it and with it, and
    (BINS,) summed scores."""

    classes: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.classes) * (1 + 3 * BINS)

    def of_rows(self, found: Results) -> np.ndarray:
        predictions = _of_kind(found, Predictions)
        parts = []
        for truth, p in zip(predictions.truth.T, predictions.probabilities.T, strict=True):
            place = _bin(p)
            parts += [((p - truth) ** 2)[:, None], _one_hot(truth * BINS + place, 2 * BINS), _one_hot(place, BINS) * p[:, None]]
        return np.concatenate(parts, axis=1)

    def scores(self, sums: np.ndarray) -> np.ndarray:
        """(..., C, 2, BINS)."""
        parts = self._by_finding(sums)[..., 1 : 1 + 2 * BINS]
        return parts.reshape(*parts.shape[:-1], 2, BINS)

    def confidence(self, sums: np.ndarray) -> np.ndarray:
        """(..., C, 3, BINS), of each finding: rows, their summed score, rows with it."""
        scores = self.scores(sums)
        return np.stack([scores.sum(-2), self._by_finding(sums)[..., 1 + 2 * BINS :], scores[..., 1, :]], axis=-2)

    def metrics(self, sums: np.ndarray, *, rare: frozenset[str] = frozenset()) -> Values:
        scores = self.scores(sums)
        kept = [name not in rare for name in self.classes]
        ranked = {"auroc": binned_auroc(scores), "auprc": binned_average_precision(scores)}
        errors = ratio(self._by_finding(sums)[..., 0], scores.sum((-2, -1)))
        found = {name: mean_estimable(values[..., kept]) for name, values in ranked.items()}
        found |= {"brier": mean_estimable(errors), "ece": mean_estimable(binned_ece(self.confidence(sums)))}
        for name, values in ranked.items():
            found |= {f"{name}_{finding}": values[..., place] for place, finding in enumerate(self.classes)}
        return found

    def support(self, sums: np.ndarray) -> dict[str, int]:
        return dict(zip(self.classes, self.scores(sums)[:, 1].sum(1).astype(int).tolist(), strict=True))

    def _by_finding(self, sums: np.ndarray) -> np.ndarray:
        return sums.reshape(*sums.shape[:-1], len(self.classes), 1 + 3 * BINS)


@dataclass(frozen=True, kw_only=True)
class MeasureSums:
    """Segmentations: for each measure its sum over the patients that have it, then how many these are."""

    names: tuple[str, ...]

    @property
    def size(self) -> int:
        return 2 * len(self.names)

    def of_rows(self, found: Results) -> np.ndarray:
        values = _of_kind(found, Measured).values
        return np.concatenate([np.nan_to_num(values), ~np.isnan(values)], axis=1)

    def metrics(self, sums: np.ndarray, *, rare: frozenset[str] = frozenset()) -> Values:
        num = len(self.names)
        means = ratio(sums[..., :num], sums[..., num:])
        return {name: means[..., place] for place, name in enumerate(self.names)}

    def support(self, sums: np.ndarray) -> dict[str, int]:
        return dict(zip(self.names, sums[len(self.names) :].astype(int).tolist(), strict=True))


def replicates(rows: np.ndarray, groups: np.ndarray, *, resamples: int, seed: int, site: str) -> np.ndarray:
    """(1 + R, K) float32: the sum of the rows, then of each of R = min(resamples, MAX_RESAMPLES) resamples of the site's patients.

    rows: (n, K). groups: (n,) the patient of each. Added up over sites this is a stratified bootstrap, each site a stratum: Davison and
    Hinkley 1997, Bootstrap Methods and their Application, section 3.2. Every site draws from a stream of its own, else all would draw
    alike. A site with a single patient does not vary, one without rows gives zeros."""
    count = min(resamples, MAX_RESAMPLES)
    if len(np.unique(groups)) < 2:
        return np.repeat(rows.sum(0, keepdims=True), 1 + count, axis=0).astype(np.float32)
    bootstrap = Bootstrap(groups, count, stream_seed(seed, "network", site))
    return np.concatenate([rows.sum(0, keepdims=True), *(weights @ rows for weights in bootstrap.blocks())]).astype(np.float32)


def binned_ece(held: np.ndarray) -> np.ndarray:
    """(...) calibration errors as `metrics.ece`, rows of one bin taken as tied. held: (..., 3, BINS) rows, summed confidence, hits."""
    counts, gaps = (part.reshape(-1, BINS).astype(np.float64) for part in (held[..., 0, :], held[..., 1, :] - held[..., 2, :]))
    wide = equal_mass_bins(np.arange(BINS), counts, ECE_BINS) + ECE_BINS * np.arange(len(counts))[:, None]
    summed = np.bincount(wide.ravel(), gaps.ravel(), minlength=ECE_BINS * len(counts)).reshape(-1, ECE_BINS)
    return ratio(np.abs(summed).sum(1), counts.sum(1)).reshape(held.shape[:-2])


def is_fitting(sums: np.ndarray | None, layout: Sums, resamples: int) -> bool:
    """Whether an array from outside can be a site's replicates."""
    return (sums is not None and sums.shape == (1 + min(resamples, MAX_RESAMPLES), layout.size) and bool(np.isfinite(sums).all())
            and bool((sums >= 0).all()))


def _confidence(score: np.ndarray, is_hit: np.ndarray) -> np.ndarray:
    held = _one_hot(_bin(score), BINS)
    return np.concatenate([held, held * score[:, None], held * is_hit[:, None]], axis=1)


def _bin(score: np.ndarray) -> np.ndarray:
    return np.searchsorted(LIMITS, score, side="right")


def _one_hot(places: np.ndarray, size: int) -> np.ndarray:
    """(n, size) float64."""
    cells = np.zeros((len(places), size))
    cells[np.arange(len(places)), places] = 1.0
    return cells


def _of_kind(found: Results, kind: type[Kind]) -> Kind:
    if not isinstance(found, kind):
        raise SiteError(f"the results of the test rows are {type(found).__name__}, and the task needs {kind.__name__}")
    return found
