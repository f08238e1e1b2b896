"""The only training loop: a site's steps in one round, written once, with two seams for the algorithms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor

from wardround.core.params import FlatModel
from wardround.plan.schema import Recipe
from wardround.training.arithmetic import Arithmetic
from wardround.training.losses import Loss
from wardround.training.optimizers import Optimizer, clip_

Penalty = Callable[[Tensor, Tensor], None]  # (trainable, grads) -> None: adds the gradient of a term of the loss, in place
FP32 = Arithmetic()
Batch = tuple[Tensor, Tensor]  # images (B, C, ...) float32 and their truth int64, both on the model's device


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a site's training in one round came to. train_loss: mean over images, before each step."""

    num_steps: int
    num_images: int
    train_loss: float


def local_sgd(model: FlatModel, batches: Iterable[Batch], recipe: Recipe, *, loss: Loss, optimizer: Optimizer,
              arithmetic: Arithmetic = FP32, penalty: Penalty | None = None, drift: Tensor | None = None) -> Fit:
    """Take one step of `optimizer` for each batch, changing model.params in place.

    penalty joins the loss (FedProx), drift joins the gradient (SCAFFOLD); drift: (num_trainable,). Gradients are clipped to
    recipe.clip_norm after both. A loss that is not finite is not hidden: the server refuses the update that comes of it.
    """
    model.train()
    loss_sum, num_images, num_steps = 0.0, 0, 0
    for images, truth in batches:
        model.grads.zero_()
        value = loss(arithmetic.logits(model, images), truth)
        value.backward()  # type: ignore[no-untyped-call]
        if penalty is not None:
            penalty(model.params.trainable, model.grads)
        if drift is not None:
            model.grads.add_(drift)
        if recipe.clip_norm is not None:
            clip_(model.grads, recipe.clip_norm)
        optimizer.step(model.params.trainable, model.grads, recipe.lr)
        loss_sum += float(value.detach()) * len(truth)
        num_images += len(truth)
        num_steps += 1
    return Fit(num_steps=num_steps, num_images=num_images, train_loss=loss_sum / max(num_images, 1))
