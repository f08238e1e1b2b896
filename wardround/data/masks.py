"""Masks of plane images, decoded once: the class of every pixel, in one memory-mapped file."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import ExifTags
from PIL import Image as Picture

from wardround.core.events import Progress, Watch, silent
from wardround.data.cache import cores, writing
from wardround.data.catalogue import UNKNOWN, Catalogue, text_column
from wardround.data.pool import each
from wardround.data.readers import image as reader
from wardround.data.storage import fingerprint, put_in_place
from wardround.errors import ImageError
from wardround.places import cache_root

VERSION = 1  # of the transform: a change makes every cache stale
CHUNK = 128  # masks that a process decodes at a time
ALONE = 8 * CHUNK  # up to so many masks are decoded in this process: starting others takes longer
PIXELS = "pixels.u8"
FAILED = "failed.json"
FAILURES = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)  # one bad file never ends the decode
NAMED = 8  # unknown values that an error message names
_TURNED = 5  # EXIF orientations from here on exchange height and width


@dataclass(frozen=True, kw_only=True, eq=False)
class Masks:
    """Decoded masks; row i is the catalogue's row i.

    pixels: (n, size, size) uint8 class of each pixel, read-only memory map, background where decoding failed. reasons: (n,) text,
    "" = decoded, else the ImageError's code; details: (n,) text, its message.
    """

    pixels: np.ndarray
    reasons: np.ndarray
    details: np.ndarray


def open_masks(catalogue: Catalogue, *, size: int, watch: Watch = silent, folder: Path | None = None) -> Masks:
    """Return the masks as size x size classes, decoding them if no earlier call has; all are kept or none.

    The nearest pixel's value is taken, of a volume in the middle slice as for its image, and `catalogue.mask_values` says what it
    means. Reasons beside the readers': "no_mask" (none is named), "mask_values" (a value without a meaning), "mask_shape" (PNG,
    JPEG, TIFF and BMP: image and mask differ in size; headers are compared, other formats are not). folder: where caches live,
    default cache_root(). DataError if it cannot be written.
    """
    images: list[str] = catalogue.images.tolist()
    names: list[str] = [UNKNOWN] * len(images) if catalogue.masks is None else catalogue.masks.tolist()
    place = (folder or cache_root()) / "masks" / _key(catalogue, names, size)
    with writing(place):
        failed = _load(place, len(names) * size * size)
        if failed is None:
            failed = _build(partial(_decode_chunk, catalogue.root, dict(catalogue.mask_values), size), place, images, names, watch)
    reasons, details = text_column([""] * len(names)), text_column([""] * len(names))
    for row, (reason, detail) in failed.items():
        reasons[int(row)], details[int(row)] = reason, detail
    pixels = np.memmap(place / PIXELS, np.uint8, mode="r", shape=(len(names), size, size))
    return Masks(pixels=pixels, reasons=reasons, details=details)


def read_mask(root: Path, mask: str, mask_values: Mapping[int, int]) -> np.ndarray:
    """The class of every voxel of a mask file, (D, H, W) uint8; ImageError "no_mask", "mask_values" or one of the readers'."""
    if not mask:
        raise ImageError("an image has no mask. Add its mask to the data set, or take the image out.", reason="no_mask")
    pixels = reader.load(root, mask).pixels
    if any(not np.array_equal(channel, pixels[0]) for channel in pixels[1:]):
        raise ImageError(f"{mask}: a mask has one value a voxel, this has {len(pixels)} channels that differ. Save it in grey, or "
                         "one-hot masks as one volume of class numbers.", reason="mask_values")
    classes = np.zeros(pixels.shape[1:], np.uint8)
    is_known = np.zeros(pixels.shape[1:], bool)
    for value, index in mask_values.items():
        here = pixels[0] == value
        classes[here] = index
        is_known |= here
    if not is_known.all():
        found = np.unique(pixels[0][~is_known])
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        raise ImageError(f"{mask}: unknown values {', '.join(map(str, found[:NAMED].tolist()))}{more} in {int((~is_known).sum())} "
                         f"voxels. Masks of this data set hold {', '.join(map(str, mask_values))}. A mask that was saved as JPEG or "
                         "resized with interpolation has values in between: use the original.", reason="mask_values")
    return classes


