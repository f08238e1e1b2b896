"""DICOM through pydicom: the only module that imports it."""

from __future__ import annotations

import math
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow

from wardround.data.readers.image import LIMIT_UNPACKED, Image, check_size, check_unpacked, damaged
from wardround.errors import ImageError
from wardround.extras import need

_BIG_ELEMENT = 65_536  # bytes: longer header elements are left on disk
_DEFLATED = "1.2.840.10008.1.2.1.99"
_CHUNK = 2**20
_SCALING = ("RescaleSlope", "ModalityLUTSequence", "WindowWidth", "VOILUTSequence")  # with them a pixel takes 8 bytes for a while
MOST_ELEMENTS = 50_000  # before the pixels, those in sequences not counted


def read(path: Path, *, limit_pixels: int) -> Image:
    """Decode as a viewer shows it: rescale slope and intercept, then VOI LUT or window, then MONOCHROME1 turned so that more
    is brighter; frames become D; palettes and YBR become RGB (C = 3).

    MissingExtra without pydicom; ImageError "unsupported" for a compression that no installed decoder reads. The 128 bytes before the
    header, which may be a program, are neither read nor copied.
    """
    pydicom = need("pydicom", extra="dicom", purpose="reading DICOM")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns about values that break the standard and reads on
            warnings.simplefilter("error", pillow.DecompressionBombWarning)  # of a frame that is a JPEG
            _check_deflated(pydicom, path)
            header = _header(pydicom, path)
            num_frames = _check_header(header, path, limit_pixels)
            pixels = _pixels(pydicom.dcmread(path, force=True, defer_size=_BIG_ELEMENT), path)
            return Image(pixels=_channels_first(pixels, num_frames, int(header.get("SamplesPerPixel", 1)), header),
                         spacing_mm=_spacing(header, num_frames))
    except ImageError:
        raise
    except Exception as error:  # a damaged file can raise anything from a parser, whichever element is asked for
        raise damaged(path, error) from error


def _header(pydicom: Any, path: Path) -> Any:
    """All before the pixels. ImageError "too_large" for a header without end."""
    num = 0

    def is_over(tag: Any, kind: str | None, length: int) -> bool:
        nonlocal num
        num += 1
        if num > MOST_ELEMENTS:
            raise ImageError(f"{path}: more than {MOST_ELEMENTS:,} elements in its header. Export it anew from its source.",
                             reason="too_large")
        return int(tag) in (0x7FE00008, 0x7FE00009, 0x7FE00010)

    with path.open("rb") as file:
        # force: files without the 128-byte preamble are common; anything that is no DICOM then lacks Rows
        return pydicom.filereader.read_partial(file, is_over, defer_size=_BIG_ELEMENT, force=True)


def _check_deflated(pydicom: Any, path: Path) -> None:
    """ImageError "too_large" for a deflated file that unpacks to more than is allowed: pydicom would unpack it whole."""
    with path.open("rb") as file:
        pydicom.filereader.read_preamble(file, force=True)
        if pydicom.filereader._read_file_meta_info(file).get("TransferSyntaxUID") != _DEFLATED:
            return
        unpacker, unpacked = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while (packed := unpacker.unconsumed_tail or file.read(_CHUNK)) and not unpacker.eof:
            unpacked += len(unpacker.decompress(packed, _CHUNK))
            if unpacked > LIMIT_UNPACKED:
                raise ImageError(f"{path}: it unpacks to more than {LIMIT_UNPACKED:,} bytes and may be a decompression bomb. Convert it to "
                                 "an uncompressed transfer syntax.", reason="too_large")


def _check_header(header: Any, path: Path, limit_pixels: int) -> int:
    try:
        shape = (int(header.get("NumberOfFrames") or 1), int(header.Rows), int(header.Columns), int(header.get("SamplesPerPixel", 1)))
    except (AttributeError, TypeError, ValueError) as error:
        raise ImageError(f"{path}: not a DICOM image, it has no rows and columns of pixels. Take it out of the data set.",
                         reason="not_an_image") from error
    check_size(path, shape, limit_pixels)
    is_scaled = shape[3] == 1 and any(name in header for name in _SCALING)
    check_unpacked(path, math.prod(shape) * (8 if is_scaled else -(-int(header.get("BitsAllocated", 16)) // 8)))
    return shape[0]


def _pixels(dataset: Any, path: Path) -> np.ndarray:
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

    if "PixelData" not in dataset and "FloatPixelData" not in dataset and "DoubleFloatPixelData" not in dataset:
        raise ImageError(f"{path}: a DICOM object without pixel data. Take it out of the data set.", reason="not_an_image")
    try:
        stored = dataset.pixel_array
        photometric = str(dataset.get("PhotometricInterpretation", ""))
        if photometric == "PALETTE COLOR":
            if "SegmentedRedPaletteColorLookupTableData" in dataset:  # a few bytes of it can stand for any number of entries
                raise ImageError(f"{path}: its palette is in segments, which are not read. Convert it to RGB.", reason="unsupported")
            colours = apply_color_lut(stored, dataset)
            return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else np.asarray(colours)
        if stored.ndim > 2 and int(dataset.get("SamplesPerPixel", 1)) == 3:
            return np.asarray(stored)
        shown = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
    except (NotImplementedError, RuntimeError) as error:
        raise ImageError(f"{path}: no installed decoder reads its transfer syntax. Convert it to an uncompressed one "
                         f"(e.g. with dcmdjpeg, gdcmconv --raw), or install pylibjpeg.", reason="unsupported") from error
    if photometric == "MONOCHROME1":
        shown = -shown if shown.dtype.kind == "f" else ~shown  # ~: turned within the whole range of the type, never overflowing
    return shown.astype(np.float32) if shown.dtype.kind == "f" else np.asarray(shown)


def _channels_first(pixels: np.ndarray, num_frames: int, num_samples: int, header: Any) -> np.ndarray:
    """(frames, H, W, samples), with absent axes, to (C, D, H, W)."""
    num_channels = 3 if num_samples == 3 or header.get("PhotometricInterpretation") == "PALETTE COLOR" else 1
    volume = pixels.reshape(num_frames, int(header.Rows), int(header.Columns), num_channels)
    return np.ascontiguousarray(volume.transpose(3, 0, 1, 2))


def _spacing(header: Any, num_frames: int) -> tuple[float, float, float] | None:
    """Spacing along D, H, W. Frames without a distance (cine) have none; a single slice without a thickness counts as 1 mm."""
    shared = header.get("SharedFunctionalGroupsSequence")
    places = [header, *(shared[0].get("PixelMeasuresSequence") or [] if shared else [])]
    plane = _first(places, "PixelSpacing", "ImagerPixelSpacing")
    depth = _first(places, "SpacingBetweenSlices", "SliceThickness") or (1.0 if num_frames == 1 else None)
    if plane is None or depth is None or len(plane) != 2:
        return None
    return float(depth), float(plane[0]), float(plane[1])


def _first(places: list[Any], *keywords: str) -> Any:
    return next((place.get(keyword) for keyword in keywords for place in places if place.get(keyword)), None)
