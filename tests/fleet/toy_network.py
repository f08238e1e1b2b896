"""A network in memory: toy sites that answer messages as a hospital's program does, and an Exchange between them and a fleet.

Sites train on one thread, so that they have the bits of the local engine's workers.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from wardround.build import ArmBlueprint, initial_params
from wardround.compression.filter import make_codec
from wardround.core.exchange import EvaluateOrder
from wardround.fleet.nvflare import Lost, NvflareFleet
from wardround.fleet.wire import decode, encode, kinds_of, peek
from wardround.fleet.worker import evaluated, failure, trained
from wardround.network.envelope import Envelope
from wardround.sites.memory import Memory
from wardround.sites.site import Bench, Site

log = logging.getLogger(__name__)

RUN, PLAN = "federated-seed0", "ab" * 32
Answer = Callable[[bytes], bytes | Lost]


class ToySite:
    """A site with its rows of the blueprint. kept: what it remembers, by version. seen: the envelopes it was sent."""

    def __init__(self, blueprint: ArmBlueprint, name: str, bench: Bench) -> None:
        self.blueprint, self.name, self.bench = blueprint, name, bench
        self.kept: dict[str, Memory] = {"": {}}
        self.seen: list[Envelope] = []
        self.notes: tuple[str, ...] = ()

    def answer(self, data: bytes) -> bytes:
        """The reply to a train or evaluate order; a failure of whatever kind is a reply too."""
        envelope, reply = self.work(data)
        return encode(envelope.record(), reply)

    def work(self, data: bytes) -> tuple[Envelope, Any]:
        """The reply and its envelope, before they become bytes."""
        envelope = Envelope.of(peek(data).envelope)
        self.seen.append(envelope)
        answer = replace(envelope, keep="", notes=self.notes)
        site = Site(rows=self.blueprint.rows[self.name], bench=self.bench,
                    memory={entry: tensor.clone() for entry, tensor in self.kept[envelope.memory].items()})
        try:
            _, order = decode(data, kinds_of(self.blueprint.strategy), self.bench.model.params.layout)
            if isinstance(order, EvaluateOrder):
                return answer, evaluated(self.blueprint, self.bench, [self.name], order, site.memory)[0]
            started = time.perf_counter()
            update = replace(trained(self.blueprint, site, order), seconds=time.perf_counter() - started)
        except Exception as error:
            log.debug("site %s failed", self.name, exc_info=True)
            return answer, failure(self.name, error)
        if site.memory:
            self.kept[envelope.keep] = {entry: tensor.clone() for entry, tensor in site.memory.items()}
        return replace(answer, keep=envelope.keep if site.memory else ""), update


class ToyExchange:
    """Asks the sites one after another, the last first, so that replies come out of order. A site without an entry is not connected.

    silent: sites of which nothing is ever heard. more: what comes after the answers of the next request. log: (site, request, answer).
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = dict(answers)
        self.silent: set[str] = set()
        self.more: list[tuple[str, bytes | Lost]] = []
        self.log: list[tuple[str, bytes, bytes | Lost]] = []
        self.is_closed = False

    def ask(self, requests: Mapping[str, bytes], *, deadline_s: float) -> Iterator[tuple[str, bytes | Lost]]:
        self.is_closed = False
        try:
            for site in reversed(list(requests)):
                if site not in self.silent:
                    yield site, self._answer(site, requests[site])
            yield from self.more
            self.more = []
        finally:
            self.is_closed = True

    def exchanged(self, *kinds: str) -> list[tuple[str, bytes, bytes | Lost]]:
        """What went to and fro about orders of these kinds: (site, request, answer)."""
        return [(site, request, answer) for site, request, answer in self.log if peek(request).kind in kinds]

    def _answer(self, site: str, request: bytes) -> bytes | Lost:
        with one_thread():
            answer = self.answers[site](request) if site in self.answers else Lost("not connected")
        self.log.append((site, request, answer))
        return answer


class ToyFleet(NvflareFleet):
    """A fleet, with the exchange and the sites of its blueprint."""

    def __init__(self, blueprint: ArmBlueprint, **settings: Any) -> None:
        bench = blueprint.bench()
        self.blueprint = blueprint
        self.there = {name: ToySite(blueprint, name, bench) for name in blueprint.rows}
        settings = {"exchange": ToyExchange({name: site.answer for name, site in self.there.items()})} | settings
        super().__init__(strategy=blueprint.strategy, layout=initial_params(blueprint).layout,
                         sites={name: len(rows.train) for name, rows in blueprint.rows.items()}, run=RUN, plan=PLAN, deadline_s=30.0,
                         codec=make_codec(blueprint.plan.exchange), **settings)


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
