"""What the events of a command add up to, run by run: the round it is in, what each site does, the curves so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np

from wardround.core.events import Event, Note, Progress, RoundFinished, RunFinished, RunStarted, SiteStep, WorkerRestarted
from wardround.core.wording import RoundFacts, sentence
from wardround.runs import journal

State = Literal["waiting", "training", "sending", "late", "done", "failed"]
Curve = Literal["train_loss", "val_loss", "metric"]

LATE_TIMES, LATE_S = 3.0, 5.0  # late: at work for this many times what the others took, and at least so long
RECENT = 5  # rounds whose time foretells the time of the next
MOST_NOTES = 500
LAST_LINES = 3


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A site in the present round. done, total: steps of its training (total 0: not told). cause: of "failed".
    since_s: seconds it has been at work in this round, or was until its answer; 0: not told."""

    state: State = "waiting"
    done: int = 0
    total: int = 0
    cause: str = ""
    since_s: float = 0.0


@dataclass(kw_only=True)
class _Work:
    """What a site was last heard of."""

    stage: State
    done: int = 0
    total: int = 0
    cause: str = ""
    began: float = 0.0
    took_s: float | None = None


@dataclass
class LiveRun:
    """One run. now: the clock that lanes are timed by."""

    name: str
    now: Callable[[], float] = time.time
    started: RunStarted | None = None
    finished: RunFinished | None = None
    rounds: list[RoundFinished] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    round: int = 0  # the one at work, or the last
    _work: dict[str, _Work] = field(default_factory=dict)

    @property
    def arm(self) -> str:
        return self.started.arm if self.started else ""

    @property
    def num_rounds(self) -> int:
        return self.started.num_rounds if self.started else 0

    @property
    def metric(self) -> str:
        """Name of the score on validation images by which the best round is chosen."""
        return self.started.metric if self.started else ""

    @property
    def best(self) -> int:
        """The round with the best validation score so far; 0: none."""
        return next((event.round for event in reversed(self.rounds) if event.is_best and event.val), 0)

    @property
    def lanes(self) -> dict[str, Lane]:
        """What each site does now."""
        limit = self._late_after()
        return {site: self._lane(self._work.get(site), limit) for site in self.sites}

    @property
    def left_s(self) -> float | None:
        """About how long the rounds that are left will take; None: nothing to tell by, or over."""
        last = [event.seconds for event in self.rounds[-RECENT:]]
        if not last or self.finished is not None or not self.num_rounds:
            return None
        return (self.num_rounds - self.rounds[-1].round) * sum(last) / len(last)

    def curve(self, what: Curve, site: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rounds and values, both (n,), of the rounds in which it is known; of one site, or of all together."""
        values = [(event.round, _value(event, what, self.metric, site)) for event in self.rounds]
        known = np.array([(t, value) for t, value in values if value is not None and np.isfinite(value)], float).reshape(-1, 2)
        return known[:, 0], known[:, 1]

    def in_words(self, number: int) -> str:
        """What a round came to; "" of one that is not there."""
        facts = RoundFacts()
        if self.started is not None:
            facts.begin(self.started)
        told = next((event for event in self.rounds if event.round == number), None)
        return "" if told is None else facts.of(told)

    def feed(self, event: Event) -> None:
        """Take in an event of this run."""
        match event:
            case RunStarted():
                self.started, self.finished, self._work = event, None, {}
                self.rounds = [old for old in self.rounds if old.round <= event.resumed_from]  # the others are trained anew
                self.round = event.resumed_from
            case SiteStep():
                self._step(event)
            case RoundFinished():
                self._close(event)
            case RunFinished():
                self.finished = event

    def _step(self, event: SiteStep) -> None:
        if event.round != self.round:
            self.round, self._work = event.round, {}
        self._know(event.site)
        at, work = event.at or self.now(), self._work.get(event.site)
        if work is None or work.took_s is not None:
            work = self._work[event.site] = _Work(stage="training", began=at)
        if event.stage == "training" and not event.done:
            work.began = at  # begun again: its worker had died
        work.stage, work.cause = event.stage, event.cause
        work.done, work.total = (event.done, event.total) if event.stage == "training" else (work.done, work.total)
        if event.stage in ("done", "failed"):
            work.took_s = at - work.began

    def _close(self, event: RoundFinished) -> None:
        """The round is over: sites whose answer could not be used failed too. A journal tells of no steps, so who took part is done."""
        if event.round != self.round:
            self.round, self._work = event.round, {}
        self.rounds.append(event)
        for site in [*event.train_loss_by_site, *event.failed]:
            self._know(site)
            work = self._work.setdefault(site, _Work(stage="done", took_s=0.0))
            work.stage, work.cause = ("failed", event.failed[site]) if site in event.failed else ("done", "")
            work.took_s = work.took_s or 0.0

    def _know(self, site: str) -> None:
        if site not in self.sites:
            self.sites.append(site)

    def _late_after(self) -> float:
        """Seconds after which a site that still trains is late; infinite while nobody has answered."""
        took = [work.took_s for work in self._work.values() if work.took_s is not None and work.stage == "done"]
        return max(LATE_S, LATE_TIMES * median(took)) if took else float("inf")

    def _lane(self, work: _Work | None, late_after: float) -> Lane:
        if work is None:
            return Lane()
        since_s = max(0.0, self.now() - work.began) if work.took_s is None else work.took_s
        is_late = work.stage == "training" and since_s > late_after and self.finished is None
        return Lane(state="late" if is_late else work.stage, done=work.done, total=work.total, cause=work.cause, since_s=since_s)


class Live:
    """All runs of a command, in the order in which they began. stage: what it prepares or evaluates now; None: it trains, or is over."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.runs: dict[str, LiveRun] = {}
        self.notes: list[str] = []
        self.stage: Progress | None = None
        self._now = now

    @classmethod
    def of_journal(cls, path: Path) -> Live:
        """Of a journal.jsonl: rounds, without the sites' steps, which no journal keeps. WardroundError if it was changed."""
        live = cls()
        live.feed(journal.read(path))
        return live

    def feed(self, events: Iterable[Event]) -> None:
        """Take in events, in the order in which they happened."""
        for event in events:
            self._feed(event)

    def _feed(self, event: Event) -> None:
        match event:
            case Progress():
                self.stage = None if event.done >= event.total else event
            case Note() | WorkerRestarted():
                self._note(sentence(event))
            case _:
                if isinstance(event, RunStarted):
                    self.stage = None
                if isinstance(event, RoundFinished):
                    for site, cause in event.failed.items():
                        self._note(f"{event.run}: round {event.round} without {site}: {cause}")
                self.runs.setdefault(event.run, LiveRun(event.run, self._now)).feed(event)

    def _note(self, text: str) -> None:
        if text and self.notes[-1:] != [text]:
            self.notes = [*self.notes[1 - MOST_NOTES :], text]


def live_of(folder: Path) -> Live:
    """Of the folder of a run, or of a comparison with its runs: what their journals tell."""
    live = Live()
    for path in [folder / "journal.jsonl", *sorted(folder.glob("*/journal.jsonl"))]:
        live.feed(journal.read(path))
    return live


def last_words(output: str) -> str:
    """What a command that ended early said about it: its error, or its last lines."""
    lines = [line for line in output.splitlines() if line.strip()]
    last = next((index for index in range(len(lines) - 1, -1, -1) if lines[index].startswith("error: ")), -LAST_LINES)
    return "\n".join(lines[last:])


def _value(event: RoundFinished, what: Curve, metric: str, site: str | None) -> float | None:
    if what == "train_loss":
        return event.train_loss if site is None else event.train_loss_by_site.get(site)
    scores = event.val if site is None else event.val_by_site.get(site, {})
    return scores.get("loss" if what == "val_loss" else metric)
