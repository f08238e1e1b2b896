"""A process of NVFLARE that is kept running: started in a group of its own, started again when it dies, ended with all it has begun."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from wardround.errors import NetworkError

END_S = 8.0  # for a process to end by itself
FIRST_S, LAST_S = 1.0, 60.0  # before a process that died is started again: after one death, after many
STEADY_S = 60.0  # a process that lived so long has recovered
SWEEPS = 5  # a process may begin another one while it is looked for
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(4 * 1024**2), "MALLOC_TRIM_THRESHOLD_": str(64 * 1024**2)}


def settings(**more: str) -> dict[str, str]:
    """The environment of NVFLARE's processes: ours, few allocator arenas (else freed pieces of large messages stay: RESULTS.md), and what
    the site's or server's job needs to find its folder."""
    return {**os.environ, **MEMORY, "OMP_NUM_THREADS": "1", **more}


@dataclass
class Servant:
    """workspace: NVFLARE's folder of it, by which all its processes are known: their command lines name it. output: what it prints."""

    module: str
    workspace: Path
    arguments: Sequence[str]
    environment: Mapping[str, str]
    output: Path
    num_deaths: int = 0  # since it last ran for a while
    _process: subprocess.Popen[bytes] | None = None
    _started_at: float = 0.0
    _next_at: float = 0.0  # it is not started before

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def has_died(self) -> bool:
        """Whether it died since the last look. What it had begun is ended then, and after a pause that grows it `is_due` again."""
        if self._process is None or self._process.poll() is None:
            return False
        now = time.monotonic()
        self.num_deaths = 1 if now - self._started_at > STEADY_S else self.num_deaths + 1
        self._next_at = now + min(LAST_S, FIRST_S * 2.0 ** min(self.num_deaths - 1, 10))
        self._process = None
        end_all(self.workspace)
        return True

    @property
    def is_due(self) -> bool:
        """Whether there is no process, and the pause after its death is over."""
        return self._process is None and time.monotonic() >= self._next_at

    def start(self) -> None:
        """Start the process; there must be none."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self._started_at = time.monotonic()
        command = (sys.executable, "-m", self.module, "-m", str(self.workspace), *self.arguments)
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(command, env=dict(self.environment), stdin=subprocess.DEVNULL, stdout=output,
                                             stderr=subprocess.STDOUT, start_new_session=True)

    def end(self) -> None:
        """End the process and everything it started."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
        end_all(self.workspace)
        if self._process is not None:
            self._process.wait()
        self._process = None


def end_all(workspace: Path) -> None:
    """End every process of NVFLARE in this workspace: those of jobs outlive their parent, and a supervisor that was killed leaves both.

    NetworkError names those that could not be ended: another user's."""
    for _ in range(SWEEPS):
        killed = [process for process in _processes(workspace) if _is_killed(process)]
        if not killed:
            break
        until = time.monotonic() + END_S
        while any(_is_at_work(process) for process in killed) and time.monotonic() < until:
            time.sleep(0.02)
    if left := _processes(workspace):
        raise NetworkError(f"processes of another user are at work in {workspace} and cannot be ended: "
                           f"{', '.join(str(process.pid) for process in left)}. End them, or go on as that user.")


def _processes(workspace: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _is_of(process, str(workspace))]


def _is_killed(process: psutil.Process) -> bool:
    """Whether it was ours to kill."""
    try:
        process.kill()
    except psutil.AccessDenied:
        return False
    except psutil.NoSuchProcess:
        pass
    return True


def _is_at_work(process: psutil.Process) -> bool:
    """Whether it lives; one that only waits for its parent to take note of its end does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_of(process: psutil.Process, workspace: str) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return workspace in words and any(word.startswith("nvflare.private.fed.app.") for word in words)


def is_listening(host: str, port: int) -> bool:
    """Whether a server takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1.0):
        return True
    return False


def obstacle(host: str, port: int) -> str:
    """What keeps a server from opening the port, "" if nothing does. host: the name under which it is reached."""
    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a server that has ended do not count
        try:
            place.bind(("127.0.0.1" if host == "localhost" else host if host.startswith("127.") else "", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"port {port} is taken by another program"
            return f"port {port} cannot be opened here ({error.strerror})"
    return ""
