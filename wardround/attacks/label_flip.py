"""Label flipping: a malicious site calls its images by other classes and trains on them: Tolpegin et al. 2020 (arXiv:2007.08432)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def label_flip(images: Tensor, truth: Tensor, rng: np.random.Generator, *, source: int | None, target: int,
               num_classes: int) -> tuple[Tensor, Tensor]:
    """The images as they are, with `flipped` labels. Nothing is drawn."""
    return images, flipped(truth, source=source, target=target, num_classes=num_classes)


def flipped(truth: Tensor, *, source: int | None, target: int, num_classes: int) -> Tensor:
    """A new tensor: class `source` is called `target`; with source None each class c becomes C - 1 - c.

    truth: (B,) classes; (B, H, W) or (B, D, H, W) masks of classes, voxel by voxel; or (B, C) findings of 0 and 1, of which `source`, or
    all of them, are turned round (1 - y) whatever `target`. With an odd number of classes the middle one stays as it is.
    """
    if truth.ndim == 2:
        chosen = torch.ones(num_classes, dtype=torch.bool) if source is None else torch.arange(num_classes) == source
        return torch.where(chosen.to(truth.device), 1 - truth, truth)
    if source is None:
        return num_classes - 1 - truth
    return torch.where(truth == source, target, truth)
