"""Half precision: 11 significant bits of every number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

TOP = 15  # numbers are shifted below 2^15: float16 ends at 2^16, and its full precision reaches 29 powers of two down from here
MAX_SHIFT = 126  # 2^-126 is float32's smallest normal number


@dataclass(frozen=True)
class Half:
    """float16 (IEEE 754 binary16), rounded to nearest: 1 + 2n bytes."""

    keeps_residual: ClassVar[bool] = False

    def encode(self, values: Tensor, sizes: Sequence[int], rng: torch.Generator) -> bytes:
        return pack(values)

    def decode(self, data: bytes, sizes: Sequence[int]) -> Tensor:
        return unpack(data)


def pack(values: Tensor) -> bytes:
    """A common power of two in a byte, then float16: a small learning rate's numbers do not vanish and large ones do not overflow."""
    shift = min(TOP - frexp(float(values.abs().max()))[1], MAX_SHIFT)
    return np.int8(shift).tobytes() + (values * 2.0**shift).half().numpy().astype("<f2").tobytes()


def unpack(data: bytes) -> Tensor:
    """What pack packed, (n,) float32."""
    shift = int(np.frombuffer(data, np.int8, count=1)[0])
    return torch.from_numpy(np.frombuffer(data, "<f2", offset=1).astype(np.float32)) * 2.0**-shift
