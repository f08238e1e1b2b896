"""A public data set from its name to a folder that its reader knows: the steps in their order, and the manual way if one fails."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from wardround.core.events import Note, Watch, silent
from wardround.data.catalogue import Catalogue
from wardround.data.datasets.base import detect
from wardround.data.fetch import kaggle
from wardround.data.fetch.download import PAUSE_S, Denied, Fetched, Remote, discard, download
from wardround.data.fetch.sources import Source, source_of
from wardround.data.fetch.unpack import BEGUN, is_archive, unpack
from wardround.errors import DataError, PlanError, Resumable

RECORD = "SOURCE.json"  # what was fetched, from where, on what terms
BASE = "WARDROUND_FETCH_URL"  # a mirror: replaces scheme and host of every address
BOMB_TIMES = 3  # an archive may unpack to so many times what is expected


def obtain(name: str, folder: Path, *, accepted: bool, watch: Watch = silent, base: str = "", pause_s: float = PAUSE_S) -> Catalogue:
    """Fetch a data set into a folder and return its catalogue; a folder that holds it already is only read.

    accepted: whether the user accepted the licence; PlanError if not. base: address of a mirror, default WARDROUND_FETCH_URL.
    DataError without network or token, for a wrong checksum and for an archive that cannot be used; Resumable without space. Each
    message ends with the manual way. What was loaded before a stop is used by the next call.
    """
    source = source_of(name)
    earlier = _earlier(folder, name)
    if earlier and source.reader.matches(folder):
        watch(Note(text=f"{folder} holds {name} already, fetched on {earlier['fetched']}: nothing was loaded."))
        return source.reader.read(folder)
    if not accepted:
        raise PlanError(f"the licence of '{name}' was not accepted: {source.terms()['licence']}. Read {source.page} and repeat the "
                        "command with --accept-licence.")
    try:
        _check_folder(folder, source)
        remote = Remote(url=_address(source, base or os.environ.get(BASE, "")), target=folder / source.file, expected=source.size,
                        header=kaggle.authorisation() if source.is_kaggle else "", pause_s=pause_s,
                        packed_times=source.packed_times if is_archive(Path(source.file)) else 0.0)
        fetched = _load(source, remote, watch)
        _compare(earlier, fetched, watch)
        if is_archive(fetched.path):
            _unpack(source, fetched, watch)
        _write_record(folder, name, source, fetched)
        return _read(folder, source)
    except Resumable as error:
        raise Resumable(f"{error} {_by_hand(source, folder)}") from error
    except DataError as error:
        raise DataError(f"{error} {_by_hand(source, folder)}") from error


def _by_hand(source: Source, folder: Path) -> str:
    """The manual way."""
    step = f"unpack it to {folder}" if is_archive(Path(source.file)) else f"put {source.file} into {folder}"
    return f"By hand: download it in a browser from {source.page}, {step}, then: wardround data inspect {folder}"


def _address(source: Source, base: str) -> str:
    parts = urlsplit(source.url)
    return base.rstrip("/") + parts.path if base else source.url


def _check_folder(folder: Path, source: Source) -> None:
    """An empty or new folder, or one that an earlier call began to fill."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; a folder is needed.")
    folder.mkdir(parents=True, exist_ok=True)
    ours = (source.file, RECORD, BEGUN)
    strange = [path.name for path in sorted(folder.iterdir()) if not path.name.startswith(ours)]
    if strange:
        raise DataError(f"{folder} holds other files ({', '.join(strange[:3])}). Name a new folder, so that nothing is written over.")


def _load(source: Source, remote: Remote, watch: Watch) -> Fetched:
    try:
        fetched = download(remote, watch)
    except Denied as error:
        if not source.is_kaggle:
            raise
        raise DataError(kaggle.explained(error.status, source.page, has_token=bool(remote.header))) from error
    if source.md5 and fetched.md5 != source.md5:
        discard(remote.target)
        raise DataError(f"{source.file} has the MD5 checksum {fetched.md5}; published is {source.md5}. It was changed on the way, or at "
                        "its source, and was deleted.")
    return fetched


def _unpack(source: Source, fetched: Fetched, watch: Watch) -> None:
    """Unpack beside the archive and delete it, also if it cannot be used: the next call must load it anew."""
    limit = int(BOMB_TIMES * max(source.size, fetched.size) * source.packed_times)
    try:
        unpack(fetched.path, fetched.path.parent, limit_bytes=limit, watch=watch)
    except DataError:
        discard(fetched.path)
        raise
    discard(fetched.path)


def _compare(earlier: dict[str, str], fetched: Fetched, watch: Watch) -> None:
    if earlier and earlier["sha256"] != fetched.sha256:
        watch(Note(text=f"this file is not the one fetched on {earlier['fetched']}: its publisher changed it. Results on the two cannot "
                        "be compared."))


def _read(folder: Path, source: Source) -> Catalogue:
    reader = detect(folder)
    if reader is None or reader.name != source.dataset:
        looks = f"looks like '{reader.name}'" if reader else "looks like no known data set"
        raise DataError(f"what was loaded to {folder} {looks}, not like '{source.dataset}'. Its publisher may have changed the layout.")
    return reader.read(folder)


def _earlier(folder: Path, name: str) -> dict[str, str]:
    """The record of an earlier fetch of this data set, {} if there is none."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_ours = isinstance(record, dict) and record.get("name") == name and {"sha256", "fetched"} <= set(record)
    return {key: str(value) for key, value in record.items()} if is_ours else {}


def _write_record(folder: Path, name: str, source: Source, fetched: Fetched) -> None:
    record = {"name": name, "fetched": datetime.now(UTC).date().isoformat(), "url": source.url, **source.terms(), "file": source.file,
              "bytes": fetched.size, "sha256": fetched.sha256, "checksum": "as published" if source.md5 else "none is published"}
    part = folder / (RECORD + ".part")
    part.write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")
    part.replace(folder / RECORD)
