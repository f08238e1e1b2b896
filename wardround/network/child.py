"""The agent's hold on its worker process: started when it is first needed, asked, given up at the deadline, started again."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket, socketpair
from typing import BinaryIO

from wardround.network import frames

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 60.0
LOG_BYTES = 10 * 2**20  # of a log, before it is put aside as NAME.1
GRACE_S = 10.0  # for a process that has closed its end, or should end because we closed ours


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The worker gave no answer, and is gone. is_late: it was killed at the deadline. is_stopped: by `stop`."""

    cause: str
    is_late: bool = False
    is_stopped: bool = False

    @property
    def is_death(self) -> bool:
        """Whether nobody here wanted it."""
        return not (self.is_late or self.is_stopped)


@dataclass(frozen=True, kw_only=True)
class TooLong:
    """The worker's answer was longer than it may be, and was thrown away."""

    num_bytes: int


@dataclass(eq=False)
class _Running:
    process: subprocess.Popen[bytes]
    connection: socket
    answers: BinaryIO
    is_late: bool = False


class Child:
    """A worker process. `stop` and `close` may come from another thread than `ask`."""

    def __init__(self, command: Sequence[str], folder: Path, *, log_file: Path, pause_s: float = 1.0) -> None:
        """command: what is run, with `--fd N`, a `--note TEXT` if one ended before, and `folder` added. log_file: of what it writes.
        pause_s: before it is started once more after it has died twice without an answer; each further time twice as long."""
        self._command, self._folder, self._log_file, self._pause_s = tuple(command), folder, log_file, pause_s
        self._running: _Running | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()  # between a start and a stop
        self._asking = threading.Lock()
        self._num_deaths = 0  # since its last answer
        self._note = ""

    @property
    def pid(self) -> int | None:
        """Of the process that is alive; None if there is none."""
        return None if self._running is None else self._running.process.pid

    def warm(self) -> None:
        """Start it before it is asked: it loads what it needs meanwhile."""
        with self._asking:
            self._started()

    def ask(self, data: bytes, *, deadline_s: float, limit: int) -> bytes | TooLong | Ended:
        """Its answer, of at most `limit` bytes. deadline_s: after so long it is killed."""
        with self._asking:
            due = time.monotonic() + deadline_s
            if self._num_deaths >= 2:
                self._stopped.wait(min(self._pause_s * 2.0 ** (self._num_deaths - 2), LONGEST_PAUSE_S, deadline_s))
            running = self._started()
            if running is None:
                return Ended(cause="stopped", is_stopped=True)
            running.is_late = False
            timer = threading.Timer(max(0.0, due - time.monotonic()), self._too_late, [running])
            timer.daemon = True
            timer.start()
            try:
                frames.send(running.connection, data)
                answer = frames.receive(running.answers, limit)
            except (EOFError, OSError):
                return self._ended(running)
            finally:
                timer.cancel()
            self._num_deaths = 0
            return TooLong(num_bytes=answer) if isinstance(answer, int) else answer

    def stop(self) -> None:
        """Kill it now, and start none again. Whoever waits for an answer gets an Ended."""
        with self._lock:
            self._stopped.set()
            if self._running is not None:
                _kill(self._running.process)

    def close(self) -> None:
        """Stop, and wait until the process is gone. Its files are written whole or not at all, so it may be killed."""
        self.stop()
        with self._asking:
            if self._running is not None:
                _wait(self._running)
                self._running = None

    def _started(self) -> _Running | None:
        """The process, started if there is none; None after a stop."""
        with self._lock:
            if self._stopped.is_set():
                return None
            if self._running is None:
                self._running = self._start()
            return self._running

    def _start(self) -> _Running:
        ours, theirs = socketpair()
        note = ["--note", self._note] if self._note else []
        with theirs, _opened(self._log_file) as output:
            process = subprocess.Popen([*self._command, "--fd", str(theirs.fileno()), *note, str(self._folder)],
                                       pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True)  # its own processes are killed with it, and Ctrl-C does not reach it
        return _Running(process, ours, ours.makefile("rb"))

    def _too_late(self, running: _Running) -> None:
        running.is_late = True
        _kill(running.process)

    def _ended(self, running: _Running) -> Ended:
        """Bury the process; what ended it."""
        with self._lock:
            self._running = None
        code = _wait(running)
        ended = Ended(cause="not done in time" if running.is_late else _cause(code), is_late=running.is_late,
                      is_stopped=self._stopped.is_set())
        self._num_deaths += ended.is_death
        self._note = f"its worker was started again ({ended.cause})"
        log.warning("worker %d ended: %s", running.process.pid, ended.cause)
        return ended


def _opened(path: Path) -> BinaryIO:
    """The log, to be added to; one that has grown too long is put aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With all that it started: it leads a process group of its own."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _wait(running: _Running) -> int:
    """Close our end and wait for its exit code; one that does not end by itself is killed."""
    running.answers.close()
    running.connection.close()
    try:
        return running.process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        _kill(running.process)
        return running.process.wait()


def _cause(code: int) -> str:
    if code == -signal.SIGKILL:
        return f"killed by signal {-code} (out of memory?)"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
