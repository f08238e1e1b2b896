"""Work on files spread over processes, where each file is slow and needs nothing of the others."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def each(work: Callable[[Item], Result], items: Sequence[Item], *, workers: int) -> Iterator[Result]:
    """Yield work(item) of every item, in order of completion; work must be picklable and know its item.

    workers: processes, 1 for none beside this one. Where a process dies, its items and the rest are done in this one. What work
    raises is raised here.
    """
    waiting = set(range(len(items)))
    if workers > 1 and len(items) > 1:
        try:
            for number, result in _apart(work, items, workers):
                waiting.discard(number)
                yield result
        except BrokenProcessPool:
            _log.warning("a decoding process died; the other images are decoded in this one")
    for number in sorted(waiting):
        yield work(items[number])


def _apart(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[tuple[int, Result]]:
    # spawned, not forked: a fork of a process that runs torch or a window can hang
    pool = ProcessPoolExecutor(min(workers, len(items)), mp_context=get_context("spawn"), initializer=_begin)
    try:
        with _hidden_main():
            numbers = {pool.submit(work, item): number for number, item in enumerate(items)}
        for future in as_completed(numbers):
            yield numbers[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Keep spawned processes from importing the main module: they need nothing of it, and a user's script without the guard
    `if __name__ == "__main__"` would run again in each of them."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin() -> None:
    """In a new process: one torch thread, Ctrl-C is the parent's, and end when the parent is killed."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the processes share the cores already
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(process: BaseProcess) -> None:
    process.join()
    os._exit(1)
