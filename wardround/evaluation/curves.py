"""ROC and precision-recall curves as exact points: one for each distinct score, nothing thinned out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wardround.core.predictions import Predictions
from wardround.evaluation.metrics import ratio

Curve = tuple[np.ndarray, np.ndarray, np.ndarray]


def roc(is_positive: np.ndarray, score: np.ndarray) -> Curve:
    """Return (fpr, tpr, thresholds), each (m + 1,) for m distinct scores, from (0, 0) at infinity to (1, 1).

    Joined by straight lines their area is `metrics.ranked_auroc`. NaN throughout a rate whose kind of rows is absent."""
    hits, false_alarms, thresholds = _counts(is_positive, score)
    return _share(false_alarms), _share(hits), thresholds


def precision_recall(is_positive: np.ndarray, score: np.ndarray) -> Curve:
    """Return (precision, recall, thresholds), each (m + 1,), by rising recall; the first point, at recall 0, repeats the first
    precision. Drawn as steps (each precision holds back to the recall before) their area is `metrics.average_precision`."""
    hits, false_alarms, thresholds = _counts(is_positive, score)
    precision = hits[1:] / (hits + false_alarms)[1:]
    return np.concatenate([precision[:1], precision]), _share(hits), thresholds


def one_vs_rest(predictions: Predictions, curve: Callable[[np.ndarray, np.ndarray], Curve] = roc) -> dict[str, Curve]:
    """Return each class's curve by name, of class 1 only when there are two; classes without rows, or with all, are left out."""
    labels = [1] if len(predictions.classes) == 2 else range(len(predictions.classes))
    found = {}
    for label in labels:
        is_positive = predictions.truth == label
        if is_positive.any() and not is_positive.all():
            found[predictions.classes[label]] = curve(is_positive, predictions.probabilities[:, label])
    return found


def macro_roc(curves: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """Return (fpr, tpr) of the mean of ROC curves at each false-positive rate; its area is the mean of their areas.

    Every rate stands twice: where a curve rises straight up, the mean has a lower and an upper end there."""
    rates = np.unique(np.concatenate([fpr for fpr, _, _ in curves]))
    lower = np.mean([_at(rates, fpr, tpr, "left") for fpr, tpr, _ in curves], axis=0)
    upper = np.mean([_at(rates, fpr, tpr, "right") for fpr, tpr, _ in curves], axis=0)
    return np.repeat(rates, 2), np.stack([lower, upper], 1).ravel()


def _at(rates: np.ndarray, fpr: np.ndarray, tpr: np.ndarray, side: str) -> np.ndarray:
    """The curve's lower ("left") or upper ("right") value at each rate."""
    if side == "left":
        ends = np.searchsorted(fpr, rates, "left")
    else:
        ends = np.searchsorted(fpr, rates, "right") - 1
    return np.where(fpr[ends] == rates, tpr[ends], np.interp(rates, fpr, tpr))


def _counts(is_positive: np.ndarray, score: np.ndarray) -> Curve:
    """Positives and negatives at or above each distinct score, from none at infinity."""
    values = np.unique(score)[::-1]
    positive, negative = np.sort(score[is_positive]), np.sort(score[~is_positive])
    hits = len(positive) - np.searchsorted(positive, values)
    false_alarms = len(negative) - np.searchsorted(negative, values)
    return (np.concatenate([[0], hits]), np.concatenate([[0], false_alarms]), np.concatenate([[np.inf], values]))


def _share(counts: np.ndarray) -> np.ndarray:
    return ratio(counts, counts[-1])
