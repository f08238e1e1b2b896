"""FLTrust: Cao et al. 2021, Algorithm 2 (arXiv:2012.13995), with a named site in place of images at the server."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wardround.aggregation.limits import Limit
from wardround.aggregation.spans import summed, weighted, wide
from wardround.aggregation.stack import Stack
from wardround.core.params import Params
from wardround.errors import TooFewSites

LIMIT = Limit(rule="fltrust", times=1, plus=2)


def fltrust(stack: Stack, *, root: str, attackers: int = 0) -> Params:
    """Each other site's change is scaled to the length of the root's and counts by the cosine between the two, not at all below 0.

    root: the site whose images somebody vouches for. In the paper these are clean images at the server, which here has none: so one
    site plays that part, and whoever controls it controls the model. As in the paper its own change sets length and direction and is not
    averaged; only where nobody's goes its way it is the result. Tolerates any f of n >= f + 2 (AggregationError) as long as the root is
    honest and its images resemble the others'. Buffers: the root's. In the units of the updates. Cost: two passes over the n * d numbers.
    TooFewSites if the root sent nothing.
    """
    LIMIT.check(stack.num, attackers)
    if root not in stack.sites:
        raise TooFewSites(f"the root '{root}' of fltrust sent no usable update, and without it no other can be judged. Resume the run when "
                          "it is back, or choose another aggregation.root.")
    place = stack.sites.index(root)
    weights = trust_weights(stack, place)
    trained = weighted(stack.trained, weights) if weights.any() else stack.trained[place].clone()
    return stack.params(trained, stack.buffers[place])


def trust_weights(stack: Stack, root: int) -> np.ndarray:
    """(n,) trust_i |g_root| / |g_i| / sum trust; all 0 where no site is trusted. The root's own is 0."""
    def work(span: slice) -> Tensor:
        chunk = wide(stack.trained, span)
        return torch.stack([chunk @ chunk[root], chunk.square().sum(1)])

    products, squares = summed(stack.layout.num_trainable, 2 * stack.num, work)
    lengths = np.sqrt(squares)
    scale = lengths * lengths[root]
    trust: np.ndarray = np.maximum(np.divide(products, scale, out=np.zeros(stack.num), where=scale > 0), 0)
    trust[root] = 0
    if not trust.any():
        return trust
    return np.asarray(np.divide(trust * lengths[root], lengths, out=np.zeros(stack.num), where=lengths > 0) / trust.sum())
