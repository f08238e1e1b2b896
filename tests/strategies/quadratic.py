"""Sites whose loss is a/2 (w - b)^2 of one number w: rounds that can be worked by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from wardround.core.exchange import Order
from wardround.core.params import FlatModel, Layout, Params
from wardround.core.state import State
from wardround.plan.schema import Recipe
from wardround.strategies.base import Strategy
from wardround.training.local import Fit, local_sgd
from wardround.training.optimizers import make_optimizer

RECIPE = Recipe(lr=0.25, momentum=0.0, local_steps=2)
START = Params(torch.zeros(1), Layout.of([("weight", torch.zeros(1, 1), True)]))


@dataclass
class QuadraticSite:
    """What strategies ask of a site, with this loss in place of images."""

    name: str
    curvature: float  # a
    minimum: float  # b
    num_train: int = 1
    memory: dict[str, Tensor] = field(default_factory=dict)

    def model_with(self, params: Params) -> FlatModel:
        model = FlatModel(nn.Linear(1, 1, bias=False))
        model.load(params)
        return model

    def fit(self, model: FlatModel, order: Order, **seams: Any) -> Fit:
        def objective(images: Tensor, truth: Tensor) -> Tensor:
            return (self.curvature / 2 * (model.module.weight - self.minimum) ** 2).sum()

        batches = [(torch.zeros(1, 1), torch.zeros(1))] * order.recipe.local_steps
        return local_sgd(model, batches, order.recipe, objective=objective, optimizer=make_optimizer(order.recipe, 1, "cpu", None), **seams)

    def delta(self, model: FlatModel, order: Order) -> Params:
        return model.params - order.params


def two_sites() -> list[QuadraticSite]:
    """The mean of their losses is least at (1 * 0 + 3 * 4) / (1 + 3) = 3."""
    return [QuadraticSite("flat", 1.0, 0.0), QuadraticSite("steep", 3.0, 4.0)]


def rounds(strategy: Strategy, sites: list[QuadraticSite], num: int) -> State:
    """The state after so many rounds from w = 0."""
    state = strategy.begin(START, len(sites))
    for _ in range(num):
        order = strategy.order(state)
        state = strategy.aggregate(state, [strategy.train(site, order) for site in sites])
    return state
