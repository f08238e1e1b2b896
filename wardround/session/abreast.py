"""Several runs side by side: each in a process of its own, as many as the cores allow."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from wardround import errors
from wardround.build import Arm
from wardround.core.events import Event, Watch, from_record, to_record
from wardround.data.pool import hidden_main
from wardround.data.prepare import Prepared
from wardround.errors import Resumable, WardroundError
from wardround.plan.schema import Plan
from wardround.runs.folder import RunFolder
from wardround.session.single import start
from wardround.session.stop import terminable
from wardround.training.probe import one_thread


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """One run. cores: worker processes it may use."""

    plan: Plan
    prepared: Prepared
    arm: Arm
    site: str | None
    folder: RunFolder
    cores: int


def run_abreast(jobs: Sequence[Job], *, cores: int, watch: Watch) -> None:
    """Run all jobs, in order of the list, never more than `cores` workers at once.

    The first failure is raised after the jobs that had begun are through; finished runs stay. Ctrl-C stops all of them, each
    with its checkpoint.
    """
    queue, running = list(jobs), dict[Any, tuple[BaseProcess, Job]]()
    failures: list[WardroundError] = []
    try:
        with terminable():
            while running or (queue and not failures):
                used = sum(job.cores for _, job in running.values())
                while queue and not failures and (not running or used + queue[0].cores <= cores):
                    job = queue.pop(0)
                    connection, process = _launch(job, list(running))
                    running[connection] = (process, job)
                    used += job.cores
                for ready in wait(list(running)):
                    _listen(ready, running, failures, watch)
    except KeyboardInterrupt:
        _stop(running)
        raise Resumable("stopped; finished runs and the last whole round of the others are kept. "
                        "Give the same command again to go on.") from None
    if failures:
        raise failures[0]


def _listen(connection: Any, running: dict[Any, tuple[BaseProcess, Job]], failures: list[WardroundError], watch: Watch) -> None:
    """Pass on one message of a run: an event, or its failure; its end closes the pipe."""
    process, job = running[connection]
    try:
        record = json.loads(connection.recv_bytes())
    except EOFError:
        process.join()
        del running[connection]
        if process.exitcode not in (0, None) and not job.folder.is_finished and not failures:
            failures.append(Resumable(f"the process of {job.folder.path} ended with exit code {process.exitcode} (killed? out of memory?). "
                                      "Give the same command again to go on from its last checkpoint."))
        return
    if "failure" in record:
        failures.append(getattr(errors, record["failure"], WardroundError)(record["text"]))
    else:
        watch(from_record(record))


def _launch(job: Job, others: Sequence[Any]) -> tuple[Connection, BaseProcess]:
    is_forked = "fork" in multiprocessing.get_all_start_methods() and job.plan.engine.device == "cpu"  # a fork cannot use CUDA
    context: Any = multiprocessing.get_context("fork" if is_forked else "spawn")
    ours, theirs = context.Pipe(duplex=False)
    copied = [ours, *others] if is_forked else []
    process = context.Process(target=_work, args=(theirs, job, copied))
    with one_thread(), nullcontext() if is_forked else hidden_main():
        process.start()
    theirs.close()
    return ours, process


def _work(connection: Connection, job: Job, copied: Sequence[Any]) -> None:
    """A run's process: events and a failure go to the parent as JSON.

    copied: ends of the parent that a fork brought here; open, they would hide from the run that its parent is gone.
    """
    for end in copied:
        end.close()
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    plan = job.plan.model_copy(update={"engine": job.plan.engine.model_copy(update={"workers": job.cores})})

    def tell(event: Event) -> None:  # a parent that is gone stops the run: BrokenPipeError
        connection.send_bytes(json.dumps(to_record(replace(event, run=job.folder.name))).encode())

    try:
        start(plan, job.prepared, job.arm, job.site, job.folder, tell)
    except (WardroundError, KeyboardInterrupt) as error:
        kind = type(error).__name__ if isinstance(error, WardroundError) else "Resumable"
        connection.send_bytes(json.dumps({"failure": kind, "text": f"{job.folder.name}: {error}"}).encode())
        sys.exit(1)


def _stop(running: dict[Any, tuple[BaseProcess, Job]]) -> None:
    """Ask every run to stop with a checkpoint, and wait until they have."""
    for process, _ in running.values():
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGTERM)
    for process, _ in running.values():
        process.join()
