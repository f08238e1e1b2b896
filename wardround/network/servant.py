"""A process of NVFLARE that is kept running: started in a group of its own, started again when it dies, ended with all it has begun."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

END_S = 8.0  # for a process to end by itself
FIRST_S, LAST_S = 1.0, 60.0  # before a process that died is started again: after one death, after many
STEADY_S = 60.0  # a process that lived so long has recovered
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
    _started_at: float = -LAST_S

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def keep(self) -> bool:
        """Start the process if it does not run, and its pause after a death is over. True if it was started."""
        if self._process is not None:
            if self._process.poll() is None:
                return False
            steady = time.monotonic() - self._started_at > STEADY_S
            self.num_deaths = 1 if steady else self.num_deaths + 1
            self._process = None
            end_all(self.workspace)
        if time.monotonic() < self._started_at + self._pause():
            return False
        self._start()
        return True

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

    def _pause(self) -> float:
        return 0.0 if self.num_deaths == 0 else min(LAST_S, FIRST_S * 2.0 ** (self.num_deaths - 1))

    def _start(self) -> None:
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self._started_at = time.monotonic()
        command = (sys.executable, "-m", self.module, "-m", str(self.workspace), *self.arguments)
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(command, env=dict(self.environment), stdin=subprocess.DEVNULL, stdout=output,
                                             stderr=subprocess.STDOUT, start_new_session=True)


def end_all(workspace: Path) -> None:
    """End every process of NVFLARE in this workspace: those of jobs outlive their parent, and a supervisor that was killed leaves both."""
    found = [process for process in psutil.process_iter() if _is_of(process, str(workspace))]
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found, timeout=END_S)


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
