"""A Little Is Enough: malicious sites send a change within the spread of the honest ones: Baruch et al. 2019 (arXiv:1902.06156)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from torch import Tensor

from wardround.attacks.honest import mean, spread


def alie(honest: Sequence[Tensor], *, num_malicious: int, strength: float | None = None) -> Tensor:
    """mean - z std of the honest changes, number by number, (d,); the std has n - 1 below. byzfl adds z std, Blades subtracts as we do.

    honest: (d,) each. z is the strength, or `deviations` of the numbers of sites; at z = 0 it is the honest mean, and no attack."""
    z = deviations(len(honest) + num_malicious, num_malicious) if strength is None else strength
    return mean(honest).sub_(spread(honest), alpha=z)


def deviations(num_sites: int, num_malicious: int) -> float:
    """z = Phi^-1((n - f - s) / (n - f)) with s = floor(n / 2 + 1) - f, the honest sites that must lie further out for a majority; 0 where
    that gives less. So few sites leave no room: n = 10 with f = 2 gives 0, 20 with 4 gives 0.16, 50 with 24 gives 1.43.

    Malicious sites in the majority need no honest one; they are counted as if they needed one."""
    needed = max(num_sites // 2 + 1 - num_malicious, 1)
    share = (num_sites - num_malicious - needed) / (num_sites - num_malicious)
    return NormalDist().inv_cdf(share) if share > 0.5 else 0.0
