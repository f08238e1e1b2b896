"""One scale of grey values for all sites, learnt from a few numbers that each of them tells: `data.harmonise`.

A site's statistics are those of all pixels of its training images, background included: where a scanner's noise lifts the background,
no threshold finds the same foreground twice. The standard is their mean over sites, each counting once. Pixels are uint8, so a site's map
is a table of 256 grey values that never falls. It mends contrast and brightness; bias fields, blur and noise stay.

site: mean and deviation; a straight line, cut off at black and white.
percentiles: landmarks, and straight lines between them: Nyul, Udupa & Zhang 2000 (doi:10.1109/42.836373), with deciles, learnt for a
scanner instead of an image, so that what a patient has does not change his own map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from wardround.errors import PlanError
from wardround.lookup import suggestion

How = Literal["site", "percentiles"]
PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)  # the outermost leave out single bright and dark pixels
COUNTED = 4 * 1024**2  # bytes of images counted at once: the count takes eight times as many


@dataclass(frozen=True, kw_only=True)
class Greys:
    """The statistics of every site, and of the standard that their grey values are mapped onto; all that leaves a site for it.

    standard, and each of sites: (mean, deviation), or the grey values at PERCENTILES, in 0..255.
    """

    how: How
    standard: tuple[float, ...]
    sites: Mapping[str, tuple[float, ...]]

    @staticmethod
    def of(how: How, sites: Mapping[str, tuple[float, ...]]) -> Greys:
        """The standard is the mean over sites."""
        return Greys(how=how, standard=tuple(np.mean(list(sites.values()), axis=0).tolist()), sites=sites)

    def table(self, site: str) -> np.ndarray:
        """(256,) uint8: what each grey value of the site becomes. PlanError if there is no such site."""
        if site not in self.sites:
            raise PlanError(f"no site '{site}'.{suggestion(site, list(self.sites))} Grey values are known of: {', '.join(self.sites)}.")
        own, standard = np.array(self.sites[site]), np.array(self.standard)
        line: np.ndarray = _shifted(own, standard) if self.how == "site" else _between(own, standard)
        table: np.ndarray = np.rint(np.clip(line, 0, 255)).astype(np.uint8)
        return table

    def record(self) -> dict[str, Any]:
        """JSON-ready, for model.json."""
        return {"how": self.how, "standard": list(self.standard), "sites": {site: list(found) for site, found in self.sites.items()}}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Greys:
        return Greys(how=record["how"], standard=tuple(record["standard"]),
                     sites={site: tuple(found) for site, found in record["sites"].items()})


@dataclass(frozen=True, kw_only=True, eq=False)
class GreyTables:
    """The maps of all sites, ready for batches. tables: (S + 1, 256) uint8, the last leaves grey values as they are.

    table_of: (n,) int64 on the CPU, a row's table; of rows that belong to no site the last."""

    tables: Tensor
    table_of: Tensor

    @staticmethod
    def of(greys: Greys, homes: np.ndarray) -> GreyTables:
        """homes: (n,) text, the site of a row."""
        table_of = np.full(len(homes), len(greys.sites))
        for number, site in enumerate(greys.sites):
            table_of[homes == site] = number
        tables = np.stack([*(greys.table(site) for site in greys.sites), np.arange(256, dtype=np.uint8)])
        return GreyTables(tables=torch.from_numpy(tables), table_of=torch.from_numpy(table_of))

    def on(self, device: torch.device) -> Self:
        return replace(self, tables=self.tables.to(device))

    def __call__(self, images: Tensor, rows: np.ndarray) -> Tensor:
        """The images (B, C, H, W) uint8 of these rows, on the tables' device, on the common scale."""
        tables = self.tables[self.table_of[rows].to(self.tables.device)]  # (B, 256)
        return tables.gather(1, images.flatten(1).long()).view(images.shape)


def learn(how: How, pixels: np.ndarray, rows: Mapping[str, np.ndarray]) -> Greys:
    """pixels: (n, C, H, W) uint8. rows: the training rows of each site, at least one."""
    return Greys.of(how, {site: statistics(how, count(pixels, held)) for site, held in rows.items()})


def count(pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(256,) int64: how often each grey value occurs, in all channels together."""
    step = max(1, COUNTED * len(pixels) // max(pixels.nbytes, 1))
    counts = np.zeros(256, np.int64)
    for start in range(0, len(rows), step):
        counts += np.bincount(pixels[rows[start : start + step]].ravel(), minlength=256)
    return counts


def statistics(how: How, counts: np.ndarray) -> tuple[float, ...]:
    """Mean and deviation, or the lowest grey values that so many percent of the pixels do not exceed. counts: (256,), not all 0."""
    if how == "percentiles":
        return tuple(float(grey) for grey in np.searchsorted(counts.cumsum(), np.array(PERCENTILES) / 100 * counts.sum()))
    greys = np.arange(256)
    mean = counts @ greys / counts.sum()
    return float(mean), float(np.sqrt(counts @ (greys - mean) ** 2 / counts.sum()))


def _shifted(own: np.ndarray, standard: np.ndarray) -> np.ndarray:
    """(256,): the line that takes (mean, deviation) to the standard's; images of a single grey value have no deviation to stretch."""
    slope = standard[1] / own[1] if own[1] else 1.0
    line: np.ndarray = (np.arange(256) - own[0]) * slope + standard[0]
    return line


def _between(own: np.ndarray, standard: np.ndarray) -> np.ndarray:
    """(256,): straight lines from landmark to landmark, and on to black and white.

    Landmarks that fall together, as in a large black background, have one place: the mean of the standard's."""
    places, which = np.unique(own, return_inverse=True)
    targets = np.bincount(which, standard) / np.bincount(which)
    if places[0] > 0:
        places, targets = np.append(0.0, places), np.append(0.0, targets)
    if places[-1] < 255:
        places, targets = np.append(places, 255.0), np.append(targets, 255.0)
    line: np.ndarray = np.interp(np.arange(256), places, targets)
    return line
