"""How a network computes: number format and order of pixels in memory. Both change speed, and the last bits of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from wardround.core.params import FlatModel


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """precision: "bf16" computes in bfloat16 what bears it (autocast), "tf32" lets CUDA shorten the factors of float32 products to 10
    bits (elsewhere it is "fp32"), "fp32" computes everything in float32. layout: "channels_last" keeps
    the channels of a pixel side by side, "contiguous" the pixels of a channel. A plan's "auto" is replaced before (probe.py)."""

    precision: str = "fp32"
    layout: str = "contiguous"

    def logits(self, model: FlatModel, images: Tensor, tensors: Mapping[str, Tensor] | None = None) -> Tensor:
        """The network's answer, float32 on the model's device. images: (B, C, ...) float32, on any device. tensors: by name, of another
        model of this network, which answers in its place."""
        images = images.to(model.device)
        if model.device.type == "cuda":
            set_cuda(is_tf32=self.precision == "tf32")
        images = channels_last(images) if self.layout == "channels_last" else contiguous(images)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits: Tensor = model.module(images) if tensors is None else torch.func.functional_call(model.module, dict(tensors), images)
        return logits.float()


def set_cuda(*, is_tf32: bool) -> None:
    """Torch's settings of CUDA, which hold for the backward pass too: TF32 or not, and algorithms of cuDNN that give the same bits twice.

    Torch's own default is TF32 in convolutions: then float32 would agree with a CPU to 3 digits only.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = is_tf32
    torch.backends.cudnn.deterministic = True


def channels_last(images: Tensor) -> Tensor:
    """The same numbers with the channels innermost. images: (B, C, H, W) or (B, C, D, H, W)."""
    return contiguous(images.movedim(1, -1)).movedim(-1, 1)


def contiguous(images: Tensor) -> Tensor:
    """The same numbers with the pixels of a channel side by side.

    `Tensor.contiguous` leaves images of one channel as they are, whatever their strides say; but torch takes the layout of a whole
    network from these strides.
    """
    strides, step = [1] * images.ndim, 1
    for dim in reversed(range(images.ndim)):
        strides[dim] = step
        step *= images.shape[dim]
    return images.contiguous().as_strided(images.shape, strides)
