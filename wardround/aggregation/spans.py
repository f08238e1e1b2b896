"""Work on many long vectors at once, a span of coordinates at a time, so that it needs little memory beside them.

Spans do not depend on the machine, each is worked on by one thread, and sums go in their order: any number of cores gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from wardround.data.cache import cores

CHUNK = 2**19  # numbers of a chunk, all rows together: 4 MiB as float64, which the caches of a core and its neighbours hold
AHEAD = 4  # chunks a core whose results may wait to be summed

T = TypeVar("T")


def fill(size: int, num_rows: int, work: Callable[[slice], None]) -> None:
    """Call `work` for each span of 0..size."""
    for _ in _each(size, num_rows, work):
        pass


def summed(size: int, num_rows: int, work: Callable[[slice], Tensor]) -> np.ndarray:
    """The sum over spans of what `work` gives, float64 tensors of one shape."""
    total: Tensor | None = None
    for part in _each(size, num_rows, work):
        total = part if total is None else total.add_(part)
    return (torch.zeros(()) if total is None else total).numpy()


def wide(rows: Sequence[Tensor], span: slice) -> Tensor:
    """(n, span) float64."""
    return torch.stack([row[span] for row in rows]).double()


def ordered(rows: Sequence[Tensor], span: slice) -> np.ndarray:
    """(span, n) float32: each coordinate's values, ascending. Sorting rounds nothing, so float32 is exact here."""
    chunk = np.stack([row[span].numpy() for row in rows], axis=1)
    chunk.sort(axis=1)
    return chunk


def weighted(rows: Sequence[Tensor], weights: np.ndarray) -> Tensor:
    """sum_i weights_i rows_i as float32, summed in float64. rows: (d,) float32 each. A row of weight 0 is not read."""
    used = [row for row, weight in zip(rows, weights, strict=True) if weight != 0]
    factors = torch.from_numpy(weights[weights != 0].astype(np.float64))
    found = torch.zeros_like(rows[0])

    def work(span: slice) -> None:
        found[span] = factors @ wide(used, span)

    if used:
        fill(len(found), len(rows), work)
    return found


def _each(size: int, num_rows: int, work: Callable[[slice], T]) -> Iterator[T]:
    width = max(1024, CHUNK // num_rows)
    spans = [slice(start, min(start + width, size)) for start in range(0, size, width)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # torch's own threads would split products in ways that change their last bits
    try:
        if len(spans) <= 1:
            yield from map(work, spans)
            return
        with ThreadPoolExecutor(cores()) as pool:
            for start in range(0, len(spans), AHEAD * cores()):
                yield from pool.map(work, spans[start : start + AHEAD * cores()])
    finally:
        torch.set_num_threads(threads)
