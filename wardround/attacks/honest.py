"""What an attacker who sees all honest updates takes from them: their mean and their spread, number by number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wardround.aggregation.spans import fill, weighted, wide


def mean(honest: Sequence[Tensor]) -> Tensor:
    """(d,) float32 of rows (d,), summed in float64; all sites count alike."""
    return weighted(honest, np.full(len(honest), 1 / len(honest)))


def spread(honest: Sequence[Tensor]) -> Tensor:
    """(d,) standard deviation, with n - 1 below; 0 of a single row."""
    found = torch.zeros_like(honest[0])

    def work(span: slice) -> None:
        found[span] = wide(honest, span).std(0)

    if len(honest) > 1:
        fill(len(found), len(honest), work)
    return found
