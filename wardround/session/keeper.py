"""Between a run and its folder: checkpoints and the journal, so that a stop at any moment can be continued."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import replace
from typing import Any

from torch import Tensor

from wardround.core.events import Event, Watch
from wardround.core.params import Layout, Params
from wardround.core.state import State
from wardround.errors import AggregationError, CheckpointError
from wardround.fleet.base import Fleet, Memories
from wardround.rounds.course import Course
from wardround.runs import checkpoint as checkpoints
from wardround.runs.checkpoint import Checkpoint
from wardround.runs.folder import RunFolder
from wardround.runs.journal import Journal

COUNTERS = ("num_averaged", "best_score", "num_waited", "seconds", "train_seconds", "bytes_up", "bytes_down")


class Keeper:
    """Journals events as they happen and checkpoints at the ends of rounds."""

    def __init__(self, folder: RunFolder, fleet: Fleet, watch: Watch, *, every_s: float, last: Checkpoint | None) -> None:
        """last: the checkpoint the run goes on from; what was journaled after it is cut off, for it will be repeated."""
        self.folder, self.fleet, self._watch, self._every_s = folder, fleet, watch, every_s
        self._journal = Journal(folder.path / "journal.jsonl", keep_bytes=int(last.meta["journal_bytes"]) if last else 0)
        self._written_at = time.monotonic()
        self._round = last.round if last else None
        self.course: Course | None = None

    def watch(self, event: Event) -> None:
        """Journal and pass on, with the run's name."""
        event = replace(event, run=self.folder.name)
        try:
            self._journal.write(event)
        except OSError as error:
            raise CheckpointError(f"{self.folder.path}: the journal cannot be written ({error.strerror}). Free space, then continue: "
                                  f"wardround run --resume {self.folder.path}") from error
        self._watch(event)

    def after_round(self, course: Course) -> None:
        """Checkpoint if enough time has passed since the last one."""
        self.course = course
        if time.monotonic() - self._written_at >= self._every_s:
            self.save()

    def save(self) -> None:
        """Checkpoint the last whole round, unless it already is."""
        if self.course is None or self.course.state.round == self._round:
            return
        checkpoints.save(self.folder.checkpoints, pack(self.course, self.fleet.memories(), self._journal.position()))
        self._round, self._written_at = self.course.state.round, time.monotonic()

    def close(self) -> None:
        self._journal.close()


def pack(course: Course, memories: Memories, journal_bytes: int) -> Checkpoint:
    """A checkpoint of the course and the sites' memories."""
    vectors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(course.state):
        value = getattr(course.state, field.name)
        if isinstance(value, Params):
            vectors[f"state/{field.name}"] = value.flat
        else:
            plain[field.name] = value
    if course.average is not None:
        vectors["course/average"] = course.average.flat
    for site, entries in memories.items():
        vectors.update({f"memory/{site}/{name}": tensor for name, tensor in entries.items()})
    meta = {"state": plain, "course": {name: getattr(course, name) for name in COUNTERS}, "dropped": list(course.dropped),
            "layout": layout_record(course.state.params.layout), "journal_bytes": journal_bytes}
    return Checkpoint(round=course.state.round, best_round=course.best_round, vectors=vectors, best=course.best.flat, meta=meta)


def unpack(checkpoint: Checkpoint, fresh: State) -> tuple[Course, Memories]:
    """The course and memories of a checkpoint. fresh: the strategy's state before round 1, which knows the types."""
    try:
        return _unpacked(checkpoint, fresh)
    except (KeyError, TypeError, ValueError, AttributeError, AggregationError) as error:
        raise CheckpointError(f"the checkpoint of round {checkpoint.round} does not hold what this version writes ({type(error).__name__}: "
                              f"{str(error)[:100]}). Start a new run (--out).") from error


def _unpacked(checkpoint: Checkpoint, fresh: State) -> tuple[Course, Memories]:
    layout, length = fresh.params.layout, checkpoint.meta["journal_bytes"]
    if type(length) is not int or length < 0:
        raise ValueError("a journal of no length")
    if checkpoint.meta["layout"] != layout_record(layout):
        raise CheckpointError("the checkpoint belongs to another model: names or shapes differ from the plan's. Was the plan, or the "
                              "file of your own model, changed since the run began? Put it back, or start a new run (--out).")
    memories: Memories = {}
    average: Params | None = None
    fields: dict[str, Any] = dict(checkpoint.meta["state"])
    for key, tensor in checkpoint.vectors.items():
        kind, _, name = key.partition("/")
        if kind == "state":
            fields[name] = Params(tensor, layout)
        elif kind == "course":
            average = Params(tensor, layout)
        else:
            site, _, entry = name.rpartition("/")
            memories.setdefault(site, {})[entry] = tensor
    course = Course(state=replace(fresh, **fields), best=Params(checkpoint.best, layout), average=average,
                    best_round=checkpoint.best_round, dropped=tuple(checkpoint.meta["dropped"]), **checkpoint.meta["course"])
    return course, memories


def layout_record(layout: Layout) -> list[list[Any]]:
    """A layout as JSON-ready values."""
    return [[entry.name, list(entry.shape), entry.is_trainable] for entry in layout.entries]
