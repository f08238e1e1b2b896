"""The default engine: a few long-lived worker processes of one thread each, on this machine.

Results do not depend on the number of workers: jobs are independent, replies are handed on in the order of the sites.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from wardround.core.events import Watch, silent
from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport, Update
from wardround.core.params import Layout
from wardround.data.pool import hidden_main
from wardround.errors import SiteError
from wardround.fleet.arena import Arena, params_fields, plain_fields
from wardround.fleet.base import Memories, neighbours
from wardround.fleet.batch import Batch
from wardround.fleet.worker import Blueprint, Briefing, EvaluateJob, Stepped, TrainJob, serve
from wardround.sites import memory

LARGE = 2**24  # bytes: updates of larger models take one slot a worker and one to be read; the work hides the wait for it


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    jobs: deque[int] = field(default_factory=deque)  # indices into the running batch: the one at work, and at most one that waits
    briefing: Briefing | None = None  # the last one it was told


class LocalFleet:
    """Sites of one machine. Workers are started at the first order and live until `close`."""

    def __init__(self, blueprint: Blueprint, layout: Layout, *, workers: int, work: Path, is_forked: bool = True,
                 watch: Watch = silent) -> None:
        """workers: number of processes. work: a folder of the run for what sites remember; emptied at start and end."""
        self.blueprint, self.watch = blueprint, watch
        self.num_workers = max(1, min(workers, len(blueprint.rows)))
        self._is_forked = is_forked
        self._context: Any = multiprocessing.get_context("fork" if is_forked else "spawn")
        strategy = blueprint.strategy
        self._is_small = layout.num_bytes <= LARGE
        num_slots = 2 * self.num_workers if self._is_small else self.num_workers + 1
        self._arena = Arena.allocate(layout, num_order=len(params_fields(strategy.order_type)),
                                     num_update=len(params_fields(strategy.update_type)), num_slots=num_slots,
                                     is_forked=is_forked)
        shutil.rmtree(work, ignore_errors=True)
        self._work = work / str(os.getpid())  # a worker that outlived a killed run writes elsewhere
        self._work.mkdir(parents=True)
        self._kept: dict[str, Path] = {}
        self._staged: dict[str, Path] = {}
        self._sites = {name: len(rows.train) for name, rows in blueprint.rows.items()}
        self._workers: list[_Worker] = []
        self._briefing: Briefing | None = None
        self._threads = torch.get_num_threads()

    def sites(self) -> Mapping[str, int]:
        return self._sites

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        self._staged = {}
        self._brief(order)
        num_slots = len(self._arena.slots)
        jobs = [TrainJob(site=site, round=order.round, slot=index % num_slots, memory_in=self._kept.get(site),
                         memory_out=self._work / f"{index}.{order.round}.safetensors") for index, site in enumerate(cohort)]
        for job, reply in self._replies(jobs, window=num_slots):
            if isinstance(reply, SiteFailed):
                yield reply
                continue
            if reply.remembers:
                self._staged[job.site] = job.memory_out
            yield self._arena.read_slot(job.slot, self.blueprint.strategy.update_type, reply.plain)

    def evaluate(self, order: EvaluateOrder, cohort: Sequence[str]) -> Iterator[SiteReport | SiteFailed]:
        self._brief(order)
        jobs = [EvaluateJob(sites=sites, memory_in=self._kept.get(sites[0]) if order.is_personal else None)
                for sites in neighbours(self.blueprint.rows, order, cohort)]
        for job, reply in self._replies(jobs, window=len(jobs)):
            yield from [replace(reply, site=site) for site in job.sites] if isinstance(reply, SiteFailed) else reply

    def commit(self) -> None:
        for site, path in self._staged.items():
            old = self._kept.get(site)
            self._kept[site] = path
            if old is not None and old != path:
                old.unlink(missing_ok=True)
        self._staged = {}

    def memories(self) -> Memories:
        return {site: memory.read(path) for site, path in self._kept.items()}

    def restore(self, memories: Memories) -> None:
        for index, (site, entries) in enumerate(memories.items()):
            path = self._work / f"restored.{index}.safetensors"
            memory.write(entries, path)
            self._kept[site] = path

    def close(self) -> None:
        for worker in self._workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
        self._workers = []
        torch.set_num_threads(self._threads)
        shutil.rmtree(self._work.parent, ignore_errors=True)

    def _brief(self, order: Order | EvaluateOrder) -> None:
        """Lay an order out for all workers; each is told of it with its next job."""
        self._arena.write_order(order)
        self._briefing = Briefing(kind=type(order), plain=plain_fields(order))

    def _replies(self, jobs: Sequence[Any], window: int) -> Iterator[tuple[Any, Any]]:
        """Hand out jobs in order, at most `window` ahead of the reply being read; yield (job, reply) in the jobs' order."""
        self._start()
        try:
            yield from Batch(jobs, window=window, watch=self.watch).replies(self._work_on)
        finally:
            self._settle()

    def _work_on(self, batch: Batch[Any]) -> None:
        self._hand_out(batch)
        self._collect(batch)

    def _hand_out(self, batch: Batch[Any]) -> None:
        """Give free workers their next job. While many short ones are left, also one to wait, so that no worker stands idle while this
        process adds up; the last ones go to whoever is free first."""
        for depth in (1, 2):
            for worker in self._workers:
                is_open = depth == 1 or (self._is_small and batch.num_waiting > 2 * self.num_workers)
                if is_open and len(worker.jobs) < depth and (number := batch.take()) is not None:
                    worker.jobs.append(number)
                    self._send(worker, batch.jobs[number])
                    if depth == 1:
                        batch.begun(number)

    def _send(self, worker: _Worker, job: Any) -> None:
        try:
            if worker.briefing is not self._briefing:
                worker.connection.send(self._briefing)
                worker.briefing = self._briefing
            worker.connection.send(job)
        except (BrokenPipeError, ConnectionResetError):
            return  # it died while idle: _collect sees that

    def _collect(self, batch: Batch[Any]) -> None:
        busy = {worker.connection: worker for worker in self._workers if worker.jobs}
        for connection in wait(list(busy)):
            worker = busy[connection]  # type: ignore[index]
            try:
                reply = worker.connection.recv()
            except (EOFError, ConnectionResetError):
                number, *waiting = worker.jobs
                batch.give_back(waiting)
                batch.lose(number, worker="worker process", cause=self._replace(worker))
                continue
            if isinstance(reply, Stepped):
                batch.begun(worker.jobs[0], reply.done, reply.total)
                continue
            batch.answer(worker.jobs.popleft(), reply)
            if worker.jobs:
                batch.begun(worker.jobs[0])

    def _settle(self) -> None:
        """Let workers finish what a reader did not wait for, so that the next batch of jobs begins clean."""
        for worker in self._workers:
            try:
                while worker.jobs:
                    if not isinstance(worker.connection.recv(), Stepped):
                        worker.jobs.popleft()
            except (EOFError, ConnectionResetError):
                self._replace(worker)

    def _start(self) -> None:
        if not self._workers:
            # a second thread here would wait for a core that the workers use: a sum took 50 times as long (docs/performance.md).
            # Nor must a forked child inherit a pool of threads that did not come along.
            torch.set_num_threads(1)
        while len(self._workers) < self.num_workers:
            self._workers.append(self._spawn())

    def _spawn(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        others = [ours, *(worker.connection for worker in self._workers)] if self._is_forked else []
        process = self._context.Process(target=serve, args=(theirs, others, self.blueprint, self._arena), daemon=True)
        with nullcontext() if self._is_forked else hidden_main():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _replace(self, worker: _Worker) -> str:
        """Start another process in place of a dead one; return what ended it."""
        worker.process.join(timeout=10)
        code = worker.process.exitcode
        worker.connection.close()
        place = self._workers.index(worker)
        self._workers.pop(place)
        self._workers.insert(place, self._spawn())
        if code is None:
            raise SiteError("a worker process closed its pipe but does not end; stop it and resume the run")
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
