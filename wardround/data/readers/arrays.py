"""Images stacked in a NumPy .npz file, as MedMNIST has them: "FILE.npz#KEY/INDEX" names one."""

from __future__ import annotations

import functools
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from wardround.data.readers.image import Image, check_size, check_unpacked, damaged, unreadable
from wardround.errors import ImageError

_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError, struct.error, tokenize.TokenError, SyntaxError,
            TypeError, LookupError, AttributeError, OverflowError, MemoryError)


class ArrayFile:
    """The arrays of one .npz file. Headers are read without decompressing; each array is read once and kept.

    Object arrays are refused: they would be unpickled. So are headers that announce more than follows, and decompression bombs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrays: dict[str, np.ndarray] = {}

    def headers(self) -> dict[str, tuple[tuple[int, ...], np.dtype[np.generic]]]:
        """Shape and type of every array by key."""
        try:
            with zipfile.ZipFile(self.path) as members:
                return {name.removesuffix(".npy"): _header(members, name) for name in members.namelist() if name.endswith(".npy")}
        except (FileNotFoundError, PermissionError) as error:
            raise unreadable(self.path, error) from error
        except _DAMAGED as error:
            raise damaged(self.path, error) from error

    def array(self, key: str) -> np.ndarray:
        """The whole array; ImageError names the keys there are if it is none of them."""
        if key not in self._arrays:
            headers = self.headers()
            if key not in headers:
                raise ImageError(f"{self.path}: no array '{key}'. Arrays there are: {', '.join(sorted(headers)) or 'none'}.",
                                 reason="unreadable")
            if headers[key][1].hasobject:
                raise ImageError(f"{self.path}: array '{key}' holds Python objects, which are never unpickled. Save it as numbers.",
                                 reason="unsupported")
            check_unpacked(self.path, _num_bytes(*headers[key]))
            try:
                with np.load(self.path, allow_pickle=False) as file:
                    self._arrays[key] = file[key]
            except _DAMAGED as error:
                raise damaged(self.path, error) from error
        return self._arrays[key]


def read(path: Path, reference: str, *, limit_pixels: int) -> Image:
    """Image number INDEX of array KEY, reference "KEY/INDEX": (N, H, W) is grey, (N, H, W, 3) colour."""
    key, _, index = reference.rpartition("/")
    stack = open_arrays(path).array(key)
    if stack.ndim not in (3, 4) or (stack.ndim == 4 and stack.shape[3] not in (1, 3)) or stack.dtype.kind not in "uif":
        raise ImageError(f"{path}: array '{key}' is {stack.shape} {stack.dtype}; images are (N, H, W) or (N, H, W, 3) numbers.",
                         reason="unsupported")
    if not index.isdecimal() or int(index) >= len(stack):
        raise ImageError(f"{path}: '{reference}' is no image of it; '{key}' has images 0 to {len(stack) - 1}.", reason="unreadable")
    check_size(path, stack.shape[1:], limit_pixels)
    picture = stack[int(index)]
    channels = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    return Image(pixels=np.ascontiguousarray(channels[:, None]))  # (C, 1, H, W)


def open_arrays(path: Path) -> ArrayFile:
    """The ArrayFile of this path, the same one while the file on disk is unchanged; the last two files are kept in memory."""
    try:
        state = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return _kept(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=2)
def _kept(path: Path, modified_ns: int, size: int) -> ArrayFile:
    return ArrayFile(path)


def _header(members: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    with members.open(name) as stream:
        version = npy.read_magic(stream)
        shape, _, dtype = npy.read_array_header_1_0(stream) if version == (1, 0) else npy.read_array_header_2_0(stream)
    if not dtype.hasobject and _num_bytes(shape, dtype) > members.getinfo(name).file_size:
        raise ValueError("an array of more bytes than its member has")
    return shape, dtype


def _num_bytes(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> int:
    return math.prod(shape) * dtype.itemsize
