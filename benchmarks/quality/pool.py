"""Cells side by side: each in a process of its own, forked, so that cells of the same images share them."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from cells import Place, record_of
from design import Cell

from wardround.build import resolved
from wardround.core.events import Event, RunStarted
from wardround.data.prepare import Prepared, prepare
from wardround.errors import Resumable, WardroundError
from wardround.plan.schema import Plan
from wardround.runs.folder import RunFolder
from wardround.session.single import run_name, start
from wardround.session.stop import terminable
from wardround.training.probe import one_thread

STOPPED = 6  # exit code of a cell that can go on, as the command line's for Resumable


class Pool:
    """Runs cells, `workers` at a time. data: the folder of all data sets."""

    def __init__(self, place: Place, data: Path, workers: int) -> None:
        self.place, self.data, self.workers = place, data, workers
        self._prepared: dict[str, Prepared] = {}
        self._running: dict[Any, tuple[BaseProcess, Cell, float]] = {}

    def run(self, cells: Sequence[Cell], ends_at: float = float("inf")) -> int:
        """Run cells in order; none is begun after `ends_at` (time.monotonic). Returns the number that failed or was stopped.

        A cell that fails is recorded with its error. Ctrl-C or SIGTERM stops all cells, each with its checkpoint: KeyboardInterrupt."""
        queue, bad, done = list(cells), 0, 0
        try:
            with terminable():
                while queue or self._running:
                    while queue and len(self._running) < self.workers and time.monotonic() < ends_at:
                        bad += not self._begin(queue.pop(0))
                    if not self._running:
                        break
                    for sentinel in wait(list(self._running)):
                        done += 1
                        bad += not self._end(sentinel, f"[{done} of {len(cells)}]")
        except KeyboardInterrupt:
            self._stop()
            raise
        return bad

    def _begin(self, cell: Cell) -> bool:
        try:
            plan = cell.plan(self.data)
            prepared = self._prepare(plan)
            plan = resolved(plan, prepared)
        except WardroundError as error:
            return self._failed(cell, f"{type(error).__name__}: {error}")
        process = multiprocessing.get_context("fork").Process(target=_work, args=(cell, plan, prepared, self.place, os.getpid()))
        with one_thread():
            process.start()
        self._running[process.sentinel] = (process, cell, time.monotonic())
        return True

    def _end(self, sentinel: Any, counted: str) -> bool:
        process, cell, began = self._running.pop(sentinel)
        process.join()
        if process.exitcode == STOPPED:
            print(f"{counted} {cell.label}: stopped, can go on: {self._last_words(cell)}", flush=True)
            return False
        if process.exitcode != 0:
            killed = f"killed by signal {-process.exitcode}" if process.exitcode and process.exitcode < 0 else self._last_words(cell)
            return self._failed(cell, killed, counted)
        record = self.place.read(cell)
        assert record is not None
        value = record["metrics"][cell.study.metric]["value"]
        shown = "not estimable" if value is None else f"{value:.3f}"
        print(f"{counted} {cell.label}: {cell.study.metric} {shown} ({time.monotonic() - began:.0f} s)", flush=True)
        return True

    def _failed(self, cell: Cell, error: str, counted: str = "") -> bool:
        self.place.write(cell, {"error": error})
        print(f"{counted} {cell.label}: FAILED, {error}".strip(), flush=True)
        return False

    def _last_words(self, cell: Cell) -> str:
        path = _log(self.place, cell)
        lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
        return lines[-1] if lines else "it left no message"

    def _prepare(self, plan: Plan) -> Prepared:
        """The plan's images and sites; the last two are kept, for neighbours in the queue often have the same."""
        key = json.dumps([plan.seed, *(getattr(plan, part).model_dump(mode="json") for part in ("data", "split", "sites"))])
        if key not in self._prepared:
            self._prepared = dict(list(self._prepared.items())[-1:])
            self._prepared[key] = prepare(plan)
        return self._prepared[key]

    def _stop(self) -> None:
        for process, _, _ in self._running.values():
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGTERM)
        for process, _, _ in self._running.values():
            process.join()


def _work(cell: Cell, plan: Plan, prepared: Prepared, place: Place, parent: int) -> None:
    """A cell's process. What it prints, and the traceback of a failure, go to a file beside its runs."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent passes it on as SIGTERM
    torch.set_num_threads(1)
    log = _log(place, cell)
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout = sys.stderr = log.open("w", buffering=1)
    try:
        with terminable():
            compute(cell, plan, prepared, place, parent)
    except (Resumable, KeyboardInterrupt) as error:
        print(error)
        sys.exit(STOPPED)


def compute(cell: Cell, plan: Plan, prepared: Prepared, place: Place, parent: int) -> None:
    """Run what of the cell has not run yet, and write its record; the runs' folders are removed then."""
    sites = prepared.site_names if cell.arm == "local" else (None,)
    folders = [RunFolder(place.runs(cell) / run_name(cell.arm, cell.seed, site)) for site in sites]
    for site, folder in zip(sites, folders, strict=True):
        start(plan, prepared, cell.arm, site, folder, partial(_watch, parent))
    place.write(cell, record_of(cell, plan, prepared, folders, place))
    shutil.rmtree(place.runs(cell))


def _watch(parent: int, event: Event) -> None:
    """A study that was killed takes its cells with it: they would meet those of the next start."""
    if os.getppid() != parent:
        raise BrokenPipeError("the study's process is gone")
    if isinstance(event, RunStarted):
        print(f"{event.run}: {event.num_rounds} rounds, begins after round {event.resumed_from}")


def _log(place: Place, cell: Cell) -> Path:
    return place.work / cell.study.name / "logs" / f"{cell.id}.txt"