def nearest(labels: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Resize along all axes: each new pixel takes the old one that its centre lies in."""
    places = [((np.arange(new) + 0.5) * old / new).astype(np.int64) for old, new in zip(labels.shape, shape, strict=True)]
    return labels[np.ix_(*places)]


Failed = dict[str, tuple[str, str]]  # row -> reason, detail


def _key(catalogue: Catalogue, names: Sequence[str], size: int) -> str:
    settings = [VERSION, size, sorted(catalogue.mask_values.items())]
    return fingerprint(catalogue.root, settings, zip(catalogue.images.tolist(), names, strict=True))


def _load(place: Path, num_bytes: int) -> Failed | None:
    """The rows that failed in a whole cache; None if it is absent or damaged."""
    try:
        if (place / PIXELS).stat().st_size != num_bytes:
            return None
        failed: Failed = json.loads((place / FAILED).read_bytes())
    except (OSError, ValueError):
        return None
    return failed


def _build(decode: partial[tuple[int, np.ndarray, Failed]], place: Path, images: Sequence[str], names: Sequence[str],
           watch: Watch) -> Failed:
    chunks = [(start, images[start : start + CHUNK], names[start : start + CHUNK]) for start in range(0, len(names), CHUNK)]
    failed: Failed = {}
    part, done = place / f"{PIXELS}.{os.getpid()}-{threading.get_ident()}.part", 0
    watch(Progress(stage="masks", done=0, total=len(names)))
    with part.open("wb") as file:
        for start, pixels, wrong in each(decode, chunks, workers=cores() if len(names) > ALONE else 1):
            file.seek(start * pixels[0].size)
            file.write(pixels.data)
            failed |= wrong
            done += len(pixels)
            watch(Progress(stage="masks", done=done, total=len(names)))
    part.replace(place / PIXELS)
    put_in_place(place / FAILED, json.dumps(failed).encode())
    return failed


def _decode_chunk(root: Path, mask_values: Mapping[int, int], size: int,
                  chunk: tuple[int, Sequence[str], Sequence[str]]) -> tuple[int, np.ndarray, Failed]:
    """The first row, the masks (rows, size, size), and what failed."""
    start, images, names = chunk
    pixels, failed = np.zeros((len(names), size, size), np.uint8), Failed()
    for i, (image, mask) in enumerate(zip(images, names, strict=True)):
        try:
            pixels[i] = nearest(_plane(root, image, mask, mask_values), (size, size))
        except ImageError as error:
            failed[str(start + i)] = error.reason, str(error)
        except FAILURES as error:
            failed[str(start + i)] = "truncated", f"{mask}: damaged ({type(error).__name__})"
    return start, pixels, failed


def _plane(root: Path, image: str, mask: str, mask_values: Mapping[int, int]) -> np.ndarray:
    classes = read_mask(root, mask, mask_values)
    plane: np.ndarray = classes[len(classes) // 2]
    shape = _picture_shape(root / image)
    if shape is not None and shape != plane.shape:
        raise ImageError(f"{mask}: {plane.shape[0]} x {plane.shape[1]} pixels, but its image has {shape[0]} x {shape[1]}. "
                         "Masks must lie on their image pixel by pixel.", reason="mask_shape")
    return plane


def _picture_shape(path: Path) -> tuple[int, int] | None:
    """Height and width in a picture's header; None for other formats, and for files that the reader of images will refuse."""
    try:
        with Picture.open(path, formats=("PNG", "JPEG", "TIFF", "BMP")) as file:
            width, height = file.size
            is_turned = file.format == "JPEG" and file.getexif().get(ExifTags.Base.Orientation, 1) >= _TURNED
    except (*FAILURES, SyntaxError, Picture.DecompressionBombError):
        return None
    return (width, height) if is_turned else (height, width)
