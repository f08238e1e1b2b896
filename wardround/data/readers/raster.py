"""PNG, JPEG, TIFF and BMP through Pillow."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image as pillow
from PIL import ImageOps

from wardround.data.readers.image import LIMIT_PICTURE, Image, check_size, damaged
from wardround.errors import ImageError

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_GREY = {"1": "L", "L": "L", "LA": "L", "La": "L"}  # mode of the file -> 8-bit mode that is kept
_DEEP = {"I;16": np.uint16, "I;16L": np.uint16, "I;16B": np.uint16, "I;16N": np.uint16, "I": np.int32, "F": np.float32}
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, KeyError, IndexError, TypeError, AttributeError,
            OverflowError, RuntimeError, MemoryError)
_TILE = (322, 323)  # width and length, of TIFF
MOST_PAGES = 2000  # of a TIFF
MOST_SCANS = 64  # of a progressive JPEG: each costs a pass over all pixels, and a hundred bytes


def read(path: Path, *, limit_pixels: int) -> Image:
    """Decode a picture: grey has C = 1, colour and palettes C = 3, alpha is dropped, EXIF orientation is applied.

    The pages of a TIFF become D. Grey keeps 16 and 32 bits; Pillow gives colour in 8 bits. More pixels than limit_pixels, or than
    LIMIT_PICTURE on a page, is reason "too_large".
    """
    with _opened(path, path, limit_pixels) as (file, pages):
        pixels = [_page(file, page) for page in range(pages)]
    if any(page.shape != pixels[0].shape for page in pixels):
        raise _uneven(path)
    return Image(pixels=np.stack(pixels, axis=1))  # (C, pages, H, W)


def picture(content: BinaryIO, path: Path, *, limit_pixels: int) -> pillow.Image | None:
    """What `read` gives of a picture with one page of 8 bits, as a Pillow image of mode L or RGB; None for all others.

    Decoding a small picture takes as long as moving its pixels to an array and back. content: the open file; path: names it.
    """
    with _opened(content, path, limit_pixels) as (file, pages):
        if pages > 1 or file.mode in _DEEP:
            return None
        kept = _in_8_bits(file)
        kept.info = {}  # transparency and profiles: later conversions are of the pixels alone
        return kept


@contextmanager
def _opened(source: BinaryIO | Path, path: Path, limit_pixels: int) -> Iterator[tuple[pillow.Image, int]]:
    """The picture, its header read, and its number of pages. What goes wrong inside the block is an ImageError that names path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # broken metadata that does not touch the pixels
        warnings.simplefilter("error", pillow.DecompressionBombWarning)
        try:
            with pillow.open(source, formats=_FORMATS) as file:
                check_size(path, (file.height, file.width), LIMIT_PICTURE)
                if file.format in ("JPEG", "MPO"):
                    _check_jpeg(file, path)
                pages = _pages(file, path) if file.format == "TIFF" else 1
                check_size(path, (pages, file.height, file.width), limit_pixels)
                yield file, pages
        except (pillow.DecompressionBombWarning, pillow.DecompressionBombError) as error:
            raise ImageError(f"{path}: so many pixels that it may be a decompression bomb. Shrink it before use.",
                             reason="too_large") from error
        except _DAMAGED as error:
            raise damaged(path, error) from error


def _pages(file: pillow.Image, path: Path) -> int:
    """Number of pages of a TIFF. All are looked at before one is decoded: a later one may be larger than it says in the first."""
    size, num = file.size, 0
    for num in range(MOST_PAGES + 1):
        try:
            file.seek(num)
        except EOFError:
            break
        if file.size != size:
            raise _uneven(path)
        check_size(path, tuple(int(file.tag_v2.get(tag, 1)) for tag in _TILE), LIMIT_PICTURE)  # type: ignore[attr-defined]
    else:
        raise ImageError(f"{path}: more than {MOST_PAGES} pages. Save it as a volume (NIfTI), or in parts.", reason="too_large")
    file.seek(0)
    return num


def _uneven(path: Path) -> ImageError:
    return ImageError(f"{path}: its pages differ in size or colour. Save the wanted one on its own.", reason="unsupported")


def _check_jpeg(file: pillow.Image, path: Path) -> None:
    """Refuse what libjpeg would fill with grey, and what would keep it busy for minutes."""
    if file.width * file.height > 512 * path.stat().st_size:  # a block of 64 pixels takes a bit at least
        raise ImageError(f"{path}: cut short, its bytes are too few for {file.height} x {file.width} pixels. Copy it again from its "
                         "source.", reason="truncated")
    if file.info.get("progressive") and path.read_bytes().count(b"\xff\xda") > MOST_SCANS:
        raise ImageError(f"{path}: a progressive JPEG of more than {MOST_SCANS} scans, which may be made to keep a machine busy. Save it "
                         "anew.", reason="unsupported")


def _page(file: pillow.Image, page: int) -> np.ndarray:
    """Pixels of one page, (C, H, W)."""
    if page:
        file.seek(page)
    if file.mode in _DEEP:
        file.load()
        ImageOps.exif_transpose(file, in_place=True)
        return np.asarray(file).astype(_DEEP[file.mode])[None]  # astype: also to the machine's byte order
    kept = _in_8_bits(file)
    pixels = np.array(kept)
    return pixels[None] if kept.mode == "L" else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _in_8_bits(file: pillow.Image) -> pillow.Image:
    """The upright picture in mode L or RGB."""
    file.load()
    ImageOps.exif_transpose(file, in_place=True)
    mode = _GREY.get(file.mode, "RGB")
    return file if file.mode == mode else file.convert(mode)
