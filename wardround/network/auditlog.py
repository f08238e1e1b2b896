"""audit.jsonl: what a site or a server did, in lines that hold each other fast, so that a later change can be seen.

A line is canonical JSON (ASCII, sorted keys, no spaces): {"facts", "hash", "kind", "prev", "seq", "time"}. hash is the SHA-256 of the line
without it; prev is the hash of the line before, 64 zeros of the first. Whoever changes, takes out, puts in or moves a line breaks the
chain there. Two things the chain alone cannot show: lines cut off at its end, and a log written anew from some line on. For these a hash
is kept elsewhere (on paper, at another hospital): `verify(path, head=...)` finds whether the log still holds it.

The log holds what callers give. They give no patient's id, no path of an image and no single prediction; nothing here can check that.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wardround.errors import NetworkError

GENESIS = "0" * 64
SENT = "sent"
FRAGMENT = "fragment"
MAX_FACTS = 64 * 1024  # bytes of a line's facts; longer ones are shortened and say so
BLOCK = 64 * 1024  # bytes of the end that are read to find the last line
KEYS = {"seq": int, "time": str, "kind": str, "facts": dict, "prev": str, "hash": str}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line. seq: from 1. time: UTC, ISO 8601."""

    seq: int
    time: str
    kind: str
    facts: Mapping[str, Any]
    prev: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What `verify` found. num: lines that are whole, from the first on. first_bad: number of the first that is not; reason: what is wrong
    with it. head: hash of the last whole line."""

    num: int
    ok: bool
    first_bad: int | None = None
    reason: str = ""
    head: str = GENESIS


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message that left: its line's kind, run, round, bytes and arrays (name -> shape). run: "" where it belongs to none."""

    time: str
    kind: str
    round: int
    num_bytes: int
    run: str = ""
    arrays: Mapping[str, Any] = field(default_factory=dict)


class AuditLog:
    """The log of one study at one place. Any number of threads and processes may write to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, kind: str, /, **facts: Any) -> str:
        """Append a line and return its hash, when it is safe on disk. facts: whatever JSON can hold.

        Of kind "sent" they are kind, run, round, bytes and arrays (name -> shape), for `egress`. What a crash left of a line moves into a
        line of kind "fragment". NetworkError if the log cannot be written, its last line was changed, or a fact is no JSON.
        """
        plain = self._plain(kind, facts)
        try:
            with _locked(self.path) as file:
                last, fragment, end = self._end(file)
                rest = [_next(last, FRAGMENT, _told_of(fragment))] if fragment else []
                line = _next(rest[0] if rest else last, kind, plain)
                _put(file, b"".join(_canonical(vars(each)) + b"\n" for each in (*rest, line)), end)
                if last is None:
                    _sync_folder(self.path.parent)
        except OSError as error:
            raise NetworkError(f"{self.path} cannot be written ({error.strerror or error}). See to the disk's space and the permissions "
                               "of the folder.") from error
        return line.hash

    def _plain(self, kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return _shortened(json.loads(_canonical(facts)))
        except (TypeError, ValueError, RecursionError) as error:
            raise NetworkError(f"{self.path}: the facts of '{kind}' cannot be written as JSON ({error})") from error

    def _end(self, file: int) -> tuple[Line | None, bytes, int]:
        """The last whole line, what a crash left after it, and where it ends; NetworkError if it is not as it was written."""
        size = os.fstat(file).st_size
        whole, fragment = _tail(file, size)
        if not whole and size == len(fragment):
            return None, fragment, 0
        try:
            return _parsed(whole), fragment, size - len(fragment)
        except ValueError as error:
            raise NetworkError(f"{self.path}: the last line {error}. Keep the file for whoever has to know, under another name; a new log "
                               f"then begins. Where it was changed: wardround audit-log verify {self.path}") from error


def verify(path: Path, head: str | None = None) -> Verdict:
    """Read the whole chain. head: the hash of a line, noted elsewhere when it was the last: the log must hold it, however long it has
    become since. NetworkError if there is no such file, or head is not a hash."""
    wanted = None if head is None else _hash_of(head)
    last: Line | None = None
    has_head = wanted in (None, GENESIS)
    for number, raw in enumerate(_raw_lines(path), start=1):
        try:
            last = _following(last, raw)
        except ValueError as error:
            return Verdict(num=number - 1, ok=False, first_bad=number, reason=str(error), head=last.hash if last else GENESIS)
        has_head = has_head or last.hash == wanted
    num = last.seq if last else 0
    found = last.hash if last else GENESIS
    if has_head:
        return Verdict(num=num, ok=True, head=found)
    return Verdict(num=num, ok=False, first_bad=num + 1, head=found,
                   reason="is missing: no line has the hash that was noted. The end was cut off, or the log was written anew")


def lines(path: Path) -> Iterator[Line]:
    """The lines, without a look at the chain; a half-written last one is left out. NetworkError names one that is none."""
    for number, raw in enumerate(_raw_lines(path), start=1):
        if raw.endswith(b"\n"):
            try:
                yield _parsed(raw[:-1])
            except ValueError as error:
                raise NetworkError(f"{path}: line {number} {error}. See: wardround audit-log verify {path}") from error


def egress(path: Path) -> Iterator[Sent]:
    """The manifest: every message that left, in order. NetworkError names a line that does not say what left."""
    for line in lines(path):
        if line.kind == SENT:
            kind, run, t, num_bytes, arrays = (line.facts.get(name) for name in ("kind", "run", "round", "bytes", "arrays"))
            if not (isinstance(kind, str) and isinstance(t, int) and isinstance(num_bytes, int)):
                raise NetworkError(f"{path}: line {line.seq} says that something was sent, but not its kind, round and bytes")
            yield Sent(time=line.time, kind=kind, round=t, num_bytes=num_bytes, run=run if isinstance(run, str) else "",
                       arrays=arrays if isinstance(arrays, dict) else {})


def _next(last: Line | None, kind: str, facts: Mapping[str, Any]) -> Line:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    told: dict[str, Any] = {"seq": last.seq + 1 if last else 1, "time": now, "kind": kind, "facts": facts,
                            "prev": last.hash if last else GENESIS}
    return Line(**told, hash=hashlib.sha256(_canonical(told)).hexdigest())


def _following(last: Line | None, raw: bytes) -> Line:
    """The line after `last`; ValueError says what is wrong with it, after "line 7"."""
    if not raw.endswith(b"\n"):
        raise ValueError("is cut short: a crash while it was written, if nobody changed it. The next line that is written will record it")
    line, due = _parsed(raw[:-1]), last.seq + 1 if last else 1
    if line.seq > due:
        raise ValueError(f"has number {line.seq} where {due} was due: a line was taken out before it, or lines changed places")
    if line.seq < due:
        raise ValueError(f"has number {line.seq} where {due} was due: a line was put in, or lines changed places")
    if line.prev != (last.hash if last else GENESIS):
        raise ValueError("does not follow the line before it: one of the two was put in the place of another")
    return line


def _parsed(raw: bytes) -> Line:
    """A line whose own hash is right; ValueError says what it is instead, after "line 7"."""
    try:
        told = json.loads(raw)
        is_canonical = isinstance(told, dict) and told.keys() == KEYS.keys() and _canonical(told) == raw
    except (ValueError, RecursionError):
        is_canonical = False
    if not is_canonical or not all(isinstance(told[key], kind) for key, kind in KEYS.items()):
        raise ValueError("is not a line of an audit log: it was changed or put in")
    line = Line(**told)
    if line.hash != hashlib.sha256(_canonical({key: value for key, value in told.items() if key != "hash"})).hexdigest():
        raise ValueError("was changed: what it says does not fit its hash")
    return line


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _shortened(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts, or of too many bytes those that take more than an equal share each by their beginning, their length and their SHA-256."""
    if len(_canonical(facts)) <= MAX_FACTS:
        return facts
    room = MAX_FACTS // len(facts)
    return {name: _beginning(value, room) if len(json.dumps(value)) > room else value for name, value in facts.items()}


