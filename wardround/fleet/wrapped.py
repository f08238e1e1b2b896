"""An engine with something done to what it carries: variants override a method and leave the rest to the engine inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from wardround.core.events import Watch
from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport, Update
from wardround.fleet.base import Fleet, Memories


class Watched(Fleet, Protocol):
    """An engine that tells what happens in it."""

    watch: Watch


class Wrapped:
    """Hands everything on."""

    def __init__(self, inner: Watched) -> None:
        self.inner = inner

    @property
    def watch(self) -> Watch:
        return self.inner.watch

    @watch.setter
    def watch(self, watch: Watch) -> None:
        self.inner.watch = watch

    def sites(self) -> Mapping[str, int]:
        return self.inner.sites()

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        return self.inner.train(order, cohort)

    def evaluate(self, order: EvaluateOrder, cohort: Sequence[str]) -> Iterator[SiteReport | SiteFailed]:
        return self.inner.evaluate(order, cohort)

    def commit(self) -> None:
        self.inner.commit()

    def memories(self) -> Memories:
        return self.inner.memories()

    def restore(self, memories: Memories) -> None:
        self.inner.restore(memories)

    def close(self) -> None:
        self.inner.close()
