"""What the tests let the second process do; it is imported there by name."""

import os
import signal
import time
from pathlib import Path

from wardround.core.events import Progress, Watch, silent
from wardround.errors import DataError


def doubled(number: int) -> int:
    return 2 * number


def refused(path: str) -> None:
    raise DataError(f"{path} is no image. Choose another.")


def absent() -> None:
    Path("/no/such/file").read_text()


def broken() -> None:
    raise ZeroDivisionError("one by none")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def slowly(*, watch: Watch = silent) -> str:
    watch(Progress(stage="decode", done=1, total=2))
    time.sleep(60)
    return "never"


def told(*, watch: Watch = silent) -> str:
    watch(Progress(stage="decode", done=1, total=2))
    return "done"
