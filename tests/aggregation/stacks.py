"""Rows of numbers as a round's updates, and the reference rows that all rules are tested on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from wardround.aggregation.stack import Stack
from wardround.core.exchange import Update
from wardround.core.params import Layout, Params

# Seven sites, of which the last is malicious; results by an implementation of their own, most of them checked against byzfl 0.0.11.
X = np.array([[1, 2, 3], [1.2, 1.8, 3.1], [.9, 2.1, 2.8], [1.1, 2.2, 3.2], [1.05, 1.9, 2.9], [.95, 2.05, 3.05], [10, -10, 30]])
CLOSE = {"abs": 1e-6, "rel": 0}


def layout_of(num: int, num_buffers: int = 0) -> Layout:
    return Layout.of([("w", torch.zeros(num - num_buffers), True), *[("running_var", torch.zeros(num_buffers), False)] * (num_buffers > 0)])


def updates(rows: Sequence[Sequence[float]] | np.ndarray, num_buffers: int = 0) -> Iterator[Update]:
    """One a row, all in the same memory, as a fleet hands them on. The last num_buffers numbers are running statistics."""
    numbers = np.asarray(rows, dtype=np.float32)
    slot = torch.zeros(numbers.shape[1])
    layout = layout_of(numbers.shape[1], num_buffers)
    for index, row in enumerate(numbers):
        slot.copy_(torch.from_numpy(row))
        yield Update(site=f"site-{index + 1}", num_examples=10**index, delta=Params(slot, layout), num_steps=1, train_loss=0.0)


def stack(rows: Sequence[Sequence[float]] | np.ndarray, num_buffers: int = 0) -> Stack:
    return Stack.of(updates(rows, num_buffers))


def numbers(params: Params) -> list[float]:
    return [float(number) for number in params.flat]
