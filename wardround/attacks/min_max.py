"""Min-max: as far from the honest mean as can be without standing out: Shejwalkar and Houmansadr, NDSS 2021."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wardround.aggregation.distances import squared_distances
from wardround.aggregation.spans import summed, wide
from wardround.attacks.honest import mean, spread


def min_max(honest: Sequence[Tensor], *, strength: float = 1.0) -> Tensor:
    """mean + gamma p, (d,): gamma is the largest with which it lies no further from any honest change than two of these from each other.

    honest: (d,) each. p is the paper's inverse standard deviation, -std / |std|. gamma has a closed form where the paper searches: for
    each honest change a quadratic, of whose larger roots the smallest holds for all. strength: factor of gamma, above 1 it stands out.
    Honest changes that are all alike leave no room: it is their mean."""
    middle, std = mean(honest), spread(honest)
    length = float(summed(len(std), 1, lambda span: std[span].double().square().sum())) ** 0.5
    if length == 0:
        return middle
    return middle.sub_(std, alpha=strength * _reach(honest, middle, std, length) / length)


def _reach(honest: Sequence[Tensor], middle: Tensor, std: Tensor, length: float) -> float:
    """gamma: |middle + gamma p - x_i|^2 <= D^2 for all i, with p = -std / length."""
    def work(span: slice) -> Tensor:
        away = middle[span].double() - wide(honest, span)  # (n, span)
        return torch.stack([away @ std[span].double(), away.square().sum(1)])

    along, squares = summed(len(middle), len(honest), work)
    along = -along / length
    room = squared_distances(honest).max() - squares  # never below 0: no point of a hull is further from a corner than two corners
    return float((np.sqrt(np.maximum(along**2 + room, 0)) - along).min())
