"""FedAdagrad, FedYogi and FedAdam: Reddi et al. 2021, Algorithm 2 (arXiv:2003.00295)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from wardround.core.exchange import Update
from wardround.core.params import Params
from wardround.core.state import State
from wardround.errors import PlanError
from wardround.strategies.fedavg import FedAvg


@dataclass(frozen=True, kw_only=True)
class Moments(State):
    """first, second: of the trainable part; their buffers are 0."""

    first: Params  # m
    second: Params  # v


@dataclass(frozen=True, kw_only=True)
class FedOpt(FedAvg, ABC):
    """FedAvg with an adaptive step at the server, Delta being the mean change:
    m = beta1 m + (1 - beta1) Delta, v as the variant says from v = tau^2 on, w = w + eta m / (sqrt(v) + tau).

    As in the paper, moments are not corrected for their beginning. Buffers get the plain mean. The plan's schedule is that of eta, and
    sites keep recipe.lr: m / sqrt(v) would hardly see that the sites' changes become smaller.
    """

    server_lr: float  # eta: about how far a number moves in a round, whatever the recipe's lr
    beta1: float
    tau: float = 1e-3  # changes well below it count little

    optimises = True
    schedules_server = True

    def __post_init__(self) -> None:
        betas = {name: getattr(self, name) for name in ("beta1", "beta2") if hasattr(self, name)}
        if not (self.server_lr > 0 and self.tau > 0 and all(0 <= beta < 1 for beta in betas.values())):
            told = ", ".join(f"{name} = {value}" for name, value in {"server_lr": self.server_lr, "tau": self.tau, **betas}.items())
            raise PlanError(f"{type(self).__name__.lower()} needs server_lr and tau above 0, {' and '.join(betas)} from 0 to below 1, "
                            f"got {told}")

    @abstractmethod
    def gather(self, second: Tensor, squares: Tensor) -> None:
        """Bring v up to date in place. second, squares: (num_trainable,), v and Delta^2."""

    def begin(self, params: Params, num_sites: int) -> Moments:
        second = params.zeros()
        second.trainable.fill_(self.tau**2)
        return Moments(round=0, params=params, num_sites=num_sites, first=params.zeros(), second=second)

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        held = cast(Moments, state)  # `begin` made it
        change = self.combine(updates)
        delta = change.trainable
        first, second = held.first * self.beta1, held.second.clone()
        first.trainable.add_(delta, alpha=1 - self.beta1)
        self.gather(second.trainable, delta.square())
        torch.div(first.trainable, second.trainable.sqrt().add_(self.tau), out=delta).mul_(self.server_lr * self.lr_factor(state.round + 1))
        return replace(held, round=state.round + 1, params=change.add_(state.params), first=first, second=second)


@dataclass(frozen=True, kw_only=True)
class FedAdagrad(FedOpt):
    """v = v + Delta^2."""

    server_lr: float = 0.1
    beta1: float = 0.0

    def gather(self, second: Tensor, squares: Tensor) -> None:
        second.add_(squares)


@dataclass(frozen=True, kw_only=True)
class FedYogi(FedOpt):
    """v = v - (1 - beta2) Delta^2 sign(v - Delta^2): v grows and shrinks at the same pace."""

    server_lr: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99

    def gather(self, second: Tensor, squares: Tensor) -> None:
        second.sub_((second - squares).sign_().mul_(squares), alpha=1 - self.beta2)


@dataclass(frozen=True, kw_only=True)
class FedAdam(FedOpt):
    """v = beta2 v + (1 - beta2) Delta^2."""

    server_lr: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99

    def gather(self, second: Tensor, squares: Tensor) -> None:
        second.mul_(self.beta2).add_(squares, alpha=1 - self.beta2)
