"""One number that makes a model's probabilities mean what they say: the logits are divided by a temperature T, which validation rows
choose (Guo et al. 2017, section 4.2, arXiv:1706.04599). T > 1 softens, T < 1 sharpens; no decision and no ranking of one row's classes
changes.

Sites report sums, not rows: the negative log-likelihood (NLL) of their rows at each of a few temperatures. These add up over sites, so the
server finds the same T as if it had all rows. All of it works on probabilities, (n, C) float64: softmax(z / T) = softmax(log p / T), and
that rule also holds for losses whose probabilities are not the softmax of the logits. Several findings an image, truth (n, C) of 0 and 1:
sigmoid(logit(p) / T) of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TEMPERATURES = tuple(np.geomspace(0.1, 10.0, 61).tolist())  # steps of 8 %; `fitted` goes between them
SMALLEST = float(np.finfo(np.float32).smallest_subnormal) / 2  # probabilities were float32: a 0 goes below every other
LARGEST = 1 - 2.0**-25  # of a finding; and a 1 above every other
PRIOR_SD = 1.0  # of log T: with 95 % T is between 1/7 and 7


def scaled(probabilities: np.ndarray, temperature: float, *, is_multilabel: bool) -> np.ndarray:
    """The probabilities at a temperature > 0; at 1 they are handed back as they are."""
    if temperature == 1:
        return probabilities
    evidence = _evidence(probabilities, is_multilabel) / temperature
    found: np.ndarray = np.exp(-np.logaddexp(0.0, -evidence)) if is_multilabel else np.exp(evidence - _log_sum(evidence)[:, None])
    return found


def loss_sums(probabilities: np.ndarray, truth: np.ndarray, sizes: Sequence[int], temperatures: Sequence[float]) -> list[np.ndarray]:
    """(T,) float64 of each part of the rows: the NLL of its rows at each temperature, summed; of several findings over these too.

    truth: (n,) int, or (n, C) of 0 and 1. sizes: rows of each part, in order."""
    part, is_multilabel = np.repeat(np.arange(len(sizes)), sizes), truth.ndim == 2
    evidence = _evidence(probabilities, is_multilabel)
    is_true = truth if is_multilabel else np.arange(probabilities.shape[1]) == truth[:, None]
    sums = np.zeros((len(sizes), len(temperatures)))
    for column, temperature in enumerate(temperatures):  # one at a time: (n, C, T) at once would be large
        logits = evidence / temperature
        normaliser = np.logaddexp(0.0, logits).sum(1) if is_multilabel else _log_sum(logits)
        sums[:, column] = np.bincount(part, normaliser - (logits * is_true).sum(1), minlength=len(sizes))
    return list(sums)


def fitted(sums: np.ndarray, temperatures: Sequence[float] = TEMPERATURES) -> float:
    """The temperature where the summed NLL is least, by a parabola in log T through the lowest sum and its neighbours; within the grid.

    sums: (T,), added up over sites. temperatures: evenly spaced in log T. Beyond Guo et al., log T has the prior N(0, 1), which adds
    (log T)^2 / 2: nothing beside thousands of rows. Without it a few rows that are all named rightly would set no bound, and the result
    would be certainty; with no rows at all it is 1."""
    log_t = np.log(temperatures)
    cost = sums + log_t**2 / (2 * PRIOR_SD**2)
    best = int(cost.argmin())
    if best in (0, len(cost) - 1):
        return float(temperatures[best])
    left, middle, right = cost[best - 1 : best + 2]
    step = log_t[best + 1] - log_t[best]
    return float(np.exp(log_t[best] + step * (left - right) / (2 * (left - 2 * middle + right))))


def _evidence(probabilities: np.ndarray, is_multilabel: bool) -> np.ndarray:
    """Logits that have these probabilities, finite."""
    p = np.clip(probabilities, SMALLEST, LARGEST if is_multilabel else 1.0)
    evidence: np.ndarray = np.log(p) - np.log1p(-p) if is_multilabel else np.log(p)
    return evidence


def _log_sum(logits: np.ndarray) -> np.ndarray:
    """log sum exp of each row."""
    highest = logits.max(1, keepdims=True)
    total: np.ndarray = np.log(np.exp(logits - highest).sum(1)) + highest[:, 0]
    return total
