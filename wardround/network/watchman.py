"""What NVFLARE itself was asked for and refused, into our own audit log: its log has neither a hash chain nor outcomes.

Its audit.log has a line for each command that came, refused ones too; what our authorization.json allows of them is ROUTINE, so all
others were refused (network/startup.py). A job that names a class which is not on the list is refused in the job's own error log.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from wardround.network.auditlog import AuditLog

ENTRY = re.compile(r"\[U:(?P<user>[^\]]*)\]\[A:(?P<action>[^\]]*)\]")
NOT_LISTED = re.compile(r"component not authorized: (Component '[^']{1,200}' at config path '[^']{1,200}' is not in allow_list)")
SITE_ROUTINE = frozenset({"train.deploy", "train.start_job", "train.abort", "train.notify_job_status", "train.delete_run"})
SERVER_ROUTINE = frozenset({"_cert_login", "_logout", "check_status", "get_job_meta", "submit_job", "abort_job", "list_jobs", "_commands"})
MODULE = "job_mgmt."  # NVFLARE names some commands with their module
ERRORS = "error_log.txt"
MOST = 4096  # bytes of a line that are looked at


class Watchman:
    """workspace: NVFLARE's folder of the server or a site. routine: what may be asked there. `look` is called again and again."""

    def __init__(self, workspace: Path, audit: AuditLog, routine: frozenset[str]) -> None:
        self._workspace, self._audit, self._routine = workspace, audit, routine
        self._read: dict[int, int] = {}  # a log's inode -> bytes of it that were read: it may get another name
        for path in self._logs():
            with contextlib.suppress(OSError):
                found = path.stat()
                self._read[found.st_ino] = found.st_size

    def look(self) -> None:
        """Log what was refused since the last look."""
        read: dict[int, int] = {}
        for path in self._logs():
            for line in self._new_lines(path, read):
                if reason := self._refused(path, line):
                    self._audit.write("refused", cause=reason)
        self._read = read

    def _logs(self) -> list[Path]:
        """NVFLARE's audit log, and the error logs of jobs with what was moved aside of them."""
        return [path for path in (self._workspace / "audit.log", *sorted(self._workspace.glob(f"*/{ERRORS}*"))) if path.is_file()]

    def _new_lines(self, path: Path, read: dict[int, int]) -> Iterator[str]:
        """The heads of whole lines since the last look; `read` learns how far that was. A log that goes meanwhile has none."""
        with contextlib.suppress(OSError), path.open("rb") as file:
            found = os.fstat(file.fileno())
            start = self._read.get(found.st_ino, 0)
            file.seek(start if start <= found.st_size else 0)  # a shorter file is another one
            while True:
                read[found.st_ino] = file.tell()
                head = rest = file.readline(MOST)
                while rest and not rest.endswith(b"\n"):
                    rest = file.readline(MOST)
                if not rest:
                    return
                yield head.decode("utf-8", "replace")

    def _refused(self, path: Path, line: str) -> str | None:
        if path.name.startswith(ERRORS):
            found = NOT_LISTED.search(line)
            return f"a job of NVFLARE was refused: {found[1]}" if found and "Traceback" not in line else None
        entry = ENTRY.search(line)
        if entry is None or entry["action"].split(" ")[0].removeprefix(MODULE) in self._routine:
            return None
        return f"NVFLARE's command '{entry['action'][:200]}' of {entry['user'][:100] or 'nobody'} is not allowed here"
