"""One site: its rows, the model it trains, its batches, its evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from wardround.core.exchange import EvaluateOrder, Order, Rows, SiteReport
from wardround.core.params import FlatModel, Params
from wardround.core.tally import ClassTally
from wardround.data.transforms import Augment, normalise
from wardround.errors import SiteError
from wardround.plan.schema import Recipe
from wardround.rng import global_torch_stream, stream, torch_stream
from wardround.sites import memory as memories
from wardround.sites.memory import Memory
from wardround.training.local import Batch, Fit, Penalty, autocast, local_sgd
from wardround.training.losses import Loss
from wardround.training.optimizers import make_optimizer

EVALUATION_BATCH = 128


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
    """What the sites of one process share: the model's memory, the images, the loss. Built once a process.

    images: (n, C, H, W) uint8, usually memory-mapped. labels: (n,) int64.
    """

    model: FlatModel
    images: np.ndarray
    labels: Tensor
    num_classes: int
    loss: Loss
    augment: Augment
    normalisation: Literal["fixed", "image"]
    precision: str
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
                            precision=self.bench.precision, penalty=penalty, drift=drift)
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
            images = self._images(rows)
            yield (self.bench.augment(images, torch_stream(self.bench.seed, "augment", self.name, step)).to(self._device),
                   self.bench.labels[rows].to(self._device))

    def evaluate(self, order: EvaluateOrder) -> SiteReport:
        """Sums over the site's rows; with detail also each row's probabilities."""
        rows = self.rows.of(order.rows)
        model = self.model_with(order.params)
        model.module.eval()
        probabilities = np.zeros((len(rows), self.bench.num_classes))
        loss_sum = 0.0
        for start in range(0, len(rows), EVALUATION_BATCH):
            chunk = rows[start : start + EVALUATION_BATCH]
            with torch.inference_mode(), autocast(model.device, self.bench.precision):
                logits = model.module(self._images(chunk).to(self._device)).float()
                truth = self.bench.labels[chunk].to(self._device)
                loss_sum += float(self.bench.loss.per_image(logits, truth).double().sum())
                probabilities[start : start + len(chunk)] = self.bench.loss.probabilities(logits).double().cpu().numpy()
        if not np.isfinite(probabilities).all():
            raise SiteError("the model answers NaN: training diverged. A lower recipe.lr, or recipe.clip_norm, helps")
        tally = ClassTally.of(probabilities, self.bench.labels[rows].numpy(), loss_sum)
        return SiteReport(site=self.name, tally=tally, rows=rows if order.detail else None,
                          probabilities=probabilities if order.detail else None)

    @property
    def _device(self) -> torch.device:
        return self.bench.model.device

    def _batch_rows(self, step: int, batch_size: int) -> np.ndarray:
        per_epoch = ceil(self.num_train / batch_size)
        epoch, index = divmod(step, per_epoch)
        shuffled = stream(self.bench.seed, "batches", self.name, epoch).permutation(self.rows.train)
        return np.array_split(shuffled, per_epoch)[index]

    def _images(self, rows: np.ndarray) -> Tensor:
        return normalise(torch.from_numpy(self.bench.images[rows]), self.bench.normalisation)


def steps_per_round(recipe: Recipe, num_train: int) -> int:
    """Batches of one round: local_steps, or local_epochs times the batches of an epoch, at least one."""
    if recipe.local_steps is not None:
        return recipe.local_steps
    return max(1, round(recipe.local_epochs * ceil(num_train / recipe.batch_size)))
