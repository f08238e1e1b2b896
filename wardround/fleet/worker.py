"""A worker process of the local fleet: builds the model once, then does one site's job after another, on one thread."""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from wardround.core.exchange import EvaluateOrder, Filter, Order, SiteFailed, SiteReport, Update
from wardround.fleet.arena import Arena, plain_fields
from wardround.fleet.heap import keep_heap
from wardround.rng import torch_stream
from wardround.sites import memory
from wardround.sites.site import Bench, Site, SiteRows, evaluate, together
from wardround.sites.steps import Tell
from wardround.strategies.base import Personal, Strategy

log = logging.getLogger(__name__)

Kind = TypeVar("Kind")


class Blueprint(Protocol):
    """What a worker needs to become a site. build.py makes it."""

    @property
    def strategy(self) -> Strategy: ...

    @property
    def rows(self) -> Mapping[str, SiteRows]: ...

    @property
    def filter(self) -> Filter | None:
        """What an update passes before it leaves its site."""
        ...

    def bench(self) -> Bench:
        """Build the process's model and open its images."""
        ...


@dataclass(frozen=True, kw_only=True)
class Briefing:
    """What the jobs of a round have in common, told to each worker once: the order's plain fields. Its arrays are in the arena."""

    kind: type
    plain: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """Train `site`; leave the update in `slot` and the new memory at memory_out."""

    site: str
    round: int
    slot: int
    memory_in: Path | None
    memory_out: Path


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """A train job is at work: so many of its steps are done. Sent now and then, before its reply; a short job sends none."""

    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A train job is done: the update's plain fields, and whether there is a new memory. The update's arrays are in the slot."""

    plain: Mapping[str, Any]
    remembers: bool


@dataclass(frozen=True, kw_only=True)
class EvaluateJob:
    """Evaluate on the rows of these sites. memory_in: what the one site of a personal order remembers."""

    sites: tuple[str, ...]
    memory_in: Path | None = None

    @property
    def site(self) -> str:
        return self.sites[0]

    @property
    def round(self) -> None:
        return None


def serve(connection: Connection, others: Sequence[Connection], blueprint: Blueprint, arena: Arena) -> None:
    """Answer jobs until the parent closes the connection. `others` are ends of the parent that a fork copied here."""
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # what the parent had stays in shared pages
    torch.set_num_threads(1)
    keep_heap()
    work = _Work(blueprint, arena, tell=lambda done, total: connection.send(Stepped(done=done, total=total)))
    while True:
        try:
            message = connection.recv()
            if isinstance(message, Briefing):
                work.briefing = message
            else:
                connection.send(work.answer(message))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            os._exit(0)  # the parent is gone


def reports(sites: Sequence[str], evaluate: Callable[[Sequence[str]], list[SiteReport]]) -> list[SiteReport | SiteFailed]:
    """A reply of each site. They are evaluated together, unless one of them fails."""
    try:
        return [*evaluate(sites)]
    except Exception as error:
        log.debug("sites %s failed", sites, exc_info=True)
        if len(sites) == 1:
            return [failure(sites[0], error)]
        return [reply for site in sites for reply in reports([site], evaluate)]


def trained(blueprint: Blueprint, site: Site, order: Order) -> Update:
    """A site's update as the server will have it."""
    update, passed = blueprint.strategy.train(site, order), blueprint.filter
    return update if passed is None else passed(update, site.memory, torch_stream(site.bench.seed, "compress", site.name, order.round))


def evaluated(blueprint: Blueprint, bench: Bench, sites: Sequence[str], order: EvaluateOrder, kept: memory.Memory) -> list[SiteReport]:
    """A report of each site. kept: what the one site of a personal order remembers."""
    if not order.is_personal:
        return evaluate(bench, [blueprint.rows[site] for site in sites], order)
    if not isinstance(blueprint.strategy, Personal):
        raise TypeError(f"{type(blueprint.strategy).__name__} leaves sites no models of their own")
    (name,) = sites
    own = blueprint.strategy.personal(Site(rows=blueprint.rows[name], bench=bench, memory=kept), order.params)
    (report,) = evaluate(bench, [blueprint.rows[name]], replace(order, params=own))
    others = [rows for site, rows in blueprint.rows.items() if site != name and len(rows.of(order.rows))]
    if not order.elsewhere or not others:
        return [report]
    (abroad,) = evaluate(bench, [together(name, others)], replace(order, params=own, detail=False, temperatures=()))
    return [replace(report, elsewhere=abroad.tally)]


def failure(site: str, error: Exception) -> SiteFailed:
    """The reply of a site whose work raised the error."""
    return SiteFailed(site=site, reason=f"{type(error).__name__}: {error}")


class _Work:
    """The jobs of a worker. The model is built for the first of them, so that a failure to build it is told as the sites' failure."""

    def __init__(self, blueprint: Blueprint, arena: Arena, tell: Tell) -> None:
        self.blueprint, self.arena, self.tell = blueprint, arena, tell
        self.briefing: Briefing | None = None
        self._read: tuple[Briefing, Any] | None = None  # the last order: on a GPU its arrays are copied there once a round

    @cached_property
    def bench(self) -> Bench:
        return self.blueprint.bench()

    def order(self, kind: type[Kind]) -> Kind:
        """The present order; on a CPU its arrays are views of the arena."""
        if self.briefing is None or not issubclass(self.briefing.kind, kind):
            raise TypeError(f"no {kind.__name__} was told before this job")
        if self._read is None or self._read[0] is not self.briefing:
            self._read = self.briefing, self.arena.read_order(self.briefing.kind, self.briefing.plain, self.bench.model.device)
        found: Kind = self._read[1]
        return found

    def answer(self, job: TrainJob | EvaluateJob) -> Any:
        """A site's failure, of whatever kind, becomes a reply: it never ends the run."""
        if isinstance(job, EvaluateJob):
            return reports(job.sites, partial(self._evaluate, memory_in=job.memory_in))
        try:
            return self._train(job)
        except Exception as error:
            log.debug("site %s failed", job.site, exc_info=True)
            return failure(job.site, error)

    def _train(self, job: TrainJob) -> Trained:
        started = time.perf_counter()
        order = self.order(Order)
        site = Site(rows=self.blueprint.rows[job.site], bench=self.bench, memory=self._memory(job.memory_in), tell=self.tell,
                    outbox=self.arena.vector(job.slot, self.blueprint.strategy.update_type, "delta"))
        update = trained(self.blueprint, site, order)
        self.arena.write_slot(job.slot, update)
        if site.memory:
            memory.write(site.memory, job.memory_out)
        return Trained(plain=plain_fields(replace(update, seconds=time.perf_counter() - started)), remembers=bool(site.memory))

    def _evaluate(self, sites: Sequence[str], memory_in: Path | None) -> list[SiteReport]:
        return evaluated(self.blueprint, self.bench, sites, self.order(EvaluateOrder), self._memory(memory_in))

    def _memory(self, path: Path | None) -> memory.Memory:
        return {name: tensor.to(self.bench.model.device) for name, tensor in memory.read(path).items()}
