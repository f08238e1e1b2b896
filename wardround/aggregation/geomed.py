"""The geometric median by the smoothed Weiszfeld algorithm: Pillutla et al. 2019, Algorithm 2 (arXiv:1912.13445), until it converges."""

from __future__ import annotations

import logging

import numpy as np

from wardround.aggregation.distances import gaps, products_about
from wardround.aggregation.limits import Limit
from wardround.aggregation.median import median_of
from wardround.aggregation.spans import weighted
from wardround.aggregation.stack import Stack
from wardround.core.params import Params

LIMIT = Limit(rule="geometric-median", times=2, plus=1)
MAX_STEPS = 10_000  # of n * n numbers each
TOLERANCE = 1e-3  # the last step, in smallest distances

log = logging.getLogger(__name__)


def geometric_median(stack: Stack, *, attackers: int = 0, smoothing: float = 1e-6) -> Params:
    """The point with the smallest sum of distances to the updates.

    smoothing: nu, the smallest distance that is divided by, in median distances from the coordinate-wise median, so that the result
    follows the updates' scale. Tolerates f malicious sites of n >= 2f + 1 (AggregationError); f changes nothing else. Sites count alike.
    Buffers: the median. In the units of the updates. Cost: sorting n * d numbers and n^2 * d products; the steps themselves need only
    the products, however many they are.
    """
    LIMIT.check(stack.num, attackers)
    products = products_about(stack.trained, median_of(stack.trained))
    weights = _converged(products, smoothing)
    return stack.params(weighted(stack.trained, weights), median_of(stack.buffers))


def weiszfeld(products: np.ndarray, weights: np.ndarray, floor: float) -> np.ndarray:
    """One step: (n,) weights of the rows, falling with their distance from the point that the old weights make. floor: nu."""
    found = 1 / np.maximum(gaps(products, weights), floor)
    return np.asarray(found / found.sum())


def _converged(products: np.ndarray, smoothing: float) -> np.ndarray:
    spread = float(np.median(np.sqrt(np.diag(products))))
    if spread == 0:  # more than half lie in one point: that is it
        is_there = np.diag(products) == 0
        return np.asarray(is_there / is_there.sum())
    floor = smoothing * spread
    weights = weiszfeld(products, np.zeros(len(products)), floor)  # from the coordinate-wise median
    for _ in range(MAX_STEPS):
        before, weights = weights, weiszfeld(products, weights, floor)
        step = weights - before
        if step @ products @ step <= (TOLERANCE * floor) ** 2:
            return weights
    log.warning("the geometric median still moved after %d steps; its last place is used", MAX_STEPS)
    return weights
