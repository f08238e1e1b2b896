"""q-FedAvg: Li et al. 2020, Algorithm 2 (arXiv:1905.10497)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from wardround.aggregation.mean import mean
from wardround.core.exchange import Update, told_loss
from wardround.core.state import State
from wardround.errors import AggregationError, PlanError
from wardround.strategies.fedavg import FedAvg

LEAST_LOSS = 1e-10  # F_k^(q-1) has no value at 0


@dataclass(frozen=True, kw_only=True)
class QFedAvg(FedAvg):
    """Sites with larger losses F_k count for more: minimises sum_k F_k^(q+1) / (q + 1).

    w = w + sum_k F_k^q L delta_k / sum_k h_k, h_k = q F_k^(q-1) |L delta_k|^2 + L F_k^q, and L = 1 / lr of the round. F_k is the
    update's train_loss, the mean over the round's batches: the paper's loss of the order's parameters where a round is one step.
    As in the paper's Algorithm 2 sites are not weighted by their examples: it draws them by size instead, which no cohort of all
    sites does. q = 0 is thus FedAvg with every site counting the same. Buffers get the mean weighted by F_k^q. The longer the sites'
    way in a round, the more |L delta_k|^2 shortens the step: with q > 0 it needs more rounds than FedAvg, or a larger lr.
    """

    q: float = 1.0

    needs_mean = "it weighs the sites by the losses that they tell"

    def __post_init__(self) -> None:
        if not self.q >= 0:
            raise PlanError(f"qfedavg needs q of at least 0 (0: all sites count the same; 1 to 5 are usual), got q = {self.q}")
        if self.combine is not mean:
            raise PlanError("qfedavg has its own weights of sites, so no other rule can combine their updates")

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        smoothness = 1 / self.order(state).recipe.lr  # L
        change = state.params.zeros()
        weights, steps = 0.0, 0.0  # sum of F_k^q, of h_k
        for update in updates:
            loss = max(told_loss(update), LEAST_LOSS)
            weight = loss**self.q
            change.add_(update.delta, alpha=weight)
            weights += weight
            steps += self.q * loss ** (self.q - 1) * (smoothness * update.delta.norm()) ** 2 + smoothness * weight
        if not weights:
            raise AggregationError("no site sent an update that can be used")
        change.trainable.mul_(smoothness / steps)
        change.buffers.div_(weights)
        return replace(state, round=state.round + 1, params=change.add_(state.params))
