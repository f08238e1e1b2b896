"""The only training loop: a site's steps in one round, written once, with seams for the algorithms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from wardround.core.params import FlatModel
from wardround.plan.schema import Recipe
from wardround.training.optimizers import Optimizer, clip_

Objective = Callable[[Tensor, Tensor], Tensor]  # images, truth -> the batch's mean loss, a scalar with a graph to the model
Penalty = Callable[[Tensor, Tensor], None]  # (trainable, grads) -> None: adds the gradient of a term of the loss, in place
Batch = tuple[Tensor, Tensor]  # images (B, C, ...) float32 and their truth int64, both on the model's device


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a site's training in one round came to. train_loss: mean over images, before each step; None where it is not told."""

    num_steps: int
    num_images: int
    train_loss: float | None


def local_sgd(model: FlatModel, batches: Iterable[Batch], recipe: Recipe, *, objective: Objective, optimizer: Optimizer,
              penalty: Penalty | None = None, drift: Tensor | None = None, mean_grad: Tensor | None = None) -> Fit:
    """Take one step of `optimizer` for each batch, or with recipe.single_step one for all, changing model.params in place.

    penalty joins the loss (FedProx), drift joins the gradient (SCAFFOLD); drift: (num_trainable,). Gradients are clipped to
    recipe.clip_norm after both. mean_grad: (num_trainable,), of zeros: gets the mean over steps of the objective's own gradients. A
    loss that is not finite is not hidden: the server refuses the update that comes of it.
    """
    model.train()
    step = partial(take_step, model, recipe, optimizer, penalty=penalty, drift=drift, mean_grad=mean_grad)
    loss_sum, num_images, num_steps = 0.0, 0, 0
    for images, truth in batches:
        if not (recipe.single_step and num_images):
            model.grads.zero_()
        value = objective(images, truth)
        (value * len(truth) if recipe.single_step else value).backward()  # type: ignore[no-untyped-call]
        loss_sum += float(value.detach()) * len(truth)
        num_images += len(truth)
        if not recipe.single_step:
            step()
            num_steps += 1
    if recipe.single_step and num_images:
        model.grads.div_(num_images)
        step()
        num_steps = 1
    if mean_grad is not None:
        mean_grad.div_(max(num_steps, 1))
    return Fit(num_steps=num_steps, num_images=num_images, train_loss=loss_sum / max(num_images, 1))


def take_step(model: FlatModel, recipe: Recipe, optimizer: Optimizer, *, penalty: Penalty | None, drift: Tensor | None,
              mean_grad: Tensor | None) -> None:
    """One step of the optimiser along model.grads, after the algorithms' seams: see local_sgd."""
    if mean_grad is not None:
        mean_grad.add_(model.grads)
    if penalty is not None:
        penalty(model.params.trainable, model.grads)
    if drift is not None:
        model.grads.add_(drift)
    if recipe.clip_norm is not None:
        clip_(model.grads, recipe.clip_norm)
    optimizer.step(model.params.trainable, model.grads, recipe.lr)
