"""approvals.json: which plans a hospital has approved, word for word, by whom and when. A site trains no other.

{"approvals": [{"hash", "plan", "by", "when", "withdrawn"}, ...]}, the oldest first. Nothing is taken out of it: a plan that was withdrawn
stays, marked so, and one that is approved again has a second entry. A mark edited away does not show here: the audit log tells of it.
"""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wardround.errors import NetworkError, WardroundError
from wardround.runs.folder import read_json, write_json

REMEDY = "Move the file aside; then no plan is approved, and the right one can be approved again: wardround site ready"


def plan_hash(plan_toml: str) -> str:
    """SHA-256 of the plan's exact text in UTF-8, 64 hex digits: a space more is another plan. NetworkError if it cannot be UTF-8."""
    try:
        return hashlib.sha256(plan_toml.encode("utf-8")).hexdigest()
    except UnicodeEncodeError as error:
        raise NetworkError(f"a plan's text holds what cannot be text in UTF-8 (character {error.start})") from error


def login_name() -> str:
    """Who is at the keyboard, as far as the system knows; "uid 1000" where it has no name for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A plan's exact text (TOML), approved by a person at a time (UTC, ISO 8601). withdrawn: it may no longer be trained."""

    hash: str
    plan: str
    by: str
    when: str
    withdrawn: bool = False


KINDS = {"hash": str, "plan": str, "by": str, "when": str, "withdrawn": bool}


@dataclass(frozen=True)
class Approvals:
    """The file of one site; there need not be one yet. It is read anew at every question, so that a withdrawal holds at once."""

    path: Path

    def approve(self, plan_toml: str, by: str) -> Approval:
        """Approve a plan, word for word. Where that is so already it stays as it is. by: a name, e.g. `login_name()`."""
        if not by.strip():
            raise NetworkError(f"{self.path}: an approval needs the name of who gives it (--by NAME)")
        told = plan_hash(plan_toml)
        with _alone(self.path):
            held = self.history()
            if found := _standing(held, told):
                return found[-1]
            when = datetime.now(UTC).isoformat(timespec="seconds")
            approval = Approval(hash=told, plan=plan_toml, by=by.strip(), when=when)
            self._write([*held, approval])
        return approval

    def is_approved(self, hash: str) -> bool:
        """Whether a plan of this hash was approved and not withdrawn since. NetworkError for a file that was edited."""
        return bool(_standing(self.history(), hash))

    def withdraw(self, hash: str) -> None:
        """The plan may no longer be trained. NetworkError if it is not approved."""
        with _alone(self.path):
            held = self.history()
            if not _standing(held, hash):
                raise NetworkError(f"{self.path}: no plan of hash {hash} is approved, so it cannot be withdrawn")
            self._write([replace(approval, withdrawn=True) if approval.hash == hash else approval for approval in held])

    def last(self) -> Approval | None:
        """The latest that was not withdrawn."""
        standing = [approval for approval in self.history() if not approval.withdrawn]
        return standing[-1] if standing else None

    def history(self) -> list[Approval]:
        """All that were ever given, the oldest first. NetworkError for a file that is damaged or was edited."""
        if not self.path.exists():
            return []
        try:
            told = read_json(self.path)
        except WardroundError as error:
            raise NetworkError(f"{error}. {REMEDY}") from error
        entries = told.get("approvals")
        if not isinstance(entries, list):
            raise NetworkError(f"{self.path} has no list of approvals. {REMEDY}")
        return [self._checked(entry, number) for number, entry in enumerate(entries, start=1)]

    def _checked(self, entry: Any, number: int) -> Approval:
        if not isinstance(entry, dict) or entry.keys() != KINDS.keys() or not all(isinstance(entry[key], KINDS[key]) for key in KINDS):
            raise NetworkError(f"{self.path}: entry {number} is no approval (it needs {', '.join(KINDS)}). {REMEDY}")
        if entry["hash"] != plan_hash(entry["plan"]):
            raise NetworkError(f"{self.path}: entry {number} was edited, for its plan does not have its hash: nobody approved this text. "
                               f"{REMEDY}")
        return Approval(**entry)

    def _write(self, held: list[Approval]) -> None:
        write_json(self.path, {"approvals": [asdict(approval) for approval in held]})


def _standing(held: list[Approval], hash: str) -> list[Approval]:
    return [approval for approval in held if approval.hash == hash and not approval.withdrawn]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else changes the file meanwhile. Its folder is locked, for the file itself is replaced by another."""
    import fcntl  # only where a site runs

    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
