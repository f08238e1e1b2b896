"""journal.jsonl: one event a line, appended as it happens. What a crash leaves half written is cut off when the run resumes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from wardround.core.events import SHOWN, Event, from_record, to_record
from wardround.core.untrusted import parsed_json
from wardround.errors import WardroundError

MOST_BYTES = 2**28


class Journal:
    """The journal of one run, open for appending."""

    def __init__(self, path: Path, *, keep_bytes: int | None = None) -> None:
        """Open path. keep_bytes: the length at the checkpoint that a resumed run goes on from; what follows it is repeated."""
        if keep_bytes is not None and path.exists():
            os.truncate(path, min(keep_bytes, path.stat().st_size))
        self._file = path.open("ab")

    def write(self, event: Event) -> None:
        """Append an event, unless its kind is only shown."""
        if not isinstance(event, SHOWN):
            self._file.write(json.dumps(to_record(event), allow_nan=True).encode() + b"\n")
            self._file.flush()

    def position(self) -> int:
        """Length in bytes, with everything written safe on disk."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Event]:
    """The events of a journal, in order. A last line that a crash cut short is left out; others must be whole."""
    if not path.exists():
        return
    if path.stat().st_size > MOST_BYTES:
        raise WardroundError(f"{path}: more than {MOST_BYTES:,} bytes; no run writes such a journal. Is it the one meant?")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield from_record(parsed_json(line, with_nan=True))
            except (ValueError, TypeError, WardroundError) as error:
                raise WardroundError(f"{path}: line {number} is not an event ({str(error)[:200]}). The file was changed; the run's "
                                     "scores.json and checkpoints do not depend on it.") from error
