"""Work on files spread over processes, where each file is slow and needs nothing of the others."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from types import ModuleType
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # items given to a process at once, so that it need not wait for the next; at the end this one may wait for as many

_log = logging.getLogger(__name__)


def each(work: Callable[[Item], Result], items: Sequence[Item], *, workers: int, joining: bool = False) -> Iterator[Result]:
    """Yield work(item) of every item, in order of completion; work must be picklable and know its item.

    workers: processes, 1 for none beside this one. joining: this process is one of them, and begins while the others start;
    for work that is done by one thread. Where a process dies, its items and the rest are done in this one. What work raises is
    raised here.
    """
    waiting = set(range(len(items)))
    if workers > 1 and len(items) > 1:
        try:
            for number, result in _apart(work, items, workers, joining):
                waiting.discard(number)
                yield result
        except BrokenProcessPool:
            _log.warning("a decoding process died; the other images are decoded in this one")
    for number in sorted(waiting):
        yield work(items[number])


def _apart(work: Callable[[Item], Result], items: Sequence[Item], workers: int, joining: bool) -> Iterator[tuple[int, Result]]:
    num = min(workers, len(items)) - joining
    # spawned, not forked: a fork of a process that runs torch or a window can hang
    pool = ProcessPoolExecutor(num, mp_context=get_context("spawn"), initializer=_begin)
    waiting, ended = deque(range(len(items))), SimpleQueue[Future[Result]]()
    begun: dict[Future[Result], int] = {}
    try:
        while waiting or begun:
            while waiting and len(begun) < AHEAD * num:
                number = waiting.popleft()
                with hidden_main():
                    future = pool.submit(work, items[number])
                begun[future] = number
                future.add_done_callback(ended.put)
            if joining and waiting and ended.empty():
                number = waiting.popleft()
                yield number, work(items[number])
            else:
                future = ended.get()
                yield begun.pop(future), future.result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def hidden_main() -> Iterator[None]:
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
