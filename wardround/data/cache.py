"""Images decoded once: resized pixels in one memory-mapped file, with what duplicates are found by. A killed decode goes on."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from wardround.core.events import Progress, Watch, silent
from wardround.data.catalogue import Catalogue, text_column
from wardround.data.pool import each
from wardround.data.readers import image as reader
from wardround.data.storage import put_in_place
from wardround.errors import DataError, ImageError
from wardround.places import cache_root

VERSION = 1  # of the transform: a change makes every cache stale
CHUNK = 64  # images decoded, stored and marked done together
ALONE = 256  # up to so many images are decoded in this process: starting others takes longer
PIXELS = "pixels.u8"
INDEX = "index.npz"
_DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
           struct.error, zlib.error, zipfile.BadZipFile)  # what decoders raise on damaged files; one bad file never ends the decode


@dataclass(frozen=True, kw_only=True, eq=False)
class Cache:
    """Decoded images; row i is the catalogue's row i.

    pixels: (n, channels, size, size) uint8, read-only memory map of the file folder/pixels.u8, zeros where decoding failed.
    reasons: (n,) text, "" = decoded, else the ImageError's code; details: (n,) text, its message. digests: (n,) text, SHA-256 of
    the pixels at full resolution, "" where decoding failed. hashes: (n, 32) uint8, 256-bit perceptual hashes.
    """

    folder: Path
    pixels: np.ndarray
    reasons: np.ndarray
    details: np.ndarray
    digests: np.ndarray
    hashes: np.ndarray


def open_cache(catalogue: Catalogue, *, size: int, channels: int, watch: Watch = silent, workers: int = 0,
               folder: Path | None = None) -> Cache:
    """Return the decoded images, decoding those that no earlier call has.

    Images become size x size whatever their shape (the aspect ratio is not kept), grey (channels = 1) or RGB (3), by an
    antialiased bilinear filter. workers: processes, 0 for one a core. folder: where caches live, default cache_root().
    A change of any file's size or time, of the list or of the transform makes a new cache. DataError if the folder cannot be
    written or the disk is full; what was decoded until then is kept.
    """
    place = (folder or cache_root()) / "decoded" / _key(catalogue, size, channels)
    job = _Job(root=catalogue.root, folder=place, size=size, channels=channels)
    images: list[str] = catalogue.images.tolist()
    with writing(place):
        facts = _load(place / INDEX, len(images)) if _is_whole(job, len(images)) else None
        if facts is None:
            facts = _build(job, images, watch, workers or cores())
    pixels = np.memmap(place / PIXELS, np.uint8, mode="r", shape=(len(images), channels, size, size))
    return Cache(folder=place, pixels=pixels, **facts.columns())


def cores() -> int:
    """Number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make the folder; turn what the file system refuses inside the block into DataError with a remedy."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(f"{folder}: the disk is full. Free some space, or set WARDROUND_CACHE to a folder on another disk; "
                            "what is decoded so far is kept.") from error
        raise DataError(f"{folder}: images cannot be stored here ({error.strerror or error}). Set WARDROUND_CACHE to a "
                        "folder that this user may write.") from error


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What a decoding process needs to know."""

    root: Path
    folder: Path
    size: int
    channels: int

    @property
    def image_bytes(self) -> int:
        return self.channels * self.size * self.size


@dataclass(frozen=True, kw_only=True, eq=False)
class _Facts:
    """The cache's columns apart from pixels, of all images or of a chunk. crc: of the chunk's pixels, 0 of all images."""

    reasons: np.ndarray
    details: np.ndarray
    digests: np.ndarray
    hashes: np.ndarray
    crc: int

    def columns(self) -> dict[str, np.ndarray]:
        return {"reasons": self.reasons, "details": self.details, "digests": self.digests, "hashes": self.hashes}


def _key(catalogue: Catalogue, size: int, channels: int) -> str:
    """Hash of the transform and of every image's name, file size and time; one stat a file."""
    root = catalogue.root.resolve()
    stats: dict[str, str] = {}
    digest = hashlib.sha256(json.dumps([VERSION, size, channels, str(root)]).encode())
    for image in catalogue.images.tolist():
        file = image.partition("#")[0] if ".npz#" in image else image
        if file not in stats:
            stats[file] = _stat(f"{root}/{file}")
        digest.update(f"{image}\0{stats[file]}\n".encode())
    return digest.hexdigest()[:24]


