"""Mixup within a site: Zhang et al. 2018 (arXiv:1710.09412), equation 1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from wardround.training.local import Objective


def mixed(network: Callable[[Tensor], Tensor], loss: Callable[[Tensor, Tensor], Tensor], alpha: float,
          generator: torch.Generator) -> Objective:
    """The loss on l x_i + (1 - l) x_j: l times that of the truth of i, 1 - l times that of j. One l ~ Beta(alpha, alpha) a batch.

    j is a permutation of the batch, so no image of another site is needed. network: images -> logits. generator: on the CPU.
    """
    def objective(images: Tensor, truth: Tensor) -> Tensor:
        share = _beta(alpha, generator)
        partner = torch.randperm(len(truth), generator=generator)
        logits = network(torch.lerp(images[partner.to(images.device)], images, share))
        return share * loss(logits, truth) + (1 - share) * loss(logits, truth[partner.to(truth.device)])

    return objective


def _beta(alpha: float, generator: torch.Generator) -> float:
    """A draw of Beta(alpha, alpha), from two of Gamma(alpha, 1)."""
    first, second = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64), generator=generator).tolist()
    return float(first / (first + second))
