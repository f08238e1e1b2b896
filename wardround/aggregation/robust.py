"""A rule that needs all updates at once, in the place where a strategy expects an aggregator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from wardround.aggregation.stack import Stack
from wardround.aggregation.suspicion import suspicion
from wardround.core.events import Scores
from wardround.core.exchange import Update
from wardround.core.params import Params

Rule = Callable[[Stack], Params]


@dataclass(kw_only=True, eq=False)
class Robust:
    """Reads all updates, combines them by the rule, and keeps how far each site stood apart in the last call for whoever writes it down.

    Nothing that is computed depends on `suspicion`."""

    rule: Rule
    suspicion: Scores = field(default_factory=dict, init=False)

    def __call__(self, updates: Iterable[Update]) -> Params:
        self.suspicion = {}
        stack = Stack.of(updates)
        change = self.rule(stack)
        self.suspicion = suspicion(stack, change)
        return change
