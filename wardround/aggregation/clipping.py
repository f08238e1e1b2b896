"""Centred clipping: Karimireddy et al. 2021, equation CC (arXiv:2012.10333), around the round's own median."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from wardround.aggregation.distances import gaps, products_about
from wardround.aggregation.limits import Limit
from wardround.aggregation.median import median_of
from wardround.aggregation.spans import weighted
from wardround.aggregation.stack import Stack
from wardround.core.params import Params

LIMIT = Limit(rule="centred-clipping", times=2, plus=1)


def centred_clipping(stack: Stack, *, attackers: int = 0, bound: float | None = None, iterations: int = 1,
                     start: Tensor | None = None) -> Params:
    """v = v + mean_i (x_i - v) min(1, tau / |x_i - v|), so many times: who is far away pulls, but only as hard as from the distance tau.

    start: v before the first time, (num_trainable,); without one it is the coordinate-wise median of this round. The paper starts from
    the last round's v, which needs the sites' momentum to be steady and would have to be kept in State; from the median nothing is kept,
    so the rule stays a function of the round alone and a resumed run has the same bits. bound: tau, in the units of the updates; without
    one it is the median distance from the start. Tolerates f malicious sites of n >= 2f + 1 (AggregationError), each of which moves the
    result by at most tau / n a time; f changes nothing else. Sites count alike. Buffers: the median. Cost: sorting n * d numbers and
    n^2 * d products; times more cost nothing.
    """
    LIMIT.check(stack.num, attackers)
    centre = median_of(stack.trained) if start is None else start
    products = products_about(stack.trained, centre)
    radius = float(np.median(np.sqrt(np.diag(products)))) if bound is None else bound
    pulls = np.zeros(stack.num)  # v = centre + sum_i pulls_i (x_i - centre)
    for _ in range(iterations):
        held = shrunk(gaps(products, pulls), radius)
        pulls = pulls * (1 - held.mean()) + held / stack.num
    trained = weighted([*stack.trained, centre], np.append(pulls, 1 - pulls.sum()))
    return stack.params(trained, median_of(stack.buffers))


def shrunk(lengths: np.ndarray, bound: float) -> np.ndarray:
    """(n,) min(1, bound / length): what vectors of these lengths are multiplied by to be no longer than the bound."""
    return np.asarray(np.divide(bound, lengths, out=np.ones(len(lengths)), where=lengths > bound))
