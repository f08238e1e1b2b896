"""What NVFLARE itself was asked for and refused, into our own audit log: its log has neither a hash chain nor outcomes.

Its audit.log has a line for each command that came, refused ones too; what our authorization.json allows of them is ROUTINE, so all
others were refused (network/startup.py). A job that names a class which is not on the list is refused in the job's own error log.
"""

from __future__ import annotations

import re
from pathlib import Path

from wardround.network.auditlog import AuditLog

ENTRY = re.compile(r"\[U:(?P<user>[^\]]*)\]\[A:(?P<action>[^\]]*)\]")
NOT_LISTED = re.compile(r"component not authorized: (Component '[^']{1,200}' at config path '[^']{1,200}' is not in allow_list)")
SITE_ROUTINE = frozenset({"train.deploy", "train.start_job", "train.abort", "train.notify_job_status", "train.delete_run"})
SERVER_ROUTINE = frozenset({"_cert_login", "_logout", "check_status", "get_job_meta", "submit_job", "abort_job", "list_jobs", "_commands"})
MOST = 4096  # characters of a line that are looked at


class Watchman:
    """workspace: NVFLARE's folder of the server or a site. routine: what may be asked there. `look` is called again and again."""

    def __init__(self, workspace: Path, audit: AuditLog, routine: frozenset[str]) -> None:
        self._workspace, self._audit, self._routine = workspace, audit, routine
        self._read: dict[Path, int] = {path: path.stat().st_size for path in self._logs()}

    def look(self) -> None:
        """Log what was refused since the last look."""
        for path in self._logs():
            for line in self._new_lines(path):
                if reason := self._refused(path, line[:MOST]):
                    self._audit.write("refused", cause=reason)

    def _logs(self) -> list[Path]:
        """NVFLARE's audit log, and the error logs of jobs."""
        return [path for path in (self._workspace / "audit.log", *self._workspace.glob("*/error_log.txt")) if path.is_file()]

    def _new_lines(self, path: Path) -> list[str]:
        """Whole lines since the last look."""
        start = self._read.get(path, 0)
        with path.open("rb") as file:
            file.seek(start if start <= path.stat().st_size else 0)  # a shorter file is another one: logs are rotated
            data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path] = file.tell() - len(data) + len(whole)
        return whole.decode("utf-8", "replace").splitlines()

    def _refused(self, path: Path, line: str) -> str | None:
        if path.name == "error_log.txt":
            found = NOT_LISTED.search(line)
            return f"a job of NVFLARE was refused: {found[1]}" if found and "Traceback" not in line else None
        entry = ENTRY.search(line)
        if entry is None or entry["action"].split(" ")[0] in self._routine:
            return None
        return f"NVFLARE's command '{entry['action'][:200]}' of {entry['user'][:100] or 'nobody'} is not allowed here"
