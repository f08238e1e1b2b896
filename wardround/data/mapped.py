"""Memory maps on their way to another process of this machine: as the name of their file, not as a copy of what is in it.

Only where processes are spawned: forked ones have the map already, and Ray, whose nodes need not see the file, has a way of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from mmap import ALLOCATIONGRANULARITY
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from wardround.errors import DataError


def reopened(file: str, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int) -> np.memmap[Any, Any]:
    """The part of a file as a read-only memory map; DataError if it is not there any more."""
    try:
        return np.memmap(file, dtype, "r", offset, shape)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: a worker process cannot open the decoded images ({error}). Was the cache emptied during the run? "
                        "Resume the run: they are decoded again.") from error


def _described(mapped: np.memmap[Any, Any]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """How to open it again; the array itself where that cannot be said: of copies, strided views and maps that are written."""
    file, opened = mapped.filename, getattr(mapped, "_mmap", None)
    if file is None or opened is None or mapped.mode != "r" or not mapped.flags.c_contiguous:
        return np.asarray, (np.array(mapped),)
    begin = np.frombuffer(opened, np.uint8).__array_interface__["data"][0]
    skipped = mapped.offset - mapped.offset % ALLOCATIONGRANULARITY  # a map begins at a page of its file
    place = mapped.__array_interface__["data"][0] - begin + skipped
    return reopened, (os.fspath(file), mapped.dtype, mapped.shape, place)


# multiprocessing asks this table when it spawns; torch has put its tensors into it in the same way
ForkingPickler.register(np.memmap, _described)
