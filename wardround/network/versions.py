"""What a site remembers from round to round, by version: the server names the one an order begins from and the one it leaves.

A round that the server does not count leaves a version that no order ever names. So nothing has to be taken back.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from wardround.sites import memory
from wardround.sites.memory import Memory

NEWEST = 3  # versions that are kept beside the one an order began from: a server may go on from a checkpoint a few rounds old


@dataclass(frozen=True)
class Versions:
    """The versions of one run. Names were checked by the envelope: they are no paths."""

    folder: Path

    def read(self, version: str) -> Memory | None:
        """What was remembered under that name, on the CPU; "" is the memory before the first round; None if it is lost."""
        if not version:
            return {}
        try:
            return memory.read(self._file(version))
        except (FileNotFoundError, SafetensorError):
            return None

    def write(self, version: str, entries: Memory, *, began_from: str) -> None:
        """Keep it, whole or not at all, then delete what is older than the newest ones, but not the version it began from."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._file(version)
        part = path.with_suffix(".part")
        memory.write(entries, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        found = sorted(self.folder.glob("*.safetensors"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for old in found[NEWEST:]:
            if old not in (path, self._file(began_from)):
                old.unlink()

    def _file(self, version: str) -> Path:
        return self.folder / f"{version}.safetensors"
