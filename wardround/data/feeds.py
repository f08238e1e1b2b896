"""What turns row numbers into tensors at a site: images with labels here, images with masks in `data/slices.py` and `data/volumes.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from wardround.data import mapped as mapped  # so that a spawned process gets the names of files, not what is in them
from wardround.data.harmonise import GreyTables
from wardround.data.transforms import Augment, Normalisation, normalise

CPU = torch.device("cpu")
COPIED = 64 * 1024**2  # bytes moved to a device at a time


class Feed(Protocol):
    """Training batches of any kind."""

    def batch(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, C, ...) float32 in network units, randomly changed, on the feed's device, and their truth, on any device."""
        ...

    def on(self, device: torch.device, *, room: int) -> Self:
        """The feed with its images changed on the device: kept there if they take at most `room` bytes, else moved batch by batch.

        Where images are kept changes no bit."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageFeed:
    """Labelled images. images: (n, C, H, W) uint8 or (n, C, D, H, W) float16, usually memory-mapped, a tensor where they are kept on
    the device. labels: (n,) or (n, C) int64, on the CPU. greys: maps of the sites' grey values, of uint8 images."""

    images: np.ndarray | Tensor
    labels: Tensor
    normalisation: Normalisation
    augment: Augment
    greys: GreyTables | None = None
    device: torch.device = CPU

    def on(self, device: torch.device, *, room: int) -> Self:
        return replace(self, images=kept(self.images, device) if self.images.nbytes <= room else self.images, device=device,
                       greys=None if self.greys is None else self.greys.on(device))

    def batch(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Changed images (B, C, ...) and labels (B,) or (B, C)."""
        images, labels = self.plain(rows)
        return self.augment(images, generator), labels

    def plain(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """The images as they are, on the common scale of grey values if there is one."""
        images = taken(self.images, rows, self.device)
        return normalise(images if self.greys is None else self.greys(images, rows), self.normalisation), self.labels[rows]


def kept(array: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """All of an array on the device, moved piece by piece."""
    if isinstance(array, Tensor):
        return array.to(device)
    whole = torch.empty(array.shape, dtype=torch.from_numpy(array[:0].copy()).dtype, device=device)
    step = max(1, COPIED * len(array) // max(array.nbytes, 1))
    for start in range(0, len(array), step):
        whole[start : start + step] = torch.from_numpy(np.array(array[start : start + step]))
    return whole


def taken(array: np.ndarray | Tensor, rows: np.ndarray, device: torch.device) -> Tensor:
    """Rows of an array on the device, in the array's own type."""
    if isinstance(array, Tensor):
        return array[torch.from_numpy(rows).to(device)]
    return moved(torch.from_numpy(array[rows]), device)


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; CUDA copies pinned memory while the CPU goes on."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


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
