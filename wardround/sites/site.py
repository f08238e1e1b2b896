"""One site: its rows, the model it trains, its batches, its evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TypedDict, Unpack, get_args

import numpy as np
import torch
from torch import Tensor

from wardround.attacks.poison import Poison
from wardround.core.exchange import EvaluateOrder, Order, Rows, SiteReport
from wardround.core.params import FlatModel, Params
from wardround.data.feeds import Feed
from wardround.errors import PrivacyError, SiteError
from wardround.plan.schema import Recipe
from wardround.privacy import noise
from wardround.privacy.terms import Terms
from wardround.rng import global_torch_stream, stream, torch_stream
from wardround.sites import memory as memories
from wardround.sites.examine import Examine
from wardround.sites.memory import Memory
from wardround.sites.steps import Step, Tell, counted
from wardround.sites.units import entropy, poisson_steps, units_of
from wardround.training import skew
from wardround.training.arithmetic import Arithmetic
from wardround.training.dpsgd import dp_sgd
from wardround.training.local import Batch, Fit, Objective, Penalty, local_sgd
from wardround.training.losses import Loss
from wardround.training.mixup import mixed
from wardround.training.optimizers import Optimizer, make_optimizer


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteRows:
    """Which catalogue rows a site holds, as sorted row numbers."""

    name: str
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def of(self, rows: Rows) -> np.ndarray:
        return {"train": self.train, "val": self.val, "test": self.test}[rows]


def together(name: str, sites: Sequence[SiteRows]) -> SiteRows:
    """A site of this name that holds all rows of these."""
    return SiteRows(name=name, **{kind: np.sort(np.concatenate([site.of(kind) for site in sites])) for kind in get_args(Rows)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What the sites of one process share: the model's memory, the images, the loss. Built once a process."""

    model: FlatModel
    feed: Feed
    loss: Loss
    examine: Examine
    arithmetic: Arithmetic
    seed: int
    num_classes: int
    labels: Tensor | None = None  # (n,) int64 class of each row, where images have one class each
    buffers: dict[str, Tensor] = field(default_factory=dict)  # of optimisers, kept from site to site for their memory only
    poison: Poison | None = None  # simulations of malicious sites only
    terms: Mapping[str, Terms] = field(default_factory=dict)  # by site: what its training may tell; it trains by DP-SGD
    patients: np.ndarray | None = None  # (n,) text, whose image a row is; needed where terms hide patients


