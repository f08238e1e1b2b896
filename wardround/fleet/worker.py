"""A worker process of the local fleet: builds the model once, then does one site's job after another, on one thread."""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import torch

from wardround.core.exchange import EvaluateOrder, SiteFailed
from wardround.fleet.arena import Arena, plain_fields
from wardround.sites import memory
from wardround.sites.site import Bench, Site, SiteRows
from wardround.strategies.base import Strategy

log = logging.getLogger(__name__)


class Blueprint(Protocol):
    """What a worker needs to become a site. build.py makes it."""

    @property
    def strategy(self) -> Strategy: ...

    @property
    def rows(self) -> Mapping[str, SiteRows]: ...

    def bench(self) -> Bench:
        """Build the process's model and open its images."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """Train `site` on the order in the arena; leave the update in `slot` and the new memory at memory_out."""

    site: str
    plain: Mapping[str, Any]
    slot: int
    memory_in: Path | None
    memory_out: Path


@dataclass(frozen=True, kw_only=True)
class EvaluateJob:
    """Evaluate the parameters in the arena on rows of `site`."""

    site: str
    plain: Mapping[str, Any]


def serve(connection: Connection, others: Sequence[Connection], blueprint: Blueprint, arena: Arena) -> None:
    """Answer jobs until the parent closes the connection. `others` are ends of the parent that a fork copied here."""
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # what the parent had stays in shared pages
    torch.set_num_threads(1)
    bench = blueprint.bench()
    while True:
        try:
            job = connection.recv()
            connection.send(_answer(job, blueprint, bench, arena))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            os._exit(0)  # the parent is gone


def _answer(job: TrainJob | EvaluateJob, blueprint: Blueprint, bench: Bench, arena: Arena) -> Any:
    """A site's failure, of whatever kind, becomes a reply: it never ends the run."""
    try:
        if isinstance(job, TrainJob):
            return _train(job, blueprint, bench, arena)
        order = arena.read_order(EvaluateOrder, job.plain, bench.model.device)
        return Site(rows=blueprint.rows[job.site], bench=bench).evaluate(order)
    except Exception as error:
        log.debug("site %s failed", job.site, exc_info=True)
        return SiteFailed(site=job.site, reason=f"{type(error).__name__}: {error}")


def _train(job: TrainJob, blueprint: Blueprint, bench: Bench, arena: Arena) -> dict[str, Any]:
    """Return the update's plain fields; its arrays are in the slot."""
    started = time.perf_counter()
    order = arena.read_order(blueprint.strategy.order_type, job.plain, bench.model.device)
    site = Site(rows=blueprint.rows[job.site], bench=bench, memory=memory.read(job.memory_in))
    site.memory.update({name: tensor.to(bench.model.device) for name, tensor in site.memory.items()})
    update = blueprint.strategy.train(site, order)
    arena.write_slot(job.slot, update)
    if site.memory:
        memory.write(site.memory, job.memory_out)
    return plain_fields(replace(update, seconds=time.perf_counter() - started))
