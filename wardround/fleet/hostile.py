"""An engine some of whose sites are malicious: what they send is replaced before the server sees it. For simulations only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from wardround.aggregation.stack import Stack
from wardround.attacks.choose import Corruption
from wardround.core.exchange import Order, SiteFailed, Update
from wardround.core.params import Params
from wardround.fleet.wrapped import Watched, Wrapped
from wardround.rng import torch_stream


class HostileFleet(Wrapped):
    """From `from_round` on, the deltas of the malicious sites are what the corruption makes of all the round's.

    What else they send stays as it is: their control variates, their number of images, their loss, their bytes. It goes around the engine
    itself, below secure aggregation, for it must see single updates.
    """

    def __init__(self, inner: Watched, corruption: Corruption, *, sites: Collection[str], from_round: int = 1, seed: int = 0) -> None:
        """sites: the malicious ones."""
        super().__init__(inner)
        self._corruption, self._malicious = corruption, frozenset(sites)
        self._from_round, self._seed = from_round, seed

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        """As the engine's, but from `from_round` on no reply comes before the last: all are in memory at once, as a robust rule's are."""
        if order.round < self._from_round or self._malicious.isdisjoint(cohort):
            return self.inner.train(order, cohort)
        return self._attacked(order, cohort)

    def _attacked(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        replies = [_kept(reply) for reply in self.inner.train(order, cohort)]
        changed = self._changed([reply for reply in replies if isinstance(reply, Update) and bool(reply.delta.flat.isfinite().all())],
                                order.round)
        for reply in replies:
            if isinstance(reply, Update) and reply.site in changed:
                yield replace(reply, delta=Params(changed[reply.site], reply.delta.layout))
            else:
                yield reply

    def _changed(self, usable: Sequence[Update], round: int) -> dict[str, Tensor]:
        """New vectors by site. usable: updates without NaN; others are left to the server, which refuses them."""
        rows = [index for index, update in enumerate(usable) if update.site in self._malicious]
        if not rows:
            return {}
        stack = Stack(sites=tuple(update.site for update in usable), rows=tuple(update.delta.flat for update in usable),
                      layout=usable[0].delta.layout)
        vectors = self._corruption(stack, rows, torch_stream(self._seed, "attack", round))
        return {usable[row].site: vector for row, vector in zip(rows, vectors, strict=True)}


def _kept(reply: Update | SiteFailed) -> Update | SiteFailed:
    """The reply with arrays of its own, on the CPU: the engine's are valid only until the next reply is asked for."""
    if isinstance(reply, SiteFailed):
        return reply
    arrays = {name: value for name, value in vars(reply).items() if isinstance(value, Params)}
    return replace(reply, **{name: Params(value.flat.detach().to("cpu", copy=True), value.layout) for name, value in arrays.items()})  # type: ignore[arg-type]
