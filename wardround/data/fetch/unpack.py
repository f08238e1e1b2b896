"""Zip and tar archives unpacked safely: only files and folders, only below the target, only so many bytes."""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from wardround.core.events import Progress, Watch, silent
from wardround.data.fetch.download import CHUNK, space
from wardround.errors import DataError

BEGUN = ".unpacking-by-wardround"
MOST_FILES = 2_000_000
SMALLEST_FILE = 64  # bytes of an archive for each of its files, beside a thousand: so many empty ones would take minutes to write
MOST_AT_ONCE = 2**24  # bytes that a tar may bring in one header, as long names and attributes

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError, LookupError,
            ArithmeticError)


@dataclass(frozen=True)
class Entry:
    """One file of an archive, opened when its turn comes."""

    path: PurePosixPath
    file: IO[bytes]


def is_archive(path: Path) -> bool:
    """Whether a file is unpacked after loading, by its name; an .npz is read as it is."""
    return path.name.endswith((".zip", ".tar", ".tar.gz", ".tgz"))


def unpack(archive: Path, folder: Path, *, limit_bytes: int, watch: Watch = silent) -> int:
    """Unpack into a folder, all or nothing; returns the number of files.

    DataError, with nothing left behind, for a name that leads out of the folder, a link or device, more than limit_bytes, more files
    than fit into an archive of its size, an entry that is there already, and damage. Resumable if the disk fills up.
    """
    part = folder / BEGUN
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with space(folder):
            num = _write(archive, part, limit_bytes, watch)
        _move_up(part, folder, archive)
    except _DAMAGED as error:
        raise DataError(f"{archive}: damaged or not an archive ({type(error).__name__}: {error}).") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return num


def _write(archive: Path, part: Path, limit_bytes: int, watch: Watch) -> int:
    num, left = 0, limit_bytes
    most_files = min(MOST_FILES, 1000 + archive.stat().st_size // SMALLEST_FILE)
    for num, (entry, total) in enumerate(_entries(archive), start=1):
        target = part / entry.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                left -= _copy(entry.file, file, left, archive, limit_bytes)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise DataError(f"{archive}: '{entry.path}' is in it twice. Nothing was kept.") from error
        except OSError as error:
            if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
                raise
            raise _refused(archive, str(entry.path), "is a name that this disk does not take") from error
        if max(num, total) > most_files:
            raise DataError(f"{archive}: more than {most_files} files, too many for its size. Nothing was kept. Is it the publisher's own "
                            "file?")
        watch(Progress(stage="unpack", done=num, total=max(total, num)))
    return num


def _copy(source: IO[bytes], target: IO[bytes], left: int, archive: Path, limit_bytes: int) -> int:
    """Bytes are counted as they come: what an archive says of itself is not believed."""
    written = 0
    while chunk := source.read(CHUNK):
        written += len(chunk)
        if written > left:
            raise DataError(f"{archive}: unpacks to more than {limit_bytes / 1e9:.1f} GB, far more than this data set. Nothing was kept.")
        target.write(chunk)
    return written


def _entries(archive: Path) -> Iterator[tuple[Entry, int]]:
    """Files of an archive in its order, and how many there are (0: not known)."""
    if zipfile.is_zipfile(archive):
        yield from _zip_entries(archive)
    else:
        yield from _tar_entries(archive)


def _zip_entries(archive: Path) -> Iterator[tuple[Entry, int]]:
    with zipfile.ZipFile(archive) as opened:
        infos = [info for info in opened.infolist() if not info.is_dir()]
        for info in infos:
            mode = info.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise _refused(archive, info.filename, "is a link or device")
            entry = _safe(archive, info.filename)
            try:
                file = opened.open(info)
            except OSError as error:  # a place before the archive's beginning
                raise zipfile.BadZipFile(str(error)) from error
            with file:
                yield Entry(entry, file), len(infos)


def _tar_entries(archive: Path) -> Iterator[tuple[Entry, int]]:
    with _tar_file(archive) as file, tarfile.open(fileobj=cast(BinaryIO, _Counted(file, archive)), mode="r:") as opened:
        for info in opened:
            if info.isdir():
                continue
            content = opened.extractfile(info) if info.isreg() else None
            if content is None:
                raise _refused(archive, info.name, "is a link or device")
            with content:
                yield Entry(_safe(archive, info.name), content), 0


def _tar_file(archive: Path) -> IO[bytes]:
    with archive.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(archive)) if is_packed else archive.open("rb")


class _Counted(io.RawIOBase):
    """A tar as tarfile reads it. What is read at once beyond MOST_AT_ONCE is a header that claims to be so long."""

    def __init__(self, file: IO[bytes], archive: Path) -> None:
        super().__init__()
        self._file, self._archive = file, archive

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE:
            raise DataError(f"{self._archive}: a header of {size:,} bytes: refused, and nothing was kept. Is it the publisher's own file?")
        return self._file.read(size)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


def _safe(archive: Path, name: str) -> PurePosixPath:
    """The name as a path below the target. Windows' separators and drives count too, on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0] or "\0" in name:
        raise _refused(archive, name, "leads out of the folder")
    return path


def _refused(archive: Path, name: str, reason: str) -> DataError:
    return DataError(f"{archive}: '{name[:200]}' {reason}: refused, and nothing was kept. Is it the publisher's own file?")


def _move_up(part: Path, folder: Path, archive: Path) -> None:
    made = sorted(part.iterdir())
    for path in made:
        if (folder / path.name).exists():
            raise DataError(f"{folder / path.name} is there already; nothing of {archive.name} was unpacked over it. Name a new folder.")
    for path in made:
        path.replace(folder / path.name)
