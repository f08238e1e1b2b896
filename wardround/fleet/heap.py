"""Memory that a worker frees stays with it: the next batch needs the same again."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)
LARGEST = 2**30  # bytes; larger blocks come from the system each time


def keep_heap() -> None:
    """Tell glibc's malloc to keep freed memory; elsewhere nothing happens.

    By default it returns large blocks to the system and gets them back as empty pages, 1,000 page faults a step of a small CNN:
    3 to 10 % of the time (docs/performance.md)."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGEST)
        mallopt(TRIM_THRESHOLD, LARGEST)
