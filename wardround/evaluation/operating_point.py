"""The decision threshold, chosen on validation rows only."""

from __future__ import annotations

import numpy as np

from wardround.core.predictions import Predictions
from wardround.errors import WardroundError


def threshold(predictions: Predictions) -> float | None:
    """Return the p(class 1) from which a row is called positive: it maximises Youden's J = sensitivity + specificity - 1
    (so balanced accuracy too) on the rows of split "val". Youden 1950, Cancer 3:32.

    All thresholds between two adjacent scores decide alike, and so may neighbouring ones: the middle of the widest range of best
    thresholds in 0..1 is taken. 0.5 when validation rows hold one class only. None for more than two classes: the most probable
    class is the decision. WardroundError if there are no validation rows."""
    val = predictions.take(predictions.splits == "val")
    if len(val) == 0:
        raise WardroundError("there are no validation rows to choose a decision threshold on: predict the rows of split 'val' "
                             "(raise split.val if there are none); test rows must not be used")
    if len(val.classes) != 2:
        return None
    is_positive = val.truth == 1
    if is_positive.all() or not is_positive.any():
        return 0.5
    return _of_rows(is_positive, val.probabilities[:, 1])


def threshold_of_counts(scores: np.ndarray, edges: np.ndarray) -> float:
    """The same rule for validation rows of which only the bins of p(class 1) are known: a range then ends at a bin's limit.

    Rows within one bin cannot be parted, so of ranges that are almost equally good or wide another may win.
    scores: (2, B) counts of rows of class 0 and of class 1 by bin. edges: (B + 1,) rising limits of the bins, 0 and 1 at the ends.
    0.5 when the rows hold one class only, or when there are none."""
    negative, positive = scores
    if not positive.sum() or not negative.sum():
        return 0.5
    held = np.flatnonzero(positive + negative)
    called_positive, called_negative = (np.append(kind[held][::-1].cumsum()[::-1], 0) for kind in (positive, negative))
    lows, highs = np.concatenate([[0.0], edges[held + 1]]), np.concatenate([edges[held], [1.0]])
    return _middle_of_best(called_positive, called_negative, lows, highs)


def _of_rows(is_positive: np.ndarray, score: np.ndarray) -> float:
    values = np.unique(score)
    edges = np.concatenate([[0.0], values, [1.0]])  # thresholds in (edges[i], edges[i + 1]] call the rows >= values[i] positive
    ranked_positive, ranked_negative = np.sort(score[is_positive]), np.sort(score[~is_positive])
    called_positive = np.append(len(ranked_positive) - np.searchsorted(ranked_positive, values), 0)
    called_negative = np.append(len(ranked_negative) - np.searchsorted(ranked_negative, values), 0)
    return _middle_of_best(called_positive, called_negative, edges[:-1], edges[1:])


def _middle_of_best(called_positive: np.ndarray, called_negative: np.ndarray, lows: np.ndarray, highs: np.ndarray) -> float:
    """The middle of the widest range of best thresholds. Thresholds in (lows[i], highs[i]] call so many rows of either class positive."""
    youden = called_positive * called_negative[0] - called_negative * called_positive[0]  # J, in exact whole numbers
    best = np.flatnonzero(youden == youden.max())
    plateaus = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    ranges = [(float(lows[plateau[0]]), float(highs[plateau[-1]])) for plateau in plateaus]
    low, high = max(ranges, key=lambda ends: (ends[1] - ends[0], -abs(ends[0] + ends[1] - 1)))
    middle = (low + high) / 2
    return middle if middle > low else high  # between neighbouring floats there is no middle
