"""FedAvgM: Hsu et al. 2019 (arXiv:1909.06335); with a server learning rate, Reddi et al. 2021, Algorithm 1 (arXiv:2003.00295)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import cast

from wardround.core.exchange import Update
from wardround.core.params import Params
from wardround.core.state import State
from wardround.errors import PlanError
from wardround.strategies.fedavg import FedAvg


@dataclass(frozen=True, kw_only=True)
class Momentum(State):
    """velocity: of the trainable part; its buffers are 0."""

    velocity: Params  # v


@dataclass(frozen=True, kw_only=True)
class FedAvgM(FedAvg):
    """FedAvg with momentum at the server: v = beta v + Delta, w = w + eta v, Delta being the mean change.

    Buffers get the plain mean. The first round is FedAvg's if server_lr = 1, every round if server_momentum = 0 as well.
    """

    server_lr: float = 1.0  # eta
    server_momentum: float = 0.9  # beta

    optimises = True

    def __post_init__(self) -> None:
        if not (self.server_lr > 0 and 0 <= self.server_momentum < 1):
            raise PlanError("fedavgm needs server_lr above 0 and server_momentum from 0 to below 1, "
                            f"got server_lr = {self.server_lr}, server_momentum = {self.server_momentum}")

    def begin(self, params: Params, num_sites: int) -> Momentum:
        return Momentum(round=0, params=params, num_sites=num_sites, velocity=params.zeros())

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        change = self.combine(updates)
        velocity = cast(Momentum, state).velocity * self.server_momentum  # `begin` made the state
        velocity.trainable.add_(change.trainable)
        change.trainable.copy_(velocity.trainable).mul_(self.server_lr)
        return replace(cast(Momentum, state), round=state.round + 1, params=change.add_(state.params), velocity=velocity)
