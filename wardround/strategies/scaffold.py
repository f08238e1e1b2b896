"""SCAFFOLD: Karimireddy et al. 2020, Algorithm 1 (arXiv:1910.06378)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import cast

import torch

from wardround.core.exchange import Order, Update
from wardround.core.params import Params
from wardround.core.state import State
from wardround.errors import PlanError
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg


@dataclass(frozen=True, kw_only=True)
class ScaffoldState(State):
    """control: c, the mean of the sites' gradients; 0 for buffers."""

    control: Params


@dataclass(frozen=True, kw_only=True)
class ScaffoldOrder(Order):
    """control: c."""

    control: Params


@dataclass(frozen=True, kw_only=True)
class ScaffoldUpdate(Update):
    """control_delta: what c_i changed by; 0 for buffers."""

    control_delta: Params


@dataclass(frozen=True, kw_only=True)
class Scaffold(FedAvg):
    """FedAvg whose sites step along g + c - c_i: their own gradient, less what it has of its own, plus what all have in common.

    c_i, kept at the site, is the mean of the loss's own gradients over the round's steps. For plain SGD that is Option II, equation 4,
    c_i - c + (x - y_i) / (K lr), which holds for nothing else; the mean stays right with momentum, clipping and Adam.
    The server moves by server_lr times the mean change and adds |S| / N times the mean change of the c_i to c, over the sites S that
    took part. Changes are weighted by examples, as in our FedAvg, and buffers are their mean; the c_i count alike, as in the paper,
    so where sizes differ the sites aim at the minimum of the unweighted mean of their losses. by_examples: c_i are weighted by
    examples too; then they aim at that of the pooled loss. Round 1 is FedAvg with that server_lr: all controls are 0.
    """

    server_lr: float = 1.0
    by_examples: bool = False

    needs_mean = "its control variates would still be averaged, and a malicious site would send its harm in those"
    order_type = ScaffoldOrder
    update_type = ScaffoldUpdate

    def __post_init__(self) -> None:
        if self.server_lr <= 0:
            raise PlanError(f"strategy.server_lr of scaffold must be above 0, got {self.server_lr}. 1 is the paper's.")

    def begin(self, params: Params, num_sites: int) -> ScaffoldState:
        return ScaffoldState(round=0, params=params, num_sites=num_sites, control=params.zeros())

    def order(self, state: State) -> ScaffoldOrder:
        return ScaffoldOrder(**vars(super().order(state)), control=cast(ScaffoldState, state).control)

    def train(self, site: Site, order: Order) -> ScaffoldUpdate:
        model, control = site.model_with(order.params), cast(ScaffoldOrder, order).control
        c, new_ci = control.trainable, torch.zeros_like(model.grads)
        ci = site.memory.get("control", torch.zeros_like(c))
        fit = site.fit(model, order, penalty=self.penalty(order), drift=c - ci, mean_grad=new_ci)
        site.memory["control"] = new_ci
        control_delta = control.zeros()
        torch.sub(new_ci, ci, out=control_delta.trainable)
        return ScaffoldUpdate(site=site.name, num_examples=site.num_train, delta=site.delta(model, order), num_steps=fit.num_steps,
                              train_loss=fit.train_loss, control_delta=control_delta)

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        held = cast(ScaffoldState, state)  # `begin` made it
        change = held.control.zeros()
        weights: list[float] = []

        def heard() -> Iterator[Update]:
            for update in updates:
                weights.append(float(update.num_examples) if self.by_examples else 1.0)
                change.add_(cast(ScaffoldUpdate, update).control_delta, alpha=weights[-1])
                yield update

        moved = self.combine(heard())
        moved.trainable.mul_(self.server_lr)
        share = len(weights) / state.num_sites  # |S| / N
        return replace(held, round=state.round + 1, params=moved.add_(state.params),
                       control=(change * (share / sum(weights))).add_(held.control))
