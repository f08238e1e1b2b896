"""One site: its rows, the model it trains, its batches, its evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import torch
from torch import Tensor

from wardround.core.exchange import EvaluateOrder, Order, Rows, SiteReport
from wardround.core.params import FlatModel, Params
from wardround.data.feeds import Feed
from wardround.errors import SiteError
from wardround.plan.schema import Recipe
from wardround.rng import global_torch_stream, stream, torch_stream
from wardround.sites import memory as memories
from wardround.sites.examine import Examine
from wardround.sites.memory import Memory
from wardround.training.arithmetic import Arithmetic
from wardround.training.local import Batch, Fit, Penalty, local_sgd
from wardround.training.losses import Loss
from wardround.training.optimizers import make_optimizer


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteRows:
    """Which catalogue rows a site holds, as sorted row numbers."""

    name: str
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def of(self, rows: Rows) -> np.ndarray:
        return {"train": self.train, "val": self.val, "test": self.test}[rows]


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What the sites of one process share: the model's memory, the images, the loss. Built once a process."""

    model: FlatModel
    feed: Feed
    loss: Loss
    examine: Examine
    arithmetic: Arithmetic
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
    """A site as strategies see it."""

    rows: SiteRows
    bench: Bench
    memory: Memory = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.rows.name

    @property
    def num_train(self) -> int:
        return len(self.rows.train)

    def model_with(self, params: Params) -> FlatModel:
        """The process's model, holding a copy of params."""
        self.bench.model.load(params)
        return self.bench.model

    def fit(self, model: FlatModel, order: Order, *, penalty: Penalty | None = None, drift: Tensor | None = None) -> Fit:
        """Train model on this round's batches; momentum stays in memory if the recipe says so."""
        recipe = order.recipe
        kept = memories.part(self.memory, "optimizer") if recipe.keep_optimizer else {}
        optimizer = make_optimizer(recipe, model.params.layout.num_trainable, model.device, kept or None)
        with global_torch_stream(self.bench.seed, "layers", self.name, order.round):
            fit = local_sgd(model, self.batches(order), recipe, loss=self.bench.loss, optimizer=optimizer,
                            arithmetic=self.bench.arithmetic, penalty=penalty, drift=drift)
        if recipe.keep_optimizer:
            memories.put(self.memory, "optimizer", optimizer.state())
        return fit

    def batches(self, order: Order) -> Iterator[Batch]:
        """This round's batches: each image once an epoch, epochs run on from round to round, sizes within an epoch differ by <= 1."""
        if self.num_train == 0:
            raise SiteError(f"site '{self.name}' has no training images")
        steps = steps_per_round(order.recipe, self.num_train)
        for step in range((order.round - 1) * steps, order.round * steps):
            rows = self._batch_rows(step, order.recipe.batch_size)
            images, truth = self.bench.feed.batch(rows, torch_stream(self.bench.seed, "augment", self.name, step))
            yield images.to(self._device), truth.to(self._device)

    def evaluate(self, order: EvaluateOrder) -> SiteReport:
        """Sums over the site's rows; with detail also each row's or patient's result."""
        model = self.model_with(order.params)
        model.module.eval()

        def network(images: Tensor) -> Tensor:
            return self.bench.arithmetic.logits(model, images)

        with torch.inference_mode():
            tally, rows, values = self.bench.examine(network=network, rows=self.rows.of(order.rows), detail=order.detail)
        return SiteReport(site=self.name, tally=tally, rows=rows if order.detail else None, values=values)

    @property
    def _device(self) -> torch.device:
        return self.bench.model.device

    def _batch_rows(self, step: int, batch_size: int) -> np.ndarray:
        per_epoch = ceil(self.num_train / batch_size)
        epoch, index = divmod(step, per_epoch)
        shuffled = stream(self.bench.seed, "batches", self.name, epoch).permutation(self.rows.train)
        return np.array_split(shuffled, per_epoch)[index]


def steps_per_round(recipe: Recipe, num_train: int) -> int:
    """Batches of one round: local_steps, or local_epochs times the batches of an epoch, at least one."""
    if recipe.local_steps is not None:
        return recipe.local_steps
    return max(1, round(recipe.local_epochs * ceil(num_train / recipe.batch_size)))
