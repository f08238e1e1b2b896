"""What a finished run or comparison reached: the Results page's overview, hospitals and findings, in the report's own words."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wardround.app.views.grid import Grid
from wardround.app.views.results_read import Results, Told, Unfinished, read, told, unfinished
from wardround.core.wording import PHANTOM

if TYPE_CHECKING:
    from wardround.report.canvas import Estimate
    from wardround.report.material import RunMaterial

AT_HOME = "*"  # beside a hospital's own model at home, in the matrix


@dataclass(frozen=True, kw_only=True)
class Point:
    """An estimate with its interval, NaN where there is none. arm: for the colour; text: "value [low, high]"."""

    label: str
    value: float
    low: float
    high: float
    arm: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Estimates one below the other. reference: where there is no difference, or None."""

    title: str
    points: tuple[Point, ...]
    note: str = ""
    reference: float | None = None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two arms on the same patients. name: "Federated against pooled"."""

    name: str
    verdict: str
    forest: Forest
    grid: Grid


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """Models by column at hospitals by row, the hospital where the leading model is worst first. values: (R, C), NaN where not known."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: np.ndarray
    texts: tuple[tuple[str, ...], ...]
    note: str

    @property
    def grid(self) -> Grid:
        """The same as rows of text."""
        rows = tuple((name, *texts) for name, texts in zip(self.rows, self.texts, strict=True))
        return Grid(columns=("Hospital", *self.columns), rows=rows, caption=self.note, numeric=(False, *(True for _ in self.columns)))


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the run was and took, in words; "" where that is not known."""

    plan: str
    data: str
    arm: str
    rounds: str
    kept: str
    seconds: str
    train_seconds: str
    bytes: str
    images: str
    tested: str
    left_out: str
    phantom: str
    started: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened:
    """All that stands on the page before a tab is chosen.

    lead: the folder of the run whose curves and errors are shown. models: (folder's name, in words) of all runs to choose from.
    tabs: which of the page's tabs apply. labels: what the curves are of, the classes or findings. phantom: a caution, or ""."""

    folder: Path
    lead: Path
    task: str
    is_comparison: bool
    title: str
    headline: str
    remarks: tuple[str, ...]
    phantom: str
    command: str
    cost: Cost
    models: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]
    tabs: tuple[str, ...]
    summary: Grid
    forest: Forest
    pairs: tuple[Pair, ...]
    meanings: tuple[tuple[str, str], ...]
    hospitals: Told
    by_hospital: Forest
    matrix: Matrix | None
    findings: Told = field(default_factory=Told)
    by_finding: Forest | None = None
    missing: tuple[str, ...] = ()


def opened(folder: Path) -> Opened | Unfinished:
    """Open a run's or a comparison's folder. WardroundError if it is neither, or damaged."""
    from wardround.report.material import understood

    if (begun := unfinished(folder)) is not None:
        return begun
    found = read(folder)
    with understood(folder):
        return _opened(found)


def _opened(found: Results) -> Opened:
    from wardround.report import story, tables

    run, comparison = found.lead, found.comparison
    if comparison is None:
        headline, remarks = story.run_headline(run, found.metric), [story.outcome(run), *story.remarks(run)]
        summary = tables.scores_table(run.scores, found.metric)
    else:
        headline, remarks = story.comparison_headline(comparison), story.verdict_sentences(comparison)
        summary = tables.arm_table(comparison.compare)
    is_phantom = any(bool(scores["phantom"]) for by_seed in found.scored.values() for scores in by_seed)
    is_multilabel = run.task == "multilabel"
    return Opened(
        folder=found.folder, lead=run.folder, task=run.task, is_comparison=comparison is not None, title=run.plan.title or run.plan.name,
        headline=headline, remarks=tuple(remarks), phantom=PHANTOM if is_phantom else "", command=_command(found), cost=_cost(run),
        models=found.models, labels=_labels(run), tabs=_tabs(run), summary=Grid.of(summary), forest=_arms(found), pairs=_pairs(found),
        meanings=_meanings(found), hospitals=_hospitals(found), by_hospital=_by_hospital(found), matrix=_matrix(found),
        findings=_findings(found) if is_multilabel else Told(), by_finding=_by_finding(found) if is_multilabel else None,
        missing=tuple(run.missing if comparison is None else comparison.missing))


def _command(found: Results) -> str:
    """The command that does the same."""
    if found.comparison is None or found.folder.name != found.lead.plan.name:
        return shlex.join(["wardround", "report", str(found.folder)])
    seeds = len(found.comparison.compare["seeds"])
    further = ["--seeds", str(seeds)] if seeds > 1 else []
    return shlex.join(["wardround", "compare", str(found.lead.folder / "plan.toml"), *further, "--out", str(found.folder.parent)])


