"""FedAvg: McMahan et al. 2017, Algorithm 1 (arXiv:1602.05629)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from wardround.aggregation.mean import mean
from wardround.core.exchange import Aggregator, Order, Update
from wardround.core.params import Params
from wardround.core.state import State
from wardround.plan.schema import Recipe
from wardround.sites.site import Site
from wardround.training.local import Penalty


def constant(round: int) -> float:
    """The schedule that leaves the recipe's learning rate as it is."""
    return 1.0


@dataclass(frozen=True, kw_only=True)
class FedAvg:
    """Sites train from the global parameters; the server adds the example-weighted mean of their changes.

    lr_factor: round (from 1) -> factor of the recipe's learning rate.
    """

    recipe: Recipe
    lr_factor: Callable[[int], float] = constant
    combine: Aggregator = mean

    order_type: ClassVar[type[Order]] = Order
    update_type: ClassVar[type[Update]] = Update
    optimises: ClassVar[bool] = False  # whether the server's half is an optimiser, of use where one site holds all images too
    needs_mean: ClassVar[str] = ""  # why no rule but the mean may combine the updates; empty: any may
    schedules_server: ClassVar[bool] = False  # whether lr_factor is of the server's rate, and sites keep recipe.lr

    def begin(self, params: Params, num_sites: int) -> State:
        return State(round=0, params=params, num_sites=num_sites)

    def order(self, state: State) -> Order:
        t = state.round + 1
        factor = 1.0 if self.schedules_server else self.lr_factor(t)
        recipe = self.recipe.model_copy(update={"lr": self.recipe.lr * factor})
        return Order(round=t, params=state.params, recipe=recipe)

    def train(self, site: Site, order: Order) -> Update:  # runs at the site
        model = site.model_with(order.params)
        fit = site.fit(model, order, penalty=self.penalty(order))
        return Update(site=site.name, num_examples=site.num_train, delta=site.delta(model, order),
                      num_steps=fit.num_steps, train_loss=fit.train_loss)

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:  # runs at the server
        return replace(state, round=state.round + 1, params=self.combine(updates).add_(state.params))

    def penalty(self, order: Order) -> Penalty | None:
        """What joins the local loss; nothing here."""
        return None
