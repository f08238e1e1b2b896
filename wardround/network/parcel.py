"""How a message's bytes lie in a task of NVFLARE: as arrays of some megabytes, which it streams one by one (design.md, section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wardround.errors import WireError

PIECE = 4 * 1024**2  # bytes
KEY = "pieces"


def pieces(data: bytes) -> dict[str, np.ndarray]:
    """Views of the message, by their place."""
    whole = np.frombuffer(data, np.uint8)
    return {str(place): whole[start : start + PIECE] for place, start in enumerate(range(0, len(whole), PIECE))}


def whole(found: Any, max_bytes: int) -> bytes:
    """The message again; WireError for what is none, or is larger than max_bytes."""
    if not isinstance(found, Mapping) or not found or not all(_is_piece(found.get(str(place))) for place in range(len(found))):
        raise WireError("a task holds no message of wardround. Do server and site run the same version?")
    size = sum(piece.nbytes for piece in found.values())
    if size > max_bytes:
        raise WireError(f"a message of {size / 1e6:.1f} MB came; {max_bytes / 1e6:.1f} MB are allowed")
    return b"".join(found[str(place)] for place in range(len(found)))


def _is_piece(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 1 and value.flags.c_contiguous
