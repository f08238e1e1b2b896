"""What a measured process tells the harness: when its first step began, and its result. Times are `time.time()`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

FIRST = "WARDROUND_BENCH_FIRST"  # environment: the file that holds the time of the first step of any process
_done = False


def first_step() -> None:
    """Note the time, if no process of this run has: called before every batch, costs nothing after the first."""
    global _done
    if _done:
        return
    _done = True
    now = time.time()
    try:
        descriptor = os.open(os.environ[FIRST], os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except (KeyError, FileExistsError):
        return
    os.write(descriptor, str(now).encode())
    os.close(descriptor)


def write_result(path: Path, **facts: Any) -> None:
    """Write what the harness reads after the process has ended."""
    path.write_text(json.dumps(facts))
