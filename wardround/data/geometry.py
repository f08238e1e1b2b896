"""Volumes as a network sees them: cropped to what is not zero, resampled, each channel normalised; and labels put back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, prod
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wardround.data.masks import nearest
from wardround.data.readers.image import LIMIT_PIXELS, Image
from wardround.errors import ImageError

Shape = tuple[int, int, int]
Value = TypeVar("Value")

MIN_DEVIATION = 1e-4  # of the mean: a channel of one value becomes 0, not the noise of its rounding


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How a prepared volume lies in its file's; lengths along D, H, W, in RAS order as readers give it.

    full: voxels of the file. start, cropped: first voxel and lengths of the box that was kept. shape: voxels after resampling.
    spacing_mm: of these, None where the file does not say. orientation: as in readers.image.Image.
    """

    full: Shape
    start: Shape
    cropped: Shape
    shape: Shape
    spacing_mm: tuple[float, float, float] | None
    orientation: str

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the kept voxels are in the file's volume."""
        return triple(slice(low, low + length) for low, length in zip(self.start, self.cropped, strict=True))

    def take(self, labels: np.ndarray) -> np.ndarray:
        """Labels (D, H, W) of the file's volume on the prepared one's grid, by the nearest voxel."""
        return nearest(labels[self.box], self.shape)

    def put_back(self, labels: np.ndarray) -> np.ndarray:
        """Labels of the prepared volume on the grid of the file's, (D, H, W) in RAS order; 0 where it was cropped."""
        full = np.zeros(self.full, labels.dtype)
        full[self.box] = nearest(labels, self.cropped)
        return full

    def upright(self, planes: np.ndarray) -> np.ndarray:
        """Planes (..., H, W) as radiologists look at them: anterior up, the patient's right on the left; pictures unchanged."""
        return planes[..., ::-1, ::-1] if self.orientation == "RAS" else planes


def prepared_volume(image: Image, *, spacing_mm: float, shape: Shape | None = None) -> tuple[np.ndarray, Geometry]:
    """Return (C, D, H, W) float16 and where it lies.

    The box around all voxels that are not 0 in some channel is kept (all of an empty volume; NaN and inf count as 0), resampled
    (trilinear, antialiased) to cubes of spacing_mm, unless that is 0 or the file's spacing unknown, or to exactly `shape`; then each
    channel gets zero mean and unit variance over its voxels that are not 0; the others stay exactly 0. ImageError "too_large" if
    resampling would make too many voxels, "unsupported" for complex numbers.
    """
    if image.pixels.dtype.kind not in "buif":
        raise ImageError(f"voxels are {image.pixels.dtype}; images are whole or real numbers. Save the magnitude.", reason="unsupported")
    _, *full = image.pixels.shape
    start, cropped = _bounding_box(image.pixels)
    spacing = image.spacing_mm if image.spacing_mm and all(isfinite(step) and step > 0 for step in image.spacing_mm) else None
    target = shape or _target(cropped, spacing, spacing_mm, len(image.pixels))
    finest = spacing and triple(step * old / new for step, old, new in zip(spacing, cropped, target, strict=True))
    geometry = Geometry(full=triple(full), start=start, cropped=cropped, shape=target, spacing_mm=finest, orientation=image.orientation)
    kept = np.nan_to_num(image.pixels[(slice(None), *geometry.box)].astype(np.float32), copy=False, nan=0, posinf=0, neginf=0)
    return np.stack([_normalised(resampled(torch.from_numpy(channel), target)) for channel in kept]), geometry


def resampled(channel: Tensor, shape: Shape) -> Tensor:
    """Resize (D, H, W) float32 as torch does pictures, bilinear and antialiased: in the planes, then across them."""
    depth, height, width = shape
    planes = functional.interpolate(channel[None], (height, width), mode="bilinear", antialias=True)  # (1, D, height, width)
    lines = functional.interpolate(planes.flatten(2)[None], (depth, height * width), mode="bilinear", antialias=True)
    return lines.view(shape)


def triple(values: Iterable[Value]) -> tuple[Value, Value, Value]:
    """Three values as a tuple of three."""
    depth, height, width = values
    return depth, height, width


def _bounding_box(pixels: np.ndarray) -> tuple[Shape, Shape]:
    """First voxel and lengths of the box around what is not 0 in some channel of (C, D, H, W)."""
    is_filled = ((pixels != 0) & np.isfinite(pixels)).any(0)
    if not is_filled.any():
        return (0, 0, 0), triple(pixels.shape[1:])
    spans = [np.flatnonzero(is_filled.any(others)) for others in ((1, 2), (0, 2), (0, 1))]
    return triple(int(span[0]) for span in spans), triple(int(span[-1] - span[0]) + 1 for span in spans)


def _target(cropped: Shape, spacing: tuple[float, float, float] | None, spacing_mm: float, channels: int) -> Shape:
    if spacing is None or spacing_mm <= 0:
        return cropped
    target = triple(max(1, round(length * step / spacing_mm)) for length, step in zip(cropped, spacing, strict=True))
    if channels * prod(target) > LIMIT_PIXELS:
        raise ImageError(f"its header says that voxels are {' x '.join(f'{step:g}' for step in spacing)} mm: cubes of {spacing_mm:g} mm "
                         f"would be more than {LIMIT_PIXELS:,}. Correct the header, or raise data.spacing_mm.", reason="too_large")
    return target


def _normalised(channel: Tensor) -> np.ndarray:
    """Zero mean and unit variance over voxels that are not 0: float16."""
    inside = channel != 0
    values = channel[inside]
    if len(values):
        variance, mean = torch.var_mean(values, correction=0)
        channel[inside] = (values - mean) / torch.maximum(variance.sqrt(), MIN_DEVIATION * mean.abs())
    return channel.numpy().astype(np.float16)
