"""The planted victim of the gradient inversion: a small untrained network that nothing defends, and the same network defended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from wardround.attacks.closed_form import closed_form, labels_from
from wardround.attacks.inversion import Search, attackable, invert, loss_gradient
from wardround.attacks.similarity import Box, Likeness, compare
from wardround.rng import global_torch_stream, torch_stream
from wardround.training.probe import one_thread

SIDE = 32  # pixels
WIDTH = 32  # channels of the planted network
CLASSES = 10  # its classes; image i is called i modulo this, so that small batches hold each once
BROKEN_DB = 20.0  # PSNR from which the planted victim counts as broken
SMOOTHER = 10  # factor of the total variation where the gradient is noisy or several steps: at 1 noise of 0.01 seems to help, and does not
MARGIN_DB, ALIKE = 1.0, 0.3  # a victim counts as broken so far above the grey guess, and from this SSIM on


@dataclass(frozen=True, kw_only=True)
class Defence:
    """What each image's gradient goes through. clip: L2 bound. noise: standard deviation of the sum's noise, by the bound (DP-SGD)."""

    name: str
    clip: float | None = None
    noise: float = 0.0


NONE = Defence(name="none")
NOISY = Defence(name="DP, noise 0.1", clip=1.0, noise=0.1)
DEFENCES = (NONE, Defence(name="clipped at 1", clip=1.0), Defence(name="DP, noise 0.01", clip=1.0, noise=0.01), NOISY,
            Defence(name="DP, noise 1", clip=1.0, noise=1.0))
QUICK = (NONE, NOISY, DEFENCES[-1])
SUMMED = Defence(name="secure sum of 3 sites")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A planted victim. Of a secure sum of three sites the server has the gradient of all their images together."""

    defence: Defence
    images: int = 1
    sites: int = 1
    is_connected: bool = False

    @property
    def is_canary(self) -> bool:
        """Whether the attack has to break it before it proves anything."""
        return self.defence == NONE and not self.is_connected


@dataclass(frozen=True, kw_only=True, eq=False)
class Guesses:
    """What somebody would draw who knows such images and has seen no update: one grey, and the mean image. (1, C, H, W) in 0 ... 1."""

    grey: Tensor
    mean: Tensor

    @staticmethod
    def of(images: Tensor) -> Guesses:
        """From images (N, C, H, W) in 0 ... 1."""
        mean = images.mean(0, keepdim=True)
        return Guesses(grey=mean.mean((2, 3), keepdim=True).expand_as(mean), mean=mean)


def measured(likeness: Likeness, truth: Tensor, guesses: Guesses, num: int) -> dict[str, Any]:
    """Columns of a row: the attack's likeness and that of `num` guesses, compared in the same way. truth: (N, C, H, W) in 0 ... 1."""
    grey, mean = (compare(guess.expand(num, *guess.shape[1:]), truth) for guess in (guesses.grey, guesses.mean))
    best = int(likeness.order[0])
    return {"psnr_db": round(likeness.psnr, 2), "ssim": round(likeness.ssim, 3), "best_psnr_db": round(float(likeness.psnrs[best]), 2),
            "best_ssim": round(float(likeness.ssims[best]), 3), "grey_guess_db": round(grey.psnr, 2),
            "mean_image_db": round(mean.psnr, 2), "mean_image_ssim": round(mean.ssim, 3),
            "is_broken": likeness.psnr > grey.psnr + MARGIN_DB and likeness.ssim >= ALIKE}


@dataclass(frozen=True, kw_only=True, eq=False)
class Planted:
    """What the attack got from the planted victim. pictures: the name of a column -> (B, C, H, W) in 0 ... 1."""

    rows: Sequence[Mapping[str, Any]]
    psnr: float  # of the undefended victims of 1 and 4 images, the lower
    num_images: int
    pictures: Mapping[str, Tensor]


def planted_network(channels: int, seed: int) -> nn.Module:
    """Four convolutions with ReLU, then linear, untrained: (B, channels, 32, 32) -> (B, 10)."""
    with global_torch_stream(seed, "audit", "planted"):
        return nn.Sequential(nn.Conv2d(channels, WIDTH, 5, stride=2, padding=2), nn.ReLU(),
                             nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(),
                             nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1), nn.ReLU(),
                             nn.Flatten(), nn.Linear(WIDTH * SIDE**2 // 16, CLASSES))


def connected_network(channels: int, seed: int) -> nn.Module:
    """Fully connected from the first layer on: (B, channels, 32, 32) -> (B, 10)."""
    with global_torch_stream(seed, "audit", "connected"):
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * SIDE**2, 64), nn.ReLU(), nn.Linear(64, CLASSES))


