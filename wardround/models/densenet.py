"""Densely connected networks: Huang et al. 2017 (arXiv:1608.06993), from MONAI, for 2-D images."""

from __future__ import annotations

from torch import nn

from wardround.errors import PlanError
from wardround.models.monai import network

MIN_PX = 32  # halved five times


def densenet121(*, in_channels: int, num_outputs: int, size: int, growth: int = 32, dropout: float = 0.0) -> nn.Module:
    """DenseNet-121 for images of 32 px and more.

    growth: channels that each layer adds (k of the paper). dropout: share of whole channels left out in training, in each layer.
    PlanError if a value is impossible.
    """
    if size < MIN_PX:
        raise PlanError(f"densenet121 needs images of at least {MIN_PX} px, but data.size = {size}. Raise it, or choose 'cnn'.")
    if growth < 4 or growth % 4:
        raise PlanError(f"model.growth of densenet121 must be a multiple of 4, got {growth}")
    if not 0 <= dropout < 1:
        raise PlanError(f"model.dropout must be at least 0 and below 1, got {dropout}")
    model: nn.Module = network("densenet", "DenseNet")(
        2, in_channels, num_outputs, init_features=2 * growth, growth_rate=growth, dropout_prob=dropout)
    return model
