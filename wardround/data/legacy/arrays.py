"""NumPy arrays and Pillow pictures in pickles, rebuilt from their bytes. No allocation is larger than the bytes in the file."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from wardround.data.legacy.inert import Make, Name, Refused, Shell

_CODE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248]|[SU]\d{1,6}|O8?|O4)")
_ORDERS = ("<", ">", "=", "|")  # numbers are little-endian unless ">": so are the machines that we run on
_MODES: dict[str, tuple[str, int]] = {"L": ("u1", 1), "RGB": ("u1", 3), "RGBA": ("u1", 4), "I;16": ("<u2", 1), "I": ("=i4", 1),
                                      "F": ("=f4", 1)}


class Dtype(Shell):
    """numpy.dtype of plain numbers, texts or objects; records and dates are refused."""

    def __init__(self, code: object, *flags: object) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise Refused(f"a numpy.dtype of another kind than numbers, texts and objects ({str(code)[:40]})")
        self.is_object = code.lstrip("<>=|").startswith("O")
        self._code = code
        self._order = "="

    def build(self, state: object) -> None:
        """(version, byte order, subarray, names, fields, ...)."""
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in _ORDERS:
            raise ValueError("a dtype of unknown state")
        if any(part is not None for part in state[2:5]):
            raise Refused("a numpy.dtype of records")
        self._order = state[1]

    def numpy(self) -> np.dtype:
        """The dtype, with its byte order."""
        return np.dtype(self._code).newbyteorder(">") if self._order == ">" else np.dtype(self._code)


class Array(Shell):
    """numpy.ndarray: numbers from bytes, objects as a list."""

    def __init__(self, *arguments: object) -> None:
        self._value: np.ndarray | list[object] | None = None

    def build(self, state: object) -> None:
        """(version, shape, dtype, is in Fortran order, data)."""
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise ValueError("an array of unknown state")
        shape, dtype, is_fortran, data = state[-4:]
        self._value = _array(data, dtype, shape, is_fortran=bool(is_fortran))

    def content(self) -> object:
        """The array, or the nested list of an array of objects."""
        if self._value is None:
            raise ValueError("an array without data")
        return self._value


def from_buffer(buffer: object, dtype: object, shape: object, order: object = "C", *axes: object) -> Array:
    """numpy's _frombuffer, of protocol 5. axes: NumPy 2.3's order of axes; only the two plain ones are known."""
    if isinstance(buffer, Array):
        buffer = buffer.content()
    if any(axis is not None for axis in axes):
        raise ValueError("an array with permuted axes")
    made = Array()
    made.build((shape, dtype, order == "F", buffer))
    return made


def scalar(dtype: object, data: object = b"") -> object:
    """A number of NumPy as Python's."""
    return _array(data, dtype, (1,), is_fortran=False)[0] if _is_object(dtype) else _numbers(data, dtype, (1,), "C").item()


def encode(text: object, encoding: object = "latin1") -> bytes:
    """_codecs.encode: how Python 3 writes bytes for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused(f"_codecs.encode with {str(encoding)[:40]}")
    return text.encode("latin-1")


class Picture(Shell):
    """PIL.Image.Image with its raw pixels; palettes and bit masks are refused."""

    def __init__(self, *arguments: object) -> None:
        self._pixels: np.ndarray | None = None

    def build(self, state: object) -> None:
        """[info, mode, size, palette, data, ...]."""
        if not isinstance(state, list | tuple) or len(state) < 5 or state[1] not in _MODES:
            raise ValueError("a picture that is not raw grey or colour")
        (width, height), (code, channels) = state[2], _MODES[state[1]]
        shape = (height, width) if channels == 1 else (height, width, channels)
        self._pixels = _numbers(state[4], Dtype(code), shape, "C")

    def content(self) -> object:
        """(H, W) or (H, W, C) pixels."""
        if self._pixels is None:
            raise ValueError("a picture without data")
        return self._pixels


def _is_object(dtype: object) -> bool:
    return isinstance(dtype, Dtype) and dtype.is_object


def _array(data: object, dtype: object, shape: object, *, is_fortran: bool) -> np.ndarray | list[object]:
    if not _is_object(dtype):
        return _numbers(data, dtype, shape, "F" if is_fortran else "C")
    if not isinstance(data, list) or math.prod(_lengths(shape)) != len(data) or is_fortran:
        raise ValueError("an array of objects of another length than its shape")
    return _nested(data, _lengths(shape))


def _numbers(data: object, dtype: object, shape: object, order: str) -> np.ndarray:
    if isinstance(data, str):  # written by Python 2
        data = data.encode("latin-1")
    if not isinstance(data, bytes | bytearray) or not isinstance(dtype, Dtype) or dtype.is_object:
        raise ValueError("an array without bytes or dtype")
    lengths, kind = _lengths(shape), dtype.numpy()
    if math.prod(lengths) * kind.itemsize != len(data):
        raise ValueError(f"an array of shape {lengths} {kind} with {len(data)} bytes")
    return np.frombuffer(data, kind).reshape(lengths, order="F" if order == "F" else "C")


def _lengths(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(isinstance(length, int) and length >= 0 for length in shape):
        raise ValueError("an array of unknown shape")
    return shape


def _nested(items: Sequence[object], lengths: tuple[int, ...]) -> list[object]:
    """Items in the order of C as lists within lists; an array without axes as a list of one."""
    if len(lengths) < 2 or not items:
        return list(items)
    step = len(items) // lengths[0]
    return [_nested(items[start:start + step], lengths[1:]) for start in range(0, len(items), step)]


NUMPY: dict[str, Make] = {
    "numpy.core.multiarray._reconstruct": Array, "numpy.core.multiarray.scalar": scalar, "numpy.core.numeric._frombuffer": from_buffer,
    "numpy.dtype": Dtype, "_codecs.encode": encode,
}
PICTURE = Name("PIL.Image.Image", Picture)
