"""Residual networks: He et al. 2016 (arXiv:1512.03385), from MONAI, for 2-D images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from torch import nn

from wardround.errors import PlanError
from wardround.models.monai import network

PLANES = [64, 128, 256, 512]


def _resnet(block: str, layers: Sequence[int], *, in_channels: int, num_outputs: int, size: int,
            stem: Literal["3x3", "7x7"] = "3x3", stem_stride: Literal[1, 2] = 2, width: float = 1.0) -> nn.Module:
    """A ResNet of any image size. PlanError if a value is impossible.

    stem: "3x3" is one convolution of stem_stride and no pooling, for images of about 64 px; "7x7" is the published stem, which
    quarters the image: names and shapes are torchvision's. width: factor of all channels (0.5 is 3.5 times faster at 64 px).
    """
    if stem not in ("3x3", "7x7"):
        raise PlanError(f"model.stem must be '3x3' or '7x7', got {stem!r}")
    if stem_stride not in (1, 2) or (stem == "7x7" and stem_stride != 2):
        raise PlanError(f"model.stem_stride must be 1 or 2 (2 for the 7x7 stem), got {stem_stride}")
    if not 0.125 <= width <= 8:
        raise PlanError(f"model.width of a ResNet must lie in 0.125 ... 8, got {width}")
    model: nn.Module = network("resnet", "ResNet")(
        block, list(layers), PLANES, spatial_dims=2, n_input_channels=in_channels, num_classes=num_outputs, widen_factor=width,
        conv1_t_size=int(stem[0]), conv1_t_stride=stem_stride, no_max_pool=stem == "3x3", bias_downsample=False, feed_forward=True)
    return model


resnet18 = partial(_resnet, "basic", (2, 2, 2, 2))
resnet34 = partial(_resnet, "basic", (3, 4, 6, 3))
resnet50 = partial(_resnet, "bottleneck", (3, 4, 6, 3))