def _tabs(run: RunMaterial) -> tuple[str, ...]:
    """The tabs that apply to the task, from left to right."""
    of_task = {"multilabel": ("findings", "curves", "calibration"), "segmentation": ("segmentation",)}
    middle = of_task.get(run.task, ("curves", "confusion", "calibration", "errors"))
    return ("overview", "hospitals", *middle, "training")


def _labels(run: RunMaterial) -> tuple[str, ...]:
    """What has a curve: the second of two classes, all of more or of several findings; nothing of segmentations."""
    classes = tuple(run.scores["classes"])
    return {"binary": classes[1:], "segmentation": ()}.get(run.task, classes)


def _cost(run: RunMaterial) -> Cost:
    from wardround.report import words
    from wardround.report.material import tested

    scores, data = run.scores, run.data
    early = " (stopped early)" if run.stopped_early else ""
    is_counted = "used" in data  # a study's hospitals keep their counts
    used = f"{words.count(data['used'], hide_small=False)} of {words.count(data['images'], hide_small=False)} used" if is_counted else ""
    reasons = [f"{code.replace('_', ' ')} {words.count(number, hide_small=False)}" for code, number in (data.get("reasons") or {}).items()]
    sent = f"{words.size(scores['bytes_up'])} up, {words.size(scores['bytes_down'])} down" if scores["arm"] == "federated" else "none sent"
    return Cost(plan=run.plan.name, data=str(data.get("name") or run.plan.data.dataset), arm=words.arm(scores["arm"]),
                rounds=f"{scores['rounds']} of {run.plan.rounds.num}{early}", kept=str(scores["best_round"]),
                seconds=words.duration(scores["seconds"]), train_seconds=words.duration(scores["train_seconds"]), bytes=sent, images=used,
                tested=tested(scores),
                left_out=words.listing(reasons) if reasons else "none" if is_counted else "",
                phantom="yes" if scores["phantom"] else "no", started=str(run.provenance.get("started") or "")[:16].replace("T", " "))


def _arms(found: Results) -> Forest:
    """The arms and each hospital alone; of a single run its few main metrics."""
    from wardround.report import tables, words
    from wardround.report.figures import arm_estimates, estimate

    metrics = found.lead.scores["metrics"]
    if found.comparison is None:
        shown = [name for name in tables.shown_metrics(found.lead.scores, found.metric) if not words.lower_is_better(name)]
        return Forest(title=f"Results on the test {found.lead.unit}s", note="Point: result. Line: 95 % interval. Further right is better.",
                      points=tuple(_point(estimate(words.heading(name, metrics), found.lead.scores, name, found.lead.scores["arm"]), name)
                                   for name in shown))
    better = "left" if words.lower_is_better(found.metric) else "right"
    return Forest(title=f"{words.sentence(words.title(found.metric, metrics))} on the test {found.lead.unit}s",
                  note=f"Point: result. Line: 95 % interval. Further {better} is better.",
                  points=tuple(_point(part, found.metric) for part in arm_estimates(found.comparison)))


def _point(part: Estimate, metric: str) -> Point:
    from wardround.report import words

    return Point(label=part.label, value=part.value, low=part.low, high=part.high, arm=part.kind,
                 text=words.interval(part.value, part.low, part.high, words.digits(metric)))


def _pairs(found: Results) -> tuple[Pair, ...]:
    """Federated against each other arm, by the metrics of which more is better."""
    from wardround.report import figures, tables, words

    if found.comparison is None:
        return ()
    compare, metrics = found.comparison.compare, found.lead.scores["metrics"]
    overall = [name for name in tables.shown_metrics(found.lead.scores, found.metric) if not name.startswith("recall_")]
    kinds = {pair: (kind, title) for pair, kind, title in figures.PAIRED}
    pairs = []
    for pair, by_metric in compare["paired"].items():
        kind, title = kinds.get(pair, ("difference", f"{tables.pair_words(pair)}: difference"))
        before = "" if kind == "ratio" else "difference_"
        points = [_paired_point(words.heading(name, metrics), by_metric[name], kind, before, pair.partition("/")[0])
                  for name in overall if name in by_metric and not words.lower_is_better(name)]
        verdict = tables.verdict_words(by_metric[found.metric], found.metric) if found.metric in by_metric else ""
        pairs.append(Pair(name=tables.pair_words(pair), verdict=verdict, grid=Grid.of(tables.pair_table(compare, pair, overall)),
                          forest=Forest(title=title, points=tuple(points), reference=1.0 if kind == "ratio" else 0.0,
                                        note="A line that crosses the dashed one shows no difference.")))
    return tuple(pairs)


def _paired_point(label: str, found: Mapping[str, Any], kind: str, before: str, arm: str) -> Point:
    from wardround.report import words

    value, low, high = (math.nan if part is None else float(part) for part in (found[kind], found[f"{before}low"], found[f"{before}high"]))
    return Point(label=label, value=value, low=low, high=high, arm=arm, text=words.interval(value, low, high, signed=kind == "difference"))


