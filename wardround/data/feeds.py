"""What turns row numbers into tensors at a site: images with labels here, images with masks in `data/slices.py` and `data/volumes.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from wardround.data.transforms import Augment, Normalisation, normalise


class Feed(Protocol):
    """Training batches of any kind."""

    def batch(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, ...) float32 in network units, randomly changed, and their truth, both on the CPU."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageFeed:
    """Labelled images. images: (n, C, H, W) uint8 or (n, C, D, H, W) float16, usually memory-mapped. labels: (n,) or (n, C) int64."""

    images: np.ndarray
    labels: Tensor
    normalisation: Normalisation
    augment: Augment

    def batch(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Changed images (B, C, ...) and labels (B,) or (B, C)."""
        images, labels = self.plain(rows)
        return self.augment(images, generator), labels

    def plain(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """The images as they are."""
        return normalise(torch.from_numpy(self.images[rows]), self.normalisation), self.labels[rows]


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A patient's image and segmentation.

    image: (C, D, H, W) float32 in network units. truth: (D, H, W) uint8 class of each voxel. spacing_mm: along D, H, W, None where
    unknown (distances are then in pixels). is_volume: whether neighbours along D touch; else they are single slices.
    """

    image: Tensor
    truth: np.ndarray
    spacing_mm: tuple[float, float, float] | None
    is_volume: bool


class CaseFeed(Feed, Protocol):
    """Training batches with masks, and whole patients to evaluate. Truth of a batch: (B, H, W) or (B, D, H, W) int64."""

    def cases(self, rows: np.ndarray) -> list[np.ndarray]:
        """The rows of each patient among these, patients in order of their first row; unknown patients are a patient a row."""
        ...

    def case(self, rows: np.ndarray) -> Case:
        """One patient, rows as `cases` gives them."""
        ...
