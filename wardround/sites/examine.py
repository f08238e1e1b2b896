"""How sites evaluate: the one call behind which the tasks differ (classify.py, segment.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from wardround.core.tally import Tally

Network = Callable[[Tensor], Tensor]  # images (B, C, ...) on any device -> logits float32 on the model's device


@dataclass(frozen=True, kw_only=True, eq=False)
class Examined:
    """What a site's rows came to. rows: which of them have a result of their own; values: that result, if details were asked for
    (core.exchange.SiteReport says which). loss_sums: if temperatures were asked for, as in SiteReport."""

    tally: Tally
    rows: np.ndarray
    values: np.ndarray | None
    loss_sums: np.ndarray | None = None


class Examine(Protocol):
    """Evaluates a network on the rows of one or more sites."""

    def __call__(self, *, network: Network, rows: Sequence[np.ndarray], detail: bool,
                 temperatures: Sequence[float] = ()) -> list[Examined]:
        """One result a site, in order. temperatures: see core.exchange.EvaluateOrder."""
        ...
