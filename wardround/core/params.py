"""A model's numbers as one flat float32 vector, so that copying, summing, clipping and sending are single operations.

The vector holds the trainable tensors first, then the buffers (BatchNorm statistics). Integer counters are not in it, nor is what
a plan does not share: such tensors stay as they were built, untrained and unsent, so every byte that is counted is a byte sent.
Arithmetic covers the whole vector; `norm` and `trainable` cover the trainable part only, so that buffers are never clipped or
drifted by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from wardround.errors import AggregationError, PlanError
from wardround.lookup import suggestion

NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Entry:
    """One tensor of the vector: flat[offset : offset + size] in the given shape."""

    name: str
    shape: tuple[int, ...]
    offset: int
    is_trainable: bool
    is_norm: bool = False  # of a normalisation layer

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Layout:
    """Names and places of all tensors. Two Params can be added only if their layouts are equal."""

    entries: tuple[Entry, ...]

    @cached_property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)

    @cached_property
    def num_trainable(self) -> int:
        return sum(entry.size for entry in self.entries if entry.is_trainable)

    @property
    def num_bytes(self) -> int:
        return 4 * self.size

    @cached_property
    def last_layer(self) -> str:
        """Name of the layer that holds the last trainable tensor: the classifier of the networks we build."""
        return [entry.name for entry in self.entries if entry.is_trainable][-1].rpartition(".")[0]

    def where(self, chosen: Callable[[Entry], bool]) -> Tensor:
        """(size,) bool: the numbers of the chosen tensors."""
        return torch.cat([torch.full((entry.size,), chosen(entry)) for entry in self.entries])

    @staticmethod
    def of(tensors: Iterable[tuple[str, Tensor, bool]], norms: Container[str] = ()) -> Layout:
        """Lay out (name, tensor, is_trainable) in the given order, trainable tensors first. norms: names of normalisation layers."""
        entries: list[Entry] = []
        offset = 0
        for name, tensor, is_trainable in sorted(tensors, key=lambda item: not item[2]):
            entries.append(Entry(name, tuple(tensor.shape), offset, is_trainable, name.rpartition(".")[0] in norms))
            offset += tensor.numel()
        return Layout(tuple(entries))


@dataclass(frozen=True, eq=False)
class Params:
    """Named tensors in one float32 vector. flat: (layout.size,)."""

    flat: Tensor
    layout: Layout

    def __post_init__(self) -> None:
        if self.flat.shape != (self.layout.size,) or self.flat.dtype != torch.float32:
            raise AggregationError(f"parameters must be {self.layout.size} float32 numbers, "
                                   f"got {tuple(self.flat.shape)} {self.flat.dtype}")

    def __add__(self, other: Params) -> Params:
        return Params(self.flat + self._same(other), self.layout)

    def __sub__(self, other: Params) -> Params:
        return Params(self.flat - self._same(other), self.layout)

    def __mul__(self, factor: float) -> Params:
        return Params(self.flat * factor, self.layout)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Params:
        return Params(self.flat / divisor, self.layout)

    def add_(self, other: Params, alpha: float = 1.0) -> Params:
        """Add alpha * other in place: the streaming sum of `aggregation.mean`."""
        self.flat.add_(self._same(other), alpha=alpha)
        return self

    def zeros(self) -> Params:
        return Params(torch.zeros_like(self.flat), self.layout)

    def clone(self) -> Params:
        return Params(self.flat.clone(), self.layout)

    @property
    def trainable(self) -> Tensor:
        """View of the trainable part."""
        return self.flat[: self.layout.num_trainable]

    def norm(self) -> float:
        """L2 norm of the trainable part."""
        return float(torch.linalg.vector_norm(self.trainable))

    @property
    def buffers(self) -> Tensor:
        """View of the rest: running statistics."""
        return self.flat[self.layout.num_trainable :]

    def named(self) -> dict[str, Tensor]:
        """Views by name, in the tensors' own shapes."""
        return {entry.name: self.view(entry) for entry in self.layout.entries}

    def view(self, entry: Entry) -> Tensor:
        return self.flat[entry.offset : entry.offset + entry.size].view(entry.shape)

    def _same(self, other: Params) -> Tensor:
        if other.layout is not self.layout and other.layout != self.layout:
            raise AggregationError("parameters of different models cannot be combined: names or shapes differ")
        return other.flat


