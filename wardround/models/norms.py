"""One kind of normalisation for a whole network, whichever kind its author chose."""

from __future__ import annotations

from typing import Literal, Self

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

Norm = Literal["batch", "group", "instance", "frozen"]

BATCH: tuple[type[_BatchNorm], ...] = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
INSTANCE: tuple[type[_InstanceNorm], ...] = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


class Frozen(_BatchNorm):
    """Batch norm that stays in evaluation: its running statistics are those of the first weights, whoever trains on whatever.

    A batch of two classes has other statistics than one of four, so hospitals that lack classes would each train another network."""

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


class Frozen1d(Frozen, nn.BatchNorm1d):
    """Of (B, C) or (B, C, L)."""


class Frozen2d(Frozen, nn.BatchNorm2d):
    """Of (B, C, H, W)."""


class Frozen3d(Frozen, nn.BatchNorm3d):
    """Of (B, C, D, H, W)."""


FROZEN: tuple[type[Frozen], ...] = (Frozen1d, Frozen2d, Frozen3d)
MAX_GROUPS = 32  # Wu & He 2018, section 4.1


def use_norm(module: nn.Module, norm: Norm) -> nn.Module:
    """Return the module with every batch and instance norm turned into this kind: batch norm (Ioffe & Szegedy 2015), group norm
    (Wu & He 2018, arXiv:1803.08494) or instance norm (Ulyanov et al. 2016, arXiv:1607.08022); "frozen" is batch norm with the
    statistics of first weights, whose scale and shift are trained.

    Changes the module in place, at any depth; names, scale and shift stay, and running statistics go unless they are batch norm's.
    With "group" and "instance" the result for an image does not depend on the others of its batch or site. Instance norm gets scale
    and shift, and needs more than one position: behind linear layers, which have none, "instance" is one group of all channels.
    """
    if isinstance(module, _BatchNorm | _InstanceNorm):
        return module if norm == "batch" and isinstance(module, _BatchNorm) else _replaced(module, norm)
    for name, child in module.named_children():
        setattr(module, name, use_norm(child, norm))
    return module


def num_groups(channels: int) -> int:
    """The largest divisor of channels that is at most 32 and leaves 2 channels to a group; 1 if there is none.

    A group of a single channel would lose its mean altogether (instance norm), and with it where the image is bright.
    """
    return max((groups for groups in range(1, min(MAX_GROUPS, channels // 2) + 1) if channels % groups == 0), default=1)


def _replaced(old: _BatchNorm | _InstanceNorm, norm: Norm) -> nn.Module:
    # no scale and shift is instance norm's default, but a choice in batch norm
    affine = old.affine or isinstance(old, _InstanceNorm)
    new = _empty(old, norm, affine)
    if old.affine:
        new.weight, new.bias = old.weight, old.bias
    return new.train(old.training)


def _empty(old: _BatchNorm | _InstanceNorm, norm: Norm, affine: bool) -> nn.Module:
    channels, eps = old.num_features, old.eps
    dims = next((index for index in range(3) if isinstance(old, (BATCH[index], INSTANCE[index]))), 1)
    if norm in ("batch", "frozen"):
        return (BATCH if norm == "batch" else FROZEN)[dims](channels, eps=eps, affine=affine)
    if isinstance(old, nn.BatchNorm1d):
        # behind a linear layer a group is nothing but its channels: two of them would become +1 and -1, so all go together
        return nn.GroupNorm(1, channels, eps=eps, affine=affine)
    if norm == "group":
        return nn.GroupNorm(num_groups(channels), channels, eps=eps, affine=affine)
    return INSTANCE[dims](channels, eps=eps, affine=affine)
