"""A fleet that answers from a script: for tests of the round loop and of strategies, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport, Update
from wardround.fleet.base import Memories

Reply = Update | SiteFailed


@dataclass(kw_only=True)
class ScriptedFleet:
    """Replies by site: a fixed reply, or a function of the order. `orders` records what was sent."""

    replies: Mapping[str, Reply | Callable[[Order], Reply]]
    reports: Mapping[str, SiteReport | SiteFailed] = field(default_factory=dict)
    num_train: Mapping[str, int] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    num_commits: int = 0

    def sites(self) -> Mapping[str, int]:
        return {site: self.num_train.get(site, 1) for site in self.replies}

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Reply]:
        self.orders.append(order)
        for site in cohort:
            reply = self.replies[site]
            yield reply(order) if callable(reply) else reply

    def evaluate(self, order: EvaluateOrder, cohort: Sequence[str]) -> Iterator[SiteReport | SiteFailed]:
        yield from (self.reports[site] for site in cohort if site in self.reports)

    def commit(self) -> None:
        self.num_commits += 1

    def memories(self) -> Memories:
        return {}

    def restore(self, memories: Memories) -> None:
        """A script remembers nothing."""

    def close(self) -> None:
        """Nothing to end."""
