"""Volumes and their masks, decoded once: cropped, resampled and normalised, memory-mapped. A killed decode goes on."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wardround.core.events import Progress, Watch, silent
from wardround.data.cache import cores, digest_of, writing
from wardround.data.catalogue import UNKNOWN, Catalogue, files_of, text_column
from wardround.data.geometry import Geometry, Shape, prepared_volume, triple
from wardround.data.masks import FAILURES, read_mask
from wardround.data.pool import each
from wardround.data.readers import image as reader
from wardround.data.readers.image import Image
from wardround.data.storage import fingerprint, put_in_place
from wardround.errors import DataError, ImageError
from wardround.places import cache_root
from wardround.rng import stream

VERSION = 1  # of the transform: a change makes every cache stale
ALONE = 30_000_000  # up to so many bytes of files are decoded in this process: starting others, which import torch, takes longer
POINTS = 2000  # voxels of each class that are remembered, for patches around them
STACK = "stack.f16"


@dataclass(frozen=True, kw_only=True, eq=False)
class Volumes:
    """Decoded volumes; row i is the catalogue's row i.

    reasons: (n,) text, "" = decoded, else the ImageError's code; details: (n,) text, its message, or of a decoded row what is odd
    about it. digests: (n,) text, SHA-256 of the files' voxels, "" where decoding failed. spacings: (n, 3) float64, mm along D, H, W
    of what is kept, NaN where unknown. geometries: where it lies in the file, None where decoding failed. stack: all volumes as one
    (n, C, D, H, W) float16 read-only memory map if they have a common shape, zeros where decoding failed.
    """

    folder: Path
    reasons: np.ndarray
    details: np.ndarray
    digests: np.ndarray
    spacings: np.ndarray
    geometries: tuple[Geometry | None, ...]
    stack: np.ndarray | None

    def image(self, row: int) -> np.ndarray:
        """(C, D, H, W) float16 in network units, 0 outside of the body; read-only memory map."""
        return self._open(row, "image") if self.stack is None else self.stack[row]

    def mask(self, row: int) -> np.ndarray:
        """(D, H, W) uint8 class of each voxel; read-only memory map."""
        return self._open(row, "mask")

    def points(self, row: int) -> np.ndarray:
        """Some voxels of each class but the background, (m, 4) int64: class, place along D, H, W."""
        stored: np.ndarray = np.load(self._path(row, "points"))
        return stored.astype(np.int64)

    def geometry(self, row: int) -> Geometry:
        """Where a decoded volume lies in its file's."""
        found = self.geometries[row]
        if found is None:
            raise DataError(f"row {row} has no volume, it failed: {self.reasons[row]}")
        return found

    def middle(self, row: int) -> np.ndarray:
        """The middle slice along D as a picture, (C, H, W) uint8, upright; each channel from its 0.5 to 99.5 percentiles, background 0."""
        volume = np.asarray(self.image(row), np.float32)
        picture = np.stack([_shown(channel[volume.shape[1] // 2], channel[channel != 0]) for channel in volume])
        return self.geometry(row).upright(picture)

    def stacked(self) -> np.ndarray:
        """All volumes as one array (n, C, D, H, W) float16, for feeds of labelled images."""
        if self.stack is None:
            raise DataError("these volumes have shapes of their own and do not stack; give open_volumes a shape")
        return self.stack

    def _open(self, row: int, kind: str) -> np.ndarray:
        # opened anew each time, which takes 0.1 ms: thousands of open maps would pass the limit of open files
        found: np.ndarray = np.load(self._path(row, kind), mmap_mode="r")
        return found

    def _path(self, row: int, kind: str) -> Path:
        self.geometry(row)
        return self.folder / _file(row, kind)


def open_volumes(catalogue: Catalogue, *, spacing_mm: float, shape: Shape | None = None, channels: int, watch: Watch = silent,
                 workers: int = 0, folder: Path | None = None) -> Volumes:
    """Return the prepared volumes (see geometry.prepared_volume) and their masks, decoding those that no earlier call has.

    shape: common D, H, W of all volumes, which are then `stacked()`. channels: those of an image's files together. workers:
    processes, 0 for one a core. folder: where caches live, default cache_root(). Reasons beside the readers' and those of
    masks.read_mask: "shape" (files of one image, or image and mask, differ in shape) and "channels". A change of any file's size or
    time, of the list or of a setting makes a new cache. DataError if the folder cannot be written or the disk is full; what was
    decoded until then is kept.
    """
    names: list[str] = catalogue.images.tolist()
    masks: list[str | None] = [None] * len(names) if catalogue.masks is None else catalogue.masks.tolist()
    settings = [VERSION, spacing_mm, shape, channels, sorted(catalogue.mask_values.items())]
    files = ([*files_of(image), mask or UNKNOWN] for image, mask in zip(names, masks, strict=True))
    place = (folder or cache_root()) / "volumes" / fingerprint(catalogue.root, settings, files)
    job = _Job(root=catalogue.root, folder=place, spacing_mm=spacing_mm, shape=shape, channels=channels,
               mask_values=dict(catalogue.mask_values))
    items = [_Item(row=row, image=image, mask=mask) for row, (image, mask) in enumerate(zip(names, masks, strict=True))]
    with writing(place):
        if shape is not None:
            _allocate(job, len(names))
        facts = _build(job, items, watch, workers or cores())
    spacings = [fact.geometry.spacing_mm if fact.geometry and fact.geometry.spacing_mm else (np.nan,) * 3 for fact in facts]
    return Volumes(folder=place, reasons=text_column([fact.reason for fact in facts]), details=text_column([fact.detail for fact in facts]),
                   digests=text_column([fact.digest for fact in facts]), spacings=np.array(spacings, np.float64),
                   geometries=tuple(fact.geometry for fact in facts),
                   stack=None if shape is None else np.memmap(place / STACK, np.float16, "r", shape=(len(names), channels, *shape)))


def read_volume(root: Path, image: str, *, channels: int) -> Image:
    """A catalogue's image of one file or several, each giving its channels; ImageError "shape", "channels" or one of the readers'."""
    parts = [reader.load(root, file) for file in files_of(image)]
    shapes = dict.fromkeys(_written(part.pixels.shape[1:]) for part in parts)
    if len(shapes) > 1:
        raise ImageError(f"{image}: its files have {', '.join(shapes)} voxels. The channels of an image must lie on one grid: register "
                         "them, or take the image out.", reason="shape")
    found = sum(len(part.pixels) for part in parts)
    if found != channels:
        raise ImageError(f"{image}: {found} channels, but the plan says {channels}. data.channels = {found} would fit.", reason="channels")
    return parts[0] if len(parts) == 1 else replace(parts[0], pixels=np.concatenate([part.pixels for part in parts]))


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What a decoding process needs to know."""

    root: Path
    folder: Path
    spacing_mm: float
    shape: Shape | None
    channels: int
    mask_values: Mapping[int, int]


@dataclass(frozen=True, kw_only=True)
class _Item:
    """A row to be decoded; mask None where the catalogue has no masks, "" where this row's is missing."""

    row: int
    image: str
    mask: str | None


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What became of a row. sizes: the files written for it and their bytes, by which a damaged cache is seen."""

    row: int
    reason: str = ""
    detail: str = ""
    digest: str = ""
    geometry: Geometry | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)


def _build(job: _Job, items: list[_Item], watch: Watch, workers: int) -> list[_Facts]:
    """Decode the rows that are not yet; two processes may do this at once, both write the same."""
    known = {item.row: _load(job, item.row) for item in items}
    missing = [item for item in items if known[item.row] is None]
    done = len(items) - len(missing)
    if missing:
        watch(Progress(stage="decode", done=done, total=len(items)))
    for facts in each(partial(_decode, job), missing, workers=workers if _num_bytes(job, missing) > ALONE else 1):
        known[facts.row] = facts
        done += 1
        watch(Progress(stage="decode", done=done, total=len(items)))
    return [facts for facts in known.values() if facts is not None]


def _num_bytes(job: _Job, items: list[_Item]) -> int:
    """Size of the images' files; those that cannot be looked at count nothing."""
    total = 0
    for file in (file for item in items for file in files_of(item.image)):
        with suppress(OSError):
            total += (job.root / file).stat().st_size
    return total


def _allocate(job: _Job, n: int) -> None:
    """Make the file of all volumes, empty. Rows of a file of another size are void."""
    path, size = job.folder / STACK, n * _row_bytes(job)
    if path.is_file() and path.stat().st_size == size:
        return
    for old in job.folder.glob("*.json"):
        old.unlink(missing_ok=True)
    with path.open("ab") as file:
        file.truncate(size)


def _row_bytes(job: _Job) -> int:
    return int(np.prod((job.channels, *(job.shape or ()), np.dtype(np.float16).itemsize)))


def _decode(job: _Job, item: _Item) -> _Facts:
    """Prepare a row and store it, then its facts; whatever is wrong with its files becomes a reason, a full disk is an OSError."""
    try:
        image = read_volume(job.root, item.image, channels=job.channels)
        volume, geometry = prepared_volume(image, spacing_mm=job.spacing_mm, shape=job.shape)
        mask, detail = _mask_of(job, item, geometry)
        facts = _Facts(row=item.row, detail=detail, digest=digest_of(image.pixels), geometry=geometry)
    except ImageError as error:
        facts = _Facts(row=item.row, reason=error.reason, detail=str(error) if item.image in str(error) else f"{item.image}: {error}")
    except FAILURES as error:
        reason = "too_large" if isinstance(error, MemoryError) else "truncated"
        facts = _Facts(row=item.row, reason=reason, detail=f"{item.image}: damaged ({type(error).__name__})")
    else:
        sizes = _store(job, item.row, volume, mask)
        facts = replace(facts, sizes=sizes)
    put_in_place(job.folder / f"{item.row:06d}.json", json.dumps(asdict(facts)).encode())
    return facts


def _mask_of(job: _Job, item: _Item, geometry: Geometry) -> tuple[np.ndarray | None, str]:
    """The mask on the prepared grid, and a sentence if labels lie where the image is cropped."""
    if item.mask is None:
        return None, ""
    whole = read_mask(job.root, item.mask, job.mask_values)
    if whole.shape != geometry.full:
        raise ImageError(f"{item.mask}: {_written(whole.shape)} voxels, but its image has {_written(geometry.full)}. A mask must lie "
                         "on the grid of its image.", reason="shape")
    lost = int((whole != 0).sum()) - int((whole[geometry.box] != 0).sum())
    return geometry.take(whole), f"{lost} labelled voxels lie where all channels of the image are 0, and are cut off" if lost else ""


def _store(job: _Job, row: int, volume: np.ndarray, mask: np.ndarray | None) -> dict[str, int]:
    """Write a row's files; return their sizes."""
    arrays = {} if job.shape else {"image": volume}
    if mask is not None:
        arrays |= {"mask": mask, "points": _points(mask, row)}
    sizes = {}
    for kind, array in arrays.items():
        memory = io.BytesIO()
        np.save(memory, array, allow_pickle=False)
        put_in_place(job.folder / _file(row, kind), memory.getbuffer())
        sizes[_file(row, kind)] = memory.getbuffer().nbytes
    if job.shape:
        with (job.folder / STACK).open("r+b") as file:  # not through the memory map: there a full disk kills the process
            file.seek(row * _row_bytes(job))
            file.write(np.ascontiguousarray(volume).data)
            file.flush()
            os.fsync(file.fileno())
    return sizes


def _points(mask: np.ndarray, row: int) -> np.ndarray:
    """At most POINTS random voxels of each class but the background: (m, 4) uint16."""
    rng, found = stream(VERSION, "points", row), [np.zeros((0, 4), np.uint16)]
    for index in np.flatnonzero(np.bincount(mask.ravel())[1:]) + 1:
        places = np.flatnonzero(mask == index)
        chosen = np.sort(rng.choice(places, min(POINTS, len(places)), replace=False))
        found.append(np.stack([np.full(len(chosen), index), *np.unravel_index(chosen, mask.shape)], axis=1).astype(np.uint16))
    return np.concatenate(found)


def _load(job: _Job, row: int) -> _Facts | None:
    """What _decode wrote about a row; None if it is absent or damaged, or one of its files."""
    try:
        stored: dict[str, Any] = json.loads((job.folder / f"{row:06d}.json").read_bytes())
        geometry = stored.pop("geometry")
        if geometry is not None:
            spacing = geometry["spacing_mm"]
            lengths = {name: triple(geometry[name]) for name in ("full", "start", "cropped", "shape")}
            geometry = Geometry(**lengths, spacing_mm=spacing and triple(spacing), orientation=geometry["orientation"])
        facts = _Facts(**stored, geometry=geometry)
        if any((job.folder / name).stat().st_size != size for name, size in facts.sizes.items()):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return facts


def _shown(plane: np.ndarray, body: np.ndarray) -> np.ndarray:
    """A plane in 8 bits, by the range of its volume's body; 0 stays 0."""
    low, high = np.percentile(body, (0.5, 99.5)) if len(body) else (0.0, 0.0)
    scaled = np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 254 + 1
    picture: np.ndarray = np.where(plane == 0, 0, scaled).astype(np.uint8)
    return picture


def _file(row: int, kind: str) -> str:
    return f"{row:06d}.{kind}.npy"


def _written(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
