"""What the Start page offers: shipped studies, recent runs, and what this machine can do."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wardround.app.views.grid import Grid
from wardround.app.views.results_read import unfinished
from wardround.core.events import Watch, silent
from wardround.errors import WardroundError
from wardround.plan.load import load_plan
from wardround.plan.starters import starters

DEMO = "demo"
STATES = {"finished": "finished", "running": "running now", "unfinished": "unfinished", "unreadable": "cannot be read"}

_LAYOUT = re.compile(r"\(FOLDER holds ([^)]*)\)")

State = Literal["finished", "running", "unfinished", "unreadable"]


@dataclass(frozen=True)
class Study:
    """A shipped plan. line: what it is about; layout: what the folder of images must hold, "" where that is not said."""

    name: str
    title: str
    line: str
    layout: str


@dataclass(frozen=True)
class Recent:
    """A run or comparison. resume: the command that goes on with it, without the program's name; () where there is nothing to go on with.
    problem: why it cannot be read."""

    folder: Path
    state: State
    resume: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class RecentRuns:
    """A row of the grid for each run, in their order."""

    grid: Grid
    runs: tuple[Recent, ...]


@dataclass(frozen=True)
class Machine:
    """Names and values."""

    facts: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True)
class Probe:
    """Milliseconds of a training step in each number format, and what plans with "auto" would choose."""

    facts: dict[str, str]
    sentence: str


def studies() -> tuple[Study, ...]:
    """The shipped plans but the demo, by title. A plan's comments begin with what it is about, and name the folder it wants."""
    found = []
    for name, path in starters().items():
        if name != DEMO:
            comments = path.read_text(encoding="utf-8").split("\n\n")[0]
            words = [line.removeprefix("#").strip() for line in comments.splitlines()]
            first = words.index("") if "" in words else len(words)
            layout = _LAYOUT.search(comments)
            found.append(Study(name=name, title=load_plan(path).title or name, line=" ".join(words[:first]),
                               layout="" if layout is None else layout[1]))
    return tuple(sorted(found, key=lambda study: study.title))


def recent_runs(folders: Sequence[Path], working: Sequence[Path]) -> RecentRuns:
    """What these folders hold. working: folders that jobs are at work in now."""
    runs, rows = [], []
    for folder in folders:
        run, kind, result = _recent(folder, folder in working or folder.parent in working)
        runs.append(run)
        rows.append((_name(folder), kind, STATES[run.state], result, _when(folder)))
    return RecentRuns(grid=Grid(columns=("Name", "Kind", "State", "Result", "When"), rows=tuple(rows)), runs=tuple(runs))


def machine() -> Machine:
    """What this machine offers, as `wardround doctor` tells it."""
    from wardround.session import machine as here

    return Machine(facts=here.machine(), versions=here.versions())


def probe(*, watch: Watch = silent) -> Probe:
    """Time a training step of a small network; this takes some seconds of all cores."""
    from wardround.session import machine as here

    facts, sentence = here.steps(here.trial())
    return Probe(facts=facts, sentence=sentence)


def _recent(folder: Path, is_working: bool) -> tuple[Recent, str, str]:
    """The run, its kind and its result."""
    from wardround.report.material import understood

    try:
        with understood(folder):
            if (folder / "compare.json").exists():
                kind, result = _compared(folder)
                return Recent(folder, "running" if is_working else "finished"), kind, result
            if (folder / "scores.json").exists():
                kind, result = _scored(folder)
                return Recent(folder, "running" if is_working else "finished"), kind, result
            if is_working:
                return Recent(folder, "running"), "", ""
            begun = unfinished(folder)
            command = () if begun is None else tuple(shlex.split(begun.command)[1:])
            return Recent(folder, "unfinished", command), "", "" if begun is None else begun.text
    except (WardroundError, OSError) as error:
        return Recent(folder, "unreadable", problem=str(error)), "", str(error)


def _compared(folder: Path) -> tuple[str, str]:
    """ "Comparison", "Federated balanced accuracy 0.91 [0.88, 0.94]"."""
    from wardround.report import tables, words
    from wardround.report.material import ordered_arms
    from wardround.runs.folder import read_json

    compare = read_json(folder / "compare.json")
    arms, metric = ordered_arms(compare), compare["primary"]
    arm = "federated" if "federated" in arms else arms[0]
    results = compare["arms"][arm]
    shown = f"{words.arm(arm)} {words.metric(metric)} {tables.spread(results, metric)}"
    return f"Comparison of {len(arms)}", _of_phantoms(shown, results[0])


def _scored(folder: Path) -> tuple[str, str]:
    """ "Federated", "balanced accuracy 0.91 [0.88, 0.94]"."""
    from wardround.report import words
    from wardround.report.material import HEADLINES
    from wardround.runs.folder import RunFolder

    run = RunFolder(folder)
    scores, asked = run.scores(), run.plan().rounds.metric
    metric = asked if asked in scores["metrics"] else HEADLINES[scores["task"]]
    return words.arm(scores["arm"]), _of_phantoms(f"{words.metric(metric)} {words.estimate(scores['metrics'], metric)}", scores)


def _of_phantoms(shown: str, scores: dict[str, Any]) -> str:
    return f"{shown}, on phantoms" if scores["phantom"] else shown


def _name(folder: Path) -> str:
    """A comparison by its name, a run by its comparison's or plan's as well."""
    is_part = (folder / "plan.toml").exists()
    return f"{folder.parent.name} / {folder.name}" if is_part else folder.name


def _when(folder: Path) -> str:
    """When something last happened there."""
    told = [path for name in ("compare.json", "scores.json", "journal.jsonl") if (path := folder / name).exists()]
    newest = max((path.stat().st_mtime for path in told or [folder] if path.exists()), default=0.0)
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(newest)) if newest else ""
