"""FedDyn: Acar et al. 2021, Algorithm 1 (arXiv:2111.04263)."""

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
from wardround.strategies.fedprox import proximal
from wardround.training.local import Penalty


@dataclass(frozen=True, kw_only=True)
class DynState(State):
    """h: minus alpha times the sum over rounds of the sites' changes, divided by the number of all sites; 0 for buffers."""

    h: Params


@dataclass(frozen=True, kw_only=True)
class FedDyn(FedAvg):
    """A site's loss gets - <g_i, w> + alpha/2 * |w - w_t|^2, so that sites rest only where the mean of their losses has its minimum.

    g_i, kept at the site, stands for its loss's gradient where its last training ended: g_i - alpha (w_i - w_t) after a round, exact
    where that found the minimum. The server sets h to h - alpha / N * sum_S (w_i - w_t) and w to mean_S w_i - h / alpha, over the sites
    S of the round, N in all; buffers are the mean. Sites count alike, whatever their size: the mean of their losses is not weighted.

    As alpha -> 0 a site trains as in FedAvg, and -h / alpha becomes the sum of the mean changes of all rounds: FedAvg of equal
    weights whose server adds that sum to each round's step, and so moves twice as far in round 1 (for any alpha). It needs rounds that
    come near the minimum: steps * lr * alpha of about 1 or more. With shorter ones the server overshoots.
    """

    alpha: float = 0.1

    def __post_init__(self) -> None:
        if self.alpha <= 0:
            raise PlanError(f"strategy.alpha of feddyn must be above 0, got {self.alpha}: the server divides by it. 0.01 ... 1 are usual.")

    def begin(self, params: Params, num_sites: int) -> DynState:
        return DynState(round=0, params=params, num_sites=num_sites, h=params.zeros())

    def train(self, site: Site, order: Order) -> Update:
        model = site.model_with(order.params)
        gradient = site.memory.get("gradient", torch.zeros_like(model.grads))  # g_i
        fit = site.fit(model, order, penalty=self.penalty(order), drift=-gradient)
        delta = site.delta(model, order)
        site.memory["gradient"] = gradient.sub(delta.trainable, alpha=self.alpha)
        return Update(site=site.name, num_examples=site.num_train, delta=delta, num_steps=fit.num_steps, train_loss=fit.train_loss)

    def penalty(self, order: Order) -> Penalty:
        return proximal(order.params.trainable, self.alpha)

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        held = cast(DynState, state)  # `begin` made it
        sites: list[str] = []

        def alike() -> Iterator[Update]:
            for update in updates:
                sites.append(update.site)
                yield replace(update, num_examples=1)

        change, h = self.combine(alike()), held.h.clone()
        h.trainable.sub_(change.trainable, alpha=self.alpha * len(sites) / state.num_sites)
        return replace(held, round=state.round + 1, params=change.add_(state.params).add_(h, alpha=-1 / self.alpha), h=h)
