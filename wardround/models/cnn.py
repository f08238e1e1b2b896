"""A small plain CNN for a first result on two cores: 0.3 million parameters, a step in a seventh of a ResNet-18's time at 64 px."""

from __future__ import annotations

from itertools import pairwise
from math import log2

from torch import nn

from wardround.errors import PlanError

STAGES = (0.25, 0.25, 0.5, 1, 2, 4)  # channels / width; an image of fewer pixels begins further right
FINAL_PX = 4  # height and width after the last stage, about


def build(*, in_channels: int, num_outputs: int, size: int, width: int = 32, dropout: float = 0.0) -> nn.Module:
    """Stages of two 3x3 convolutions and a halving, until about 4x4 are left; then the mean over positions, and linear.

    width: channels of the third stage from the end; the last has four times, the first of a large image a quarter as many, so a
    multiple of 8. dropout: share of the last features left out in training. PlanError if a value is impossible.
    """
    if width < 8 or width % 8:
        raise PlanError(f"model.width of cnn must be a multiple of 8, got {width}")
    if not 0 <= dropout < 1:
        raise PlanError(f"model.dropout must be at least 0 and below 1, got {dropout}")
    num_stages = min(max(round(log2(size / FINAL_PX)), 1), len(STAGES))
    channels = [in_channels, *(int(width * factor) for factor in STAGES[-num_stages:])]
    stages = [_stage(before, after) for before, after in pairwise(channels)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels[-1], num_outputs)]
    return nn.Sequential(*stages, *head)


def _stage(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(_convolution(before, after), _convolution(after, after), nn.MaxPool2d(2))


def _convolution(before: int, after: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))