def _beginning(value: Any, room: int) -> dict[str, Any]:
    whole = (value if isinstance(value, str) else json.dumps(value, sort_keys=True)).encode(errors="backslashreplace")
    return {"shortened": whole[: room // 8].decode(errors="ignore"), "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}


def _told_of(fragment: bytes) -> dict[str, Any]:
    return _shortened({"fragment": fragment.decode(errors="backslashreplace"), "bytes": len(fragment),
                       "sha256": hashlib.sha256(fragment).hexdigest()})


def _hash_of(head: str) -> str:
    told = head.strip().lower()
    if len(told) != 64 or set(told) - set("0123456789abcdef"):
        raise NetworkError(f"'{head}' is not the hash of a line: that is 64 digits of 0-9 and a-f, as 'audit-log verify' shows them")
    return told


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, made if need be, with everyone else kept out."""
    import fcntl  # not on every system; where it is missing logs can still be read

    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go of when the file is closed, also by a crash
        yield file
    finally:
        os.close(file)


def _settled_size(file: int) -> int:
    """The size at a moment when nobody is writing."""
    try:
        import fcntl
    except ModuleNotFoundError:  # a system on which nobody writes
        return os.fstat(file).st_size
    fcntl.flock(file, fcntl.LOCK_SH)
    size = os.fstat(file).st_size
    fcntl.flock(file, fcntl.LOCK_UN)
    return size


def _sync_folder(folder: Path) -> None:
    """So that a new file is still there after a power cut."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _tail(file: int, size: int) -> tuple[bytes, bytes]:
    """The last whole line without its end, and what follows it; however long the file is, only its end is read."""
    block = BLOCK
    while True:
        start = max(0, size - block)
        parts = os.pread(file, size - start, start).split(b"\n")
        if start == 0 or len(parts) > 2:
            return parts[-2] if len(parts) > 1 else b"", parts[-1]
        block *= 4


def _put(file: int, data: bytes, end: int) -> None:
    """Write data at `end`, over a fragment that data tells of. A crash in between leaves a fragment again."""
    rest = data
    while rest:
        rest = rest[os.pwrite(file, rest, end + len(data) - len(rest)) :]
    os.ftruncate(file, end + len(data))  # a fragment that was shortened is longer than what tells of it
    os.fsync(file)


def _raw_lines(path: Path) -> Iterator[bytes]:
    """The lines with their ends, as many as there were at the beginning: the log may grow meanwhile."""
    try:
        with path.open("rb") as file:
            rest = _settled_size(file.fileno())
            while rest and (raw := file.readline(rest)):
                rest -= len(raw)
                yield raw
    except FileNotFoundError:
        raise NetworkError(f"{path} does not exist. An audit log lies in the folder of a study or of a site: audit.jsonl") from None
