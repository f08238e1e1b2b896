"""The planted victim of membership inference: many small networks that learn by heart, and the same ones under the package's DP-SGD."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wardround.attacks.membership import Exposure, confidences, exposure, leave_one_out, log_likelihoods
from wardround.audit.subject import Subject
from wardround.core.params import FlatModel
from wardround.plan.schema import Recipe
from wardround.privacy.terms import Terms
from wardround.rng import global_torch_stream, stream, torch_stream
from wardround.training.dpsgd import dp_sgd
from wardround.training.optimizers import make_optimizer
from wardround.training.per_unit import Chunk
from wardround.training.probe import one_thread

SIDE, HIDDEN = 8, 256  # pixels; units
RATE, LR, MOMENTUM = 0.1, 0.05, 0.9  # an example's chance to be in a step's batch
STEPS, PRIVATE_STEPS = 600, 100
NOISE, CLIP = 1.0, 1.0  # of the protected victim: noise by the clip norm, and that norm
PRIVATE_EPSILON = 7.05  # of so many steps at delta 1e-5
FALSE_LABELS = 0.1  # share of labels drawn at random, which can only be learnt by heart
EXAMPLES, QUICK_EXAMPLES, MODELS, QUICK_MODELS = 1000, 600, 32, 16
KINDS = 10  # classes of generated images


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """images: (n, d) float32, each column of mean 0 and variance 1. labels: (n,) int64, some of them false. origin: in words."""

    images: Tensor
    labels: Tensor
    origin: str

    @property
    def num_classes(self) -> int:
        return int(self.labels.max()) + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Victims:
    """What attackers get of K planted networks: phi and log-likelihood of every example, (K, n), and which had which, (K, n) bool."""

    phi: np.ndarray
    fit: np.ndarray
    is_in: np.ndarray

    def by_lira(self) -> Exposure:
        return exposure(leave_one_out(self.phi, self.is_in), self.is_in)

    def by_loss(self) -> Exposure:
        return exposure(self.fit, self.is_in)


def examples_of(subject: Subject) -> Examples:
    """The run's own training images, one of each patient or group of near-duplicates, 8 x 8; generated ones if these are too few."""
    count, prepared = QUICK_EXAMPLES if subject.is_quick else EXAMPLES, subject.prepared
    rows = subject.rows("train")
    _, first = np.unique(prepared.groups[rows], return_index=True)
    rows = stream(subject.seed, "audit", "planted").permutation(rows[first])[:count]
    if len(rows) < count or prepared.volumes is not None or prepared.catalogue.task not in ("binary", "multiclass"):
        return generated(count, subject.seed)
    pixels = functional.adaptive_avg_pool2d(torch.from_numpy(prepared.pixels[rows]).float(), SIDE).flatten(1)
    return _mislabelled(pixels, torch.from_numpy(prepared.catalogue.labels[rows].astype(np.int64)), subject.seed, "the run's own images")


def generated(count: int, seed: int) -> Examples:
    """A random template for each of ten classes, and noise."""
    generator = torch_stream(seed, "audit", "templates")
    labels = torch.arange(count) % KINDS
    templates = torch.randn(KINDS, SIDE * SIDE, generator=generator)
    noise = torch.randn(count, SIDE * SIDE, generator=generator)
    return _mislabelled(templates[labels] + noise, labels, seed, "generated images")


def _mislabelled(images: Tensor, labels: Tensor, seed: int, origin: str) -> Examples:
    rng, wrong = stream(seed, "audit", "labels"), labels.clone()
    chosen = torch.from_numpy(rng.random(len(labels)) < FALSE_LABELS)
    wrong[chosen] = torch.from_numpy(rng.integers(0, int(labels.max()) + 1, int(chosen.sum())))
    spread = images.std(0).clamp_min(1e-6)
    return Examples(images=(images - images.mean(0)) / spread, labels=wrong, origin=origin)


@one_thread()
def victims(examples: Examples, num: int, seed: int) -> Victims:
    """Train `num` networks side by side, each on a random half, on Poisson samples of a tenth of it, until they know it by heart."""
    n, is_in, generator = len(examples.labels), halves(examples, num, seed), torch_stream(seed, "audit", "planted batches")
    models = [network(examples, seed, k) for k in range(num)]
    layers = [torch.stack([model.get_parameter(f"{index}.weight").detach().T for model in models]) for index in (0, 2)]
    params = [layers[0], torch.zeros(num, 1, HIDDEN), layers[1], torch.zeros(num, 1, examples.num_classes)]
    velocity = [torch.zeros_like(param) for param in params]
    for _ in range(STEPS):
        chosen, weight = _drawn(is_in, generator)
        for param, moved, grad in zip(params, velocity, _grads(params, examples.images[chosen], examples.labels[chosen], weight),
                                      strict=True):
            moved.mul_(MOMENTUM).add_(grad, alpha=2 / (RATE * n))  # by the expected size of a batch
            param.add_(moved, alpha=-LR)
    return _attacked(torch.relu(examples.images @ params[0] + params[1]) @ params[2] + params[3], examples, is_in)


