"""Batch norm -> group norm, whose result for an image does not depend on the other images of the batch or the site."""

from __future__ import annotations

from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

MAX_GROUPS = 32  # Wu & He 2018, section 4.1


def use_norm(module: nn.Module, norm: Literal["batch", "group"]) -> nn.Module:
    """Return the module with every batch norm replaced by group norm (norm = "group"), or as it is (norm = "batch").

    Changes the module in place, at any depth; names, scale and shift stay, running statistics go. Group normalization:
    Wu & He 2018 (arXiv:1803.08494).
    """
    if norm == "batch":
        return module
    if isinstance(module, _BatchNorm):
        return _group_norm(module)
    for name, child in module.named_children():
        setattr(module, name, use_norm(child, norm))
    return module


def num_groups(channels: int) -> int:
    """The largest divisor of channels that is at most 32 and leaves 2 channels to a group; 1 if there is none.

    A group of a single channel would lose its mean altogether (instance norm), and with it where the image is bright.
    """
    return max((groups for groups in range(1, min(MAX_GROUPS, channels // 2) + 1) if channels % groups == 0), default=1)


def _group_norm(batch: _BatchNorm) -> nn.GroupNorm:
    # behind a linear layer a group is nothing but its channels: two of them would become +1 and -1, so all go together
    groups = 1 if isinstance(batch, nn.BatchNorm1d) else num_groups(batch.num_features)
    group = nn.GroupNorm(groups, batch.num_features, eps=batch.eps, affine=batch.affine)
    if batch.affine:
        group.weight, group.bias = batch.weight, batch.bias
    return group.train(batch.training)