def defended_gradient(model: nn.Module, images: Tensor, labels: Tensor, defence: Defence, generator: torch.Generator) -> dict[str, Tensor]:
    """The mean over the images of their gradients, each clipped; with noise on the sum. Here it is drawn from a named stream, so that an
    audit repeats itself; in training it comes from the operating system."""
    total: dict[str, Tensor] = {}
    for image, label in zip(images.split(1), labels.split(1), strict=True):  # type: ignore[no-untyped-call]
        own = loss_gradient(model, functional.cross_entropy, image, label)
        size = float(torch.sqrt(sum((grad.square().sum() for grad in own.values()), torch.zeros(()))))
        factor = 1.0 if defence.clip is None else min(1.0, defence.clip / max(size, 1e-12))
        total = {name: total.get(name, 0) + factor * grad for name, grad in own.items()}
    std = defence.noise * (defence.clip or 0.0)
    return {name: (grad + std * torch.randn(grad.shape, generator=generator)) / len(images) for name, grad in total.items()}


def attack_planted(images: Tensor, box: Box, guesses: Guesses, *, search: Search, seed: int, is_quick: bool) -> Planted:
    """Attack the planted victim with and without defences. images: (16, C, 32, 32) in network units, of the run's own training images."""
    rows, pictures, undefended = [], {"original": box.grey(images[:4])}, []
    for case in _cases(is_quick):
        truth = box.grey(images[: case.images])
        with one_thread():
            shown, row = _attacked(case, images[: case.images], box, search, seed)
        likeness = compare(shown, truth)
        rows.append(row | measured(likeness, truth, guesses, case.images))
        if case.is_canary:
            undefended.append(likeness.psnr)
        if case.images == 4:
            pictures["nothing defended" if case.is_canary else case.defence.name] = shown[likeness.partners.argsort()]
    return Planted(rows=rows, psnr=min(undefended), num_images=1 + 4, pictures=pictures)


def _attacked(case: Case, images: Tensor, box: Box, search: Search, seed: int) -> tuple[Tensor, dict[str, Any]]:
    """What the attack draws, in 0 ... 1, and what is known of it."""
    shape, labels = tuple(images.shape[1:]), torch.arange(len(images)) % CLASSES
    model = attackable((connected_network if case.is_connected else planted_network)(shape[0], seed))
    gradient = defended_gradient(model, images, labels, case.defence, torch_stream(seed, "audit", "noise", case.defence.name, len(images)))
    right = share_of(labels_from(list(gradient.values())[-1], len(images)), labels)
    row = {"victim": "planted, connected" if case.is_connected else "planted network", "defence": case.defence.name, "images": len(images),
           "sites": case.sites, "labels_right": round(right, 2)}
    if case.is_connected:
        found = closed_form(model, gradient, shape, len(images))
        return box.grey(torch.zeros_like(images) if found is None else found), row | {"attack": "closed form"}
    search = replace(search, tv=SMOOTHER * search.tv) if case.defence.noise else search
    won = invert(model, functional.cross_entropy, gradient, labels, shape=shape, box=box, search=search,
                 generator=torch_stream(seed, "audit", "inversion", len(images)))
    return box.grey(won.images), row | {"attack": "cosine", "tv": search.tv, "steps": won.num_steps, "seconds": round(won.seconds, 1)}


def share_of(found: Tensor, labels: Tensor) -> float:
    """Share of the labels that were found, their order aside."""
    classes = int(max(found.max(), labels.max())) + 1
    return float(torch.minimum(found.bincount(minlength=classes), labels.cpu().bincount(minlength=classes)).sum()) / len(labels)


def _cases(is_quick: bool) -> Iterator[Case]:
    for defence in DEFENCES:
        yield Case(defence=defence, is_connected=True)
    for defence in QUICK if is_quick else DEFENCES:
        yield Case(defence=defence)
    for defence in (NONE, NOISY):
        yield Case(defence=defence, images=4)
    if not is_quick:
        yield Case(defence=SUMMED, images=3, sites=3)
    yield Case(defence=SUMMED, images=12, sites=3)
    if not is_quick:
        yield Case(defence=Defence(name="larger batch"), images=16)
