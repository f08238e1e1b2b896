"""Something timed in processes of its own: neither its memory nor threads of torch are left where workers are forked later."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

import torch

from wardround.errors import WardroundError

Found = TypeVar("Found")

log = logging.getLogger(__name__)


def apart(work: Callable[[], Found], num: int = 1) -> list[Found | str]:
    """Do it in so many forked processes at once; what each gives, or the cause of its failure."""
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe(duplex=False) for _ in range(num)]
    processes = [context.Process(target=_answer, args=(theirs, work), daemon=True) for _, theirs in pipes]
    for process, (_, theirs) in zip(processes, pipes, strict=True):
        process.start()
        theirs.close()
    found: list[Found | str] = []
    try:
        for process, (ours, _) in zip(processes, pipes, strict=True):
            try:
                found.append(ours.recv())
            except EOFError:
                process.join()
                found.append(f"the probing process ended with exit code {process.exitcode}; out of memory?")
    finally:
        for process, (ours, _) in zip(processes, pipes, strict=True):
            ours.close()
            process.terminate()
            process.join()
    return found


def caught(work: Callable[[], Found]) -> Found | str:
    """What it gives, or the cause of its failure: a model or a strategy of others may fail in any way, and training will say so again."""
    try:
        return work()
    except Exception as error:
        log.debug("the probe failed", exc_info=True)
        return str(error) if isinstance(error, WardroundError) else f"{type(error).__name__}: {error}"


def clock(device: str) -> Callable[[], float]:
    """Seconds: of this thread on a CPU, which other programs disturb less; on CUDA of the wall, when all kernels have ended."""
    if device == "cpu":
        return time.thread_time

    def synchronised() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return synchronised


def _answer(connection: Connection, work: Callable[[], Found]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    connection.send(caught(work))
