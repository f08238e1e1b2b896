"""FedMuon: Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) as the server's optimiser, as FedAdam is Adam's.

Made for recipe.single_step: then the sites' mean change is the gradient of all sites' batches together, whoever holds which class,
and the run is large-batch training. Few rounds are few steps, so each must be a good one: SGD moves along the few directions in
which a layer's gradient is large, Muon equally along all of them. The papers of this name (Liu et al. 2025, arXiv:2510.27403;
Takezawa et al. 2025, arXiv:2509.26337) run Muon at the sites instead, where it drifts with their classes, and then correct that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import sqrt
from typing import cast

import torch
from torch import Tensor

from wardround.core.exchange import Update
from wardround.core.params import Params
from wardround.core.state import State
from wardround.errors import PlanError
from wardround.strategies.fedavg import FedAvg

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # of Jordan et al.: steep at 0, so that small singular values grow fast
NUM_ITERATIONS = 5  # leave singular values within about 0.7 ... 1.2
BETA2, EPSILON = 0.99, 1e-8  # of Adam on vectors; a mean over 100 rounds, for runs have few


@dataclass(frozen=True, kw_only=True)
class MuonState(State):
    """velocity: summed gradients; second: mean of their squares, used for vectors only."""

    velocity: Params
    second: Params


@dataclass(frozen=True, kw_only=True)
class FedMuon(FedAvg):
    """Matrices and filters, as (outputs, rest), move by server_lr * sqrt(max(1, outputs / rest)) * UV^T, where USV^T is the gradient
    with Nesterov momentum; vectors (norms, biases) and filters of a single channel by Adam with vector_lr; buffers by the mean of the
    sites' changes.

    The plan's schedule holds for the server's rates; sites keep recipe.lr, whose size does not matter with single_step.
    weight_decay: share of server_lr by which matrices shrink in a round.
    """

    server_lr: float = 0.05
    vector_lr: float = 0.003
    server_momentum: float = 0.9
    weight_decay: float = 0.005

    optimises = True
    schedules_server = True

    def __post_init__(self) -> None:
        if not (self.server_lr > 0 and self.vector_lr > 0 and 0 <= self.server_momentum < 1 and self.weight_decay >= 0):
            raise PlanError("fedmuon needs server_lr and vector_lr above 0, server_momentum from 0 to below 1, weight_decay not below 0, "
                            f"got server_lr = {self.server_lr}, vector_lr = {self.vector_lr}, server_momentum = {self.server_momentum}, "
                            f"weight_decay = {self.weight_decay}")

    def begin(self, params: Params, num_sites: int) -> MuonState:
        return MuonState(round=0, params=params, num_sites=num_sites, velocity=params.zeros(), second=params.zeros())

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        held, change, t = cast(MuonState, state), self.combine(updates), state.round + 1  # `begin` made it
        gradient = change * (-1 / self.recipe.lr)
        gradient.buffers.zero_()
        velocity = (held.velocity * self.server_momentum).add_(gradient)
        second = (held.second * BETA2).add_(Params(gradient.flat.square(), gradient.layout), alpha=1 - BETA2)
        ahead = gradient.add_(velocity, alpha=self.server_momentum)  # Nesterov
        params = held.params.clone()
        params.buffers.add_(change.buffers)
        factor = self.lr_factor(t)
        for entry in params.layout.entries:
            if not entry.is_trainable:
                continue
            here = params.view(entry)
            if len(entry.shape) > 1 and entry.shape[1] > 1:
                here.mul_(1 - factor * self.server_lr * self.weight_decay)
                here.sub_(orthogonal(ahead.view(entry).flatten(1)).view(entry.shape), alpha=factor * self.server_lr)
            else:
                spread = second.view(entry).div(1 - BETA2**t).sqrt_().add_(EPSILON)
                here.addcdiv_(ahead.view(entry), spread, value=-factor * self.vector_lr * (1 - self.server_momentum))
        return replace(held, round=t, params=params, velocity=velocity, second=second)


def orthogonal(matrix: Tensor) -> Tensor:
    """UV^T of the (n, m) matrix USV^T, times sqrt(max(1, n / m)), so that outputs move alike whatever the shape. By five Newton-Schulz
    steps, which need no decomposition; 0 for a matrix of zeros."""
    rows, columns = matrix.shape
    x = matrix.T if rows > columns else matrix
    x = x / (torch.linalg.matrix_norm(x) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(NUM_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    whole: Tensor = (x.T if rows > columns else x) * sqrt(max(1.0, rows / columns))
    return whole
