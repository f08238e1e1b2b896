"""Nearest-neighbour mixing before the trimmed mean: Allouah et al. 2023, Algorithm 2 (arXiv:2302.01772)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wardround.aggregation.distances import squared_distances
from wardround.aggregation.limits import Limit
from wardround.aggregation.median import median_of
from wardround.aggregation.spans import fill, wide
from wardround.aggregation.stack import Stack
from wardround.core.params import Params

LIMIT = Limit(rule="nnm-trimmed", times=2, plus=1)


def nnm_trimmed(stack: Stack, *, attackers: int) -> Params:
    """Each update becomes the mean of its n - f nearest, itself among them; of these means the trimmed mean is taken, with the same f.

    Mixing brings honest sites together whose images differ, which is where trimming alone takes the rare for the malicious. Tolerates f
    malicious sites of n >= 2f + 1 (AggregationError). Sites count alike. Buffers: the median. In the units of the updates. Cost: twice
    n^2 * d products and sorting n * d numbers.
    """
    LIMIT.check(stack.num, attackers)
    rows, mixing = stack.trained, torch.from_numpy(mixing_weights(squared_distances(stack.trained), attackers))
    found = torch.empty_like(rows[0])

    def work(span: slice) -> None:
        mixed: Tensor = mixing @ wide(rows, span)
        values = mixed.T.contiguous().numpy()
        values.sort(axis=1)
        found[span] = torch.from_numpy(values[:, attackers : stack.num - attackers].mean(axis=1))

    fill(len(found), 2 * len(rows), work)  # two copies of a chunk at once
    return stack.params(found, median_of(stack.buffers))


def mixing_weights(squares: np.ndarray, attackers: int) -> np.ndarray:
    """(n, n) float64: row i averages the n - f rows nearest to i. Of equal distances the first rows are taken. squares: (n, n)."""
    num = len(squares)
    nearest = np.argsort(squares - np.eye(num), axis=1, kind="stable")[:, : num - attackers]  # a row is its own nearest
    found = np.zeros((num, num))
    np.put_along_axis(found, nearest, 1 / (num - attackers), axis=1)
    return found
