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
    return _middle_of_best(is_positive, val.probabilities[:, 1])


def _middle_of_best(is_positive: np.ndarray, score: np.ndarray) -> float:
    values = np.unique(score)
    edges = np.concatenate([[0.0], values, [1.0]])  # thresholds in (edges[i], edges[i + 1]] call the rows >= values[i] positive
    ranked_positive, ranked_negative = np.sort(score[is_positive]), np.sort(score[~is_positive])
    called_positive = np.append(len(ranked_positive) - np.searchsorted(ranked_positive, values), 0)
    called_negative = np.append(len(ranked_negative) - np.searchsorted(ranked_negative, values), 0)
    youden = called_positive * len(ranked_negative) - called_negative * len(ranked_positive)  # J, in exact whole numbers
    best = np.flatnonzero(youden == youden.max())
    plateaus = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    ranges = [(float(edges[plateau[0]]), float(edges[plateau[-1] + 1])) for plateau in plateaus]
    low, high = max(ranges, key=lambda ends: (ends[1] - ends[0], -abs(ends[0] + ends[1] - 1)))
    middle = (low + high) / 2
    return middle if middle > low else high  # between neighbouring floats there is no middle
