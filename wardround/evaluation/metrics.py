"""How good predictions are, as plain functions of truth and probabilities.

truth: (n,) int class of each row. probabilities: (n, C), rows sum to 1. With C = 2 the positive class is class 1. Decisions are
`p(class 1) >= threshold` when a threshold is given (C = 2 only), else the most probable class.
weights: (..., n) how often each row counts; a row of weight 2 is the row written twice. Results have the leading shape (...): one
number without weights, (R,) for R resamples of a bootstrap. NaN means "not estimable" (a class is absent), never zero.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from wardround.core.tally import ClassTally, DiceTally, FindingTally, Tally
from wardround.errors import WardroundError

ECE_BINS = 15
SMALLEST_PROBABILITY = 1e-15  # log-loss of a class that was given probability 0 stays finite


def decide(probabilities: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Return the (n,) predicted classes; WardroundError for a threshold on more than two classes."""
    if threshold is None:
        return np.asarray(probabilities.argmax(1))
    if probabilities.shape[1] != 2:
        raise WardroundError(f"a decision threshold needs two classes, not {probabilities.shape[1]}: "
                             "leave it out to take the most probable class")
    return np.asarray(probabilities[:, 1] >= threshold, np.int64)


def confusion_table(truth: np.ndarray, predicted: np.ndarray, num_classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Return (..., C, C) float counts, truth by row."""
    cells = np.zeros((len(truth), num_classes * num_classes))
    cells[np.arange(len(truth)), truth * num_classes + predicted] = 1.0
    counts = _weights(truth, weights) @ cells
    return counts.reshape(*counts.shape[:-1], num_classes, num_classes)


def accuracy(truth: np.ndarray, probabilities: np.ndarray, threshold: float | None = None,
             weights: np.ndarray | None = None) -> np.ndarray:
    """Share of right decisions."""
    return table_accuracy(_table(truth, probabilities, threshold, weights))


def recalls(truth: np.ndarray, probabilities: np.ndarray, threshold: float | None = None,
            weights: np.ndarray | None = None) -> np.ndarray:
    """Return (..., C): the share of each class's rows that were decided so; NaN for a class without rows."""
    return table_recalls(_table(truth, probabilities, threshold, weights))


def balanced_accuracy(truth: np.ndarray, probabilities: np.ndarray, threshold: float | None = None,
                      weights: np.ndarray | None = None) -> np.ndarray:
    """Mean recall over the classes that truth holds: a class without rows is left out, not counted as 0."""
    return mean_estimable(recalls(truth, probabilities, threshold, weights))


def sensitivity(truth: np.ndarray, probabilities: np.ndarray, threshold: float | None = None,
                weights: np.ndarray | None = None) -> np.ndarray:
    """Recall of class 1 (C = 2)."""
    return np.asarray(recalls(truth, probabilities, threshold, weights)[..., 1])


def specificity(truth: np.ndarray, probabilities: np.ndarray, threshold: float | None = None,
                weights: np.ndarray | None = None) -> np.ndarray:
    """Recall of class 0 (C = 2)."""
    return np.asarray(recalls(truth, probabilities, threshold, weights)[..., 0])


def f1(truth: np.ndarray, probabilities: np.ndarray, threshold: float | None = None,
       weights: np.ndarray | None = None) -> np.ndarray:
    """F1 = 2 TP / (2 TP + FP + FN) of class 1 (C = 2); NaN when class 1 is neither present nor predicted."""
    return np.asarray(table_f1s(_table(truth, probabilities, threshold, weights))[..., 1])


def macro_f1(truth: np.ndarray, probabilities: np.ndarray, threshold: float | None = None,
             weights: np.ndarray | None = None) -> np.ndarray:
    """Mean F1 over the classes that are present or predicted: a class that is only predicted counts as 0."""
    return mean_estimable(table_f1s(_table(truth, probabilities, threshold, weights)))


def auroc(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve of class 1 (C = 2), or the mean of the classes' one-vs-rest areas (macro, C > 2).

    Ties count one half. A class that has no rows, or all of them, is left out of the mean; NaN if none is left."""
    return _one_vs_rest(ranked_auroc, truth, probabilities, weights)


def auprc(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average precision, step-wise: sum of (R_k - R_k-1) P_k over distinct scores; classes as in `auroc`."""
    return _one_vs_rest(average_precision, truth, probabilities, weights)


def ranked_auroc(is_positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Probability that a positive row scores above a negative one, ties one half; NaN when one of the two kinds is absent."""
    weights = _weights(score, weights)
    positive, negative = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
    negative = negative[np.argsort(score[negative])]
    mass = _cumulative(weights[..., negative])
    below, up_to = (np.searchsorted(score[negative], score[positive], side) for side in ("left", "right"))
    won = weights[..., positive]
    wins = (won * (mass[..., below] + mass[..., up_to])).sum(-1) / 2
    return ratio(wins, won.sum(-1) * mass[..., -1])


def average_precision(is_positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean, over positive rows, of the precision among the rows that score at least as high; NaN when one kind is absent."""
    weights = _weights(score, weights)
    ranked = np.argsort(-score)
    positive = ranked[is_positive[ranked]]
    found = weights[..., positive]
    selected = np.searchsorted(-score[ranked], -score[positive], "right")  # rows that score at least as high
    hits = np.searchsorted(-score[positive], -score[positive], "right")  # positives among them
    mass, mass_positive = _cumulative(weights[..., ranked]), _cumulative(found)
    precision = np.nan_to_num(ratio(mass_positive[..., hits], mass[..., selected]))  # 0 / 0 only where found is 0 too
    has_negatives = mass[..., -1] > mass_positive[..., -1]
    return np.where(has_negatives, ratio((found * precision).sum(-1), mass_positive[..., -1]), np.nan)


def brier(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean squared error of the probabilities: of class 1 (C = 2, 0 to 1), or summed over classes (C > 2, 0 to 2)."""
    squares = (probabilities - np.eye(probabilities.shape[1])[truth]) ** 2
    return _mean_row(squares[:, 1] if probabilities.shape[1] == 2 else squares.sum(1), weights)


def log_loss(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean of -ln p(true class), in nats."""
    return _mean_row(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], SMALLEST_PROBABILITY)), weights)


def ece(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None, bins: int = ECE_BINS) -> np.ndarray:
    """Expected calibration error: mean over equal-mass bins of |mean confidence - share of hits| (see `confidence`).

    Of few rows it is too high even for a perfectly calibrated model, because each bin's share is noisy."""
    score, is_hit = confidence(truth, probabilities)
    ranked = np.argsort(score)
    mass = np.atleast_2d(_weights(truth, weights)[..., ranked])  # (R, n)
    cells = equal_mass_bins(score[ranked], mass, bins) + bins * np.arange(len(mass))[:, None]
    gaps = np.bincount(cells.ravel(), (mass * (score - is_hit)[ranked]).ravel(), minlength=bins * len(mass)).reshape(-1, bins)
    result = ratio(np.abs(gaps).sum(1), mass.sum(1))
    return result.reshape(() if weights is None else weights.shape[:-1])


def confidence(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What calibration compares: p(class 1) and "is class 1" (C = 2), else the highest probability and "was right"."""
    if probabilities.shape[1] == 2:
        return probabilities[:, 1], truth == 1
    return probabilities.max(1), probabilities.argmax(1) == truth


def equal_mass_bins(score: np.ndarray, weights: np.ndarray, bins: int) -> np.ndarray:
    """Return (..., n): the bin, from 0, of rows sorted by score; the middle of a row's mass decides, of all rows of one score."""
    mass = _cumulative(weights)
    before, up_to = (np.searchsorted(score, score, side) for side in ("left", "right"))
    middle = (mass[..., before] + mass[..., up_to]) / 2
    number = np.nan_to_num(ratio(middle * bins, mass[..., -1:])).astype(np.int64)
    return np.asarray(np.minimum(number, bins - 1))


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> np.ndarray:
    """numerator / denominator, NaN where the denominator is not above 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    quotient: np.ndarray = np.divide(numerator, denominator, out=np.full(denominator.shape, np.nan), where=denominator > 0)
    return quotient


def mean_estimable(values: np.ndarray) -> np.ndarray:
    """Mean along the last axis of what is not NaN; NaN where nothing is left."""
    return ratio(np.nan_to_num(values).sum(-1), (~np.isnan(values)).sum(-1))


def from_tally(tally: Tally) -> dict[str, float]:
    """The scores of the summed tallies of sites, defined as above; NaN where not estimable. All have "loss", further

    one class an image: accuracy, balanced_accuracy, auroc. Several findings: auroc, mean over findings. Segmentation: dice_NAME, mean
    over patients, and dice, the mean of these. auroc: scores in one of the tally's bins count as ties, an error of at most half the
    share of pairs that meet in a bin."""
    scores = {"loss": float(ratio(tally.loss_sum, tally.num_examples))}
    match tally:
        case ClassTally():
            labels = slice(1, 2) if tally.num_classes == 2 else slice(None)
            table = tally.confusion.astype(np.float64)
            scores |= {"accuracy": float(table_accuracy(table)), "balanced_accuracy": float(mean_estimable(table_recalls(table))),
                       "auroc": float(mean_estimable(binned_auroc(tally.scores[labels])))}
        case FindingTally():
            scores["auroc"] = float(mean_estimable(binned_auroc(tally.scores)))
        case DiceTally():
            means = ratio(tally.dice_sum, tally.num_examples)
            scores["dice"] = float(mean_estimable(means))
            scores |= {f"dice_{name}": float(mean) for name, mean in zip(tally.names, means, strict=True)}
    return scores


def binned_auroc(scores: np.ndarray) -> np.ndarray:
    """(...) areas. scores: (..., 2, bins) counts of rows without the class (0) and with it (1), by rising score; a bin's rows are tied."""
    negative, positive = _kinds(scores)
    wins = (positive * (_cumulative(negative)[..., :-1] + negative / 2)).sum(-1)
    return ratio(wins, positive.sum(-1) * negative.sum(-1))


def binned_average_precision(scores: np.ndarray) -> np.ndarray:
    """(...) average precisions. scores: as of `binned_auroc`."""
    negative, positive = (kind[..., ::-1] for kind in _kinds(scores))  # from the highest score down
    found, selected = positive.cumsum(-1), (positive + negative).cumsum(-1)
    hits = (positive * np.nan_to_num(ratio(found, selected))).sum(-1)
    return np.where(negative.sum(-1) > 0, ratio(hits, positive.sum(-1)), np.nan)


def table_accuracy(table: np.ndarray) -> np.ndarray:
    """(...) accuracies. table: (..., C, C) counts, truth by row."""
    return ratio(np.trace(table, axis1=-2, axis2=-1), table.sum((-2, -1)))


def table_recalls(table: np.ndarray) -> np.ndarray:
    """(..., C)."""
    return ratio(np.diagonal(table, axis1=-2, axis2=-1), table.sum(-1))


def table_f1s(table: np.ndarray) -> np.ndarray:
    """(..., C)."""
    return ratio(2 * np.diagonal(table, axis1=-2, axis2=-1), table.sum(-1) + table.sum(-2))


def _kinds(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of negatives and of positives by bin."""
    counts = scores.astype(np.float64)
    return counts[..., 0, :], counts[..., 1, :]


def _table(truth: np.ndarray, probabilities: np.ndarray, threshold: float | None, weights: np.ndarray | None) -> np.ndarray:
    return confusion_table(truth, decide(probabilities, threshold), probabilities.shape[1], weights)


def _one_vs_rest(area: Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray], truth: np.ndarray,
                 probabilities: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    num_classes = probabilities.shape[1]
    labels = [1] if num_classes == 2 else range(num_classes)
    return mean_estimable(np.stack([area(truth == label, probabilities[:, label], weights) for label in labels], -1))


def _mean_row(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    weights = _weights(values, weights)
    return ratio(weights @ values, weights.sum(-1))


def _cumulative(weights: np.ndarray) -> np.ndarray:
    """(..., n + 1): the mass before each row, and last the total."""
    mass = np.zeros((*weights.shape[:-1], weights.shape[-1] + 1))
    np.cumsum(weights, -1, out=mass[..., 1:])
    return mass


def _weights(rows: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return np.ones(len(rows)) if weights is None else weights
