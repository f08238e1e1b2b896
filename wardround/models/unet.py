"""Networks that draw masks, in two and three dimensions: U-Net (Ronneberger et al. 2015, arXiv:1505.04597; with residual units,
Kerfoot et al. 2019) and Attention U-Net (Oktay et al. 2018, arXiv:1804.03999), from MONAI."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from wardround.errors import PlanError
from wardround.models.monai import network


def unet(*, in_channels: int, num_outputs: int, shape: Sequence[int], width: int = 16, depth: int = 4, num_res_units: int = 2,
         dropout: float = 0.0) -> nn.Module:
    """A U-Net whose blocks hold num_res_units convolutions each and a shortcut (0: one convolution and none).

    shape: (H, W) or (D, H, W), each a multiple of 2 ** (depth - 1). width: channels of the first level, doubled at each of the depth
    levels. dropout: share of whole channels left out in training. PlanError if a value is impossible.
    """
    if num_res_units < 0:
        raise PlanError(f"model.num_res_units must be 0 or more, got {num_res_units}")
    channels, strides = _levels(shape, width, depth, dropout)
    model: nn.Module = network("unet", "UNet")(
        len(shape), in_channels, num_outputs, channels=channels, strides=strides, num_res_units=num_res_units, norm="batch",
        dropout=dropout)
    return model


def attention_unet(*, in_channels: int, num_outputs: int, shape: Sequence[int], width: int = 16, depth: int = 4,
                   dropout: float = 0.0) -> nn.Module:
    """A U-Net whose shortcuts are weighted by gates: the coarse level says where to look. Arguments as for unet."""
    channels, strides = _levels(shape, width, depth, dropout)
    model: nn.Module = network("attentionunet", "AttentionUnet")(
        len(shape), in_channels, num_outputs, channels=channels, strides=strides, dropout=dropout)
    return model


def _levels(shape: Sequence[int], width: int, depth: int, dropout: float) -> tuple[list[int], list[int]]:
    """Channels of each level, and the strides between them; PlanError for what does not fit."""
    if width < 2:
        raise PlanError(f"model.width of a U-Net must be at least 2, got {width}")
    if depth < 2:
        raise PlanError(f"model.depth of a U-Net must be at least 2 levels, got {depth}")
    if not 0 <= dropout < 1:
        raise PlanError(f"model.dropout must be at least 0 and below 1, got {dropout}")
    step = 2 ** (depth - 1)
    fitting = [-(-length // step) * step for length in shape]
    if list(shape) != fitting:
        setting, found, right = _setting(shape, fitting)
        slices = " (or a depth of 1: 2-D slices)" if len(shape) == 3 else ""
        raise PlanError(f"{setting} = {found}, but a U-Net of model.depth = {depth} halves it {depth - 1} times: multiples of {step} fit. "
                        f"Set {setting} = {right}{slices}, or a smaller model.depth.")
    return [width * 2**level for level in range(depth)], [2] * (depth - 1)


def _setting(shape: Sequence[int], fitting: Sequence[int]) -> tuple[str, str, str]:
    """Which key of the plan sets the shape, its value, and the next that fits."""
    if len(shape) == 2 and shape[0] == shape[1]:
        return "data.size", str(shape[0]), str(fitting[0])
    lead = [1] if len(shape) == 2 else []
    return "data.patch", str([*lead, *shape]), str([*lead, *fitting])
