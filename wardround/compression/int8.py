"""Eight bits a number, rounded at random so that the error is zero on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

LEVELS = 127


@dataclass(frozen=True)
class Int8:
    """Stochastic uniform quantisation: Alistarh et al. 2017, QSGD, section 3.1 (arXiv:1610.02132), scaled by a tensor's largest number as
    in their section 4.

    x becomes q = floor(127 x / s + u) with s = max |x| over its tensor and u uniform in [0, 1), and comes back as q s / 127:
    E[q s / 127] = x, and no number is off by more than s / 127. n + 4 bytes a tensor.
    """

    keeps_residual: ClassVar[bool] = False

    def encode(self, values: Tensor, sizes: Sequence[int], rng: torch.Generator) -> bytes:
        scales = torch.stack([part.abs().max() for part in torch.split(values, list(sizes))])
        share = values / _spread(torch.where(scales > 0, scales, 1), sizes)
        # the sum 127 + u may be rounded up to 128, which int8 has not
        levels = share.mul_(LEVELS).add_(torch.rand(len(values), generator=rng)).floor_().clamp_(max=LEVELS)
        return scales.numpy().astype("<f4").tobytes() + levels.to(torch.int8).numpy().tobytes()

    def decode(self, data: bytes, sizes: Sequence[int]) -> Tensor:
        scales = torch.from_numpy(np.frombuffer(data, "<f4", count=len(sizes)).astype(np.float32))
        levels = torch.from_numpy(np.frombuffer(data, np.int8, offset=4 * len(sizes)).astype(np.float32))
        return levels.mul_(_spread(scales / LEVELS, sizes))


def _spread(values: Tensor, sizes: Sequence[int]) -> Tensor:
    """A tensor's value for each of its numbers."""
    return values.repeat_interleave(torch.tensor(sizes))
