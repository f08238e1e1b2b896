"""FedProx: Li et al. 2020, Algorithm 2 (arXiv:1812.06127)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wardround.core.exchange import Order
from wardround.strategies.fedavg import FedAvg
from wardround.training.local import Penalty


@dataclass(frozen=True, kw_only=True)
class FedProx(FedAvg):
    """FedAvg with + mu/2 * |w - w_t|^2 in every site's loss: sites stay near the global parameters w_t. mu = 0 is FedAvg."""

    mu: float = 0.01

    def penalty(self, order: Order) -> Penalty:
        return proximal(order.params.trainable, self.mu)


def proximal(anchor: Tensor, mu: float) -> Penalty:
    """The gradient of mu/2 * |w - anchor|^2."""
    def penalty(trainable: Tensor, grads: Tensor) -> None:
        grads.add_(trainable - anchor, alpha=mu)

    return penalty
