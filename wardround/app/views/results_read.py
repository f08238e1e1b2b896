"""A finished run or comparison as it lies on disk, read once for all tabs of the Results page; and the report's words about it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wardround.app.views.grid import Grid
from wardround.core.events import RoundFinished
from wardround.errors import WardroundError
from wardround.runs import journal

if TYPE_CHECKING:
    from wardround.report.checklist import Facts
    from wardround.report.material import Comparison, RunMaterial
    from wardround.report.page import Block

KEPT = 4  # folders that stay read: the one on show, and a few to go back to


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the report says in one of its sections. terms: (term, meaning), or ("", sentence)."""

    sentences: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A folder whose training has not ended. finished: the runs in it that have; command: how it goes on."""

    folder: Path
    text: str
    command: str
    finished: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """A finished run, or a comparison with the run that stands for it. models: (folder's name, in words) of all runs that were read."""

    folder: Path
    comparison: Comparison | None
    lead: RunMaterial
    metric: str
    runs: dict[str, RunMaterial] = field(default_factory=dict)

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, self.name_of(run)) for name, run in self.runs.items())

    @property
    def scored(self) -> dict[str, Any]:
        """arm -> scores by seed; of a single run its own."""
        from wardround.report.material import ordered_arms

        if self.comparison is None:
            return {self.lead.scores["arm"]: [self.lead.scores]}
        return {arm: self.comparison.compare["arms"][arm] for arm in ordered_arms(self.comparison.compare)}

    def name_of(self, run: RunMaterial) -> str:
        """ "Federated", or "Only north" of a hospital that trained alone."""
        from wardround.report import words
        from wardround.report.material import trained_at

        home = trained_at(run) if run.scores["arm"] == "local" else None
        return f"Only {home}" if home else words.arm(run.scores["arm"])

    def facts(self, run: RunMaterial) -> Facts:
        """What the report's sections are made from."""
        from wardround.report.checklist import Facts

        return Facts(plan=run.plan, run=run, metric=self.metric, compare=self.comparison.compare if self.comparison else {})

    def run(self, name: str) -> RunMaterial:
        """The run of a folder's name, "" for the one that leads."""
        return self.runs.get(name, self.lead)


def read(folder: Path) -> Results:
    """A finished run's or comparison's files. WardroundError if it is neither, or damaged."""
    inside = [*sorted(folder.glob("*/scores.json")), folder / "compare.json", folder / "scores.json", folder / "predictions.csv"]
    return _read(folder, tuple(path.stat().st_mtime_ns for path in inside if path.exists()))


@lru_cache(maxsize=KEPT)
def _read(folder: Path, stamps: tuple[int, ...]) -> Results:
    """stamps: when its files were written, so that a folder is read again once they have changed."""
    from wardround.report.material import primary_metric, read_comparison, read_run, understood

    with understood(folder):
        if not (folder / "compare.json").exists():
            run = read_run(folder)
            return Results(folder=folder, comparison=None, lead=run, metric=primary_metric(run), runs={run.folder.name: run})
        found = read_comparison(folder)
        every = [run for runs in found.runs.values() for run in runs]
        ordered = {run.folder.name: run for run in (found.lead, *every)}
        return Results(folder=folder, comparison=found, lead=found.lead, metric=found.metric, runs=ordered)


def unfinished(folder: Path) -> Unfinished | None:
    """What is known of a folder without results, None if it has them. WardroundError if no training began there."""
    from wardround.runs.folder import RunFolder

    if (folder / "scores.json").exists() or (folder / "compare.json").exists():
        return None
    begun = [path.parent for path in (folder / "plan.toml", *sorted(folder.glob("*/plan.toml"))) if path.exists()]
    if not begun:
        raise WardroundError(f"{folder} holds no results: it has neither a run's plan.toml nor a comparison's compare.json. Choose the "
                             "folder that a run or a comparison wrote.")
    told = [f"{part.name}: {_progress(part)}" for part in begun]
    if begun[0] == folder:
        return Unfinished(folder=folder, text=f"This run has not finished. {told[0]}.", command=_resume(folder))
    finished = tuple(part for part in begun if (part / "scores.json").exists())
    if folder.name == RunFolder(begun[0]).plan().name:  # else `compare` would write beside it
        command = shlex.join(["wardround", "compare", str(begun[0] / "plan.toml"), "--out", str(folder.parent)])
    else:
        command = _resume(next((part for part in begun if part not in finished), begun[0]))
    return Unfinished(folder=folder, text=f"This comparison has not finished. {'; '.join(told)}.", command=command, finished=finished)


def _resume(run: Path) -> str:
    return shlex.join(["wardround", "run", "--resume", str(run)])


def _progress(run: Path) -> str:
    """ "3 of 20 rounds", or "finished"."""
    from wardround.runs.folder import RunFolder

    if (run / "scores.json").exists():
        return "finished"
    rounds = {event.round for event in journal.read(run / "journal.jsonl") if isinstance(event, RoundFinished)}
    return f"{len(rounds)} of {RunFolder(run).plan().rounds.num} rounds"


def told(blocks: Iterable[Block]) -> Told:
    """The words and tables of a section of the report; its pictures are drawn anew in the window."""
    from wardround.report.page import Items, Rows, Text

    sentences, cautions, terms, grids = list[str](), list[str](), list[tuple[str, str]](), list[Grid]()
    for block in blocks:
        match block:
            case Text():
                (cautions if block.is_caution else sentences).append(block.text)
            case Items():
                terms += block.items
            case Rows():
                grids.append(Grid.of(block.table))
    return Told(sentences=tuple(sentences), cautions=tuple(cautions), terms=tuple(terms), grids=tuple(grids))
