"""One process at a time on a run: two that wrote its checkpoints would ruin it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wardround.errors import Resumable


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the run in this folder for this process; Resumable if another one does.

    A POSIX record lock: forked workers do not share it, and the system frees it however the process ends. Where there are none
    (Windows) nothing is held.
    """
    try:
        fcntl = importlib.import_module("fcntl")
    except ModuleNotFoundError:
        yield
        return
    place = folder / "checkpoints"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Resumable(f"another process is at work on {folder}. Wait for it, or stop it, then continue: "
                            f"wardround run --resume {folder}") from error
        yield
