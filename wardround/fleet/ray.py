"""The engine for clusters and several GPUs: the same site code in Ray actors, long-lived, one to a core or to a GPU.

A simulation engine for the machines of one institution: images travel to every node that trains, once, through Ray's object store.
Results are the local engine's, bit for bit at equal precision: jobs are independent, replies are handed on in the order of the sites.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from wardround.core.events import Watch, silent
from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport, Update
from wardround.core.params import Layout, Params
from wardround.data.cache import cores
from wardround.errors import PlanError, Resumable
from wardround.extras import need
from wardround.fleet.arena import in_place
from wardround.fleet.base import Memories, neighbours
from wardround.fleet.batch import MAX_ATTEMPTS, Batch
from wardround.fleet.heap import keep_heap
from wardround.fleet.worker import Blueprint, evaluated, failure, reports, trained
from wardround.sites.memory import Memory
from wardround.sites.site import Bench, Site

log = logging.getLogger(__name__)

START_S = 20.0  # wait so long for all workers; then begin with those that are there
PATIENCE_S = 600.0  # wait so long for a first one: clusters that grow on demand take minutes
KNOCK_S = 5.0
RUNNING = Path("/tmp/ray/ray_current_cluster")  # where `ray start` says what runs on this machine


@dataclass(frozen=True, kw_only=True, eq=False)
class Packed:
    """A message whose Params are plain vectors, which Ray carries without copying them into a pickle."""

    plain: Mapping[str, Any]
    vectors: Mapping[str, np.ndarray]

    @staticmethod
    def of(message: Any) -> Packed:
        fields = vars(message)
        vectors = {name: value.flat.cpu().numpy() for name, value in fields.items() if isinstance(value, Params)}
        return Packed(plain={name: value for name, value in fields.items() if name not in vectors}, vectors=vectors)

    def message(self, kind: type, layout: Layout, device: torch.device | str = "cpu") -> Any:
        """A message of this kind; on a CPU its Params are read in place."""
        return kind(**self.plain, **{name: Params(in_place(vector).to(device), layout) for name, vector in self.vectors.items()})


class RayWorker:
    """A Ray actor: builds the model once, then does one site's job after another, on one thread."""

    def __init__(self, blueprint: Blueprint) -> None:
        torch.set_num_threads(1)
        keep_heap()
        self.blueprint = blueprint

    def ready(self) -> None:
        """Answers as soon as the worker has a place and is there."""

    def train(self, order: Packed, site: str, memory: bytes | None) -> tuple[Packed, bytes | None] | SiteFailed:
        """The update and what the site remembers now. A site's failure, of whatever kind, becomes a reply: it never ends the run."""
        try:
            return self._train(order, site, memory)
        except Exception as error:
            log.debug("site %s failed", site, exc_info=True)
            return failure(site, error)

    def evaluate(self, order: Packed, sites: Sequence[str], memory: bytes | None) -> list[SiteReport | SiteFailed]:
        """A reply of each site; they share forward passes unless one of them fails. memory: see worker.evaluated."""
        def together(some: Sequence[str]) -> list[SiteReport]:
            told = order.message(EvaluateOrder, self._layout, self._device)
            return evaluated(self.blueprint, self.bench, some, told, self._memory(memory))

        return reports(sites, together)

    @cached_property
    def bench(self) -> Bench:
        return self.blueprint.bench()

    @property
    def _device(self) -> torch.device:
        return self.bench.model.device

    @property
    def _layout(self) -> Layout:
        return self.bench.model.params.layout

    def _train(self, order: Packed, name: str, memory: bytes | None) -> tuple[Packed, bytes | None]:
        started = time.perf_counter()
        site = Site(rows=self.blueprint.rows[name], bench=self.bench, memory=self._memory(memory))
        strategy = self.blueprint.strategy
        update = trained(self.blueprint, site, order.message(strategy.order_type, self._layout, self._device))
        remembered = to_bytes(site.memory) if site.memory else None
        packed = Packed.of(replace(update, seconds=time.perf_counter() - started))
        packed.message(strategy.update_type, self._layout)  # one that does not fit the model fails here, with its site named
        return packed, remembered

    def _memory(self, told: bytes | None) -> Memory:
        return {} if told is None else {entry: tensor.to(self._device) for entry, tensor in load(told).items()}


@dataclass(frozen=True, kw_only=True)
class _Job:
    method: str
    sites: tuple[str, ...]
    arguments: tuple[Any, ...]
    round: int | None = None  # in which it trains

    @property
    def site(self) -> str:
        return self.sites[0]


