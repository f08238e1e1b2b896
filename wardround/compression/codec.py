"""What turns an update's numbers into bytes and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor


class Codec(Protocol):
    """Numbers to bytes, with a loss, and back.

    keeps_residual: whether the site adds what the bytes lose to its next update. A codec whose error is zero on average has no need to.
    """

    keeps_residual: ClassVar[bool]

    def encode(self, values: Tensor, sizes: Sequence[int], rng: torch.Generator) -> bytes:
        """values: (sum(sizes),) finite float32 on the CPU, tensors of these sizes one after another; at least one, none empty."""
        ...

    def decode(self, data: bytes, sizes: Sequence[int]) -> Tensor:
        """(sum(sizes),) float32: the numbers as the server will have them."""
        ...
