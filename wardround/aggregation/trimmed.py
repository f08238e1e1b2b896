"""The coordinate-wise trimmed mean: Yin et al. 2018, Definition 2 (arXiv:1803.01498)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wardround.aggregation.limits import Limit
from wardround.aggregation.spans import fill, ordered
from wardround.aggregation.stack import Stack
from wardround.core.params import Params

LIMIT = Limit(rule="trimmed-mean", times=2, plus=1)


def trimmed_mean(stack: Stack, *, attackers: int) -> Params:
    """Of each number the f largest and the f smallest values are dropped, and the rest are averaged, sites counting alike.

    Tolerates f malicious sites of n >= 2f + 1 (AggregationError). With f = 0 it is the plain mean. Buffers are treated the same. In the
    units of the updates. Cost: sorting n * d numbers.
    """
    LIMIT.check(stack.num, attackers)
    return Params(middle(stack.rows, attackers), stack.layout)


def middle(rows: Sequence[Tensor], num_dropped: int) -> Tensor:
    """(d,) float32: the mean of each coordinate's values without the num_dropped largest and smallest, in float64."""
    found = torch.empty_like(rows[0])
    kept = slice(num_dropped, len(rows) - num_dropped)

    def work(span: slice) -> None:
        found[span] = torch.from_numpy(ordered(rows, span)[:, kept].mean(axis=1, dtype=np.float64))

    fill(len(found), len(rows), work)
    return found
