"""FedBN: Li et al. 2021, section 3 (arXiv:2102.07623)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wardround.core.params import Layout
from wardround.strategies.personal import Partial


@dataclass(frozen=True, kw_only=True)
class FedBN(Partial):
    """FedAvg in which every normalisation layer is the site's own: scale and shift, and batch norm's running statistics.

    Made for feature shift with batch norm (model.norm = "batch"): each site's activations are brought to one scale by its own numbers.
    Of group and instance norm, which keep no statistics, scale and shift are the site's own. A model without norm layers: FedAvg.
    """

    def stays(self, layout: Layout) -> Tensor:
        return layout.where(lambda entry: entry.is_norm)
