"""Gaussian noise instead of an update: Blanchard et al. 2017 (arXiv:1703.02757), there with a deviation of 200."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from wardround.attacks.honest import mean


def gaussian(honest: Sequence[Tensor], rng: Generator, *, strength: float = 10.0) -> Tensor:
    """A random direction, (d,), strength times as long as the mean of the honest changes, so that it fits any model.

    honest: (d,) each. rng: on the CPU."""
    noise = torch.randn(honest[0].shape, generator=rng)
    return noise * (strength * float(torch.linalg.vector_norm(mean(honest))) / float(torch.linalg.vector_norm(noise)))
