"""Training images of malicious sites, changed before the site learns from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

Change = Callable[[Tensor, Tensor, np.random.Generator], tuple[Tensor, Tensor]]  # images and truth of a batch -> new ones


@dataclass(frozen=True, kw_only=True)
class Poison:
    """What happens to the batches of which sites, and from which round on: before it they behave.

    change: can be pickled, for it goes to worker processes. It gives new tensors: a feed may hand out views of its images."""

    change: Change
    sites: frozenset[str]
    from_round: int = 1

    def applies(self, site: str, round: int) -> bool:
        return site in self.sites and round >= self.from_round