def _stat(path: str) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - Path objects would double the time of opening a large cache
    except OSError:
        return "absent"
    return f"{found.st_size} {found.st_mtime_ns}"


def _is_whole(job: _Job, n: int) -> bool:
    path = job.folder / PIXELS
    return path.is_file() and path.stat().st_size == n * job.image_bytes


def _build(job: _Job, images: Sequence[str], watch: Watch, workers: int) -> _Facts:
    """Decode the chunks that are not done, then write the index.

    Two processes may do this at once: both write the same bytes to the same places, and marks appear whole or not at all.
    """
    if not _is_whole(job, len(images)):
        _allocate(job, len(images))
    chunks = {start: images[start : start + CHUNK] for start in range(0, len(images), CHUNK)}
    parts = {start: _done(job, start, len(chunk)) for start, chunk in chunks.items()}
    missing = [(start, chunks[start]) for start, part in parts.items() if part is None]
    done = len(images) - sum(len(chunk) for _, chunk in missing)
    watch(Progress(stage="decode", done=done, total=len(images)))
    workers = workers if len(missing) * CHUNK > ALONE else 1
    for start, facts in each(partial(_decode_chunk, job), missing, workers=workers, joining=True):
        parts[start] = facts
        done += len(facts.reasons)
        watch(Progress(stage="decode", done=done, total=len(images)))
    ordered = [part.columns() for part in parts.values() if part is not None]
    whole = _Facts(crc=0, **{name: np.concatenate([columns[name] for columns in ordered]) for name in ordered[0]})
    with (job.folder / PIXELS).open("r+b") as file:
        os.fsync(file.fileno())  # the index vouches for the pixels, also after a power cut
    _save(job.folder / INDEX, whole)
    for start in chunks:
        _mark(job, start).unlink(missing_ok=True)
    return whole


def _done(job: _Job, start: int, n: int) -> _Facts | None:
    """What an earlier decode found out about the chunk from the row `start` on; None if it did not end or its pixels are not there."""
    facts = _load(_mark(job, start), n)
    if facts is None:
        return None
    with (job.folder / PIXELS).open("rb") as file:
        file.seek(start * job.image_bytes)
        return facts if zlib.crc32(file.read(n * job.image_bytes)) == facts.crc else None


def _allocate(job: _Job, n: int) -> None:
    """Make the pixel file, empty. Whatever an earlier decode left is void: its size was wrong."""
    for old in (*job.folder.glob("done-*.npz"), job.folder / INDEX):
        old.unlink(missing_ok=True)
    free = shutil.disk_usage(job.folder).free
    if free < n * job.image_bytes:
        raise OSError(errno.ENOSPC, f"{n * job.image_bytes:,} bytes are needed, {free:,} are free")
    with (job.folder / PIXELS).open("ab") as file:
        file.truncate(n * job.image_bytes)


def _decode_chunk(job: _Job, chunk: tuple[int, Sequence[str]]) -> tuple[int, _Facts]:
    """Decode images, from the row `start` on, write their pixels into place, and only then mark the chunk done."""
    start, images = chunk
    pixels = np.zeros((len(images), job.channels, job.size, job.size), np.uint8)
    rows = [_decode(job, image, pixels[i]) for i, image in enumerate(images)]
    facts = _Facts(reasons=text_column([row[0] for row in rows]), details=text_column([row[1] for row in rows]),
                   digests=text_column([row[2] for row in rows]), hashes=np.stack([row[3] for row in rows]),
                   crc=zlib.crc32(pixels.data))
    with (job.folder / PIXELS).open("r+b") as file:  # not through the memory map: there a full disk kills the process
        file.seek(start * job.image_bytes)
        file.write(pixels.data)
    _save(_mark(job, start), facts)
    return start, facts


def _decode(job: _Job, image: str, out: np.ndarray) -> tuple[str, str, str, np.ndarray]:
    """Fill out (channels, size, size); return reason, detail, digest and hash. A failure leaves out at zero."""
    try:
        picture = reader.load_picture(job.root, image)
        if picture is None:
            full = np.ascontiguousarray(reader.to_uint8(reader.load(job.root, image)))
            picture, digest = _picture(full), digest_of(full)
        else:
            digest = _digest_of_picture(picture)
        grey = picture if picture.mode == "L" else picture.convert("L")
        hashed = _dhash(grey)
        out[:] = _small(grey if job.channels == 1 else picture, job.size, job.channels)
        return "", "", digest, hashed
    except ImageError as error:
        reason, detail = error.reason, str(error)
    except _DAMAGE as error:
        reason, detail = "truncated", f"{image}: damaged ({type(error).__name__})"
    return reason, detail, "", np.zeros(32, np.uint8)


