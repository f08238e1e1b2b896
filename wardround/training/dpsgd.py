"""Training whose result says little about any single image or patient: DP-SGD, Abadi et al. 2016 (arXiv:1607.00133), Algorithm 1."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from wardround.core.params import FlatModel
from wardround.errors import PlanError, PrivacyError
from wardround.models.norms import Frozen
from wardround.plan.schema import Recipe
from wardround.rng import global_torch_stream, torch_stream
from wardround.training.local import Fit, Penalty, take_step
from wardround.training.optimizers import Optimizer
from wardround.training.per_unit import Chunk, Clip, Losses, Way, clipping, is_sampled, opacus

if TYPE_CHECKING:
    from wardround.privacy.terms import Terms

Step = Iterable[Chunk]  # a Poisson sample of the units, a chunk at a time; it may be empty
Noise = Callable[[int, float], Tensor]  # how many normal numbers of which standard deviation: privacy/noise.py `gaussian`
KEPT_BYTES = 1024**3  # of gradients that "hooks" may hold on a CUDA device

log = logging.getLogger(__name__)


def dp_sgd(model: FlatModel, steps: Iterable[Step], recipe: Recipe, terms: Terms, *, losses: Losses, optimizer: Optimizer, noise: Noise,
           num_units: int, penalty: Penalty | None = None, drift: Tensor | None = None, mean_grad: Tensor | None = None,
           way: Way | None = None) -> Fit:
    """Take one step of `optimizer` for each sample of units, an empty one too, changing model.params in place.

    A step's gradient is (sum of the units' clipped gradients + noise) / (sample_rate * num_units): what was expected divides, not what
    came, whose number is a secret. losses: of each image. penalty, drift, mean_grad and recipe.clip_norm are as in local_sgd and
    apply after the noise, so they spend nothing. way: how units' gradients are told apart; None: what suits device and network.
    Buffers are left as they were. No loss is told. PrivacyError if the recipe needs a loss of several images together.
    """
    _check(recipe)
    model.train()
    expected, std = terms.sample_rate * num_units, terms.noise_multiplier * terms.clip_norm
    total = torch.zeros_like(model.grads)
    buffers = model.params.buffers.clone()
    num_steps, num_images, num_lost = 0, 0, 0
    with ExitStack() as stack:
        clip: Clip | None = None
        for step in steps:
            total.zero_()
            for chunk in step:
                if clip is None:
                    chosen = way or suitable(model, terms, tuple(chunk.images.shape[1:]))
                    clip = stack.enter_context(clipping(model, losses, terms.clip_norm, chosen))
                num_lost += clip(chunk, total)
                num_images += len(chunk.images)
            torch.add(total, noise(len(total), std).to(model.device), out=model.grads).div_(expected)
            take_step(model, recipe, optimizer, penalty=penalty, drift=drift, mean_grad=mean_grad)
            num_steps += 1
    model.params.buffers.copy_(buffers)  # what images did to running statistics has no noise
    if mean_grad is not None:
        mean_grad.div_(max(num_steps, 1))
    if num_lost:
        log.warning("%d gradients of a %s were not finite and were left out", num_lost, terms.unit)
    return Fit(num_steps=num_steps, num_images=num_images, train_loss=None)


def suitable(model: FlatModel, terms: Terms, shape: tuple[int, ...]) -> Way:
    """The fastest way that fits: on a CPU one unit after the other, on CUDA many at once if the network allows it. shape: (C, ...)."""
    if model.device.type == "cpu" or not is_sampled(model.module, shape):
        return "alone"
    if terms.physical_batch * model.params.layout.num_trainable * 4 <= KEPT_BYTES:
        return "hooks"
    return "alone" if terms.unit == "patient" else "ghost"


def validated(model: FlatModel, shape: tuple[int, ...]) -> None:
    """PlanError naming what in the network forbids private training, and the remedy. shape: (C, ...) of an image."""
    found = faults(model, shape)
    if found:
        more = f"; and {len(found) - 3} layers more" if len(found) > 3 else ""
        raise PlanError(f"privacy.unit does not go with this network: {'; '.join(found[:3])}{more}. Set model.norm = \"group\", or put "
                        "layers into your own network that look at one image at a time.")


def faults(model: FlatModel, shape: tuple[int, ...]) -> list[str]:
    """What mixes images of a batch, or keeps statistics of them, as training runs the network: by layer, as Opacus knows them and more
    strictly; or else, of layers that it does not know (Keras, a user's own), as a trial on random images shows it."""
    model.train()
    found = [fault for name, layer in model.module.named_modules() for fault in _faults(name or "the network", layer)]
    return found or _faults_on_trial(model, shape)


def _faults(name: str, layer: nn.Module) -> Iterator[str]:
    kind = type(layer).__name__
    if isinstance(layer, _BatchNorm):
        if layer.training and not isinstance(layer, Frozen):
            yield f"{name} ({kind}) makes every image's answer depend on the others of its batch, so no single gradient can be clipped"
    elif isinstance(layer, _InstanceNorm):
        if layer.track_running_stats and layer.training:
            yield f"{name} ({kind}) keeps statistics of the images, without noise"
    elif not isinstance(layer, nn.RNNBase | nn.MultiheadAttention):  # Opacus would replace them; their images are taken alone
        for error in opacus("validators").ModuleValidator.VALIDATORS.get(type(layer), lambda _: [])(layer):
            yield f"{name} ({kind}): {error}"


@torch.no_grad()
def _faults_on_trial(model: FlatModel, shape: tuple[int, ...]) -> list[str]:
    """Two batches of two that share their first image: neither its answer nor what the network keeps may tell which other one it met."""
    first, *others = torch.randn((3, *shape), generator=torch_stream("faults")).to(model.device)
    kept = [tensor for tensor in (*model.module.buffers(), *model.module.parameters()) if not tensor.requires_grad]
    before = [tensor.clone() for tensor in kept]
    answers, states = [], []
    for other in others:
        with global_torch_stream("faults"):  # the same dropout
            answers.append(model.module(torch.stack([first, other]))[0])
        states.append([tensor.clone() for tensor in kept])
        for tensor, value in zip(kept, before, strict=True):
            tensor.copy_(value)
    if not torch.allclose(answers[0], answers[1], rtol=1e-4, atol=1e-5):
        return ["an image's answer depends on the others of its batch, so no single gradient can be clipped"]
    if not all(torch.equal(one, two) for one, two in zip(*states, strict=True)):
        return ["it keeps statistics of the images, without noise"]
    return []


def _check(recipe: Recipe) -> None:
    for setting, is_set in (("mixup", recipe.mixup > 0), ("single_step", recipe.single_step), ("label_skew", recipe.label_skew != "none")):
        if is_set:
            raise PrivacyError(f"recipe.{setting} does not go with private training, which clips the gradient of each image by itself. "
                               "Leave it at its default.")