@one_thread()
def protected_victims(examples: Examples, num: int, seed: int) -> Victims:
    """The same networks on the same halves, by the package's own DP-SGD. Its noise comes from a stream: there is nothing to protect."""
    is_in, logits = halves(examples, num, seed), []
    terms = Terms(unit="image", noise_multiplier=NOISE, sample_rate=RATE, clip_norm=CLIP, delta=1e-5, epsilon=PRIVATE_EPSILON,
                  steps_per_round=PRIVATE_STEPS, physical_batch=4096, images_per_patient=1)
    recipe = Recipe(lr=LR, momentum=MOMENTUM)
    for k in range(num):
        model, own = FlatModel(network(examples, seed, k)), is_in[k].nonzero()[:, 0]
        rng, generator = stream(seed, "audit", "protected batches", k), torch_stream(seed, "audit", "noise", k)
        dp_sgd(model, (_chunks(examples, own[rng.random(len(own)) < RATE]) for _ in range(PRIVATE_STEPS)), recipe, terms,
               losses=partial(_losses, model), optimizer=make_optimizer(recipe, model.params.layout.num_trainable, model.device, None),
               noise=partial(_noise, generator), num_units=len(own))
        with torch.inference_mode():
            logits.append(model.eval()(examples.images))
    return _attacked(torch.stack(logits), examples, is_in)


def halves(examples: Examples, num: int, seed: int) -> Tensor:
    """Which network is trained on which example, each with a chance of one half: (num, n) bool."""
    return torch.from_numpy(stream(seed, "audit", "halves").random((num, len(examples.labels))) < 0.5)


def network(examples: Examples, seed: int, number: int) -> nn.Sequential:
    """Two layers with the first weights of this number."""
    generator = torch_stream(seed, "audit", "planted network", number)
    with global_torch_stream(seed, "audit", "planted network"):  # torch draws first weights, which are then replaced
        model = nn.Sequential(nn.Linear(examples.images.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, examples.num_classes))
    for parameter in model.parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=(2 / parameter.shape[1]) ** 0.5, generator=generator)
        else:
            nn.init.zeros_(parameter)
    return model


def _attacked(logits: Tensor, examples: Examples, is_in: Tensor) -> Victims:
    """logits: (K, n, C)."""
    num, n = is_in.shape
    truth = examples.labels.repeat(num)
    return Victims(phi=confidences(logits.flatten(0, 1), truth).view(num, n).numpy(),
                   fit=log_likelihoods(logits.flatten(0, 1), truth).view(num, n).numpy(), is_in=is_in.numpy())


def _drawn(is_in: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Poisson samples of each network's half: (K, B) examples, and (K, B) float32, 1 for those that count: sizes differ."""
    draw = torch.rand(is_in.shape, generator=generator).masked_fill_(~is_in, 1.0)
    size = max(1, int((draw < RATE).sum(1).max()))
    lowest, chosen = draw.topk(size, dim=1, largest=False)
    return chosen, (lowest < RATE).float()


def _grads(params: list[Tensor], images: Tensor, labels: Tensor, weight: Tensor) -> list[Tensor]:
    """Weighted sums of cross-entropy's gradients. images: (K, B, d). weight: (K, B)."""
    hidden = torch.relu(images @ params[0] + params[1])
    wrong = (hidden @ params[2] + params[3]).softmax(2)
    wrong.scatter_add_(2, labels[..., None], -torch.ones_like(weight)[..., None]).mul_(weight[..., None])
    below = wrong @ params[2].transpose(1, 2) * (hidden > 0)
    return [images.transpose(1, 2) @ below, below.sum(1, keepdim=True), hidden.transpose(1, 2) @ wrong, wrong.sum(1, keepdim=True)]


def _chunks(examples: Examples, rows: Tensor) -> list[Chunk]:
    """A step's sample, whole; an empty one has none."""
    if not len(rows):
        return []
    return [Chunk(images=examples.images[rows], truth=examples.labels[rows], starts=tuple(range(len(rows) + 1)))]


def _losses(model: FlatModel, images: Tensor, truth: Tensor) -> Tensor:
    return functional.cross_entropy(model.module(images), truth, reduction="none")


def _noise(generator: torch.Generator, num: int, std: float) -> Tensor:
    return std * torch.randn(num, generator=generator)