def _meanings(found: Results) -> tuple[tuple[str, str], ...]:
    """The arms and metrics in a sentence each."""
    from wardround.report import sections, tables, words

    facts = found.facts(found.lead)
    shown = tables.shown_metrics(found.lead.scores, found.metric)
    terms = [(words.arm(arm), words.ARM_MEANINGS.get(arm, "")) for arm in (found.scored if found.comparison else ())]
    terms += [(words.sentence(words.metric(name)), words.meaning(name)) for name in shown if not words.parts(name)[1]]
    return tuple((term, meaning) for term, meaning in [*terms, *sections.VIEWS[found.lead.task].meanings(facts)] if meaning)


def _own(found: Results) -> dict[str, float]:
    """What each hospital's own local model reaches at home."""
    from wardround.report.html import own_models, told_models

    return told_models(found.facts(found.lead)) if found.comparison is None else own_models(found.comparison)


def _hospitals(found: Results) -> Told:
    """The report's section on hospitals."""
    from wardround.report import sections
    from wardround.report.figures import Figures

    return told(sections.per_hospital(found.facts(found.lead), Figures(found.metric), _own(found)).blocks)


def _by_hospital(found: Results) -> Forest:
    """The leading model at each hospital, worst first."""
    from wardround.report import words
    from wardround.report.figures import estimate

    per_site, arm = found.lead.scores["per_site"], found.lead.scores["arm"]
    points = {site: _point(estimate(site, part, found.metric, arm), found.metric) for site, part in per_site.items() if "metrics" in part}
    title = f"{words.sentence(words.title(found.metric, found.lead.scores['metrics']))} at each hospital, worst first"
    return Forest(title=title, points=tuple(points[site] for site in _worst_first(found, per_site) if site in points),
                  note=f"{found.name_of(found.lead)} model. Line: 95 % interval.")


def _worst_first(found: Results, per_site: Mapping[str, Any]) -> list[str]:
    """Hospitals by the leading model's result; those without one last."""
    from wardround.report import words
    from wardround.report.material import value_of

    values = {site: value_of(part, found.metric) for site, part in per_site.items()}
    sign = -1 if words.lower_is_better(found.metric) else 1
    return sorted(values, key=lambda site: (math.isnan(values[site]), sign * values[site]))


def _matrix(found: Results) -> Matrix | None:
    """Every model at every hospital; None of a single run."""
    from wardround.report import words
    from wardround.report.material import trained_at, value_of

    if found.comparison is None:
        return None
    sites = _worst_first(found, found.lead.scores["per_site"])
    shared = {words.arm(arm): by_seed[0]["per_site"] for arm, by_seed in found.scored.items() if arm != "local" and by_seed}
    alone = {home: run.scores["per_site"] for run in found.comparison.runs.get("local", ()) if (home := trained_at(run)) is not None}
    alone = {site: alone[site] for site in sites if site in alone}
    columns = {**shared, **{f"Only {home}": per_site for home, per_site in alone.items()}}
    values = np.array([[value_of(per_site.get(site, {}), found.metric) for per_site in columns.values()] for site in sites])
    if values.size == 0:
        return None

    def text(row: int, column: str) -> str:
        value = values[row, list(columns).index(column)]
        return ("–" if math.isnan(value) else words.number(value, 2)) + (AT_HOME if column == f"Only {sites[row]}" else "")

    title = f"{words.sentence(words.title(found.metric, found.lead.scores['metrics']))} of every model at every hospital"
    return Matrix(title=title, rows=tuple(sites), columns=tuple(columns), values=values,
                  texts=tuple(tuple(text(row, column) for column in columns) for row in range(len(sites))),
                  note=f"Rows: where a model was tested, the hospital worst served first. Columns: the models. {AT_HOME}: the hospital's "
                       "own model, at home." if alone else "Rows: where a model was tested, the hospital worst served first.")


def _findings(found: Results) -> Told:
    """The report's table of findings, by arm."""
    from wardround.report import findings

    return told(findings.details(found.facts(found.lead), found.comparison))


def _by_finding(found: Results) -> Forest:
    """The leading model's AUROC of each finding, the most frequent first."""
    from wardround.report import findings
    from wardround.report.figures import estimate

    run, support = found.lead, findings.support(found.lead)

    def label(name: str) -> str:
        return name if support.get(name) is None else f"{name} ({support[name]})"

    points: Sequence[Point] = [_point(replace(estimate(name, run.scores, f"auroc_{name}", run.scores["arm"]), label=label(name)), "auroc")
                               for name in findings.by_support(run)]
    return Forest(title="AUROC of each finding (in brackets: test images with it)", points=tuple(points), reference=0.5,
                  note=f"{found.name_of(run)} model. Line: 95 % interval. Dashed: guessing.")
