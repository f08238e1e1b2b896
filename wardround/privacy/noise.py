"""Noise and draws that protect privacy: from the operating system, never from a plan's seed, and kept nowhere.

Not covered: floating point. Float64 normals have gaps, and rounding them and the sum to float32 makes others, by which a reader of exact
bits may tell neighbouring sums apart (Mironov 2012; Holohan and Braghin 2021, arXiv:2107.10138). Epsilon holds for ideal real numbers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from wardround.errors import PrivacyError

CHUNK = 2**18  # pairs made at once: some 16 MB

Entropy = Callable[[int], bytes]


def gaussian(num: int, std: float, entropy: Entropy = os.urandom) -> Tensor:
    """Return (num,) float32 numbers of N(0, std^2), by Box and Muller 1958 in float64, rounded once. std: 0 gives zeros.

    entropy: so many random bytes. Uniforms have 53 bits, so no number lies beyond 8.6 std; of true normals one in 10^17 does."""
    if not (num >= 0 and 0 <= std < math.inf):
        raise PrivacyError(f"noise of standard deviation {std} for {num} numbers cannot be drawn: both count from 0 and are finite")
    noise = np.empty(num, np.float32)
    for start in range(0, num, 2 * CHUNK):
        part = noise[start : start + 2 * CHUNK]
        half = (len(part) + 1) // 2
        uniforms = _uniforms(2 * half, entropy)
        radius = std * np.sqrt(-2 * np.log(1 - uniforms[:half]))  # 1 - u is never 0
        angle = 2 * math.pi * uniforms[half:]
        part[:half] = radius * np.cos(angle)
        part[half:] = (radius * np.sin(angle))[: len(part) - half]
    return torch.from_numpy(noise)


def chosen(num: int, rate: float, entropy: Entropy = os.urandom) -> np.ndarray:
    """Return a Poisson sample: the indices (int64, rising) of 0 .. num - 1, each in it independently with probability rate, to 2^-53.

    It may be empty, and is that often where num * rate is small: such a step still takes place, and counts."""
    if not (num >= 0 and 0 <= rate <= 1):
        raise PrivacyError(f"a sample of {num} at rate {rate} cannot be drawn: rates lie from 0 to 1")
    return np.flatnonzero(_uniforms(num, entropy) < rate)


def _uniforms(num: int, entropy: Entropy) -> np.ndarray:
    """(num,) float64 multiples of 2^-53 in [0, 1)."""
    bits = np.frombuffer(entropy(8 * num), np.uint64) >> np.uint64(11)
    return bits * 2.0**-53