class FlatModel:
    """A module whose shared parameters, gradients and float buffers are views into flat vectors.

    `params` are the live numbers: loading is one copy, reading needs none. The module's forward pass is unchanged.
    """

    def __init__(self, module: nn.Module, device: torch.device | str = "cpu", share: Sequence[str] = ()) -> None:
        """share: patterns of the names of tensors that are trained and exchanged, e.g. "layer4.*"; () is all of them. The others
        are frozen, and layers without any shared tensor stay in evaluation mode. PlanError for a pattern that fits no tensor."""
        self.module = module.to(device).float()
        self.device = torch.device(device)
        tensors = _float_tensors(self.module)
        shared = _shared(tensors, share)
        for name, parameter in self.module.named_parameters():
            if name not in shared:
                parameter.requires_grad_(False)
        self._frozen = [layer for name, layer in self.module.named_modules() if _holds(name, tensors) and not _holds(name, shared)]
        self._is_set = False  # whether `train` was here: walking over all layers takes longer than a small site's step
        layout = Layout.of(((name, tensor, isinstance(tensor, nn.Parameter) and tensor.requires_grad) for name, tensor in shared.items()),
                           norms={name for name, layer in self.module.named_modules() if isinstance(layer, NORMS)})
        self.params = Params(torch.empty(layout.size, device=self.device), layout)
        self.grads = torch.zeros(layout.num_trainable, device=self.device)
        for entry in layout.entries:
            self._attach(entry, shared[entry.name])

    def load(self, params: Params) -> None:
        """Copy params into the model."""
        self.params.flat.copy_(self.params._same(params))

    def train(self) -> nn.Module:
        """The module in training mode, but for layers that are frozen: their BatchNorm statistics stay and dropout is off."""
        if not self.module.training or not self._is_set:
            self._is_set = True
            self.module.train()
            for layer in self._frozen:
                layer.eval()
        return self.module

    def eval(self) -> nn.Module:
        """The module in evaluation mode."""
        return self.module.eval() if self.module.training else self.module

    def tensors(self) -> dict[str, Tensor]:
        """All float tensors by name, frozen ones too: what a file needs for the model to be used elsewhere."""
        return {name: tensor.detach() for name, tensor in _float_tensors(self.module).items()}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy what `tensors` gave into the model; AggregationError names what is missing, unknown or of another shape."""
        own = _float_tensors(self.module)
        check_names(tensors, {name: tuple(tensor.shape) for name, tensor in own.items()})
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(tensors[name])

    def _attach(self, entry: Entry, tensor: Tensor) -> None:
        view = self.params.view(entry)
        view.copy_(tensor.detach())
        if isinstance(tensor, nn.Parameter):
            tensor.data = view
            if entry.is_trainable:
                tensor.grad = self.grads[entry.offset : entry.offset + entry.size].view(entry.shape)
        else:
            owner, _, leaf = entry.name.rpartition(".")
            self.module.get_submodule(owner)._buffers[leaf] = view


def params_of(model: FlatModel) -> Params:
    """The model's live parameters (a view: clone to keep)."""
    return model.params


def check_names(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """AggregationError naming tensors that are missing, unknown or of another shape."""
    missing = [name for name in shapes if name not in tensors]
    unknown = sorted(set(tensors) - set(shapes))
    if missing or unknown:
        raise AggregationError(f"tensors do not fit the model: missing {missing[:5]}, unknown {unknown[:5]}")
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise AggregationError(f"tensor '{name}' has shape {tuple(tensors[name].shape)}, the model needs {shape}")


def _shared(tensors: Mapping[str, Tensor], patterns: Sequence[str]) -> dict[str, Tensor]:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in tensors):
            parts = sorted({name.split(".")[0] for name in tensors})
            raise PlanError(f"model.share: no tensor of the model fits '{pattern}'.{suggestion(pattern.split('.')[0], parts)} Names begin "
                            f"with: {', '.join(parts[:30])}. A pattern is e.g. \"{parts[-1]}.*\".")
    return {name: tensor for name, tensor in tensors.items() if not patterns or any(fnmatchcase(name, p) for p in patterns)}


def _holds(layer: str, names: Iterable[str]) -> bool:
    """Whether a tensor of these names lies in the layer ("" is the whole module)."""
    return not layer or any(name.startswith(layer + ".") for name in names)


def _float_tensors(module: nn.Module) -> dict[str, Tensor]:
    kept = module.state_dict().keys()
    tensors: dict[str, Tensor] = dict(module.named_parameters())
    tensors.update((name, buffer) for name, buffer in module.named_buffers() if name in kept and buffer.is_floating_point())
    return tensors
