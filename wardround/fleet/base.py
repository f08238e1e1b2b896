"""The one interface behind which an engine hides.

A site's half of the strategy lives at the site, which built it from its own plan; an order carries numbers and settings only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from torch import Tensor

from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport, Update
from wardround.sites.site import SiteRows

Memories = dict[str, dict[str, Tensor]]  # site -> what it remembers
MAX_ALONE = 32  # sites that evaluate one by one; of more, neighbours share jobs and forward passes
SHARED_ROWS = 64  # rows of such a job, about


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


def neighbours(rows: Mapping[str, SiteRows], order: EvaluateOrder, cohort: Sequence[str]) -> list[tuple[str, ...]]:
    """The sites of each job of a simulated evaluation: one alone, unless they are many.

    It depends on the sites only: with the number of workers, or the engine, the last bits of a loss would change. Models of the sites'
    own share no forward pass."""
    if order.is_personal or len(cohort) <= MAX_ALONE:
        return [(site,) for site in cohort]
    num_rows = sum(len(rows[site].of(order.rows)) for site in cohort)
    num_jobs = min(MAX_ALONE, max(1, num_rows // SHARED_ROWS))
    bounds = [len(cohort) * index // num_jobs for index in range(num_jobs + 1)]
    return [tuple(cohort[start:end]) for start, end in pairwise(bounds)]
