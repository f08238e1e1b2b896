"""What can be known of a plan's data before they are decoded: who holds how many images, and the shape of a few of them.

It is made of the table of images: patients are known from it, unreadable images and near-duplicates are not, so that some counts may differ
a little from those of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from wardround.core.events import Watch, silent
from wardround.data.catalogue import UNKNOWN, Catalogue, text_column
from wardround.data.decode import Decoded
from wardround.data.duplicates import groups
from wardround.data.hospitals import at, parts
from wardround.data.prepare import Prepared, Undealt, dealt, read_catalogue
from wardround.data.split import LeakReport, split
from wardround.data.volumes import Volumes, open_volumes
from wardround.errors import DataError
from wardround.plan.schema import Plan
from wardround.rng import stream

SAMPLE = 2  # volumes that are read to see their shapes, which no table holds


@dataclass(frozen=True, kw_only=True)
class Outline:
    """prepared: as of `prepare`, but that all pictures are noise and all volumes are among the first few. disk_bytes: of decoded images."""

    prepared: Prepared
    disk_bytes: int


@contextmanager
def outlined(plan: Plan, watch: Watch = silent) -> Iterator[Outline]:
    """The plan's data as far as they are known without decoding them; volumes are read from a folder that goes with the block.

    DataError and PlanError as of `prepare`; also if none of the volumes that are looked at can be read."""
    catalogue = read_catalogue(plan, watch)
    plain = plan.model_copy(update={"sites": plan.sites.model_copy(update={"strength": 0.0}),  # noise is noise on any scanner
                                    "data": plan.data.model_copy(update={"harmonise": "none"})})
    with TemporaryDirectory(prefix="wardround-") as folder:
        found, disk_bytes = _volumes(catalogue, plan, Path(folder)) if plan.data.dims == 3 else _pictures(catalogue, plan)
        yield Outline(prepared=dealt(_undealt(catalogue, found, plan), plain), disk_bytes=disk_bytes)


def _undealt(catalogue: Catalogue, found: Decoded, plan: Plan) -> Undealt:
    """All rows are taken to be readable, and only patients to belong together."""
    n = len(catalogue)
    own = groups(catalogue.patients, found.digests, np.arange(n))
    chosen = text_column([UNKNOWN] * n)
    for site, rows in parts(catalogue):
        with at(site):
            chosen[rows] = split(catalogue.take(rows), np.unique(own[rows], return_inverse=True)[1], plan.split)
    return Undealt(catalogue=catalogue, found=found, good=np.arange(n), usable=catalogue, groups=own, split=chosen,
                   leaks=LeakReport(test={"patient": 0, "identical": 0, "near-duplicate": 0}, val={}, examples={}), masks=(UNKNOWN,) * n)


def _pictures(catalogue: Catalogue, plan: Plan) -> tuple[Decoded, int]:
    """Noise in the place of every picture, in the memory of one."""
    shape = (plan.data.channels, plan.data.size, plan.data.size)
    noise = stream("outline").integers(0, 256, shape, dtype=np.uint8)
    masks = None if catalogue.masks is None else _everywhere(_disc(plan.data.size), len(catalogue))
    num_bytes = len(catalogue) * (noise.nbytes + (0 if masks is None else masks[0].nbytes))
    return _decoded(catalogue, pixels=_everywhere(noise, len(catalogue)), masks=masks), num_bytes


def _volumes(catalogue: Catalogue, plan: Plan, folder: Path) -> tuple[Decoded, int]:
    """A few volumes in the place of all."""
    n, is_drawn = len(catalogue), catalogue.task == "segmentation"
    looked_at = np.unique(np.linspace(0, n - 1, SAMPLE).astype(np.int64))
    few = open_volumes(catalogue.take(looked_at), spacing_mm=plan.data.spacing_mm, shape=None if is_drawn else plan.data.patch,
                       channels=plan.data.channels, workers=1, folder=folder)
    good = np.flatnonzero(few.reasons == UNKNOWN)
    if not len(good):
        raise DataError(f"{catalogue.name}: of {len(looked_at)} volumes that were looked at none can be read ({few.details[0]}). Look for "
                        "what is wrong with them: wardround data check PLAN")
    row_bytes = sum(few.image(row).nbytes + (few.mask(row).nbytes if is_drawn else 0) for row in good.tolist()) / len(good)
    places = good[np.arange(n) % len(good)]
    known: dict[str, Any] = {name: getattr(few, name)[places] for name in ("reasons", "details", "digests", "spacings")}
    volumes = _Few(few=few, places=places, folder=few.folder, geometries=tuple(few.geometries[place] for place in places.tolist()),
                   stack=None if few.stack is None else _everywhere(few.stack[good[0]], n), **known)
    return _decoded(catalogue, pixels=np.zeros((0, plan.data.channels, 0, 0), np.uint8), volumes=volumes), round(n * row_bytes)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Few(Volumes):
    """A few volumes again and again. places: (n,) int64, the row of `few` that stands for each row."""

    few: Volumes
    places: np.ndarray

    def _path(self, row: int, kind: str) -> Path:
        return self.few._path(int(self.places[row]), kind)


def _decoded(catalogue: Catalogue, *, pixels: np.ndarray, masks: np.ndarray | None = None, volumes: Volumes | None = None) -> Decoded:
    nothing = partial(text_column, [UNKNOWN] * len(catalogue))
    return Decoded(pixels=pixels, masks=masks, volumes=volumes, has_masks=catalogue.masks is not None, reasons=nothing(), details=nothing(),
                   digests=nothing(), hashes=None)


def _everywhere(one: np.ndarray, n: int) -> np.ndarray:
    """(n, ...) of n times the same array, which is in memory once."""
    return np.broadcast_to(one, (n, *one.shape))


def _disc(size: int) -> np.ndarray:
    """(size, size) uint8: a mask of the class 1."""
    down, right = np.mgrid[:size, :size] - size // 2
    disc: np.ndarray = (down**2 + right**2 <= (size // 4) ** 2).astype(np.uint8)
    return disc
