"""What a federated algorithm is: a site's half and a server's half, in one object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol, runtime_checkable

from wardround.core.events import Scores
from wardround.core.exchange import Order, Update
from wardround.core.params import Params
from wardround.core.state import State
from wardround.sites.site import Site


class Strategy(Protocol):
    """A federated algorithm. All that it remembers is in State (server) or in `site.memory` (site).

    order_type, update_type: the dataclasses that travel; their fields of type Params are carried as arrays, the others as plain values.
    """

    order_type: ClassVar[type[Order]]
    update_type: ClassVar[type[Update]]

    def begin(self, params: Params, num_sites: int) -> State:
        """The state before round 1."""
        ...

    def order(self, state: State) -> Order:
        """What goes out in round state.round + 1."""
        ...

    def train(self, site: Site, order: Order) -> Update:
        """A site's work in a round. Runs at the site."""
        ...

    def aggregate(self, state: State, updates: Iterable[Update]) -> State:
        """The state after the round. Runs at the server; may read `updates` once."""
        ...


@runtime_checkable
class Personal(Protocol):
    """A strategy that leaves every site a model of its own; it is that model which the site's rows are evaluated with.

    Its run keeps the last round, not the best: what sites remember belongs to the last one.
    """

    def personal(self, site: Site, params: Params) -> Params:
        """The site's own model, from the global params and `site.memory`, which it leaves as it is. Runs at the site."""
        ...


@runtime_checkable
class Choosing(Protocol):
    """A strategy that asks only some of the sites drawn for a round."""

    def asked(self, state: State, cohort: Sequence[str]) -> Sequence[str]:
        """Which sites of the cohort, in its order, get round state.round + 1; at least one."""
        ...


@runtime_checkable
class Suspecting(Protocol):
    """An aggregator that tells how far each site's update stood apart in its last call: aggregation/suspicion.py."""

    suspicion: Scores
