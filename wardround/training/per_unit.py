"""Sums of clipped gradients, one gradient for each unit (image or patient) of a batch, in three ways that agree to rounding.

"alone": a backward pass a unit: right for every network, in the memory of one unit, and on a CPU the fastest for all that we ship.
"hooks": one backward pass a batch, from which Opacus's samplers take each image's gradient, all in memory at once.
"ghost": as hooks, but only norms are kept; a second pass, of losses weighted by the clipping, gives the sum (fast gradient clipping,
Lee & Kifer 2021, arXiv:2009.03106). Images only.

Opacus's own GradSampleModule was not taken: its hooks break networks that add in place (ResNets), it would leave attributes on the
model that all sites of a process share, and its samplers read images whose channels lie side by side wrongly, without a word.
"""

from __future__ import annotations

import copy
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from wardround.core.params import FlatModel
from wardround.extras import need
from wardround.models.quick import QUICK
from wardround.rng import torch_stream
from wardround.training.arithmetic import contiguous

Way = Literal["alone", "hooks", "ghost"]
Losses = Callable[[Tensor, Tensor], Tensor]  # images, truth -> (B,) each image's loss, with a graph to the model
Clip = Callable[["Chunk", Tensor], int]  # adds the units' clipped gradients to a total (num_trainable,); returns how many were lost
BLOCK = 1024  # numbers whose squares are added up in float32
ROUNDING = 1e-9  # share of a gradient's norm, in float64
PLAIN = {quick: plain for plain, quick in QUICK.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """Whole units of a step. images: (B, C, ...) and truth on the model's device. starts: where each unit begins in them, and B last."""

    images: Tensor
    truth: Tensor
    starts: tuple[int, ...]

    @property
    def num_units(self) -> int:
        return len(self.starts) - 1

    def only(self, units: list[int]) -> Chunk:
        """These units of it."""
        spans = [range(self.starts[unit], self.starts[unit + 1]) for unit in units]
        rows = torch.tensor([row for span in spans for row in span], dtype=torch.int64, device=self.images.device)
        starts = [0]
        for span in spans:
            starts.append(starts[-1] + len(span))
        return Chunk(images=self.images[rows], truth=self.truth[rows.to(self.truth.device)], starts=tuple(starts))


class Unsampled(RuntimeError):
    """A layer whose gradients cannot be told apart by image."""


@contextmanager
def clipping(model: FlatModel, losses: Losses, clip_norm: float, way: Way) -> Iterator[Clip]:
    """A unit's gradient is the mean of its images'; its L2 norm over all trainable parameters is clipped to clip_norm. One that is not
    finite counts as lost and adds nothing: NaN passes no clipping. Nothing stays on the model afterwards. Uses model.grads.
    """
    if way == "alone":
        yield lambda chunk, total: _alone(model, losses, clip_norm, chunk, total)
        return
    with _sampled(model.module) as samples:
        if way == "hooks":
            yield lambda chunk, total: _hooks(model, losses, clip_norm, samples, chunk, total)
        else:
            yield lambda chunk, total: _ghost(model, losses, clip_norm, samples, chunk, total)


def _alone(model: FlatModel, losses: Losses, clip_norm: float, chunk: Chunk, total: Tensor) -> int:
    num_lost = 0
    for start, stop in pairwise(chunk.starts):
        model.grads.zero_()
        losses(chunk.images[start:stop], chunk.truth[start:stop]).mean().backward()  # type: ignore[no-untyped-call]
        norm = float(norms(model.grads[None]))
        if math.isfinite(norm):
            total.add_(model.grads, alpha=clip_norm / max(norm, clip_norm))
        else:
            num_lost += 1
    return num_lost


def _hooks(model: FlatModel, losses: Losses, clip_norm: float, samples: _Samples, chunk: Chunk, total: Tensor) -> int:
    gradients = _gradients(samples, lambda: losses(chunk.images, chunk.truth), len(chunk.images))
    if chunk.num_units < len(chunk.images):
        gradients = {parameter: _means(gradient, chunk) for parameter, gradient in gradients.items()}
    shares, is_lost = _shares(torch.stack([norms(gradient) for gradient in gradients.values()]).norm(dim=0), clip_norm)
    any_lost = bool(is_lost.any())
    for entry in model.params.layout.entries:
        gradient = gradients.get(model.module.get_parameter(entry.name)) if entry.is_trainable else None
        if gradient is not None:
            if any_lost:
                gradient[is_lost] = 0.0
            total[entry.offset : entry.offset + entry.size].addmv_(gradient.T, shares.to(gradient.dtype))
    return int(is_lost.sum())


def _ghost(model: FlatModel, losses: Losses, clip_norm: float, samples: _Samples, chunk: Chunk, total: Tensor) -> int:
    if chunk.num_units < len(chunk.images):
        raise Unsampled("several images of a unit have no common norm before their gradients are added")
    squares = torch.zeros(len(chunk.images), dtype=torch.float64, device=chunk.images.device)
    summed: dict[nn.Parameter, Tensor] = {}

    def take(parameter: nn.Parameter, gradient: Tensor) -> None:
        if parameter in summed:
            gradient = summed.pop(parameter) + gradient
        if samples.is_awaited(parameter):  # its layer is called more than once
            summed[parameter] = gradient
        else:
            squares.add_(norms(gradient).square())

    with samples.to(take, len(chunk.images)):
        each = losses(chunk.images, chunk.truth)
        each.sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
    shares, is_lost = _shares(squares.sqrt(), clip_norm)
    kept = (~is_lost).nonzero()[:, 0].tolist()
    if len(kept) < chunk.num_units:  # a weight of 0 would not do: 0 * NaN is NaN
        del each
        return (chunk.num_units - len(kept)) + (_ghost(model, losses, clip_norm, samples, chunk.only(kept), total) if kept else 0)
    model.grads.zero_()
    (each * shares.to(each.dtype)).sum().backward()  # type: ignore[no-untyped-call]
    total.add_(model.grads)
    return 0


def _gradients(samples: _Samples, losses: Callable[[], Tensor], num: int) -> dict[nn.Parameter, Tensor]:
    """Each image's gradient, (num, size), of each parameter that was used."""
    found: dict[nn.Parameter, Tensor] = {}

    def take(parameter: nn.Parameter, gradient: Tensor) -> None:
        found[parameter] = found[parameter] + gradient if parameter in found else gradient

    with samples.to(take, num):
        losses().sum().backward()  # type: ignore[no-untyped-call]
    return found


def norms(rows: Tensor) -> Tensor:
    """L2 norms of rows, (n, size) -> (n,) float64, right to 1e-7.

    torch.linalg.vector_norm adds up in float32: of 11 million numbers it was 4e-4 too small, and a clipped gradient too long by that.
    """
    whole = rows.shape[1] // BLOCK * BLOCK
    blocks = torch.linalg.vector_norm(rows[:, :whole].reshape(len(rows), whole // BLOCK, BLOCK), dim=2)
    rest = torch.linalg.vector_norm(rows[:, whole:], dim=1)
    return torch.hypot(torch.linalg.vector_norm(blocks.double(), dim=1), rest.double())


def _shares(sizes: Tensor, clip_norm: float) -> tuple[Tensor, Tensor]:
    """What of each gradient passes, 0 ... 1, and which are lost, for they are not finite. sizes: (n,), their norms."""
    is_lost = ~sizes.isfinite()
    return (clip_norm / sizes.clamp_min(clip_norm)).masked_fill(is_lost, 0.0), is_lost


def _means(gradient: Tensor, chunk: Chunk) -> Tensor:
    """(B, size) -> (units, size)."""
    return torch.stack([gradient[start:stop].mean(0) for start, stop in pairwise(chunk.starts)])


def is_sampled(module: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether "hooks" and "ghost" give each image's own gradient: a copy tries it in float64 on two random images, without dropout.

    shape: (C, ...) of an image. Not so are e.g. networks with nn.GRU, of Keras, or whose layers see images in another order.
    """
    trial = copy.deepcopy(module).double()
    for layer in trial.modules():
        if isinstance(layer, _DropoutNd):
            layer.eval()
    device = next(trial.parameters()).device
    images = torch.randn((2, *shape), generator=torch_stream("is_sampled"), dtype=torch.float64).to(device)
    trained = [parameter for parameter in trial.parameters() if parameter.requires_grad]
    try:
        with _sampled(trial) as samples:
            found = _gradients(samples, lambda: trial(images).square().sum(), len(images))
        for index in range(len(images)):
            alone = torch.autograd.grad(trial(images[index : index + 1]).square().sum(), trained, materialize_grads=True)
            size = torch.stack([gradient.norm() for gradient in alone]).norm()
            if not size > 0:  # a copy that does not compute with its own parameters, such as a Keras model's
                return False
            for parameter, gradient in zip(trained, alone, strict=True):
                sampled = found[parameter][index] if parameter in found else torch.zeros_like(gradient)
                if not (sampled.view_as(gradient) - gradient).norm() <= ROUNDING * size:
                    return False
    except (RuntimeError, TypeError, ValueError):  # of a layer that no sampler can take, or of a lack of memory
        return False
    return True


class _Samples:
    """Which images' gradients go where while a network runs; `to` switches it on."""

    def __init__(self) -> None:
        self._take: Callable[[nn.Parameter, Tensor], None] | None = None
        self._num = 0
        self._calls: Counter[nn.Parameter] = Counter()

    @contextmanager
    def to(self, take: Callable[[nn.Parameter, Tensor], None], num: int) -> Iterator[None]:
        """take(parameter, (num, size)) is called once for each call of its layer."""
        self._take, self._num = take, num
        self._calls.clear()
        try:
            yield
        finally:
            self._take = None

    def is_awaited(self, parameter: nn.Parameter) -> bool:
        """Whether more of the parameter's gradients are to come."""
        return self._calls[parameter] > 0

    def watch(self, layer: nn.Module) -> Any:
        """Register the hook of a layer; its handle."""
        twin = _twin(layer)
        sampler = _sampler(twin)
        trained = [parameter for parameter in layer.parameters() if parameter.requires_grad]

        def seen(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if self._take is None or not torch.is_grad_enabled():
                return
            if not isinstance(output, Tensor) or len(inputs) != 1:
                raise Unsampled(f"{type(layer).__name__} has more than one input or output")
            self._calls.update(trained)
            activation = inputs[0].detach()
            # of the tensor, not of the module: the network may change it in place afterwards
            output.register_hook(partial(self._sample, twin, sampler, activation))  # type: ignore[no-untyped-call]

        return layer.register_forward_hook(seen)

    def _sample(self, twin: nn.Module, sampler: Callable[..., Mapping[nn.Parameter, Tensor]], activation: Tensor, grad: Tensor) -> None:
        if self._take is None:
            return
        found = sampler(twin, [contiguous(activation)], contiguous(grad.detach()))  # a sampler reads memory as if it were contiguous
        for parameter, gradient in found.items():
            if parameter.requires_grad:
                if len(gradient) % self._num:
                    raise Unsampled(f"{type(twin).__name__} has {len(gradient)} gradients for {self._num} images")
                self._calls[parameter] -= 1
                self._take(parameter, gradient.reshape(self._num, -1, parameter.numel()).sum(1))  # slices of a volume are one image


@contextmanager
def _sampled(module: nn.Module) -> Iterator[_Samples]:
    samples = _Samples()
    handles: list[Any] = []
    try:
        for layer in dict.fromkeys(_layers(module)):
            handles.append(samples.watch(layer))
        yield samples
    finally:
        for handle in handles:
            handle.remove()


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """Layers with trained parameters of their own; what lies within one that has no sampler is sampled with it."""
    if any(parameter.requires_grad for parameter in module.parameters(recurse=False)):
        yield module
        if PLAIN.get(type(module), type(module)) not in _samplers():
            return
    for child in module.children():
        yield from _layers(child)


def _twin(layer: nn.Module) -> nn.Module:
    """The same layer, with the same parameters, of torch's own kind and without hooks: Opacus goes by exact kinds."""
    twin = copy.copy(layer)
    twin.__class__ = PLAIN.get(type(layer), type(layer))
    for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
        setattr(twin, name, OrderedDict())
    return twin


def _samplers() -> dict[type[nn.Module], Callable[..., Any]]:
    samplers: dict[type[nn.Module], Callable[..., Any]] = opacus("grad_sample").GradSampleModule.GRAD_SAMPLERS
    return samplers


def _sampler(layer: nn.Module) -> Callable[..., Any]:
    """Opacus's sampler of this kind, or its general one: a gradient of the layer mapped over images (torch.func.vmap)."""
    is_plain = getattr(layer, "padding_mode", "zeros") == "zeros"  # Opacus pads with zeros, whatever the layer says,
    if type(layer) in _samplers() and is_plain and getattr(layer, "groups", 1) == 1:  # and multiplies all groups with all others
        return _samplers()[type(layer)]
    general: Callable[..., Any] = opacus("grad_sample.functorch").ft_compute_per_sample_gradient
    return general


def opacus(part: str) -> Any:
    """A part of Opacus."""
    return need(f"opacus.{part}", extra="privacy", purpose="private training")
