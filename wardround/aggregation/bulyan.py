"""Bulyan: El Mhamdi et al. 2018, section 4 (arXiv:1802.07927)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wardround.aggregation.distances import squared_distances
from wardround.aggregation.krum import scores
from wardround.aggregation.limits import Limit
from wardround.aggregation.median import median_of
from wardround.aggregation.spans import fill, ordered
from wardround.aggregation.stack import Stack
from wardround.core.params import Params

LIMIT = Limit(rule="bulyan", times=4, plus=3)
TIE = 2.0**-22  # of a number: what float32 cannot tell apart


def bulyan(stack: Stack, *, attackers: int) -> Params:
    """Krum picks n - 2f updates one after the other, and of each number the n - 4f picked values nearest to their median are averaged.

    Tolerates f malicious sites of n >= 4f + 3 (AggregationError), also one that is close to the others but for a single number. Sites
    count alike. Buffers: the median. In the units of the updates. Cost: n^2 * d products and sorting (n - 2f) * d numbers.
    """
    LIMIT.check(stack.num, attackers)
    chosen = picked(squared_distances(stack.trained), attackers)
    trained = nearest_to_median([stack.trained[index] for index in chosen], stack.num - 4 * attackers)
    return stack.params(trained, median_of(stack.buffers))


def picked(squares: np.ndarray, attackers: int) -> list[int]:
    """The n - 2f rows in the order in which Krum picks them from those that are left. squares: (n, n)."""
    left, chosen = list(range(len(squares))), list[int]()
    while len(chosen) < len(squares) - 2 * attackers:
        nearest = max(1, len(left) - attackers - 2)  # towards the end fewer are left than Krum wants
        best = int(np.argmin(scores(squares[np.ix_(left, left)], nearest)))
        chosen.append(left.pop(best))
    return chosen


def nearest_to_median(rows: Sequence[Tensor], num: int) -> Tensor:
    """(d,) float32: of each coordinate the mean of the num values nearest to the median, which lie side by side in order. Of two that are
    equally near on both sides it is the lower one."""
    found = torch.empty_like(rows[0])
    low, high = (len(rows) - 1) // 2, len(rows) // 2

    def work(span: slice) -> None:
        values = ordered(rows, span).astype(np.float64)  # (span, rows)
        centre = (values[:, low] + values[:, high]) / 2
        starts = range(len(rows) - num + 1)
        reach = np.stack([np.maximum(centre - values[:, s], values[:, s + num - 1] - centre) for s in starts])
        best = reach.min(axis=0)
        first = (reach <= best + TIE * (np.abs(centre) + best)).argmax(axis=0)
        kept = np.take_along_axis(values, first[:, None] + np.arange(num), axis=1)
        found[span] = torch.from_numpy(kept.mean(axis=1))

    fill(len(found), 3 * len(rows), work)  # several copies of a chunk at once
    return found
