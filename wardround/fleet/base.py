"""The one interface behind which an engine hides.

A site's half of the strategy lives at the site, which built it from its own plan; an order carries numbers and settings only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport, Update

Memories = dict[str, dict[str, Tensor]]  # site -> what it remembers


class Fleet(Protocol):
    """Carries orders to sites and brings replies back."""

    def sites(self) -> Mapping[str, int]:
        """Every site, in the order of their replies, and the number of training images it declared."""
        ...

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        """One reply a site of the cohort, in the fleet's order. An update's arrays are valid until the next reply is asked for."""
        ...

    def evaluate(self, order: EvaluateOrder, cohort: Sequence[str]) -> Iterator[SiteReport | SiteFailed]:
        """One reply a site, in the fleet's order."""
        ...

    def commit(self) -> None:
        """The round counted: what sites remembered in it is kept. Without it the next `train` starts from the memory before."""
        ...

    def memories(self) -> Memories:
        """What the sites of this process remember, for a checkpoint; empty where memory stays on other machines."""
        ...

    def restore(self, memories: Memories) -> None:
        """Put back what `memories` returned."""
        ...

    def close(self) -> None:
        """End the engine; nothing of it stays behind."""
        ...
