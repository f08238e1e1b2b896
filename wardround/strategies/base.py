"""What a federated algorithm is: a site's half and a server's half, in one object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

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
