"""Krum and Multi-Krum: Blanchard et al. 2017, sections 4 and 5 (NeurIPS, papers.nips.cc/paper/6617)."""

from __future__ import annotations

import numpy as np

from wardround.aggregation.distances import squared_distances
from wardround.aggregation.limits import Limit
from wardround.aggregation.median import median_of
from wardround.aggregation.spans import weighted
from wardround.aggregation.stack import Stack
from wardround.core.params import Params
from wardround.errors import AggregationError

LIMIT = Limit(rule="krum", times=2, plus=3)
MANY_LIMIT = Limit(rule="multi-krum", times=2, plus=3)


def krum(stack: Stack, *, attackers: int) -> Params:
    """The update whose n - f - 2 nearest others are nearest: that of one site, whatever the others have learnt.

    Tolerates f malicious sites of n >= 2f + 3 (AggregationError). Equal scores: the first site. Buffers: the median. In the units of the
    updates. Cost: n^2 * d products.
    """
    LIMIT.check(stack.num, attackers)
    return _mean_of_best(stack, attackers, 1)


def multi_krum(stack: Stack, *, attackers: int, selected: int | None = None) -> Params:
    """The mean of the m updates with the best scores of Krum. selected: m, at most n - f, which it is where none is given.

    Tolerates f malicious sites of n >= 2f + 3 (AggregationError). Sites count alike. Buffers: the median. In the units of the updates.
    Cost: as Krum.
    """
    MANY_LIMIT.check(stack.num, attackers)
    num = stack.num - attackers if selected is None else selected
    if not 1 <= num <= stack.num - attackers:
        raise AggregationError(f"multi-krum can average 1 to n - f = {stack.num - attackers} of n = {stack.num} updates, f = {attackers} "
                               f"being malicious; aggregation.selected is {num}. Set it within that, or leave it out.")
    return _mean_of_best(stack, attackers, num)


def scores(squares: np.ndarray, num_nearest: int) -> np.ndarray:
    """(n,) summed squared distances to the num_nearest nearest others. squares: (n, n)."""
    others = np.sort(squares + np.diag(np.full(len(squares), np.inf)), axis=1)
    found: np.ndarray = others[:, :num_nearest].sum(axis=1)
    return found


def _mean_of_best(stack: Stack, attackers: int, num: int) -> Params:
    found = scores(squared_distances(stack.trained), stack.num - attackers - 2)
    weights = np.zeros(stack.num)
    weights[np.argsort(found, kind="stable")[:num]] = 1 / num
    return stack.params(weighted(stack.trained, weights), median_of(stack.buffers))
