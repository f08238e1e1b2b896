"""The example-weighted mean of updates: McMahan et al. 2017, Algorithm 1 (arXiv:1602.05629). Tolerates no attacker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wardround.core.exchange import Update
from wardround.core.params import Params
from wardround.errors import AggregationError


def mean(updates: Iterable[Update]) -> Params:
    """Return sum_k n_k delta_k / sum_k n_k, n_k being the update's num_examples.

    Streams: one running sum, whatever the number of sites. Replies are summed in the order given, so that the result does not
    depend on who answered first. AggregationError if there is no update.
    """
    total: Params | None = None
    num_examples = 0
    for update in updates:
        if total is None:
            total = update.delta * float(update.num_examples)
        else:
            total.add_(update.delta, alpha=float(update.num_examples))
        num_examples += update.num_examples
    if total is None:
        raise AggregationError("no site sent an update that can be used")
    total.flat.div_(num_examples)
    return total


def equal_mean(updates: Iterable[Update]) -> Params:
    """The mean in which all sites count alike, whatever number of images they have."""
    return mean(replace(update, num_examples=1) for update in updates)
