"""The header of a message as it arrives: sizes are checked before anything is parsed, and the header before an array is looked at.

A message is a safetensors file: 8 bytes with the length of its header, the header (JSON: each array's type, shape and place, and a
text, here a message's kind, envelope and fields in JSON), and the arrays, one after another. Processes that must stay small read it:
nothing here needs torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from wardround.core.untrusted import is_deep
from wardround.errors import WireError

DTYPES: Mapping[str, type[np.generic]] = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8, "BOOL": np.bool_}
NAMES: Mapping[str, str] = {np.dtype(dtype).name: name for name, dtype in DTYPES.items()}

MAX_BYTES = 2**31
MAX_HEADER = 8 * 2**20  # a plan, a model's card and a site's scores are in it
MAX_ARRAYS = 64
MAX_DIMENSIONS = 8
MAX_DEPTH = 16
MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a message's header tells. arrays: name -> (dtype, shape). num_bytes: of the whole message."""

    kind: str
    envelope: Mapping[str, Any]
    arrays: Mapping[str, tuple[str, tuple[int, ...]]]
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class Header:
    head: Head
    fields: Mapping[str, Any]
    places: Mapping[str, tuple[int, int]]  # array -> its first byte and the one after its last


def framed(told: str, arrays: Mapping[str, np.ndarray]) -> bytes:
    """A safetensors file of these arrays with `told` in its header. The one copy of a large array; wider numbers come first, so that all
    lie where a machine reads them at once."""
    header: dict[str, Any] = {"__metadata__": {"wardround": told}}
    ordered, start = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name)), 0
    for name in ordered:
        end = start + arrays[name].nbytes
        header[name] = {"dtype": NAMES[arrays[name].dtype.name], "shape": list(arrays[name].shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *(np.ascontiguousarray(arrays[name]).data for name in ordered)])


def peek(data: bytes | bytearray | memoryview, *, max_bytes: int = MAX_BYTES) -> Head:
    """What the header tells; no array is read. WireError if it cannot be the header of a message of ours, or the message is too large."""
    return header_of(memoryview(data).cast("B"), max_bytes).head


def header_of(view: memoryview, max_bytes: int) -> Header:
    """Check the sizes, then read the header, then check that its arrays lie one after another to the last byte."""
    if len(view) > max_bytes:
        refuse(f"it has {len(view)} bytes, at most {max_bytes} are allowed")
    length = int.from_bytes(view[:8], "little")
    if not 2 <= length <= min(MAX_HEADER, len(view) - 8):
        refuse(f"{len(view)} bytes that claim a header of {length}: cut off, or not safetensors")
    told = _json(bytes(view[8 : 8 + length]), "its header")
    metadata = told.pop("__metadata__", None)
    if not isinstance(metadata, dict) or set(metadata) != {"wardround"} or not isinstance(metadata["wardround"], str):
        refuse("its header has no message of wardround in it")
    message = _json(metadata["wardround"], "its message")
    kind, envelope, fields = message.get("kind"), message.get("envelope"), message.get("fields")
    if set(message) != {"kind", "envelope", "fields"} or not (isinstance(kind, str) and isinstance(envelope, dict) and
                                                              isinstance(fields, dict)):
        refuse("a message is a kind, an envelope and fields")
    arrays, places = _arrays(told, start=8 + length, end=len(view))
    return Header(head=Head(kind=kind, envelope=envelope, arrays=arrays, num_bytes=len(view)), fields=fields, places=places)


def _arrays(told: Mapping[str, Any], start: int, end: int) -> tuple[dict[str, tuple[str, tuple[int, ...]]], dict[str, tuple[int, int]]]:
    """Types and shapes, and places in the message, of the header's arrays."""
    if len(told) > MAX_ARRAYS:
        refuse(f"it has {len(told)} arrays, at most {MAX_ARRAYS} are allowed")
    arrays: dict[str, tuple[str, tuple[int, ...]]] = {}
    places: dict[str, tuple[int, int]] = {}
    for name, entry in told.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            refuse(f"array '{name[:60]}' is not described as safetensors describes it")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in DTYPES:
            refuse(f"array '{name[:60]}' is of {short(dtype)}, allowed are {', '.join(DTYPES)}")
        if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS or not _are_counts(offsets) or len(offsets) != 2:
            refuse(f"array '{name[:60]}' has no proper shape or place")
        if math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize != offsets[1] - offsets[0]:
            refuse(f"array '{name[:60]}' of shape {short(shape)} does not have the bytes for it")
        arrays[name], places[name] = (dtype, tuple(shape)), (start + offsets[0], start + offsets[1])
    for first, after in sorted(places.values()):
        if first != start:
            refuse("its arrays do not lie one after another")
        start = after
    if start != end:
        refuse(f"its arrays end at byte {start}, the message has {end}: cut off, or something was added")
    return arrays, places


def _are_counts(told: Any) -> bool:
    return isinstance(told, list) and all(type(count) is int and 0 <= count <= MAX_INTEGER for count in told)


def _json(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object, not deeper than MAX_DEPTH."""
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        refuse(f"{what} is not JSON ({str(error)[:100]})")
    if not isinstance(found, dict) or is_deep(found, MAX_DEPTH):
        refuse(f"{what} is not a JSON object of at most {MAX_DEPTH} levels")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def short(value: Any) -> str:
    return repr(value)[:60]


def refuse(why: str) -> NoReturn:
    raise WireError(f"a message cannot be trusted: {why}.")
