"""A child process measured from outside: wall time from exec to exit, first step, peak memory of its whole tree."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stamps import FIRST

EVERY_S = 0.05
PATIENCE_S = 900


def watched(command: Sequence[str], *, samples_memory: bool = False, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a command that takes `--result FILE`, and return what it wrote there with wall_s, startup_s, loop_s and pss_mb.

    samples_memory: reading the memory of a process costs it milliseconds, so runs that are timed go without; pss_mb is then None.
    RuntimeError with the end of its output if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        first, result = Path(folder) / "first", Path(folder) / "result.json"
        outside = timed([*command, "--result", str(result)], samples_memory=samples_memory, env={FIRST: str(first), **(env or {})})
        facts: dict[str, Any] = json.loads(result.read_text())
        first_step = float(first.read_text())
    return {**outside, "startup_s": first_step - outside["began"], "loop_s": facts.pop("loop_end") - first_step, **facts}


def timed(command: Sequence[str], *, samples_memory: bool = False, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Any command: began, wall_s, cpu_s of its whole tree, and pss_mb."""
    with tempfile.TemporaryFile() as output:
        used, began = _cpu_s(), time.time()
        process = subprocess.Popen(command, env={**_clean(), **(env or {})}, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT)
        peak = Peak(process.pid) if samples_memory else None
        try:
            code = process.wait(PATIENCE_S)
        except BaseException:
            process.kill()
            raise
        ended = time.time()
        if code:
            output.seek(0)
            raise RuntimeError(f"exit code {code} of: {' '.join(command)}\n{output.read().decode(errors='replace')[-3000:]}")
    return {"began": began, "wall_s": ended - began, "cpu_s": _cpu_s() - used, "pss_mb": peak.stop() if peak else None}


def _cpu_s() -> float:
    """User and system time of all processes that ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _clean() -> dict[str, str]:
    """The environment of a user who set nothing: every variant chooses its own threads."""
    return {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}


class Peak:
    """Samples the proportional set size (shared pages counted once) of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        self._pid, self._highest = pid, 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """The highest sum seen, in MB of 10^6 bytes."""
        self._stopped.set()
        self._thread.join()
        return self._highest

    def _sample(self) -> None:
        while not self._stopped.wait(EVERY_S):
            self._highest = max(self._highest, sum(_pss(pid) for pid in _tree(self._pid)) * 1024 / 1e6)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:  # grows while it is read
        for thread in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in thread.read_text().split())
            except OSError:
                continue  # it ended meanwhile
    return found


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith("Pss:")), 0.0)
