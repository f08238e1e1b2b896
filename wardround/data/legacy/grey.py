"""Pixels of old data sets as 8-bit pictures: which axis is what, and one rule for the grey values of a whole set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wardround.data.legacy import inert

MOST_PIXELS = 2**26  # of one image
MOST_LISTED = 2**21  # of one image as nested lists, which take seconds beyond
_SLACK = 1e-6


@dataclass(frozen=True)
class Scale:
    """Grey value -> (value - low) * 255 / (high - low), rounded and kept in 0..255. text: the rule in words."""

    low: float
    high: float
    text: str

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """The same pixels as uint8."""
        spread = (self.high - self.low) or 1.0
        scaled = (pixels.astype(np.float64) - self.low) * (255 / spread)
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def scale_of(images: Sequence[np.ndarray]) -> Scale:
    """One rule for all images of a set, from their type and their smallest and largest value."""
    low, high = min(float(pixels.min()) for pixels in images), max(float(pixels.max()) for pixels in images)
    kinds = {pixels.dtype.kind for pixels in images}
    if kinds <= {"b"}:
        return Scale(0, 1, "yes and no become 255 and 0")
    if low >= -_SLACK and high <= 255 + _SLACK and (kinds <= {"u", "i", "b"} or high > 1 + _SLACK):
        return Scale(0, 255, "values are 0..255 already and were rounded")
    if "f" in kinds and low >= -_SLACK and high <= 1 + _SLACK:
        return Scale(0, 1, "0..1 became 0..255")
    if "f" in kinds and low >= -1 - _SLACK and high <= 1 + _SLACK:
        return Scale(-1, 1, "-1..1 became 0..255")
    return Scale(low, high, f"the set's range {low:g}..{high:g} became 0..255")


def picture(value: object) -> np.ndarray:
    """(H, W) or (H, W, 3) finite numbers of an image as pickled; ValueError with the reason if it is none."""
    pixels = _array(value)
    if pixels.dtype.kind not in "biuf":
        raise ValueError("image is not made of numbers")
    while pixels.ndim > 2 and 1 in (pixels.shape[0], pixels.shape[-1]):
        pixels = pixels[0] if pixels.shape[0] == 1 else pixels[..., 0]
    if pixels.ndim == 3 and pixels.shape[-1] not in (3, 4) and pixels.shape[0] == 3:
        pixels = pixels.transpose(1, 2, 0)
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] in (3, 4))) or min(pixels.shape[:2]) < 2:
        raise ValueError("image is not a picture of two dimensions")
    if pixels.size > MOST_PIXELS:
        raise ValueError("image has too many pixels")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ValueError("image holds values that are not finite")
    return pixels[..., :3] if pixels.ndim == 3 else pixels


def _array(value: object) -> np.ndarray:
    """An image as an array; lists are measured before they are copied, since a list can repeat itself without end."""
    found = inert.content(value)
    if isinstance(found, np.ndarray):
        return found
    if not isinstance(found, list | tuple):
        raise ValueError("image is no array")
    numbers, _ = _measured(found, 4, MOST_LISTED)
    try:
        return np.array(numbers)
    except ValueError as error:
        raise ValueError("image has rows of different lengths") from error


def _measured(value: object, levels: int, most: int) -> tuple[object, int]:
    """Lists of numbers without shells, and how many numbers they hold."""
    found = inert.content(value)
    if isinstance(found, int | float):
        return found, 1
    if isinstance(found, np.ndarray):
        return found, found.size
    if not isinstance(found, list | tuple) or not levels:
        raise ValueError("image is not made of numbers")
    parts: list[object] = []
    num = 0
    for part in found:
        inner, held = _measured(part, levels - 1, most - num)
        parts.append(inner)
        num += max(held, 1)
        if num > most:
            raise ValueError("image has too many pixels")
    return parts, num