class Seams(TypedDict, total=False):
    """What strategies pass on to local_sgd."""

    penalty: Penalty | None
    drift: Tensor | None
    mean_grad: Tensor | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
    """A site as strategies see it. outbox: (layout.size,) where the fleet wants the delta, memory it shares with the server.
    tell: told how far the training is."""

    rows: SiteRows
    bench: Bench
    memory: Memory = field(default_factory=dict)
    outbox: Tensor | None = None
    tell: Tell | None = None

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

    def fit(self, model: FlatModel, order: Order, *, objective: Objective | None = None, slot: str = "optimizer",
            batches: Iterable[Batch] | None = None, **seams: Unpack[Seams]) -> Fit:
        """Train model on this round's batches; momentum stays in memory, under `slot`, if the recipe says so.

        objective: see local_sgd; None: `self.objective`. slot: a name for each model that a site trains in a round. batches: some of
        the round's; None: all. A site with terms (DP-SGD) takes neither: PrivacyError.
        """
        recipe, terms = order.recipe, self.bench.terms.get(self.name)
        if terms is not None and (objective is not None or batches is not None):
            raise PrivacyError(f"site '{self.name}': the strategy trains with a loss or batches of its own, which DP-SGD cannot clip image "
                               "by image. Use e.g. strategy.name = 'fedavg'.")
        kept = memories.part(self.memory, slot) if recipe.keep_optimizer else {}
        optimizer = make_optimizer(recipe, model.params.layout.num_trainable, model.device, kept or None, self.bench.buffers)
        if terms is not None:
            fit = self._private_fit(model, order, terms, optimizer, seams)
        else:
            with global_torch_stream(self.bench.seed, "layers", self.name, order.round):
                fit = local_sgd(model, self.batches(order) if batches is None else batches, recipe, optimizer=optimizer,
                                objective=objective or self.objective(order), **seams)
        if recipe.keep_optimizer:
            memories.put(self.memory, slot, {name: tensor.clone() for name, tensor in optimizer.state().items()})
        return fit

    def objective(self, order: Order) -> Objective:
        """The recipe's loss of the model in use: its logits shifted by the site's class counts, its images mixed, if the recipe says so."""
        recipe, loss = order.recipe, self.bench.loss
        network = self.logits
        if recipe.label_skew != "none":
            adjust = skew.adjustment(recipe, self.class_counts)
            network = lambda images: adjust(self.logits(images))  # noqa: E731
        if recipe.mixup:
            return mixed(network, loss, recipe.mixup, stream(self.bench.seed, "mixup", self.name, order.round))
        return lambda images, truth: loss(network(images), truth)

    def logits(self, images: Tensor) -> Tensor:
        """The answer of the process's model, (B, C, ...) float32."""
        return self.bench.arithmetic.logits(self.bench.model, images)

    @property
    def class_counts(self) -> Tensor:
        """(C,) int64 training images of each class on the CPU; SiteError unless images have one class each."""
        if self.bench.labels is None:
            raise SiteError("class counts need images of one class each: recipe.label_skew does not fit this task")
        return torch.bincount(self.bench.labels[self.rows.train], minlength=self.bench.num_classes)

    def delta(self, model: FlatModel, order: Order) -> Params:
        """What training changed: the model minus the order's parameters, written where the fleet wants it."""
        if self.outbox is None or self.outbox.device != model.device:
            return model.params - order.params
        return Params(torch.sub(model.params.flat, order.params.flat, out=self.outbox), model.params.layout)

    def batches(self, order: Order) -> Iterator[Batch]:
        """This round's batches: each image once an epoch, epochs run on from round to round, sizes within an epoch differ by <= 1."""
        if self.num_train == 0:
            raise SiteError(f"site '{self.name}' has no training images")
        poison = self.bench.poison
        for step, rows in self._counted(self._dealt(order), steps_per_round(order.recipe, self.num_train)):
            images, truth = self.bench.feed.batch(rows, torch_stream(self.bench.seed, "augment", self.name, step))
            if poison is not None and poison.applies(self.name, order.round):
                images, truth = poison.change(images, truth, stream(self.bench.seed, "poison", self.name, step))
            yield images.to(self._device), truth.to(self._device)

    def evaluate(self, order: EvaluateOrder) -> SiteReport:
        """Sums over the site's rows; with detail also each row's or patient's result."""
        return evaluate(self.bench, [self.rows], order)[0]

    def _private_fit(self, model: FlatModel, order: Order, terms: Terms, optimizer: Optimizer, seams: Seams) -> Fit:
        """DP-SGD on Poisson samples of the site's units; what it draws nobody can draw again."""
        bench, poison = self.bench, self.bench.poison
        units = units_of(self.name, self.rows.train, terms.unit, bench.patients)
        if not units:
            raise SiteError(f"site '{self.name}' has no training images")
        change = None
        if poison is not None and poison.applies(self.name, order.round):
            rng, poisoned = stream(bench.seed, "poison", self.name, order.round), poison.change
            change = lambda images, truth: poisoned(images, truth, rng)  # noqa: E731
        steps = self._counted(poisson_steps(bench.feed, self._device, units, terms, change), terms.steps_per_round)
        with global_torch_stream("layers", entropy()):
            return dp_sgd(model, steps, order.recipe, terms, optimizer=optimizer,
                          losses=lambda images, truth: bench.loss.per_image(self.logits(images), truth), noise=noise.gaussian,
                          num_units=len(units), **seams)

    def _counted(self, steps: Iterator[Step], total: int) -> Iterator[Step]:
        return steps if self.tell is None else counted(steps, total, self.tell)

    @property
    def _device(self) -> torch.device:
        return self.bench.model.device

    def _dealt(self, order: Order) -> Iterator[tuple[int, np.ndarray]]:
        """Number, counted over all rounds, and rows of each of the round's batches."""
        steps, per_epoch = steps_per_round(order.recipe, self.num_train), ceil(self.num_train / order.recipe.batch_size)
        size, larger = divmod(self.num_train, per_epoch)  # the first batches of an epoch are larger by one
        shuffled: np.ndarray | None = None
        for step in range((order.round - 1) * steps, order.round * steps):
            epoch, index = divmod(step, per_epoch)
            if index == 0 or shuffled is None:
                shuffled = stream(self.bench.seed, "batches", self.name, epoch).permutation(self.rows.train)
            start = index * size + min(index, larger)
            yield step, shuffled[start : start + size + (index < larger)]


def evaluate(bench: Bench, sites: Sequence[SiteRows], order: EvaluateOrder) -> list[SiteReport]:
    """A report of each site; small ones share a forward pass."""
    bench.model.load(order.params)
    bench.model.eval()

    def network(images: Tensor) -> Tensor:
        return bench.arithmetic.logits(bench.model, images)

    with torch.inference_mode():
        results = bench.examine(network=network, rows=[site.of(order.rows) for site in sites], detail=order.detail,
                                temperatures=order.temperatures)
    return [SiteReport(site=site.name, tally=result.tally, rows=result.rows if order.detail else None, values=result.values,
                       loss_sums=result.loss_sums) for site, result in zip(sites, results, strict=True)]


def steps_per_round(recipe: Recipe, num_train: int) -> int:
    """Batches of one round: local_steps, or local_epochs times the batches of an epoch, at least one."""
    if recipe.local_steps is not None:
        return recipe.local_steps
    return max(1, round(recipe.local_epochs * ceil(num_train / recipe.batch_size)))
