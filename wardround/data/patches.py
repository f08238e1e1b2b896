"""Random patches of volumes with masks for training, and whole volumes to evaluate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from wardround.data.feeds import CPU, Case, moved
from wardround.data.geometry import Shape, triple
from wardround.data.slices import by_patient
from wardround.data.transforms import Augment
from wardround.data.volumes import Volumes

NUM_DRAWS = 6  # a patch takes so many random numbers, whichever it uses


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeFeed:
    """Volumes with masks: a CaseFeed. patients: (n,) text. patch: D, H, W of training images; a D of 1 makes them slices.

    foreground: share of the patches that are drawn around a labelled voxel, of a class that is drawn first, so that small ones are
    seen as often as large ones: Isensee et al. 2021 (doi:10.1038/s41592-020-01008-z).
    """

    volumes: Volumes
    patients: np.ndarray
    patch: Shape
    foreground: float
    augment: Augment
    device: torch.device = CPU

    def on(self, device: torch.device, *, room: int) -> Self:
        """Patches are cut from the files on the CPU, whatever the room, and changed on the device."""
        return replace(self, device=device)

    def batch(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A changed patch of each row, (B, C, D, H, W) float32, and its classes (B, D, H, W) int64; both without D where it is 1.

        Patches do not leave the volume along axes that are long enough; along shorter ones 0 and background are put around it.
        """
        draws = torch.rand((len(rows), NUM_DRAWS), generator=generator, dtype=torch.float64).numpy()
        pairs = [self._patch(row, draw) for row, draw in zip(rows.tolist(), draws, strict=True)]
        images = moved(torch.from_numpy(np.stack([image for image, _ in pairs])), self.device).float()
        truth = moved(torch.from_numpy(np.stack([mask for _, mask in pairs])), self.device).long()
        if self.patch[0] == 1:
            images, truth = images[:, :, 0], truth[:, 0]
        images, changed = self.augment.pair(images, truth, generator)
        return images, truth if changed is None else changed

    def cases(self, rows: np.ndarray) -> list[np.ndarray]:
        """A volume a case, those of a patient one after the other: they do not lie on one grid."""
        return [group[i : i + 1] for group in by_patient(self.patients, rows) for i in range(len(group))]

    def case(self, rows: np.ndarray) -> Case:
        """The whole volume of the one row."""
        row = int(rows[0])
        image = torch.from_numpy(np.array(self.volumes.image(row), np.float32))
        return Case(image=image, truth=np.array(self.volumes.mask(row)), spacing_mm=self.volumes.geometry(row).spacing_mm, is_volume=True)

    def _patch(self, row: int, draw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(C, D, H, W) float16 and (D, H, W) uint8."""
        image, mask = self.volumes.image(row), self.volumes.mask(row)
        room = np.array(mask.shape) - self.patch
        start = (draw[3:] * (np.maximum(room, 0) + 1)).astype(np.int64)
        if draw[0] < self.foreground:
            points = self.volumes.points(row)
            classes = np.unique(points[:, 0])
            if len(classes):
                of_class = points[points[:, 0] == classes[int(draw[1] * len(classes))], 1:]
                start = of_class[int(draw[2] * len(of_class))] - np.array(self.patch) // 2
        start = np.where(room > 0, np.clip(start, 0, np.maximum(room, 0)), room // 2)  # a shorter axis lies in the middle
        return _cut(image, start, self.patch), _cut(mask, start, self.patch)


def _cut(volume: np.ndarray, start: np.ndarray, patch: Shape) -> np.ndarray:
    """The box (..., *patch) of (..., D, H, W) from `start`, which may be negative; 0 outside."""
    low, high = np.maximum(start, 0), np.minimum(start + patch, volume.shape[-3:])
    out = np.zeros((*volume.shape[:-3], *patch), volume.dtype)
    out[(..., *_box(low - start, high - start))] = volume[(..., *_box(low, high))]
    return out


def _box(low: np.ndarray, high: np.ndarray) -> tuple[slice, slice, slice]:
    return triple(map(slice, low.tolist(), high.tolist()))
