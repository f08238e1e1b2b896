"""What a command tells while it works, as lines for other programs: every event, one JSON object a line, in the order they happen."""

from __future__ import annotations

import json
import logging
import time
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from wardround.core.events import Event, Progress, SiteStep, Watch, silent, to_record
from wardround.errors import PlanError

log = logging.getLogger(__name__)

QUIET_S = 0.2  # seconds between two lines on the same stage, or the same site's steps, of a run


class Stream:
    """A watcher that appends events to a file as core/events.py `to_record` has them, and hands each on to `watch`.

    Progress and SiteStep are thinned to one every QUIET_S; the first and the last of a stage are always written. A line is on its way to
    the reader at once. A file that can no longer be written ends the stream with a warning, not the run: watchers steer nothing.
    """

    def __init__(self, path: Path, watch: Watch = silent) -> None:
        """PlanError if path cannot be opened for appending."""
        self.path, self._watch = path, watch
        self._said: dict[tuple[str, str], tuple[object, float]] = {}  # (run, stage or site) -> (round and stage, when)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: FileIO | None = path.open("ab", buffering=0)
        except OSError as error:
            raise PlanError(f"--events {path}: cannot be written ({error.strerror}). Name a file in a folder of yours.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def __call__(self, event: Event) -> None:
        if self._file is not None and self._is_due(event):
            try:
                self._file.write(json.dumps(to_record(event)).encode() + b"\n")
            except OSError as error:
                log.warning("%s can no longer be written (%s); the run goes on without it", self.path, error.strerror)
                self._file.close()
                self._file = None
        self._watch(event)

    def _is_due(self, event: Event) -> bool:
        if isinstance(event, Progress):
            return self._has_waited((event.run, f"stage {event.stage}"), event.stage, is_last=event.done >= event.total)
        if isinstance(event, SiteStep):
            return self._has_waited((event.run, f"site {event.site}"), (event.round, event.stage))
        return True

    def _has_waited(self, key: tuple[str, str], now_in: object, *, is_last: bool = False) -> bool:
        """Whether the last line of this key is long enough ago, or of another stage."""
        before, now = self._said.get(key), time.monotonic()
        if before is not None and before[0] == now_in and now - before[1] < QUIET_S and not is_last:
            return False
        self._said[key] = now_in, now
        return True
