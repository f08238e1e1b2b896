"""One decoded image, whatever its file format, and the one door to it: `load` for a row of a catalogue, `read_image` for a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from wardround.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image as pillow

LIMIT_PIXELS = 200_000_000  # of an image, all slices and channels
LIMIT_PICTURE = 64_000_000  # of one page of PNG, JPEG, TIFF or BMP
LIMIT_UNPACKED = 2**28  # bytes in memory that a file of any size may unpack to
LIMIT_TIMES = 50  # a larger image may take so many times the bytes of its file
_HEAD = 352  # bytes: the longest header that is looked at, NIfTI-1

_RASTER = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
_OTHER_IMAGES = {b"GIF8": "GIF", b"RIFF": "WebP", b"\0\0\0\x0cjP": "JPEG 2000", b"\xff\x4f\xff\x51": "JPEG 2000",
                 b"II+\0": "BigTIFF", b"MM\0+": "BigTIFF", b"8BPS": "Photoshop", b"%PDF": "PDF", b"\x89HDF": "HDF5"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Image:
    """Pixels with their geometry.

    pixels: (C, D, H, W); D = 1 for a plane image; any integer or float type, as stored (after DICOM rescale and window).
    spacing_mm: size of a voxel along D, H, W; None where the file does not say. orientation: "RAS" if W grows to the patient's
    right, H to anterior and D to superior; "" for pictures, whose rows run from the top.
    """

    pixels: np.ndarray
    spacing_mm: tuple[float, float, float] | None = None
    orientation: str = ""


def load(root: Path, image: str, *, limit_pixels: int = LIMIT_PIXELS) -> Image:
    """Read a catalogue's image: a path below root in POSIX form, or "FILE.npz#KEY/INDEX" for a row of an array.

    A name that leads out of root is an ImageError with reason "outside_root"; the check is on the name, so links that the owner
    of root has placed inside it are followed.
    """
    name, is_reference, reference = image.partition(".npz#")
    path = _inside(root, name)
    if is_reference:
        from wardround.data.readers import arrays

        return arrays.read(root / f"{name}.npz", reference, limit_pixels=limit_pixels)
    return read_image(path, limit_pixels=limit_pixels)


def load_picture(root: Path, image: str, *, limit_pixels: int = LIMIT_PIXELS) -> pillow.Image | None:
    """The short way to to_uint8(load(root, image)) for a plain picture in 8 bits: the same pixels as a Pillow image of mode L or RGB.

    None for everything else (deep grey, pages, DICOM, volumes, arrays, files that cannot be opened), which `load` is for.
    """
    if ".npz#" in image:
        return None
    path = _inside(root, image)
    try:
        content = path.open("rb")
    except OSError:
        return None
    with content:
        if not content.read(_HEAD).startswith(_RASTER):
            return None
        from wardround.data.readers import raster

        content.seek(0)
        return raster.picture(content, path, limit_pixels=limit_pixels)


def read_image(path: Path, *, limit_pixels: int = LIMIT_PIXELS) -> Image:
    """Read PNG, JPEG, TIFF, BMP, DICOM or NIfTI; the content decides, then the suffix.

    limit_pixels counts C * D * H * W and is checked on the header, before decoding. Every failure is an ImageError with reason
    "unreadable" (missing, not allowed), "empty_file", "not_an_image", "unsupported", "too_large" or "truncated" (cut short or
    damaged).
    """
    head = _head(path)
    name = path.name.lower()
    if head.startswith(_RASTER):
        from wardround.data.readers import raster

        return raster.read(path, limit_pixels=limit_pixels)
    if head[128:132] == b"DICM" or name.endswith((".dcm", ".dicom")):
        from wardround.data.readers import dicom

        return dicom.read(path, limit_pixels=limit_pixels)
    if head[344:348] == b"n+1\0" or name.endswith((".nii", ".nii.gz")):
        from wardround.data.readers import nifti

        return nifti.read(path, limit_pixels=limit_pixels)
    for signature, kind in _OTHER_IMAGES.items():
        if head.startswith(signature):
            raise ImageError(f"{path}: {kind} is not read. Convert it to PNG, JPEG, TIFF, DICOM or NIfTI.", reason="unsupported")
    raise ImageError(f"{path}: not an image, its content has no known signature. Take it out of the data set.", reason="not_an_image")


def to_uint8(image: Image) -> np.ndarray:
    """One plane in 8 bits, (C, H, W): the middle slice of a volume, each channel scaled on its own.

    8-bit pixels pass unchanged. Others are scaled from min..max for a plane image, whose window (DICOM) or range was set by
    whoever made it. Volumes are scaled from their 0.5 to 99.5 percentiles: a few voxels of vessel, fat or artefact are many
    times brighter than tissue, and min..max would leave tissue a handful of grey levels. NaN and inf count as the lowest value.
    """
    pixels = image.pixels
    depth = pixels.shape[1]
    plane = pixels[:, depth // 2]
    if pixels.dtype == np.uint8:
        return plane
    scaled = [_scale(channel, source, is_volume=depth > 1) for channel, source in zip(plane, pixels, strict=True)]
    return np.stack(scaled)


def _scale(plane: np.ndarray, source: np.ndarray, *, is_volume: bool) -> np.ndarray:
    finite = source[np.isfinite(source)]
    if finite.size == 0:
        return np.zeros(plane.shape, np.uint8)
    low, high = (float(x) for x in (np.percentile(finite, (0.5, 99.5)) if is_volume else (finite.min(), finite.max())))
    if high <= low:
        return np.zeros(plane.shape, np.uint8)
    clean = np.where(np.isfinite(plane), plane, low).astype(np.float64)
    return np.round(np.clip((clean - low) * (255.0 / (high - low)), 0, 255)).astype(np.uint8)


def check_size(path: Path, shape: tuple[int, ...], limit_pixels: int) -> None:
    """Raise ImageError "too_large" if the shape in a header has more pixels than allowed, before anything is decoded.

    A length of 0 or less is "truncated".
    """
    count = 1
    for length in shape:
        if length < 1:
            raise ImageError(f"{path}: damaged, its header announces {' x '.join(map(str, shape))} pixels. Copy it again from its "
                             "source.", reason="truncated")
        count *= int(length)
    if count > limit_pixels:
        raise ImageError(f"{path}: its header announces {' x '.join(map(str, shape))} pixels, more than the limit of "
                         f"{limit_pixels:,}. Shrink it before use.", reason="too_large")


def check_unpacked(path: Path, num_bytes: int) -> None:
    """Raise ImageError "too_large" for a small file that would take much memory: a decompression bomb."""
    if num_bytes > max(LIMIT_UNPACKED, LIMIT_TIMES * path.stat().st_size):
        raise ImageError(f"{path}: a file of {path.stat().st_size:,} bytes that unpacks to {num_bytes:,} may be a decompression bomb. Save "
                         "it without compression, or in a smaller type of numbers.", reason="too_large")


def damaged(path: Path, error: Exception) -> ImageError:
    """The ImageError of a file whose format is known but whose data end early or make no sense."""
    if isinstance(error, MemoryError):
        return ImageError(f"{path}: it needs more memory than there is. Shrink it before use.", reason="too_large")
    return ImageError(f"{path}: damaged or cut short ({type(error).__name__}). Copy it again from its source.", reason="truncated")


def unreadable(path: Path, error: OSError) -> ImageError:
    """The ImageError of a file that cannot be opened."""
    return ImageError(f"{path}: cannot be opened ({error.strerror or type(error).__name__}). Does it exist, may this user read it?",
                      reason="unreadable")


def _inside(root: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\0" in name:
        raise ImageError(f"an image's name leads out of the data folder {root}. Names must be relative to it, without '..' and NUL.",
                         reason="outside_root")
    return root / pure


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise unreadable(path, error) from error
    if not head:
        raise ImageError(f"{path}: the file is empty (0 bytes). Copy it again from its source.", reason="empty_file")
    return head
