"""Whether probabilities mean what they say: reliability bins, and slope and intercept of a logistic recalibration."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from wardround.core.predictions import Predictions
from wardround.evaluation.metrics import ECE_BINS, confidence, equal_mass_bins

NEAR_CERTAIN = 1e-7  # probabilities closer to 0 or 1 are moved here, the resolution of float32, so that their logit is finite
NEWTON_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Rows of similar confidence. predicted: mean confidence. observed: share of hits, with its Wilson interval low..high."""

    predicted: float
    observed: float
    low: float
    high: float
    count: int


def reliability(predictions: Predictions, bins: int = ECE_BINS, level: float = 0.95) -> list[Bin]:
    """Return at most `bins` bins of equal mass, by rising confidence (`metrics.confidence`); tied rows share a bin, empty bins are
    left out. The mean of |predicted - observed| weighted by count is `metrics.ece`. All rows given are used: pass one split."""
    score, is_hit = confidence(predictions.truth, predictions.probabilities)
    ranked = np.argsort(score)
    score, is_hit = score[ranked], is_hit[ranked]
    bin_of_row = equal_mass_bins(score, np.ones(len(score)), bins)
    found = []
    for number in np.unique(bin_of_row):
        rows = bin_of_row == number
        count, hits = int(rows.sum()), int(is_hit[rows].sum())
        low, high = wilson(hits, count, level)
        found.append(Bin(predicted=float(score[rows].mean()), observed=hits / count, low=low, high=high, count=count))
    return found


def wilson(hits: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share of independent rows, count >= 1: Wilson 1927, doi:10.1080/01621459.1927.10502953."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (hits + z * z / 2) / (count + z * z)
    half = z * sqrt(hits * (count - hits) / count + z * z / 4) / (count + z * z)
    return max(0.0, centre - half), min(1.0, centre + half)


def recalibration(predictions: Predictions) -> tuple[float, float]:
    """Return (slope, intercept) of logit P(class 1) = intercept + slope * logit p(class 1), by maximum likelihood: 1 and 0 when
    calibrated, slope < 1 when too extreme. Cox 1958, doi:10.1093/biomet/45.3-4.562. For two classes.

    NaN, NaN when there is no single best fit: one class only, all scores equal, or classes that a threshold separates."""
    p = np.clip(predictions.probabilities[:, 1], NEAR_CERTAIN, 1 - NEAR_CERTAIN)
    logit, target = np.log(p / (1 - p)), (predictions.truth == 1).astype(np.float64)
    if not _overlaps(logit, target):
        return np.nan, np.nan
    mean, spread = logit.mean(), logit.std()
    level, rise = _newton((logit - mean) / spread, target)
    return float(rise / spread), float(level - rise * mean / spread)


def _newton(x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return (level, rise) that maximise the likelihood of logit P(target) = level + rise * x; NaN if the steps do not end."""
    design = np.stack([np.ones(len(x)), x], 1)  # (n, 2)
    fit = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        expected = np.exp(-np.logaddexp(0.0, -design @ fit))  # the sigmoid, without overflow
        gradient = design.T @ (target - expected)
        if np.abs(gradient).max() <= 1e-9 * len(x):
            return fit
        curvature = (design * (expected * (1 - expected))[:, None]).T @ design
        step = np.linalg.solve(curvature, gradient)
        while _loss(design @ (fit + step), target) > _loss(design @ fit, target) and np.abs(step).max() > 1e-12:
            step = step / 2  # a full Newton step may overshoot
        fit = fit + step
    return np.full(2, np.nan)


def _loss(logit: np.ndarray, target: np.ndarray) -> float:
    return float((np.logaddexp(0.0, logit) - target * logit).sum())


def _overlaps(logit: np.ndarray, target: np.ndarray) -> bool:
    """Whether a finite best fit exists: neither order of the classes is free of overlap."""
    positive, negative = logit[target == 1], logit[target == 0]
    if len(positive) == 0 or len(negative) == 0:
        return False
    return bool(positive.min() < negative.max() and negative.min() < positive.max())