@dataclass
class _Seat:
    """A worker as the driver sees it. reply: what it was asked and has not answered. job: the number of that job; None at its start."""

    actor: Any
    reply: Any
    job: int | None = None


class RayFleet:
    """Sites on a Ray cluster: the one of `address`, RAY_ADDRESS or this machine's `ray start`; else one is started here and ended."""

    def __init__(self, blueprint: Blueprint, *, workers: int = 0, device: str = "cpu", address: str | None = None,
                 watch: Watch = silent) -> None:
        """workers: number of actors; 0: as many as the cluster has cores, or GPUs for device "cuda"."""
        self._ray: Any = need("ray", extra="ray", purpose="the engine 'ray'")
        self.blueprint, self.watch = blueprint, watch
        self._resource = "GPU" if device == "cuda" else "CPU"
        self._kept: dict[str, Any] = {}  # site -> reference to its memory, as bytes, on the driver's node
        self._staged: dict[str, Any] = {}
        self._seats: list[_Seat] = []
        self._false_starts = 0
        self._leave = connected(self._ray, address, workers)
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the cores are the workers'
        try:
            carry_code_and_arrays(self._ray)
            self._blueprint_there = self._ray.put(blueprint)
            self._seats = [self._seat() for _ in range(self._num_workers(workers))]
            self._ray.wait([seat.reply for seat in self._seats], num_returns=len(self._seats), timeout=START_S)
        except BaseException:
            self.close()
            raise

    def sites(self) -> Mapping[str, int]:
        return {name: len(rows.train) for name, rows in self.blueprint.rows.items()}

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        self._staged = {}
        there = self._ray.put(Packed.of(order))
        jobs = [_Job(method="train", sites=(site,), arguments=(there, site, self._kept.get(site)), round=order.round) for site in cohort]
        for job, reply in self._replies(jobs, window=2 * len(self._seats)):
            if isinstance(reply, SiteFailed):
                yield reply
                continue
            packed, remembered = reply
            if remembered is not None:
                self._staged[job.site] = self._ray.put(remembered)  # here, so that it outlives the worker's node
            yield packed.message(self.blueprint.strategy.update_type, order.params.layout)

    def evaluate(self, order: EvaluateOrder, cohort: Sequence[str]) -> Iterator[SiteReport | SiteFailed]:
        there = self._ray.put(Packed.of(order))
        groups = neighbours(self.blueprint.rows, order, cohort)
        jobs = [_Job(method="evaluate", sites=sites, arguments=(there, sites, self._kept.get(sites[0]) if order.is_personal else None))
                for sites in groups]
        for job, reply in self._replies(jobs, window=len(jobs)):
            yield from [replace(reply, site=site) for site in job.sites] if isinstance(reply, SiteFailed) else reply

    def commit(self) -> None:
        self._kept.update(self._staged)
        self._staged = {}

    def memories(self) -> Memories:
        return {site: load(self._ray.get(there)) for site, there in self._kept.items()}

    def restore(self, memories: Memories) -> None:
        self._kept = {site: self._ray.put(to_bytes(entries)) for site, entries in memories.items()}

    def close(self) -> None:
        for seat in self._seats:
            self._ray.kill(seat.actor)
        self._seats, self._kept, self._staged, self._blueprint_there = [], {}, {}, None
        self._leave()
        self._leave = nothing
        torch.set_num_threads(self._threads)

    def _num_workers(self, wanted: int) -> int:
        places = int(self._ray.cluster_resources().get(self._resource, 0))
        if not places:
            raise PlanError(f"the Ray cluster has no {self._resource}. Add a node that has one"
                            + (", or train with --set engine.device=cpu." if self._resource == "GPU" else "."))
        return max(1, min(wanted or places, places, len(self.blueprint.rows)))

    def _seat(self) -> _Seat:
        needs = {"num_cpus": 1} if self._resource == "CPU" else {"num_cpus": 0, "num_gpus": 1}
        actor = self._ray.remote(**needs)(RayWorker).remote(self._blueprint_there)
        return _Seat(actor, actor.ready.remote())

    def _replies(self, jobs: Sequence[_Job], window: int) -> Iterator[tuple[_Job, Any]]:
        """Hand out jobs in order, at most `window` ahead of the reply being read; yield (job, reply) in the jobs' order."""
        try:
            yield from Batch(jobs, window=window, watch=self.watch).replies(self._work_on)
        finally:
            for seat in self._seats:  # what a reader did not wait for is forgotten; the worker ends it before its next job
                if seat.job is not None:
                    seat.job, seat.reply = None, None

    def _work_on(self, batch: Batch[_Job]) -> None:
        for seat in self._seats:
            if seat.reply is None and (number := batch.take()) is not None:
                seat.job, job = number, batch.jobs[number]
                seat.reply = getattr(seat.actor, job.method).remote(*job.arguments)
                batch.begun(number)
        self._collect(batch)

    def _collect(self, batch: Batch[_Job]) -> None:
        seat = self._answered()
        number = seat.job
        try:
            reply = self._ray.get(seat.reply)
        except self._ray.exceptions.RayError as error:
            self._replace(seat, cause := cause_of(error))
            if number is not None:
                batch.lose(number, worker="worker", cause=cause)
            return
        seat.job, seat.reply, self._false_starts = None, None, 0
        if number is not None:
            batch.answer(number, reply)

    def _answered(self) -> _Seat:
        """Wait for the next worker that has answered or died."""
        asked = {seat.reply: seat for seat in self._seats if seat.reply is not None}
        is_working = any(seat.job is not None for seat in asked.values())
        answered, _ = self._ray.wait(list(asked), num_returns=1, timeout=None if is_working else PATIENCE_S)
        if not answered:
            raise Resumable(f"no {self._resource} of the Ray cluster became free in {PATIENCE_S / 60:.0f} minutes: `ray status` shows "
                            "who holds them. Free some or add a node, then go on with --resume.")
        return asked[answered[0]]

    def _replace(self, seat: _Seat, cause: str) -> None:
        """Start another worker in place of a dead one. Resumable if they die before they can work."""
        self._false_starts += seat.job is None
        if self._false_starts >= MAX_ATTEMPTS:
            raise Resumable(f"Ray's workers cannot start ({cause}). Every node needs the same Python, wardround and, at the same path, "
                            "your own files; then go on with --resume.")
        self._ray.kill(seat.actor)
        self._seats[self._seats.index(seat)] = self._seat()


