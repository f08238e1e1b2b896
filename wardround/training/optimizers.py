"""Optimiser steps on flat vectors, in place. Equal to torch.optim, without its 0.75 s of start-up in each process.

All tensors are (n,) float32; a step reads the gradients and leaves them as they are. Fused kernels (torch._fused_*) were measured
to save 7 ms (SGD) and 15 ms (Adam) of a ResNet-18's 544 ms step: not worth a private function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from wardround.errors import SiteError
from wardround.plan.schema import Recipe

BETA2 = 0.999  # Kingma & Ba 2015
EPSILON = 1e-8


class Optimizer(Protocol):
    """What the training loop asks of an optimiser."""

    def step(self, params: Tensor, grads: Tensor, lr: float) -> None:
        """Change params in place."""

    def state(self) -> dict[str, Tensor]:
        """What it remembers, live: clone to keep. Empty before the first step."""


class Sgd:
    """SGD with momentum m: v = m v + g + wd w, w = w - lr v; v begins as the first g + wd w."""

    def __init__(self, *, momentum: float, weight_decay: float, velocity: Tensor, is_fresh: bool) -> None:
        """is_fresh: velocity holds nothing yet."""
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.velocity = velocity
        self.is_fresh = is_fresh

    def step(self, params: Tensor, grads: Tensor, lr: float) -> None:
        if not self.momentum:
            params.mul_(1 - lr * self.weight_decay).sub_(grads, alpha=lr)
            return
        if self.is_fresh:
            self.velocity.copy_(grads)
            self.is_fresh = False
        else:
            self.velocity.mul_(self.momentum).add_(grads)
        if self.weight_decay:
            self.velocity.add_(params, alpha=self.weight_decay)
        params.sub_(self.velocity, alpha=lr)

    def state(self) -> dict[str, Tensor]:
        return {} if self.is_fresh else {"velocity": self.velocity}


class Adam:
    """Adam: Kingma & Ba 2015, Algorithm 1 (arXiv:1412.6980); weight decay joins the gradient."""

    def __init__(self, *, momentum: float, weight_decay: float, first: Tensor, second: Tensor, steps: Tensor, scratch: Tensor) -> None:
        """momentum is beta1. first, second: moments, zeros at the beginning. steps: () int64, on the CPU. scratch: of any content."""
        self.momentum = momentum  # beta1
        self.weight_decay = weight_decay
        self.first = first  # m
        self.second = second  # v
        self.steps = steps  # t
        self._scratch = scratch

    def step(self, params: Tensor, grads: Tensor, lr: float) -> None:
        if self.weight_decay:
            grads = torch.add(grads, params, alpha=self.weight_decay, out=self._scratch)
        self._move(params, grads, lr)

    def state(self) -> dict[str, Tensor]:
        return {"first": self.first, "second": self.second, "steps": self.steps} if self.steps else {}

    def _move(self, params: Tensor, grads: Tensor, lr: float) -> None:
        self.steps += 1
        t = int(self.steps)
        self.first.lerp_(grads, 1 - self.momentum)
        self.second.mul_(BETA2).addcmul_(grads, grads, value=1 - BETA2)
        spread = torch.sqrt(self.second, out=self._scratch).div_((1 - BETA2**t) ** 0.5).add_(EPSILON)
        params.addcdiv_(self.first, spread, value=-lr / (1 - self.momentum**t))


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: Loshchilov & Hutter 2019, Algorithm 2 (arXiv:1711.05101)."""

    def step(self, params: Tensor, grads: Tensor, lr: float) -> None:
        params.mul_(1 - lr * self.weight_decay)
        self._move(params, grads, lr)


def make_optimizer(recipe: Recipe, num: int, device: torch.device | str, state: Mapping[str, Tensor] | None,
                   buffers: dict[str, Tensor] | None = None) -> Optimizer:
    """The recipe's optimiser of num numbers; recipe.momentum is beta1 of Adam and AdamW.

    state: of an earlier optimiser's state(), copied: training goes on from there; None or empty begins anew. buffers: vectors that
    the caller keeps for its next optimiser, filled here (new memory costs more than the step of a large model); the old one is then
    void. SiteError if the state belongs to another optimiser or another model.
    """
    buffers = {} if buffers is None else buffers

    def buffer(name: str) -> Tensor:
        """The buffer of this name; it holds the kept state, or else anything."""
        if name not in buffers:
            buffers[name] = torch.empty(num, device=device)
        return buffers[name].copy_(state[name]) if state else buffers[name]

    names = {"velocity"} if recipe.optimizer == "sgd" else {"first", "second", "steps"}
    if state and (set(state) != names or any(tensor.dim() and len(tensor) != num for tensor in state.values())):
        found = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in state.items())
        raise SiteError(f"the kept optimiser state ({found}) does not fit optimizer = '{recipe.optimizer}' of a model with {num} "
                        "numbers. It comes from another plan: start a new run.")
    settings = {"momentum": recipe.momentum, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "sgd":
        return Sgd(**settings, velocity=buffer("velocity"), is_fresh=not state)
    kind = AdamW if recipe.optimizer == "adamw" else Adam
    steps = state["steps"].cpu().clone() if state else torch.tensor(0)
    first, second = buffer("first"), buffer("second")
    if not state:
        first.zero_()
        second.zero_()
    return kind(**settings, first=first, second=second, steps=steps, scratch=buffers.setdefault("scratch", torch.empty(num, device=device)))


def clip_(grads: Tensor, max_norm: float) -> float:
    """Scale grads in place to an L2 norm of at most max_norm; return the norm before (torch.nn.utils.clip_grad_norm_)."""
    norm = float(torch.linalg.vector_norm(grads))
    if norm > max_norm:
        grads.mul_(max_norm / (norm + 1e-6))
    return norm