def resized(full: np.ndarray, *, size: int, channels: int) -> np.ndarray:
    """Resize (C, H, W) uint8 to (channels, size, size) uint8: square, bilinear and antialiased; grey if channels is 1, else RGB."""
    return _small(_picture(full), size, channels)


def _small(picture: Picture.Image, size: int, channels: int) -> np.ndarray:
    mode = "L" if channels == 1 else "RGB"
    picture = picture if picture.mode == mode else picture.convert(mode)
    small = np.asarray(picture.resize((size, size), Picture.Resampling.BILINEAR, reducing_gap=3.0))
    return small[None] if channels == 1 else small.transpose(2, 0, 1)


def digest_of(full: np.ndarray) -> str:
    """SHA-256 of an image's shape and pixels, in hex. full: (C, H, W) uint8."""
    return hashlib.sha256(str(full.shape).encode() + full.tobytes()).hexdigest()


def _digest_of_picture(picture: Picture.Image) -> str:
    """`digest_of` its pixels, without an array of them. picture: mode L or RGB."""
    digest = hashlib.sha256(str((len(picture.mode), picture.height, picture.width)).encode())
    for band in picture.mode:  # "L", or "R", "G" and "B"
        digest.update(picture.tobytes("raw", band))
    return digest.hexdigest()


def dhash(full: np.ndarray) -> np.ndarray:
    """256-bit difference hash, packed: (32,) uint8. Grey, box-averaged to 16 rows of 17; a bit says that brightness rises to the
    right. Resizing, recompression and a change of contrast leave most bits as they are."""
    picture = _picture(full)
    return _dhash(picture if picture.mode == "L" else picture.convert("L"))


def _dhash(grey: Picture.Image) -> np.ndarray:
    small = np.asarray(grey.resize((17, 16), Picture.Resampling.BOX))
    return np.packbits(small[:, 1:] > small[:, :-1])


def _picture(full: np.ndarray) -> Picture.Image:
    return Picture.fromarray(full.transpose(1, 2, 0)) if len(full) == 3 else Picture.fromarray(full[0])


def _mark(job: _Job, start: int) -> Path:
    return job.folder / f"done-{start:07d}.npz"


def _save(path: Path, facts: _Facts) -> None:
    """Write a chunk's mark or the index, whole or not at all.

    Only the index waits for the disk: a mark that is lost in a power cut, or whose pixels are, costs the decoding of a chunk.
    """
    failed = {int(row): [facts.reasons[row], facts.details[row]] for row in np.flatnonzero(facts.reasons != "")}
    digests = np.frombuffer(bytes.fromhex("".join(d or "00" * 32 for d in facts.digests)), np.uint8).reshape(-1, 32)
    memory = io.BytesIO()
    np.savez(memory, digests=digests, hashes=facts.hashes, failed=np.frombuffer(json.dumps(failed).encode(), np.uint8),
             crc=np.uint32(facts.crc))
    put_in_place(path, memory.getbuffer(), is_lasting=path.name == INDEX)


def _load(path: Path, n: int) -> _Facts | None:
    """What _save wrote for n images; None if it is absent or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:  # np.load leaves a damaged file open
            digests, hashes, failed = stored["digests"], stored["hashes"], json.loads(stored["failed"].tobytes())
            crc = int(stored["crc"]) if "crc" in stored else 0
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if digests.shape != (n, 32) or hashes.shape != (n, 32):
        return None
    reasons, details = text_column([""] * n), text_column([""] * n)
    text = digests.tobytes().hex()
    hexes = text_column([text[i * 64 : i * 64 + 64] for i in range(n)])
    for row, (reason, detail) in failed.items():
        reasons[int(row)], details[int(row)], hexes[int(row)] = reason, detail, ""
    return _Facts(reasons=reasons, details=details, digests=hexes, hashes=hashes, crc=crc)
