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
FLAT = 1e-9  # of the largest sum: differences that are rounding


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
    """The temperature where the summed NLL is least, by a parabola in log T through the lowest sum and its neighbours.

    sums: (T,), added up over sites. temperatures: evenly spaced in log T. Where the curve still falls, or is flat, towards the lowest of
    them, the rows set no bound (every one is named rightly, or nothing was learnt) and the result is 1; the highest is the result where
    more would be better still."""
    best = int(sums.argmin())
    if sums[0] - sums[best] <= FLAT * np.abs(sums).max():
        return 1.0
    if best == len(sums) - 1:
        return float(temperatures[-1])
    left, middle, right = sums[best - 1 : best + 2]
    step = np.log(temperatures[best + 1] / temperatures[best])
    return float(temperatures[best] * np.exp(step * (left - right) / (2 * (left - 2 * middle + right))))


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