def nothing() -> None:
    """What is left to do about a Ray that is not ours."""


def end(ray: Any, folder: str) -> None:
    """Shut down a Ray that was started here; its logs go with it."""
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def to_bytes(memory: Memory) -> bytes:
    """What a site remembers, as safetensors: the local engine's files hold the same."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in memory.items()})


def passed(array: np.ndarray) -> np.ndarray:
    """The array itself: how a memory-mapped one is rebuilt at its destination."""
    return array


def carry_code_and_arrays(ray: Any) -> None:
    """Let classes of a user's own file travel with their code, and memory-mapped images as arrays that a node's workers share."""
    for name, module in list(sys.modules.items()):
        if name.startswith("wardround_user_"):  # lookup.py: no module of that name can be imported elsewhere
            ray.cloudpickle.register_pickle_by_value(module)
    ray.util.register_serializer(np.memmap, serializer=lambda mapped: mapped.view(np.ndarray), deserializer=passed)


def cause_of(error: Exception) -> str:
    """What ended a worker, in a line."""
    inner = getattr(error, "cause", None)
    if isinstance(inner, Exception):
        return f"{type(inner).__name__}: {inner}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1] if "creation task" in lines[0] else lines[0]


def connected(ray: Any, address: str | None, workers: int) -> Callable[[], None]:
    """Connect this process to a Ray, or start one here; returns what undoes that. PlanError if none answers at the address."""
    if ray.is_initialized():
        return nothing
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to Ray's makers
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    named = address or os.environ.get("RAY_ADDRESS") or (RUNNING.read_text().strip() if RUNNING.exists() else "")
    with own_signals():
        if named in ("", "local"):
            folder = tempfile.mkdtemp(prefix="wardround-ray-", dir=RUNNING.parents[1])  # a short path: sockets lie in it
            ray.init("local", num_cpus=max(workers, cores()), include_dashboard=False, _temp_dir=folder, _node_ip_address="127.0.0.1",
                     **quiet)
            return partial(end, ray, folder)
        try:
            knock(named)
            ray.init(address, **quiet)
        except (OSError, ValueError, RuntimeError) as error:
            raise PlanError(f"no Ray cluster that can be used answers at {named} ({error}). Start it (ray start --head), or correct "
                            "RAY_ADDRESS; RAY_ADDRESS=local starts one for this run only.") from error
        return ray.shutdown  # type: ignore[no-any-return]


def knock(address: str) -> None:
    """OSError if nobody listens at HOST:PORT. Ray itself would try for minutes, and then end this process."""
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdigit():
        socket.create_connection((host, int(port)), KNOCK_S).close()


@contextmanager
def own_signals() -> Iterator[None]:
    """Keep this process's answer to SIGTERM, which ray.init replaces. Signals belong to the main thread; elsewhere: no change."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
