"""What happened, as frozen facts. The loop writes them to one journal; terminal, app and report read them.

A watcher (`Watch`) returns nothing and cannot steer a run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

from wardround.errors import WardroundError

Scores = Mapping[str, float]  # metric name -> value


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact. `run` is the name of the run's folder below the out folder, e.g. "federated-seed0"."""

    run: str = ""


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """An arm begins, or goes on after a stop (resumed_from > 0)."""

    arm: str
    num_rounds: int
    num_sites: int
    num_train: int
    num_parameters: int
    phantom: bool
    resumed_from: int = 0
    metric: str = "balanced_accuracy"  # on validation rows; chooses the round that is kept


@dataclass(frozen=True, kw_only=True)
class RoundFinished(Event):
    """A round ended. Losses are means over images; site mappings hold only the sites that took part.

    val: scores on all sites' validation rows, val_by_site: the same for each site (of at most 100 sites); both empty in rounds without
    evaluation. suspicion: how far each site's update stood apart, no verdict (aggregation/suspicion.py); empty where the mean combines.
    seconds: wall time of the round with its evaluation. is_best: no earlier round has a better validation score.
    """

    round: int
    lr: float
    train_loss: float
    train_loss_by_site: Scores
    val: Scores = field(default_factory=dict)
    val_by_site: Mapping[str, Scores] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    bytes_up: int = 0
    bytes_down: int = 0
    update_norms: Scores = field(default_factory=dict)
    suspicion: Scores = field(default_factory=dict)
    is_best: bool = False
    seconds: float = 0.0
    train_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class WorkerRestarted(Event):
    """A worker process died; it was started again and its site's work repeated."""

    site: str
    cause: str


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """The arm ended: its best round was tested."""

    rounds: int
    best_round: int
    stopped_early: bool
    seconds: float
    without: tuple[str, ...] = ()  # sites that were dropped in some round
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """How far a stage ("decode", "phantom", "bootstrap", "report") is. Shown, never journaled."""

    stage: str
    done: int
    total: int


Stage = Literal["training", "sending", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class SiteStep(Event):
    """How far a site is in a round: `done` of `total` steps of its training (total 0: not told). Shown, never journaled.

    cause: of "failed". at: when, in seconds since 1970 by the clock of the machine that runs the rounds; 0: not told.
    """

    round: int
    site: str
    stage: Stage
    done: int = 0
    total: int = 0
    cause: str = ""
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Note(Event):
    """A sentence the user should read, e.g. that phantoms are used."""

    text: str


Watch = Callable[[Event], None]

KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in
                                 (RunStarted, RoundFinished, WorkerRestarted, RunFinished, Progress, SiteStep, Note)}
SHOWN = (Progress, SiteStep)  # kinds that no journal keeps


def silent(event: Event) -> None:
    """The watcher that shows nothing."""


def to_record(event: Event) -> dict[str, Any]:
    """An event as a JSON-ready dict with its kind under "event"."""
    return {"event": type(event).__name__, **dataclasses.asdict(event)}


def from_record(record: Any) -> Event:
    """The event of a dict written by to_record; WardroundError if it is none, or one of its values is of a wrong type."""
    name = record.get("event") if isinstance(record, dict) else None
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise WardroundError(f"not an event of this version: {str(name)[:80]!r}")
    values = {key: value for key, value in record.items() if key != "event"}
    try:
        if unknown := values.keys() - {entry.name for entry in dataclasses.fields(kind)}:
            raise ValueError(f"unknown field '{str(min(unknown))[:80]}'")
        return _checked(kind.__name__).validate_python(values)
    except (ValueError, OverflowError) as error:
        raise WardroundError(f"not a {name}: {str(error)[:200]}") from error


@cache
def _checked(name: str) -> TypeAdapter[Event]:
    """What makes an event of values, or says which of them is of a wrong type."""
    return TypeAdapter(KINDS[name])
