"""Inner product manipulation: the sum of all updates is to point away from the honest ones: Xie et al. 2019 (arXiv:1903.03936)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from wardround.attacks.honest import mean


def inner_product(honest: Sequence[Tensor], *, strength: float = 0.5) -> Tensor:
    """-strength times the mean of the honest changes, (d,); the paper calls the strength epsilon.

    honest: (d,) each. A small strength passes for honest; that of (n - f) / f turns a mean over all n sites round."""
    return mean(honest) * -strength
