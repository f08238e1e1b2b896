"""Progress in a Jupyter notebook: one block of bars below the cell, redrawn in place, without further packages."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

from wardround.core import events
from wardround.core.events import Event, RoundFinished, RunFinished, RunStarted, Watch, silent
from wardround.core.wording import RoundFacts, sentence, stage

REDRAW_S = 0.25  # seconds between two drawings: each is a message to the browser
NUM_NOTES = 8  # the last ones are shown

Draw = Callable[[Mapping[str, str]], None]  # shows MIME type -> content, in place of what it showed before


@contextmanager
def watching(watch: Watch | None) -> Iterator[Watch]:
    """The caller's watcher; without one, bars in a notebook and nothing elsewhere."""
    drawing = in_place() if watch is None else None
    if drawing is None:
        yield watch or silent
        return
    bars = NotebookBars(drawing)
    try:
        yield bars
    finally:
        bars.draw()


def in_place() -> Draw | None:
    """What draws below the running cell; None outside a notebook. IPython is asked only where it is loaded already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if not hasattr(shell, "kernel"):  # IPython in a terminal has none
        return None
    display, handles = importlib.import_module("IPython.display").display, list[Any]()

    def draw(content: Mapping[str, str]) -> None:
        if handles:
            handles[0].update(content, raw=True)
        else:
            handles.append(display(content, raw=True, display_id=True))

    return draw


@dataclass
class Bar:
    """How far a run or a stage is. total None: not known. begun, done_then: time and place where it was first seen."""

    label: str
    done: int
    total: int | None
    begun: float
    done_then: int
    fact: str = ""

    def text(self, now: float) -> str:
        """ "12 of 40, loss 0.412, 9 s left"."""
        place = f"{self.done} of {self.total}" if self.total is not None else str(self.done)
        return ", ".join(filter(None, [place, self.fact, self._left(now)]))

    def _left(self, now: float) -> str:
        moved = self.done - self.done_then
        if self.total is None or moved <= 0 or self.done >= self.total:
            return ""
        seconds = (now - self.begun) / moved * (self.total - self.done)
        return f"{seconds:.0f} s left" if seconds < 120 else f"{seconds / 60:.0f} min left"


class NotebookBars:
    """A bar for each run, and for each stage until it is done; notes above them."""

    def __init__(self, draw: Draw, clock: Callable[[], float] = time.monotonic) -> None:
        self._show, self._clock = draw, clock
        self._facts = RoundFacts()
        self._bars: dict[tuple[str, str], Bar] = {}
        self._notes: list[str] = []
        self._drawn_at = -REDRAW_S

    def __call__(self, event: Event) -> None:
        match event:
            case events.Progress():
                self._move((event.run, event.stage), stage(event), event.done, event.total)
                if event.done >= event.total:
                    del self._bars[event.run, event.stage]
            case RunStarted():
                self._facts.begin(event)
                self._move((event.run, ""), event.run or event.arm, event.resumed_from, event.num_rounds)
            case RoundFinished():
                self._move((event.run, ""), event.run, event.round, None, self._facts.of(event))
            case RunFinished():
                self._move((event.run, ""), event.run, event.rounds, event.rounds, self._facts.of_end(event))
            case _:
                self._note(sentence(event))
        if self._clock() - self._drawn_at >= REDRAW_S:
            self.draw()

    def draw(self) -> None:
        """Show the present state, however short ago the last drawing was."""
        self._drawn_at = self._clock()
        self._show({"text/html": self.html(), "text/plain": self.plain()})

    def html(self) -> str:
        """The block: notes, then a line for each bar."""
        notes = "".join(f"<div>{escape(note)}</div>" for note in self._notes)
        lines = "".join(f'<tr><td style="text-align:left">{escape(bar.label)}</td><td>{_meter(bar)}</td>'
                        f'<td style="text-align:left">{escape(bar.text(self._clock()))}</td></tr>' for bar in self._bars.values())
        return notes + (f"<table><tbody>{lines}</tbody></table>" if lines else "")

    def plain(self) -> str:
        """The same as lines, for clients that show no HTML."""
        return "\n".join([*self._notes, *(f"{bar.label}: {bar.text(self._clock())}" for bar in self._bars.values())])

    def _move(self, key: tuple[str, str], label: str, done: int, total: int | None, fact: str = "") -> None:
        bar = self._bars.setdefault(key, Bar(label=label, done=done, total=total, begun=self._clock(), done_then=done))
        bar.done, bar.total, bar.fact = done, bar.total if total is None else total, fact

    def _note(self, text: str) -> None:
        if text and text not in self._notes:
            self._notes = [*self._notes, text][-NUM_NOTES:]


def _meter(bar: Bar) -> str:
    """The bar itself; without a total it only shows that something moves."""
    return "<progress></progress>" if bar.total is None else f'<progress value="{bar.done}" max="{max(1, bar.total)}"></progress>'
