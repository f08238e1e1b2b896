"""How far a result would move with other patients: the patient-level bootstrap.

Images of one patient are alike, so patients (groups) are drawn, not images (Field and Welsh 2007, "Bootstrapping clustered data",
doi:10.1111/j.1467-9868.2007.00593.x). Intervals are percentiles of the resampled values (Efron and Tibshirani 1993, chapter 13).
They cover the choice of test patients, not that of training patients or seeds. A result at its bound (no error on any row) gets an
interval of width 0: read it with the number of rows beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wardround.rng import stream

BLOCK_NUMBERS = 2**18  # weights held at a time (2 MB)
MAX_NOT_ESTIMABLE = 0.05  # share of resamples without a value above which there is no interval

Measure = Callable[[np.ndarray | None], Mapping[str, np.ndarray]]  # weights (R, n) -> values (R,) by metric; None: one value


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Resamples of n rows. groups: (n,) the patient of each row.

    The weights depend on seed and on which groups there are, not on the order of rows: models judged on the same rows get the
    same resamples, which makes their comparison paired."""

    groups: np.ndarray
    resamples: int
    seed: int

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield (r, n) float64 counts of the rows in r resamples, `resamples` in all; each call starts anew."""
        names, group_of_row = np.unique(self.groups, return_inverse=True)
        rng = stream(self.seed, "bootstrap")
        size = max(1, BLOCK_NUMBERS // len(self.groups))
        for start in range(0, self.resamples, size):
            count = min(size, self.resamples - start)
            drawn = rng.integers(len(names), size=(count, len(names))) + len(names) * np.arange(count)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=count * len(names)).reshape(count, len(names))
            yield counts.astype(np.float64)[:, group_of_row]

    @property
    def num_groups(self) -> int:
        return len(np.unique(self.groups))


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """A metric on the rows as they are, `value`, and on each resample, `draws`: (R,), NaN where not estimable."""

    value: float
    draws: np.ndarray

    def interval(self, level: float) -> tuple[float, float]:
        """Return the central `level` of the resamples that have a value; NaN, NaN when more than 5 % of them have none."""
        known = self.draws[~np.isnan(self.draws)]
        if np.isnan(self.value) or len(known) < (1 - MAX_NOT_ESTIMABLE) * len(self.draws):
            return np.nan, np.nan
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def centred(self) -> Draws:
        """Shift the resamples so that their median is the value, and cut at 0.

        For ECE: drawing patients twice makes the bins noisier and so every resample's ECE higher than the value. The interval then
    shows how the measured ECE would move; it does not undo that a measured ECE of few rows is itself too high."""
        if np.isnan(self.draws).all():
            return self
        return Draws(value=self.value, draws=np.maximum(self.draws - np.nanmedian(self.draws) + self.value, 0.0))


def resample(bootstrap: Bootstrap, measures: Sequence[Measure]) -> list[dict[str, Draws]]:
    """Measure every model on the same resamples. With a single group there is nothing to resample: all draws are NaN."""
    values = [measure(None) for measure in measures]
    if bootstrap.num_groups < 2:
        return [{name: Draws(value=float(value), draws=np.full(bootstrap.resamples, np.nan)) for name, value in one.items()}
                for one in values]
    blocks = [[measure(weights) for measure in measures] for weights in bootstrap.blocks()]
    return [{name: Draws(value=float(value), draws=np.concatenate([block[i][name] for block in blocks]))
             for name, value in one.items()} for i, one in enumerate(values)]
