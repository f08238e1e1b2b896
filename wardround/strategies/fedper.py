"""FedPer: Arivazhagan et al. 2019, Algorithms 1 and 2 (arXiv:1912.00818)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wardround.core.params import Layout
from wardround.strategies.personal import Partial, in_head


@dataclass(frozen=True, kw_only=True)
class FedPer(Partial):
    """FedAvg of the base layers; the personalisation layers, the head, are each site's own, and both are trained at once.

    head: patterns of the head's tensors, e.g. ["layer4.*", "fc.*"]; empty: the last layer.
    """

    head: tuple[str, ...] = ()

    def stays(self, layout: Layout) -> Tensor:
        return in_head(layout, self.head)
