"""The networks of the speed benchmarks, as a plan names them: `benchmarks/speed/networks.py:cnn`."""

from __future__ import annotations

from torch import nn


def cnn(*, in_channels: int, num_outputs: int, size: int, width: int = 32, hidden: int = 128) -> nn.Module:
    """Two 3 x 3 convolutions with halvings, two linear layers, no norm: 420,610 parameters at 28 px with the defaults."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * width * (size // 4) ** 2, hidden), nn.ReLU(), nn.Linear(hidden, num_outputs))
