"""The coordinate-wise median: Yin et al. 2018, Definition 1 (arXiv:1803.01498)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from wardround.aggregation.limits import Limit
from wardround.aggregation.stack import Stack
from wardround.aggregation.trimmed import middle
from wardround.core.params import Params

LIMIT = Limit(rule="median", times=2, plus=1)


def median(stack: Stack, *, attackers: int = 0) -> Params:
    """Of each number the middle value, of an even number of sites the mean of the two middle ones.

    Tolerates f malicious sites of n >= 2f + 1 (AggregationError); f changes nothing else. Buffers are treated the same. In the units of
    the updates. Cost: sorting n * d numbers.
    """
    LIMIT.check(stack.num, attackers)
    return Params(median_of(stack.rows), stack.layout)


def median_of(rows: Sequence[Tensor]) -> Tensor:
    """(d,) float32. Also what rules that compare distances do with buffers: a site whose trained numbers pass could hide bad statistics."""
    return middle(rows, (len(rows) - 1) // 2)
