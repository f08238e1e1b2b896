"""Sites for personal models worked by hand: the loss of a batch is a/2 (sum of all weights - its target)^2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Any

import torch
from quadratic import RECIPE, START, QuadraticSite
from torch import Tensor, nn

from wardround.build import ArmBlueprint, initial_params
from wardround.core.exchange import Order
from wardround.core.params import FlatModel, Params
from wardround.strategies.fedavg import FedAvg
from wardround.testing import toy_blueprint, toy_run
from wardround.training.local import Batch, Fit, Objective, local_sgd
from wardround.training.optimizers import make_optimizer

__all__ = ["RECIPE", "START", "START_OF_TWO", "TargetSite", "TwoLayers", "alone", "order_of"]


class TwoLayers(nn.Module):
    """Two weights: the body's and the head's."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)


START_OF_TWO = FlatModel(TwoLayers()).params.zeros()


def one_weight() -> nn.Module:
    return nn.Linear(1, 1, bias=False)


@dataclass
class TargetSite(QuadraticSite):
    """Its batches' targets come in turn; without any they are all its minimum."""

    targets: tuple[float, ...] = ()
    build: Callable[[], nn.Module] = one_weight
    model: FlatModel | None = None

    def model_with(self, params: Params) -> FlatModel:
        self.model = self.model or FlatModel(self.build())
        self.model.load(params)
        return self.model

    def batches(self, order: Order) -> Iterator[Batch]:
        for target in islice(cycle(self.targets or (self.minimum,)), order.recipe.local_steps):
            yield torch.tensor([[target]]), torch.zeros(1)

    def objective(self, order: Order) -> Objective:
        def loss(images: Tensor, truth: Tensor) -> Tensor:
            weights = sum(weight.sum() for weight in self.model.module.parameters())
            return self.curvature / 2 * (weights - images.sum()) ** 2

        return loss

    def fit(self, model: FlatModel, order: Order, *, objective: Objective | None = None, batches: Iterable[Batch] | None = None,
            slot: str = "optimizer", **seams: Any) -> Fit:
        return local_sgd(model, self.batches(order) if batches is None else batches, order.recipe,
                         objective=objective or self.objective(order),
                         optimizer=make_optimizer(order.recipe, len(model.grads), "cpu", None), **seams)


def order_of(strategy: FedAvg, *numbers: float, round: int = 1) -> Order:
    """The order of this round, with these weights."""
    start = START if len(numbers) == 1 else START_OF_TWO
    state = replace(strategy.begin(start, 1), round=round - 1, params=Params(torch.tensor(numbers), start.layout))
    return strategy.order(state)


def alone(blueprint: ArmBlueprint, site: str) -> Params:
    """What FedAvg's rounds come to at a site that nobody else takes part with."""
    plan = blueprint.plan
    lonely = toy_blueprint(FedAvg, recipe=plan.recipe, rounds=plan.rounds)
    course, _ = toy_run(replace(lonely, rows={site: lonely.rows[site]}))
    assert not torch.equal(course.state.params.flat, initial_params(lonely).flat)
    return course.state.params
