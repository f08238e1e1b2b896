"""Norm bounding: Sun et al. 2019, section 4 (arXiv:1911.07963); by the median norm as in Nguyen et al. 2022, FLAME (arXiv:2101.02281)."""

from __future__ import annotations

import numpy as np

from wardround.aggregation.clipping import shrunk
from wardround.aggregation.distances import norms
from wardround.aggregation.median import median_of
from wardround.aggregation.spans import weighted
from wardround.aggregation.stack import Stack
from wardround.core.params import Params


def norm_bound(stack: Stack, *, bound: float | None = None) -> Params:
    """The mean of the updates after each was shortened to an L2 norm of at most the bound.

    bound: in the units of the updates; without one it is the round's median norm. Tolerates no certain number of attackers: each moves
    the result by at most bound / n, but all in one direction, and a backdoor of ordinary length passes. Sites count alike. Buffers: the
    median. Cost: two passes over the n * d numbers.
    """
    lengths = norms(stack.trained)
    longest = float(np.median(lengths)) if bound is None else bound
    return stack.params(weighted(stack.trained, shrunk(lengths, longest) / stack.num), median_of(stack.buffers))
