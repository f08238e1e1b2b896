"""A label for a volume: the same 2-D network looks at each slice, and a recurrent one reads what it saw from end to end."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from wardround.errors import PlanError
from wardround.models import cnn


def build(*, in_channels: int, num_outputs: int, shape: Sequence[int], width: int = 16, hidden: int = 64,
          dropout: float = 0.0) -> nn.Module:
    """A small CNN on each slice, a bidirectional GRU (Cho et al. 2014, arXiv:1406.1078) over the slices, and linear.

    shape: (D, H, W); volumes of any other depth fit too. width: of the CNN, a multiple of 8; a slice gives 4 * width features.
    hidden: features of the GRU in each direction. dropout: share of the last features left out in training. PlanError if impossible.
    """
    if len(shape) != 3:
        raise PlanError("model 'slice-sequence' reads volumes: set data.dims = 3, or choose 'cnn' for pictures")
    if hidden < 1:
        raise PlanError(f"model.hidden must be at least 1, got {hidden}")
    layers = list(cnn.build(in_channels=in_channels, num_outputs=num_outputs, size=min(shape[1:]), width=width, dropout=dropout).children())
    return SliceSequence(nn.Sequential(*layers[:-2]), 4 * width, hidden, num_outputs, dropout)


class SliceSequence(nn.Module):
    """(B, C, D, H, W) -> (B, num_outputs). slices: (n, C, H, W) -> (n, num_features)."""

    def __init__(self, slices: nn.Module, num_features: int, hidden: int, num_outputs: int, dropout: float) -> None:
        super().__init__()
        self.slices = slices
        self.sequence = nn.GRU(num_features, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * hidden, num_outputs)

    def forward(self, volumes: Tensor) -> Tensor:
        pictures = volumes.transpose(1, 2)  # (B, D, C, H, W)
        seen = self.slices(pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])  # (B, D, num_features)
        read, _ = self.sequence(seen)  # (B, D, 2 * hidden)
        logits: Tensor = self.fc(self.dropout(read.mean(1)))
        return logits
