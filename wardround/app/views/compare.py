"""Finished runs side by side: what they reached, in what their plans differ, how they learnt, and for two of them a paired interval."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wardround.app.views.grid import Grid
from wardround.core.wording import PHANTOM
from wardround.errors import WardroundError

if TYPE_CHECKING:
    from wardround.core.events import RoundFinished
    from wardround.report.material import RunMaterial

LETTERS = "ABCDEFGH"  # runs that are compared at most
FIRST, SECOND = "first", "second"
FIRST_ARMS = ("federated", "pooled")  # of a comparison's runs, the ones that are compared first
UNSET = "not set"
SAME_PLAN = "The plans are the same in every key that results depend on."
NOT_COMPARED = frozenset({"title", "engine.workers"})  # of the plan's keys: results do not depend on them


@dataclass(frozen=True)
class Candidate:
    """A finished run that can be chosen. label: told apart from the others."""

    folder: Path
    label: str


@dataclass(frozen=True, eq=False)
class Line:
    """One run in a drawing: numbers by round."""

    letter: str
    rounds: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Curves:
    """A drawing. title: what is drawn; is_share: whether it lies in 0..1."""

    title: str
    lines: tuple[Line, ...]
    is_share: bool


@dataclass(frozen=True, eq=False)
class Compared:
    """Runs side by side, named by letters in the order in which they were given. cautions: what must be read with it."""

    runs: Grid
    results: Grid
    plans: Grid
    plans_note: str
    curves: tuple[Curves, ...]
    cautions: tuple[str, ...]


def candidates(folders: Sequence[Path]) -> tuple[Candidate, ...]:
    """The finished runs in these folders, each a run's or a comparison's; what is neither is left out."""
    runs = dict.fromkeys(run.absolute() for folder in folders for run in _finished(folder))
    return tuple(Candidate(folder=run, label=label) for run, label in zip(runs, _labels(list(runs)), strict=True))


def found_in(folder: Path) -> tuple[Candidate, ...]:
    """The same of one folder that somebody chose; WardroundError with what to choose instead if nothing is in it."""
    if found := candidates([folder]):
        return found
    if (folder / "plan.toml").exists():
        raise WardroundError(f"{folder} has not finished, and only finished runs have results to compare. Continue it: wardround run "
                             f"--resume {shlex.quote(str(folder))}")
    raise WardroundError(f"{folder} holds no finished run. Choose a run's folder (it has a scores.json), or the folder of a comparison.")


def compare(folders: Sequence[Path]) -> Compared:
    """Put finished runs side by side. WardroundError if a folder holds none, or is damaged."""
    from wardround.app.views.results_read import read
    from wardround.report import words

    if not 2 <= len(folders) <= len(LETTERS):
        raise WardroundError(f"choose 2 to {len(LETTERS)} runs to compare; {len(folders)} are chosen.")
    runs = {letter: read(folder).lead for letter, folder in zip(LETTERS, folders, strict=False)}
    cautions = [PHANTOM] if any(run.scores["phantom"] for run in runs.values()) else []
    if len({run.task for run in runs.values()}) > 1:
        cautions.append(f"These runs solve different tasks ({words.listing(sorted({run.task for run in runs.values()}))}): their numbers "
                        "do not measure the same thing.")
    plans = _plans(runs)
    return Compared(runs=_named(runs), results=_results(runs), plans=plans, plans_note="" if plans.rows else SAME_PLAN,
                    curves=_curves(runs), cautions=tuple(cautions))


def contrast(first: Path, second: Path) -> Grid:
    """Two runs on the same test patients, by every metric, with paired intervals. WardroundError if they were tested on others."""
    from wardround import session
    from wardround.report import tables
    from wardround.runs.folder import RunFolder

    found = session.contrast(first, second)
    table = tables.pair_table({"paired": {f"{FIRST}/{SECOND}": found}, "arms": {FIRST: [RunFolder(first).scores()]}}, f"{FIRST}/{SECOND}",
                              list(found))
    caption = ("Run A against run B, on the same test patients. A ratio of 1 and a difference of 0 mean equal results; better and worse "
               "are said of A.")
    return Grid.of(tables.Table(columns=("A against B", *table.columns[1:]), rows=table.rows, caption=caption))


def command(folders: Sequence[Path]) -> str:
    """The command that contrasts two runs; of more there is none."""
    return shlex.join(["wardround", "contrast", *map(str, folders)]) if len(folders) == 2 else ""


def _finished(folder: Path) -> Iterator[Path]:
    if (folder / "scores.json").exists():
        yield folder
    elif folder.is_dir():
        found = [path.parent for path in sorted(folder.glob("*/scores.json"))]
        yield from sorted(found, key=lambda run: next((place for place, arm in enumerate(FIRST_ARMS) if run.name.startswith(arm)),
                                                      len(FIRST_ARMS)))


def _labels(runs: Sequence[Path]) -> list[str]:
    """ "demo / federated-seed0", with as many folders before it as tell it from the others."""
    def name(run: Path, depth: int) -> str:
        return " / ".join(run.parts[-depth:])

    depths = [2] * len(runs)
    for index, run in enumerate(runs):
        others = [other for other in runs if other != run]
        while depths[index] < len(run.parts) and name(run, depths[index]) in {name(other, depths[index]) for other in others}:
            depths[index] += 1
    return [name(run, depth) for run, depth in zip(runs, depths, strict=True)]


def _named(runs: Mapping[str, RunMaterial]) -> Grid:
    """Which letter stands for what."""
    from wardround.report import words
    from wardround.report.material import tested

    labels = _labels([run.folder.absolute() for run in runs.values()])
    rows = [(letter, label, words.arm(run.scores["arm"]), f"{run.scores['best_round']} of {run.scores['rounds']}", tested(run.scores),
             "phantoms" if run.scores["phantom"] else str(run.data.get("name") or run.plan.data.dataset))
            for (letter, run), label in zip(runs.items(), labels, strict=True)]
    return Grid(columns=("", "Run", "Trained", "Round kept", "Tested on", "Images"), rows=tuple(rows))


def _results(runs: Mapping[str, RunMaterial]) -> Grid:
    from wardround.report import words
    from wardround.report.material import primary_metric
    from wardround.report.tables import Table, shown_metrics

    names = list(dict.fromkeys(name for run in runs.values() for name in shown_metrics(run.scores, primary_metric(run))))

    def heading(name: str) -> str:
        return words.heading(name, next(run.scores["metrics"] for run in runs.values() if name in run.scores["metrics"]))

    def cell(run: RunMaterial, name: str) -> str:
        return words.estimate(run.scores["metrics"], name) if name in run.scores["metrics"] else "–"

    rows = tuple((heading(name), *(cell(run, name) for run in runs.values())) for name in names)
    caption = ("In square brackets: each run's own 95 % interval. That two of them overlap does not show that runs are equal; the paired "
               "difference tells.")
    return Grid.of(Table(columns=("", *runs), rows=rows, caption=caption))


def _plans(runs: Mapping[str, RunMaterial]) -> Grid:
    """Only the keys in which the plans differ, as they are written in a plan."""
    flat = {letter: dict(_flat(run.plan.model_dump(mode="json"))) for letter, run in runs.items()}
    keys = list(dict.fromkeys(key for keys in flat.values() for key in keys if key not in NOT_COMPARED))
    values = {key: tuple(_value(plan.get(key)) for plan in flat.values()) for key in keys}
    return Grid(columns=("Key of the plan", *runs), rows=tuple((key, *texts) for key, texts in values.items() if len(set(texts)) > 1))


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _value(value: Any) -> str:
    if value is None:
        return UNSET
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'


def _curves(runs: Mapping[str, RunMaterial]) -> tuple[Curves, ...]:
    """The validation metric that most runs have, the first run's own before others, and the loss; none without journals."""
    from wardround.report import words
    from wardround.report.material import primary_metric

    scored = {letter: {name for event in run.rounds for name in event.val} for letter, run in runs.items()}
    others = sorted({name for names in scored.values() for name in names} - {"loss"})
    wanted = dict.fromkeys([*map(primary_metric, runs.values()), *others])
    metric = max(wanted, key=lambda name: sum(name in names for names in scored.values()))
    is_kept = any("loss" in names for names in scored.values())
    drawn = [Curves(title=f"{words.sentence(words.metric(metric))} on validation images", is_share=words.is_share(metric),
                    lines=_lines(runs, lambda event: event.val.get(metric, math.nan))),
             Curves(title="Loss on validation images" if is_kept else "Loss on training images", is_share=False,
                    lines=_lines(runs, lambda event: event.val.get("loss", math.nan) if is_kept else event.train_loss))]
    return tuple(curves for curves in drawn if curves.lines)


def _lines(runs: Mapping[str, RunMaterial], value: Callable[[RoundFinished], float]) -> tuple[Line, ...]:
    found = []
    for letter, run in runs.items():
        points = [(event.round, value(event)) for event in run.rounds if math.isfinite(value(event))]
        if points:
            rounds, values = np.array(points, dtype=float).T
            found.append(Line(letter=letter, rounds=rounds, values=values))
    return tuple(found)
