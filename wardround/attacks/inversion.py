"""Inverting Gradients: Geiping et al. 2020 (arXiv:2003.14053): the images whose gradient points where the observed one does.

A curious server knows the model that it sent, the recipe, and what came back: a gradient, or a round's change that is nearly one.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from wardround.attacks.similarity import Box
from wardround.core.params import Params
from wardround.models.quick import QUICK
from wardround.plan.schema import Recipe

DROPS = (3 / 8, 5 / 8, 7 / 8)  # of the steps: where the rate falls to a tenth; Geiping et al., appendix
TIMED = 5  # steps after which it is known how many fit into the time
SLOW = {quick: plain for plain, quick in QUICK.items()}

Loss = Callable[[Tensor, Tensor], Tensor]  # logits, truth -> the batch's mean loss


@dataclass(frozen=True, kw_only=True)
class Search:
    """How hard an attack tries. tv: weight of the mean total variation, in network units. limit_s: fewer steps where more take longer."""

    num_steps: int = 1000
    tv: float = 0.01
    rate: float = 0.1
    limit_s: float = float("inf")


@dataclass(frozen=True, kw_only=True, eq=False)
class Inverted:
    """images: (K, C, H, W) in network units. distance: 1 minus the cosine between their gradient and the observed one."""

    images: Tensor
    distance: float
    num_steps: int
    seconds: float


def loss_gradient(model: nn.Module, loss: Loss, images: Tensor, truth: Tensor, *, is_differentiable: bool = False) -> dict[str, Tensor]:
    """The gradient of the batch's loss by the names of the trained parameters."""
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    grads = torch.autograd.grad(loss(model(images), truth), list(trained.values()), create_graph=is_differentiable, allow_unused=True)
    return {name: torch.zeros_like(trained[name]) if grad is None else grad for name, grad in zip(trained, grads, strict=True)}


def update_gradient(delta: Params, params: Params, recipe: Recipe, num_steps: int) -> dict[str, Tensor]:
    """The mean gradient that explains a round's change: -delta / (lr * gain), less the known weight decay. Exact for one step of SGD.

    gain: how often a steady gradient counts in num_steps of a fresh optimiser, sum of (1 - m^j) / (1 - m) with momentum m. Adam divides by
    the gradient's size: of it little but the signs is left. Tensors that did not change, because they stay at the site, are left out.
    """
    momentum = recipe.momentum if recipe.optimizer == "sgd" else 0.0
    gain = sum((1 - momentum**step) / (1 - momentum) for step in range(1, num_steps + 1))
    decay = 0.0 if recipe.optimizer == "adam" else recipe.weight_decay
    found = {}
    for entry in delta.layout.entries:
        change = delta.view(entry)
        if entry.is_trainable and bool(change.any()):
            found[entry.name] = torch.where(change == 0, 0.0, -change / (recipe.lr * gain) - decay * params.view(entry))
    return found


def attackable(module: nn.Module, *, is_single: bool = False) -> nn.Module:
    """A copy in training mode whose gradients can be differentiated again; dropout is off, for its draws stay at the site.

    is_single: for batches of one image, of which BatchNorm cannot take statistics: it uses those it has."""
    model = copy.deepcopy(module).train()
    for part in model.modules():
        part.__class__ = SLOW.get(type(part), type(part))
        if isinstance(part, _DropoutNd) or (is_single and isinstance(part, nn.modules.batchnorm._BatchNorm)):
            part.eval()
    return model


def invert(model: nn.Module, loss: Loss, gradient: Mapping[str, Tensor], truth: Tensor, *, shape: tuple[int, ...], box: Box,
           generator: torch.Generator, search: Search, is_sparse: bool = False) -> Inverted:
    """Images (K, *shape) with the labels `truth`, (K,), found by Adam on the signs of the gradient of 1 - cosine + tv * total variation,
    kept within the box: Geiping et al. 2020, equation 4.

    gradient: the observed one, by parameter. Its scale does not matter: clipping does not help against it. is_sparse: numbers that are zero
    were not sent, and are not compared. search.limit_s makes the number of steps depend on the machine's speed.
    """
    parameters = dict(model.named_parameters())
    device = next(iter(parameters.values())).device
    target = {name: grad.to(device) for name, grad in gradient.items()}
    masks = {name: grad != 0 for name, grad in target.items()} if is_sparse else {}
    norm = torch.sqrt(sum((grad.square().sum() for grad in target.values()), torch.zeros((), device=device)))
    images = box.clip(torch.randn((len(truth), *shape), generator=generator).to(device)).requires_grad_()
    labels = truth.to(device)

    def distance() -> Tensor:
        found = loss_gradient(model, loss, images, labels, is_differentiable=True)
        own = {name: found[name] * masks[name] if is_sparse else found[name] for name in target}
        along = sum(((own[name] * grad).sum() for name, grad in target.items()), torch.zeros((), device=device))
        length = sum((grad.square().sum() for grad in own.values()), torch.full((), 1e-24, device=device)).sqrt()
        return 1 - along / (length * norm + 1e-12)

    started = time.perf_counter()
    moments, num_steps, step, far = (torch.zeros_like(images), torch.zeros_like(images)), search.num_steps, 0, 1.0
    while step < num_steps:
        value = distance()
        slope = torch.autograd.grad(value + search.tv * total_variation(images), images)[0].sign()
        far = float(value.detach())
        rate = search.rate * 0.1 ** sum(step >= share * num_steps for share in DROPS)
        with torch.no_grad():
            _adam(images, slope, moments, step + 1, rate)
            images.copy_(box.clip(images))
        step += 1
        if step == TIMED:
            num_steps = max(TIMED, int(min(num_steps, search.limit_s * TIMED / (time.perf_counter() - started))))
    return Inverted(images=images.detach(), distance=far, num_steps=step, seconds=time.perf_counter() - started)


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference between neighbours down plus that between neighbours across. images: (B, C, H, W)."""
    return images.diff(dim=-2).abs().mean() + images.diff(dim=-1).abs().mean()


def _adam(images: Tensor, slope: Tensor, moments: tuple[Tensor, Tensor], step: int, rate: float) -> None:
    """A step of Adam (Kingma & Ba 2015, Algorithm 1) with its usual constants, in place. step: from 1."""
    first, second = moments
    first.lerp_(slope, 0.1)
    second.lerp_(slope.square(), 0.001)
    images.addcdiv_(first, (second / (1 - 0.999**step)).sqrt_().add_(1e-8), value=-rate / (1 - 0.9**step))
