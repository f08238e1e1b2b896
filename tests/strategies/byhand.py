"""Tiny parameters and updates for rounds worked by hand: two trainable numbers and one buffer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from wardround.aggregation.mean import mean
from wardround.core.exchange import Update
from wardround.core.params import Layout, Params

LAYOUT = Layout.of([("w", torch.zeros(2), True), ("running_mean", torch.zeros(1), False)])


def params(*numbers: float) -> Params:
    """The first two are trainable, the third is the buffer."""
    return Params(torch.tensor(numbers), LAYOUT)


def update(site: str, *delta: float, num_examples: int = 1, num_steps: int = 1, train_loss: float = 1.0) -> Update:
    return Update(site=site, num_examples=num_examples, delta=params(*delta), num_steps=num_steps, train_loss=train_loss)


def equal(updates: Iterable[Update]) -> Params:
    """The mean of the sites' changes, every site counting the same."""
    return mean(replace(reply, num_examples=1) for reply in updates)
