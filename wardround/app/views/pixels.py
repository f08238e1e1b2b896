"""Pictures of a data set's images: thumbnails, and whole volumes with their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wardround.errors import ImageError

if TYPE_CHECKING:
    from wardround.data.readers.image import Image

MOST_VOLUME = 192  # voxels a side of a volume that is looked at
MOST_PICTURE = 1024  # pixels a side of a picture
MARK = 255  # grey of the outline of a mask in a thumbnail
BROKEN, CROSS = 60, 140  # greys of what stands for an image that cannot be read


@dataclass(frozen=True, kw_only=True, eq=False)
class Looked:
    """One image to be looked at. volume: (C, D, H, W), D = 1 for a picture, upright, whole numbers or float32. mask: (D, H, W) uint8
    class of each voxel, None without one. scale: how many of the file's pixels one of these is wide. problem: why it, or its mask, is not
    there; "" if all is well."""

    image: str
    volume: np.ndarray
    mask: np.ndarray | None = None
    scale: float = 1.0
    problem: str = ""


def thumbnails(root: Path, images: Sequence[str], size: int, masks: Sequence[str] = ()) -> list[np.ndarray]:
    """A thumbnail each, in the order of the images; masks: as many, "" without one."""
    return [thumbnail(root, image, size, mask) for image, mask in zip(images, masks or [""] * len(images), strict=True)]


def thumbnail(root: Path, image: str, size: int, mask: str = "") -> np.ndarray:
    """At most size x size, (H, W) or (H, W, 3) uint8, the middle slice of a volume; with its mask, the outline of what is labelled.

    An image that cannot be read becomes a crossed square."""
    from PIL import Image as Pillow

    from wardround.data.masks import FAILURES

    try:
        picture = Pillow.fromarray(_plane(root, image))
        picture.thumbnail((size, size))
        pixels = np.asarray(picture)
    except (ImageError, *FAILURES):
        return _crossed(size)
    try:
        return _outlined(pixels, _labelled(root, mask)) if mask else pixels
    except (ImageError, *FAILURES):
        return pixels


def volume_of(root: Path, image: str, *, mask: str = "", mask_values: Mapping[int, int] | None = None) -> Looked:
    """An image as it is, but for its size: at most MOST_VOLUME voxels a side, MOST_PICTURE pixels of a picture.

    Its channels follow each other. An unreadable one is told in `problem` and has no pixels."""
    from wardround.data.masks import FAILURES, read_mask

    try:
        volume, is_ras, scale, kept = _whole(root, image)
    except (ImageError, *FAILURES) as error:
        return Looked(image=image, volume=np.zeros((0, 1, 1, 1), np.uint8), problem=str(error) or f"{image}: damaged")
    drawn, problem = None, ""
    if mask:
        try:
            drawn = _fitted(read_mask(root, mask, mask_values or {0: 0, 1: 1, 255: 1}), volume.shape[1:], kept, is_ras)
        except (ImageError, *FAILURES) as error:
            problem = f"Its mask is not shown: {error}"
    return Looked(image=image, volume=volume, mask=drawn, scale=scale, problem=problem)


def _plane(root: Path, image: str) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8, upright."""
    from wardround.data.catalogue import files_of
    from wardround.data.readers.image import load, load_picture, to_uint8

    name = files_of(image)[0]
    plain = load_picture(root, name)
    if plain is not None:
        return np.asarray(plain)
    found = load(root, name)
    pixels = to_uint8(found)
    pixels = pixels[:, ::-1, ::-1] if found.orientation == "RAS" else pixels
    return pixels.transpose(1, 2, 0) if len(pixels) == 3 and found.pixels.shape[1] == 1 else pixels[0]


def _labelled(root: Path, mask: str) -> np.ndarray:
    """(H, W) bool: where the middle slice of a mask is not 0."""
    from wardround.data.readers.image import load

    found = load(root, mask)
    plane: np.ndarray = found.pixels[0, found.pixels.shape[1] // 2] != 0
    return plane[::-1, ::-1] if found.orientation == "RAS" else plane


def _outlined(pixels: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    from wardround.data.masks import nearest

    inside = np.pad(nearest(labelled.astype(np.uint8), pixels.shape[:2]), 1)
    core = inside[1:-1, 1:-1]
    edge = (core != 0) & (inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:] == 0)
    shown = np.array(pixels)
    shown[edge] = MARK
    return shown


def _crossed(size: int) -> np.ndarray:
    square = np.full((size, size), BROKEN, np.uint8)
    place = np.arange(size)
    for step in (0, 1):
        square[place, np.minimum(place + step, size - 1)] = CROSS
        square[place, np.maximum(size - 1 - place - step, 0)] = CROSS
    return square


def _whole(root: Path, image: str) -> tuple[np.ndarray, bool, float, np.ndarray]:
    """The volume made smaller, whether it was turned upright, its scale, and the slices of the file that were kept."""
    from wardround.data.catalogue import files_of
    from wardround.data.readers.image import load

    parts = [load(root, name) for name in files_of(image)]
    shapes = {part.pixels.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise ImageError(f"{image}: its files have {len(shapes)} different shapes. The channels of an image must lie on one grid.",
                         reason="shape")
    depth, height, width = parts[0].pixels.shape[1:]
    most = MOST_VOLUME if depth > 1 else MOST_PICTURE
    scale = max(1.0, height / most, width / most)
    kept = np.unique(np.linspace(0, depth - 1, min(depth, MOST_VOLUME)).round().astype(np.int64))
    size = (max(1, round(height / scale)), max(1, round(width / scale)))
    is_ras = parts[0].orientation == "RAS"
    volume = np.concatenate([_smaller(part, kept, size) for part in parts])
    return (np.ascontiguousarray(volume[..., ::-1, ::-1]) if is_ras else volume), is_ras, scale, kept


def _smaller(image: Image, slices: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(C, slices, *size) in a type that takes little room: whole numbers of 8 or 16 bits where they fit, else float32."""
    from PIL import Image as Pillow

    pixels = image.pixels[:, slices]
    if pixels.dtype.kind == "c":
        raise ImageError("voxels are complex numbers. Save the magnitude.", reason="unsupported")
    if pixels.shape[2:] != size:
        planes = [np.asarray(Pillow.fromarray(np.asarray(plane, np.float32)).resize(size[::-1], Pillow.Resampling.BOX))
                  for channel in pixels for plane in channel]
        resized = np.stack(planes).reshape(*pixels.shape[:2], *size)
        pixels = resized if pixels.dtype.kind == "f" else resized.round().astype(pixels.dtype)
    if pixels.dtype.kind in "iu" and pixels.dtype != np.uint8 and pixels.min() >= -(2**15) and pixels.max() < 2**15:
        return pixels.astype(np.int16)
    return pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)


def _fitted(mask: np.ndarray, shape: tuple[int, ...], kept: np.ndarray, is_ras: bool) -> np.ndarray:
    """A mask of the file's grid on the smaller volume's; ImageError if they do not lie on each other."""
    from wardround.data.masks import nearest

    if len(mask) <= kept.max():
        raise ImageError(f"it has {len(mask)} slices, its image more.", reason="shape")
    smaller = np.stack([nearest(plane, shape[1:]) for plane in mask[kept]])
    return np.ascontiguousarray(smaller[:, ::-1, ::-1]) if is_ras else smaller
