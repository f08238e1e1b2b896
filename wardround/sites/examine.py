"""How a site evaluates: the one call behind which the tasks differ (classify.py, segment.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from torch import Tensor

from wardround.core.tally import Tally

Network = Callable[[Tensor], Tensor]  # images (B, C, ...) on any device -> logits float32 on the model's device


class Examine(Protocol):
    """Evaluates a network on rows."""

    def __call__(self, *, network: Network, rows: np.ndarray, detail: bool) -> tuple[Tally, np.ndarray, np.ndarray | None]:
        """The sums; and which rows have a result of their own, with detail that result: see core.exchange.SiteReport."""
        ...
