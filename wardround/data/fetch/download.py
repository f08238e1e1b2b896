"""One file over HTTP, resumable: FILE.part beside a record of which version it is part of."""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from wardround.core.events import Progress, Watch, silent
from wardround.errors import DataError, Resumable

CHUNK = 2**20
MB = 10**6
TIMEOUT_S = 60.0
TRIES = 5  # with nothing new in between
PAUSE_S = 2.0

_LOST = (URLError, http.client.HTTPException, ConnectionError, TimeoutError)


class Denied(DataError):
    """The server answers 401 or 403."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answers {status}")
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A whole file with its checksums."""

    path: Path
    size: int
    sha256: str
    md5: str


@dataclass(frozen=True, kw_only=True)
class Remote:
    """What to load and where to. header: Authorization, sent to the host of url only; expected: bytes, where the server does not say.

    packed_times: the disk must hold the file and so many times as much. pause_s: after a lost connection.
    """

    url: str
    target: Path
    header: str = ""
    expected: int = 0
    packed_times: float = 1.0
    pause_s: float = PAUSE_S


def download(remote: Remote, watch: Watch = silent) -> Fetched:
    """Load a file, going on where an earlier try stopped if the server still has the same version of it. A whole one is only summed.

    Denied for 401 and 403; Resumable if the disk is too small or fills up; DataError for any other answer and without network.
    """
    if remote.target.is_file():  # whole: it has this name only then
        return _summed(remote.target, remote.target)
    failures = 0
    while True:
        before = _size(_part(remote))
        try:
            if _load(remote, watch):
                break
            raise ConnectionError("the connection ended early")
        except HTTPError as error:
            error.close()
            if not _is_passing(error.code):
                raise _answer(remote, error.code) from None
            reason = f"the server answers {error.code}"
        except _LOST as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        failures = failures + 1 if _size(_part(remote)) <= before else 1
        if failures >= TRIES:
            raise DataError(f"{urlsplit(remote.url).hostname} cannot be reached ({reason}). Is this machine online? The same command "
                            "goes on where this one stopped.")
        time.sleep(remote.pause_s)
    part = _part(remote)
    fetched = _summed(part, remote.target)
    part.replace(remote.target)
    _record(remote).unlink(missing_ok=True)
    return fetched


def discard(target: Path) -> None:
    """Forget what was loaded of a file."""
    for suffix in ("", ".part", ".part.json"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)


@contextmanager
def space(folder: Path) -> Iterator[None]:
    """A full disk inside the block is a Resumable error."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Resumable(f"the disk of {folder} is full. Free some space; the same command goes on from here.") from error


def _load(remote: Remote, watch: Watch) -> bool:
    """One request; whether the file is whole now."""
    part, known = _part(remote), _read_record(remote)
    have = _size(part) if known.get("version") else 0
    if have and have == known.get("total"):
        return True
    headers = {"User-Agent": "wardround", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": str(known["version"])}
    request = Request(remote.url, headers=headers)
    if remote.header:
        request.add_unredirected_header("Authorization", remote.header)  # Kaggle redirects to a storage that must not see it
    with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
        start = have if answer.status == 206 and _starts_at(answer.headers.get("Content-Range", ""), have) else 0
        if answer.status == 206 and start != have:
            raise ConnectionError("the server sends another part than was asked for")
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else 0
        _check_space(remote, total or remote.expected, start)
        _record(remote).write_text(json.dumps({"version": _version(answer.headers), "total": total}))
        with space(part.parent), part.open("r+b" if start else "wb") as file:
            file.seek(start)
            return _copy(answer, file, total, total or remote.expected, watch)


def _copy(answer: IO[bytes], file: IO[bytes], total: int, expected: int, watch: Watch) -> bool:
    done = file.tell()
    while chunk := answer.read(CHUNK):
        file.write(chunk)
        done += len(chunk)
        watch(Progress(stage="download", done=done // MB, total=max(expected, done + (not total)) // MB))
    return not total or done == total


class _SafeRedirects(HTTPRedirectHandler):
    """Follows a redirect, but never from https to an open connection."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage,
                         newurl: str) -> Request | None:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise DataError(f"{urlsplit(req.full_url).hostname} redirects to a connection without encryption; it was not followed.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = build_opener(_SafeRedirects)


def _answer(remote: Remote, status: int) -> DataError:
    if status in (401, 403):
        return Denied(status)
    if status == 404:
        return DataError(f"{remote.url} is not there any more (404). The data set may have moved.")
    return DataError(f"{urlsplit(remote.url).hostname} answers {status} for {remote.url}.")


def _is_passing(status: int) -> bool:
    """Whether a later try may succeed: the server is busy."""
    return status in (408, 429, 500, 502, 503, 504)


def _starts_at(content_range: str, place: int) -> bool:
    return content_range.replace("bytes", "").strip().startswith(f"{place}-")


def _version(headers: http.client.HTTPMessage) -> str:
    """What names this version of the file for If-Range; "" (never resumed) if nothing does, or only weakly."""
    tag = headers.get("ETag", "")
    return str(headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag)


def _check_space(remote: Remote, total: int, have: int) -> None:
    needed = int(total * (1 + remote.packed_times)) - have
    free = shutil.disk_usage(remote.target.parent).free
    if needed > free:
        raise Resumable(f"the disk of {remote.target.parent} has {free / 1e9:.1f} GB free; about {needed / 1e9:.1f} GB are needed to load "
                        "and unpack the data set. Free some space or name a folder on another disk, and run the same command again.")


def _summed(path: Path, target: Path) -> Fetched:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)  # md5: what the publishers give
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
    return Fetched(path=target, size=_size(path), sha256=sha256.hexdigest(), md5=md5.hexdigest())


def _part(remote: Remote) -> Path:
    return remote.target.with_name(remote.target.name + ".part")


def _record(remote: Remote) -> Path:
    return remote.target.with_name(remote.target.name + ".part.json")


def _read_record(remote: Remote) -> dict[str, object]:
    try:
        found = json.loads(_record(remote).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
