"""Decoded data on disk: found again by what they were made from, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path


def fingerprint(root: Path, settings: Sequence[object], files: Iterable[Iterable[str]]) -> str:
    """Hash of settings and of the name, size and time of every row's files."""
    digest = hashlib.sha256(json.dumps([*settings, str(root.resolve())]).encode())
    for row in files:
        for file in row:
            digest.update(f"{file}\0{_stat(root, file)}\n".encode())
        digest.update(b"\n")
    return digest.hexdigest()[:24]


def put_in_place(path: Path, content: bytes | memoryview, *, is_lasting: bool = True) -> None:
    """Write a file whole or not at all; several processes may write the same one.

    is_lasting: wait until it is on the disk; False where a power cut may lose or cut it."""
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")  # nobody else writes this name
    with part.open("wb") as file:
        file.write(content)
        if is_lasting:
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)


def _stat(root: Path, file: str) -> str:
    try:
        found = (root / (file.partition("#")[0] if ".npz#" in file else file)).stat()
    except OSError:
        return "absent"
    return f"{found.st_size} {found.st_mtime_ns}"
