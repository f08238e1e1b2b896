"""All that the command line draws: progress, notes, tables. In a terminal bars; elsewhere plain lines, a few a minute.

Names of images, classes and sites come from outside: their control characters are written out, never sent to the terminal.

Progress and notes go to stderr, results to stdout, so that results can be piped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from wardround.core import events
from wardround.core.events import Event, RoundFinished, RunFinished, RunStarted, Watch
from wardround.core.untrusted import shown as safe
from wardround.core.wording import STAGES, RoundFacts, sentence, stage

QUIET_S = 5.0  # without a terminal: seconds between lines of progress of one run
WIDTH = 160  # columns, without a terminal


class TableLike(Protocol):
    """A table of wardround.report.tables."""

    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def rows(self) -> Sequence[Sequence[str]]: ...
    @property
    def caption(self) -> str: ...
    def is_numeric(self, column: int) -> bool: ...


def _console(*, stderr: bool) -> Console:
    """A console on today's stdout or stderr (made when used: tests and pipes replace them)."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=WIDTH, soft_wrap=True)


def say(text: str) -> None:
    """Print a line of results."""
    _console(stderr=False).print(safe(text), markup=False, soft_wrap=True)


def table(shown: TableLike) -> None:
    """Print a table, its caption below."""
    _console(stderr=False).print(_drawn(shown))


def _drawn(shown: TableLike) -> Table:
    caption = Text(safe(shown.caption)) if shown.caption else None
    drawn = Table(caption=caption, caption_justify="left", caption_style="dim", box=box.SIMPLE_HEAD)
    for number, column in enumerate(shown.columns):
        drawn.add_column(Text(safe(column)), justify="right" if shown.is_numeric(number) else "left", overflow="fold")
    for row in shown.rows:
        drawn.add_row(*(Text(safe(cell)) for cell in row))
    return drawn


Draw = Callable[[TableLike, str, Sequence[str]], None]


@contextmanager
def standing() -> Iterator[Draw]:
    """Yields what draws a table and a line that change: in a terminal in their place, elsewhere the line alone, a few a minute. Notes,
    given with all that came before, are printed once each."""
    console = _console(stderr=True)
    told: list[str] = []

    def tell(notes: Sequence[str]) -> None:
        for note in notes:
            if note not in told:
                told.append(note)
                console.print(safe(note), markup=False, soft_wrap=True)

    if not console.is_terminal:
        yield Lines(console, tell)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        def draw(shown: TableLike, line: str, notes: Sequence[str]) -> None:
            tell(notes)
            live.update(Group(_drawn(shown), Text(safe(line))), refresh=True)

        yield draw


class Lines:
    """The line without the table, where it says something new and QUIET_S after the last."""

    def __init__(self, console: Console, tell: Callable[[Sequence[str]], None]) -> None:
        self._console, self._tell = console, tell
        self._line, self._spoke = "", -QUIET_S

    def __call__(self, shown: TableLike, line: str, notes: Sequence[str]) -> None:
        self._tell(notes)
        now = time.monotonic()
        if line != self._line and now - self._spoke >= QUIET_S:
            self._console.print(safe(line), markup=False, soft_wrap=True)
            self._line, self._spoke = line, now


def pairs(values: Mapping[str, object]) -> None:
    """Print names and values, a line each, values aligned."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        say(f"{name:<{width}}  {value}")


@contextmanager
def watching() -> Iterator[Watch]:
    """Show events while the block runs: live bars in a terminal, lines elsewhere."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield PlainLines(console)
        return
    bars = Progress(TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.fields[fact]}"),
                    TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(compact=True), console=console)
    with bars:
        yield Bars(bars)


class Bars:
    """A bar for each run and for each stage; several runs at once have a bar each."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._facts = RoundFacts()
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case events.Progress():
                self._move(event.run, event.stage, stage(event), event.done, event.total)
            case RunStarted():
                self._facts.begin(event)
                self._move(event.run, "", event.run or event.arm, event.resumed_from, event.num_rounds)
            case RoundFinished():
                self._move(event.run, "", event.run, event.round, None, self._facts.of(event))
            case RunFinished():
                self._move(event.run, "", event.run, event.rounds, event.rounds, self._facts.of_end(event))
            case _:
                text = sentence(event)
                if text:
                    self._bars.console.print(safe(text), markup=False)

    def _move(self, run: str, stage: str, label: str, done: int, total: int | None, fact: str | None = None) -> None:
        key = (run, stage)
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(safe(label).replace("[", r"\["), total=total, completed=done, fact="")
        task = self._tasks[key]
        self._bars.update(task, completed=done)
        if total is not None:
            self._bars.update(task, total=total)
        if fact is not None:
            self._bars.update(task, fact=safe(fact).replace("[", r"\["))


class PlainLines:
    """A line when something begins or ends, and at most one every QUIET_S seconds of a run in between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._facts = RoundFacts()
        self._spoke: dict[tuple[str, str], float] = {}
        self._num_rounds: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case events.Progress():
                if self._may_speak(event.run, event.stage) or event.done >= event.total:
                    self._say(event.run, f"{STAGES.get(event.stage, event.stage)}: {event.done} of {event.total}")
            case RunStarted():
                self._facts.begin(event)
                self._num_rounds[event.run] = event.num_rounds
                self._may_speak(event.run, "")
                resumed = f", going on after round {event.resumed_from}" if event.resumed_from else ""
                sites = "1 site" if event.num_sites == 1 else f"{event.num_sites} sites"
                self._say(event.run, f"{event.arm}, {sites}, {event.num_train} training images, {event.num_rounds} rounds{resumed}")
            case RoundFinished():
                if event.failed or self._may_speak(event.run, ""):
                    self._say(event.run, f"round {event.round} of {self._num_rounds.get(event.run, '?')}: {self._facts.of(event)}")
            case RunFinished():
                self._say(event.run, f"finished after {event.rounds} rounds, {self._facts.of_end(event)}")
            case _:
                self._say("", sentence(event))

    def _may_speak(self, run: str, stage: str) -> bool:
        now = time.monotonic()
        if now - self._spoke.get((run, stage), -QUIET_S) < QUIET_S:
            return False
        self._spoke[run, stage] = now
        return True

    def _say(self, run: str, text: str) -> None:
        if text:
            self._console.print(safe(f"{run}: {text}" if run else text), markup=False, soft_wrap=True)
