"""APFL: Deng et al. 2020, Algorithm 1 (arXiv:2003.13461)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wardround.core.exchange import Order, Update
from wardround.core.params import FlatModel, Params
from wardround.errors import PlanError
from wardround.plan.schema import Recipe
from wardround.sites import memory as memories
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.personal import OWN, gradient
from wardround.training.local import Objective
from wardround.training.optimizers import Optimizer, clip_, make_optimizer

ALPHA, SLOT = "alpha", "own_optimizer"


@dataclass(frozen=True, kw_only=True)
class APFL(FedAvg):
    """FedAvg of w, and at each site a v of its own: what answers there is the mixture v_bar = alpha v + (1 - alpha) w.

    For each batch v takes a step along its gradient at the mixture, alpha grad f(v_bar), and then w its usual one; this costs a second
    gradient a batch, and nothing on the way. The recipe's optimiser serves both; with recipe.single_step v still takes one step a batch.
    v begins as the first w that the site gets. Buffers (running statistics) are v_bar's own and are not mixed.
    alpha: 0 is the global model, 1 a model trained alone; PlanError outside. is_adaptive: it is where each site begins, and at the first
    batch of a round alpha = alpha - lr * <v - w, grad f(v_bar)>, kept within 0 ... 1 (equation 10).
    """

    alpha: float = 0.5
    is_adaptive: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise PlanError(f"strategy.alpha is the share of the site's own model: 0 to 1, not {self.alpha}")

    def train(self, site: Site, order: Order) -> Update:
        model, recipe = site.model_with(order.params), order.recipe
        kept = memories.part(site.memory, SLOT) if recipe.keep_optimizer else {}
        own = _Own(model=model, v=Params(site.memory.get(OWN, order.params.flat).clone(), order.params.layout), alpha=self._alpha(site),
                   loss=site.objective(order), recipe=recipe, is_adapting=self.is_adaptive,
                   optimizer=make_optimizer(recipe, model.params.layout.num_trainable, model.device, kept or None))
        loss = site.objective(order)

        def objective(images: Tensor, truth: Tensor) -> Tensor:
            own.step(images, truth)
            return loss(images, truth)

        fit = site.fit(model, order, objective=objective)
        site.memory[OWN] = own.v.flat
        if self.is_adaptive:
            site.memory[ALPHA] = torch.tensor(own.alpha, dtype=torch.float64)
        if recipe.keep_optimizer:
            memories.put(site.memory, SLOT, own.optimizer.state())
        return Update(site=site.name, num_examples=site.num_train, delta=site.delta(model, order), num_steps=fit.num_steps,
                      train_loss=fit.train_loss)

    def personal(self, site: Site, params: Params) -> Params:
        """The mixture with the global model; that alone at a site that has not trained yet."""
        return mixture(Params(site.memory[OWN], params.layout), params, self._alpha(site)) if OWN in site.memory else params

    def _alpha(self, site: Site) -> float:
        return float(site.memory.get(ALPHA, self.alpha))


def mixture(v: Params, w: Params, alpha: float) -> Params:
    """alpha v + (1 - alpha) w, with v's buffers."""
    mixed = v.clone()
    torch.lerp(w.trainable, v.trainable, alpha, out=mixed.trainable)
    return mixed


@dataclass(kw_only=True)
class _Own:
    """A site's v during a round. is_adapting: the next batch changes alpha."""

    model: FlatModel  # holds w
    v: Params
    alpha: float
    loss: Objective
    recipe: Recipe
    optimizer: Optimizer
    is_adapting: bool

    def step(self, images: Tensor, truth: Tensor) -> None:
        """A step of v; the model holds w again when it is done."""
        w, alpha = self.model.params.clone(), self.alpha
        self.model.load(mixture(self.v, w, alpha))
        grads = gradient(self.model, self.loss(images, truth))  # grad f(v_bar)
        self.v.buffers.copy_(self.model.params.buffers)
        self.model.load(w)
        if self.is_adapting:
            slope = float(torch.dot(self.v.trainable - w.trainable, grads))
            self.alpha, self.is_adapting = min(1.0, max(0.0, alpha - self.recipe.lr * slope)), False
        grads.mul_(alpha)
        if self.recipe.clip_norm is not None:
            clip_(grads, self.recipe.clip_norm)
        self.optimizer.step(self.v.trainable, grads, self.recipe.lr)
