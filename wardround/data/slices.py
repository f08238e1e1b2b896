"""Batches of plane images with masks, and a patient's slices as one case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from wardround.data.catalogue import UNKNOWN
from wardround.data.feeds import CPU, Case, kept, taken
from wardround.data.transforms import Augment, Normalisation, normalise


@dataclass(frozen=True, kw_only=True, eq=False)
class SliceFeed:
    """Plane images with masks: a CaseFeed.

    images: (n, C, H, W) uint8 and masks: (n, H, W) uint8 class of each pixel, usually memory-mapped, tensors where they are kept on
    the device. patients: (n,) text.
    """

    images: np.ndarray | Tensor
    masks: np.ndarray | Tensor
    patients: np.ndarray
    normalisation: Normalisation
    augment: Augment
    device: torch.device = CPU

    def on(self, device: torch.device, *, room: int) -> Self:
        if self.images.nbytes + self.masks.nbytes > room:
            return replace(self, device=device)
        return replace(self, images=kept(self.images, device), masks=kept(self.masks, device), device=device)

    def batch(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Changed images (B, C, H, W) float32 and their classes (B, H, W) int64."""
        truth = taken(self.masks, rows, self.device).long()
        images, moved = self.augment.pair(self._plain(rows), truth, generator)
        return images, truth if moved is None else moved

    def cases(self, rows: np.ndarray) -> list[np.ndarray]:
        """The rows of each patient, in the order given; patients in order of their first row, an unknown one a row."""
        return by_patient(self.patients, rows)

    def case(self, rows: np.ndarray) -> Case:
        """A patient's slices along D. How far apart they lie is unknown."""
        image = self._plain(rows).transpose(0, 1).contiguous()  # (C, D, H, W)
        return Case(image=image, truth=taken(self.masks, rows, self.device).cpu().numpy(), spacing_mm=None, is_volume=False)

    def _plain(self, rows: np.ndarray) -> Tensor:
        return normalise(taken(self.images, rows, self.device), self.normalisation)


def by_patient(patients: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """These rows by patient, in the order given; patients in order of their first row; a row of an unknown patient is alone."""
    groups: dict[object, list[int]] = {}
    for row in rows.tolist():
        key = row if patients[row] == UNKNOWN else patients[row]
        groups.setdefault(key, []).append(row)
    return [np.array(group, np.int64) for group in groups.values()]
