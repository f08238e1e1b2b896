"""The process that trains at a site. It may run out of memory or crash: its agent (network/agent.py) starts another one.

    python -m wardround.network.worker --fd N SITE

N: this end of a socket pair; whoever holds the other end writes requests and reads replies (network/frames.py).
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import select
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from wardround.fleet.header import MAX_BYTES
from wardround.network import frames
from wardround.network.folders import SiteFolder
from wardround.network.policy import MB, Limits

log = logging.getLogger(__name__)


class Answering(Protocol):
    """What stands behind the connection: network/desk.py."""

    @property
    def limits(self) -> Limits:
        """What the hospital lets this process use."""
        ...

    def answer(self, data: bytes) -> bytes:
        """The reply; whatever goes wrong is said in it."""
        ...


def serve(connection: socket.socket, desk: Answering) -> None:
    """Answer requests until the other end closes; the process ends at once when it does, in the middle of its work too."""
    import torch  # not before there is work: agents import this module's neighbours

    from wardround.fleet.heap import keep_heap

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.register_at_fork(after_in_child=lambda: os.close(connection.fileno()))  # a process of the local engine must not keep it open
    threading.Thread(target=_end_with, args=(connection.fileno(),), daemon=True).start()
    torch.set_num_threads(desk.limits.threads)
    _limit_memory(desk.limits)
    keep_heap()
    stream = connection.makefile("rb")
    while True:
        try:
            request = frames.receive(stream, MAX_BYTES)
            if isinstance(request, int):
                raise EOFError(f"a request of {request} bytes")  # the agent lets none pass
            frames.send(connection, desk.answer(request))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            os._exit(0)


def main(argv: Sequence[str] | None = None, open_desk: Callable[[SiteFolder, tuple[str, ...]], Answering] | None = None) -> None:
    """Serve the site's folder. open_desk: from the folder and what its first reply should note; None: the site's Desk."""
    parser = argparse.ArgumentParser(prog="python -m wardround.network.worker", description="Train for a study. A site's agent starts it.")
    parser.add_argument("folder", type=Path, metavar="SITE", help="the site's folder")
    parser.add_argument("--fd", type=int, required=True, help="number of the open socket to its agent")
    parser.add_argument("--note", action="append", default=[], help="what the first reply should tell the coordinator")
    told = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    folder, notes = SiteFolder(told.folder), tuple(told.note)
    serve(socket.socket(fileno=told.fd), (open_desk or _desk)(folder, notes))


def _desk(folder: SiteFolder, notes: tuple[str, ...]) -> Answering:
    from wardround.network.desk import Desk

    return Desk(folder, notes=notes)


def _limit_memory(limits: Limits) -> None:
    """Of this process's own data. What goes beyond fails as an allocation does, and is told as the order's failure."""
    if limits.memory_mb is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limits.memory_mb * MB, limits.memory_mb * MB))


def _end_with(number: int) -> None:
    """Wait until the other end has closed, and end the process. (A signal at the parent's death would come when the thread that
    started this process ends.)"""
    poll = select.poll()
    poll.register(number, select.POLLRDHUP if hasattr(select, "POLLRDHUP") else select.POLLHUP)
    poll.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
