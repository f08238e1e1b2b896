"""A catalogue's images and masks as arrays, decoded once: pictures through cache.py and masks.py, volumes through volumes.py."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from wardround.core.events import Watch
from wardround.data.cache import open_cache
from wardround.data.catalogue import UNKNOWN, Catalogue
from wardround.data.masks import open_masks
from wardround.data.volumes import Volumes, open_volumes
from wardround.errors import PlanError
from wardround.plan.schema import DataPlan


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """Row i is the catalogue's row i.

    pixels: (n, C, H, W) uint8, (0, C, 0, 0) of volumes. masks: (n, H, W) uint8, None where pictures have none. reasons, details,
    digests: (n,) text as in cache.Cache; a row whose mask failed has failed. hashes: (n, 32) uint8, None of volumes.
    """

    pixels: np.ndarray
    masks: np.ndarray | None
    volumes: Volumes | None
    has_masks: bool
    reasons: np.ndarray
    details: np.ndarray
    digests: np.ndarray
    hashes: np.ndarray | None

    def mask_digest(self, row: int) -> str:
        """SHA-256 of a row's decoded mask, "" where there is none."""
        if self.reasons[row] != UNKNOWN or not self.has_masks:
            return ""
        if self.volumes is not None:
            return hashlib.sha256(self.volumes.mask(row).tobytes()).hexdigest()
        return "" if self.masks is None else hashlib.sha256(self.masks[row].tobytes()).hexdigest()


def decode(catalogue: Catalogue, plan: DataPlan, watch: Watch) -> Decoded:
    """Decode what no earlier call has."""
    return _volumes(catalogue, plan, watch) if plan.dims == 3 else _pictures(catalogue, plan, watch)


def _pictures(catalogue: Catalogue, plan: DataPlan, watch: Watch) -> Decoded:
    if plan.channels not in (1, 3):
        raise PlanError(f"data.channels = {plan.channels}, but pictures are grey (1) or colour (3). Volumes have more: data.dims = 3.")
    cache = open_cache(catalogue, size=plan.size, channels=plan.channels, watch=watch)
    reasons, details, masks = cache.reasons, cache.details, None
    if catalogue.masks is not None:
        drawn = open_masks(catalogue, size=plan.size, watch=watch)
        is_readable = reasons == UNKNOWN
        masks, reasons = drawn.pixels, np.where(is_readable, drawn.reasons, reasons)
        details = np.where(is_readable, drawn.details, details)
    return Decoded(pixels=cache.pixels, masks=masks, volumes=None, has_masks=masks is not None, reasons=reasons, details=details,
                   digests=cache.digests, hashes=cache.hashes)


def _volumes(catalogue: Catalogue, plan: DataPlan, watch: Watch) -> Decoded:
    shape = None if catalogue.task == "segmentation" else plan.patch
    volumes = open_volumes(catalogue, spacing_mm=plan.spacing_mm, shape=shape, channels=plan.channels, watch=watch)
    return Decoded(pixels=np.zeros((0, plan.channels, 0, 0), np.uint8), masks=None, volumes=volumes,
                   has_masks=catalogue.masks is not None, reasons=volumes.reasons,
                   details=volumes.details, digests=volumes.digests, hashes=None)
