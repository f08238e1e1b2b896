"""FedAvg that takes its time and leaves a mark when it begins: so that a test can kill a program in the middle of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wardround.core.exchange import Order, Update
from wardround.core.state import State
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg

MARKS = "WARDROUND_TEST_MARKS"  # environment: a folder


def mark(what: str) -> None:
    (Path(os.environ[MARKS]) / what).touch()


@dataclass(frozen=True, kw_only=True)
class SlowAvg(FedAvg):
    """seconds: of a site's training beside what it takes; the aggregation takes as long."""

    seconds: float = 0.6

    def train(self, site: Site, order: Order) -> Update:
        if MARKS in os.environ:
            mark(f"train-{site.name}-{order.round}")
            time.sleep(self.seconds)
        return super().train(site, order)

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        held = super().aggregate(state, updates)
        if MARKS in os.environ:
            mark(f"aggregate-{held.round}")
            time.sleep(self.seconds)
        return held
