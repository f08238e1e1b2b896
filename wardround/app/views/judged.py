"""How a run judged its test images: curves, confusion, calibration, and how its training went. Of sums where it was a network study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wardround.app.views.grid import Grid
from wardround.app.views.results_read import Results, Told, read, told
from wardround.core.events import RoundFinished

if TYPE_CHECKING:
    from wardround.core.predictions import Predictions
    from wardround.report.material import RunMaterial

MANY_POINTS = 1000  # of a curve, above which those that change nothing are left out
NUM_BARS = 20  # of the histogram of stated probabilities
TOGETHER, TRAINING, VALIDATION = "all hospitals", "training", "validation"  # lines by round
SHARE_OF_FINDINGS, SHARE_NAMED = "Observed share of findings", "Share named correctly"


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """A line of a plot. arm: for the colour; is_thin: one of many, or of a hospital. x, y: (n,)."""

    name: str
    arm: str
    x: np.ndarray
    y: np.ndarray
    is_thin: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """Curves of one class or finding. roc: hits against false alarms; precision: against recall, to be drawn as steps that hold back.

    share: of images with the class, which guessing reaches; NaN if not known. grid: areas by model. why_not: if a curve is missing."""

    label: str
    roc: tuple[Line, ...]
    precision: tuple[Line, ...]
    share: float
    grid: Grid
    why_not: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Confusion:
    """Truth by row, the model's answer by column. shares: (C, C) of the row, NaN where hidden or empty; texts: share and count."""

    classes: tuple[str, ...]
    shares: np.ndarray
    texts: tuple[tuple[str, ...], ...]
    grid: Grid
    note: str
    predictive: Told


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Cases of similar probability. stated: its mean; observed: the share that are so, with an interval, NaN where hidden."""

    stated: float
    observed: float
    low: float
    high: float
    count: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """Whether stated probabilities come true.

    heights: (20,) how often each probability up to `far`, the axes' end, was stated; (0,) of a network study. told: the report's
    numbers and cautions. why_not: if there are no bins."""

    title: str
    bins: tuple[Bin, ...]
    heights: np.ndarray
    far: float
    told: Told
    why_not: str

    @property
    def grid(self) -> Grid:
        """The bins as rows of text."""
        rows = tuple((f"{part.stated:.3f}", f"{part.observed:.3f}", f"{part.low:.3f} to {part.high:.3f}" if part.low == part.low else "–",
                      part.count) for part in self.bins)
        return Grid(columns=("Stated probability", self.title, "95 % interval", "Number"), rows=rows, numeric=(True,) * 4,
                    caption="Each row holds about the same number of cases.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Learning:
    """How training went, by round. loss, metric: lines, the hospitals' thin. best_round: the one that was kept."""

    metric_title: str
    loss: tuple[Line, ...]
    metric: tuple[Line, ...]
    best_round: int | None
    told: Told


def curves(folder: Path, place: int) -> Judged:
    """The curves of every model of a folder. place: of the class or finding among `Opened.labels`."""
    from wardround.report.material import understood

    found = read(folder)
    with understood(folder):
        run = found.lead
        label = place + (1 if run.task == "binary" else 0)
        if run.is_network:
            return _told_curves(run, label)
        models = [(found.name_of(other), other) for other in found.runs.values() if other.predictions is not None]
        return _curves(found, models, label)


def _curves(found: Results, models: Sequence[tuple[str, RunMaterial]], label: int) -> Judged:
    from wardround.evaluation.curves import precision_recall, roc
    from wardround.evaluation.metrics import average_precision, ranked_auroc
    from wardround.report.curves import Model

    roc_lines, pr_lines, rows, share = list[Line](), list[Line](), list[tuple[str, ...]](), math.nan
    for name, run in models:
        if run.predictions is None:
            continue
        is_so, score = Model(kind=run.scores["arm"], predictions=run.predictions).ranked(label)
        share = float(is_so.mean()) if math.isnan(share) else share
        areas = {"auroc": ranked_auroc(is_so, score), "auprc": average_precision(is_so, score)}
        rows.append((name, *(_area(run, kind, label, float(area)) for kind, area in areas.items())))
        if not is_so.any() or is_so.all():
            continue
        style: dict[str, Any] = {"name": name, "arm": run.scores["arm"], "is_thin": run.scores["arm"] == "local" and len(models) > 1}
        false_alarms, hits, _ = roc(is_so, score)
        corners = _corners(false_alarms, hits)
        roc_lines.append(Line(x=false_alarms[corners], y=hits[corners], **style))
        recall, precision = _steps(*precision_recall(is_so, score)[:2])
        pr_lines.append(Line(x=recall, y=precision, **style))
    why_not = "" if rows else "predictions.csv is absent: ROC and precision-recall curves cannot be drawn."
    if rows and not roc_lines:
        why_not = "Not estimable: no test image has it, or all have it."
    grid = Grid(columns=("Model", "AUROC", "AUPRC"), rows=tuple(rows), numeric=(False, True, True),
                caption="Area under the curve; in square brackets the 95 % interval, where one was estimated.")
    return Judged(label=found.lead.scores["classes"][label], roc=tuple(roc_lines), precision=tuple(pr_lines), share=share, grid=grid,
                  why_not=why_not)


def _area(run: RunMaterial, kind: str, label: int, value: float) -> str:
    """With the interval of scores.json where it has this very area."""
    from wardround.report import words

    metrics = run.scores["metrics"]
    name = {"binary": kind, "multilabel": f"{kind}_{run.scores['classes'][label]}"}.get(run.task, "")
    return words.estimate(metrics, name) if name in metrics else words.number(value)


def _corners(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Indices of the points of a long staircase where it turns: the line through them is the same."""
    if len(x) <= MANY_POINTS:
        return np.arange(len(x))
    turns = (np.diff(x)[1:] * np.diff(y)[:-1]) != (np.diff(x)[:-1] * np.diff(y)[1:])
    return np.concatenate([[0], 1 + np.flatnonzero(turns), [len(x) - 1]])


def _steps(precision: np.ndarray, recall: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(recall, precision) of the line along the steps: each precision holds back to the recall before, as in evaluation/curves.py."""
    first = np.unique(recall, return_index=True)[1]
    return np.repeat(recall[first], 2)[:-1], np.repeat(precision[first], 2)[1:]


def _told_curves(run: RunMaterial, label: int) -> Judged:
    """Of the sums that a study's hospitals sent."""
    from wardround.report import summed, words

    name = run.scores["classes"][label]
    told_points = (run.scores.get("roc") or {}).get(name)
    lines = () if told_points is None else (Line(name=words.arm(run.scores["arm"]), arm=run.scores["arm"], x=np.array(told_points["fpr"]),
                                                 y=np.array(told_points["tpr"])),)
    key = {"binary": "auroc", "multilabel": f"auroc_{name}"}.get(run.task, "")
    rows = ((words.arm(run.scores["arm"]), words.estimate(run.scores["metrics"], key)),) if key else ()
    return Judged(label=name, roc=lines, precision=(), share=math.nan, why_not=summed.NOTE,
                  grid=Grid(columns=("Model", "AUROC"), rows=rows, numeric=(False, True)))


def confusion(folder: Path, model: str) -> Confusion:
    """The confusion matrix of a run. model: one of `Opened.models`."""
    from wardround.report import sections, words
    from wardround.report.material import understood

    found = read(folder)
    with understood(folder):
        run = found.run(model)
        classes = tuple(run.scores["classes"])
        table = np.array(run.scores["confusion"], dtype=float)
        shares = _shares(run, table)
        texts = tuple(tuple(map(_cell, line, counts)) for line, counts in zip(shares, table, strict=True))
        note = "Rows: the truth; each row adds up to 100 %. Right answers lie on the diagonal."
        if np.isnan(table).any():
            note = (f"Rows: the truth. Hidden: {words.FEW} images, or a number that would give such a one away. On the diagonal, where "
                    "right answers lie: the recall.")
        grid = Grid(columns=("Truth", *(f"called {name}" for name in classes)), numeric=(False, *(True for _ in classes)),
                    rows=tuple((name, *(text.replace("\n", ", ") for text in line)) for name, line in zip(classes, texts, strict=True)))
        return Confusion(classes=classes, shares=shares, texts=texts, grid=grid,
                         note=f"{found.name_of(run)} model, test images. {note}",
                         predictive=told(sections.VIEWS[run.task].details(found.facts(run), None)))


def _shares(run: RunMaterial, table: np.ndarray) -> np.ndarray:
    """Of the row; where a study hides counts, the recalls that it tells stand on the diagonal."""
    from wardround.report.material import value_of

    sums = table.sum(1, keepdims=True)
    shares: np.ndarray = np.divide(table, sums, out=np.full(table.shape, math.nan), where=sums > 0)
    if np.isnan(table).any():
        classes = run.scores["classes"]
        names = ["specificity", "sensitivity"] if len(classes) == 2 else [f"recall_{name}" for name in classes]
        shares[np.diag_indices(len(classes))] = [value_of(run.scores, name) for name in names]
    return shares


def _cell(share: float, number: float) -> str:
    told_share = "" if math.isnan(share) else f"{share:.0%}"
    told_number = ("" if told_share else "hidden") if math.isnan(number) else str(int(number))
    return "\n".join(filter(None, [told_share, told_number]))


def calibration(folder: Path, model: str, place: int) -> Calibration:
    """Reliability of a run's probabilities. place: of a class or finding, -1 for all together."""
    from wardround.report import sections
    from wardround.report.figures import Figures
    from wardround.report.material import understood

    found = read(folder)
    with understood(folder):
        run = found.run(model)
        section = sections.VIEWS[run.task].calibration(found.facts(run), Figures(found.metric))
        words_of_it = told(block for part in section for block in part.blocks)
        if run.predictions is not None:
            return _counted(run, run.predictions, place, words_of_it)
        return _told_bins(run, words_of_it)


def _counted(run: RunMaterial, predictions: Predictions, place: int, words_of_it: Told) -> Calibration:
    from wardround.evaluation.calibration import reliability
    from wardround.evaluation.metrics import confidence

    two, title = _as_two(run, predictions, place)
    bins = tuple(Bin(stated=part.predicted, observed=part.observed, low=part.low, high=part.high, count=str(part.count))
                 for part in reliability(two))
    score, _ = confidence(two.truth, two.probabilities)
    is_rare = run.task == "multilabel"  # most findings are: the plot is of the corner where they lie
    far = min(1.0, 1.1 * max(max(part.high, part.stated) for part in bins)) if is_rare else 1.0
    heights, _ = np.histogram(score, bins=NUM_BARS, range=(0, far))
    return Calibration(title=title, bins=bins, heights=heights, far=far, told=words_of_it, why_not="")


def _as_two(run: RunMaterial, predictions: Predictions, place: int) -> tuple[Predictions, str]:
    """What is compared: of two classes the second, of more the answer or one of them, of findings all pairs or one."""
    from wardround.report.curves import Model, binary_pairs

    classes = predictions.classes
    if run.task == "binary":
        return predictions, f"Observed share of {classes[1]}"
    if place < 0:
        if predictions.is_multilabel:
            return binary_pairs(predictions), SHARE_OF_FINDINGS
        return predictions, SHARE_NAMED
    is_so, score = Model(kind="", predictions=predictions).ranked(place)
    two = replace(predictions, classes=("other", classes[place]), truth=is_so.astype(np.int64),
                  probabilities=np.stack([1 - score, score], 1))
    return two, f"Observed share of {classes[place]}"


def _told_bins(run: RunMaterial, words_of_it: Told) -> Calibration:
    """Of the bins that a study's hospitals sent; none where predictions are absent."""
    from wardround.evaluation.calibration import wilson

    bins = []
    for part in (run.scores.get("calibration") or []) if run.is_network else []:
        count, hidden = part["count"], (math.nan, math.nan)
        low, high = hidden if count is None else wilson(round(part["observed"] * count), count)
        bins.append(Bin(stated=float(part["predicted"]), observed=float(part["observed"]), low=low, high=high,
                        count="hidden" if count is None else str(count)))
    return Calibration(title="Observed share", bins=tuple(bins), heights=np.zeros(0), far=1.0, told=words_of_it,
                       why_not="" if bins else "Cannot be drawn: predictions.csv is absent.")


def learning(folder: Path, model: str) -> Learning:
    """Loss and validation metric by round, all hospitals together and each."""
    from wardround.report import sections, words
    from wardround.report.figures import Figures, shown_rounds
    from wardround.report.material import understood

    found = read(folder)
    with understood(folder):
        run = found.run(model)
        metric, rounds = run.plan.rounds.metric, shown_rounds(run)
        section = sections.training(found.facts(run), Figures(found.metric))
        sites = sorted({site for event in rounds for site in (*event.train_loss_by_site, *event.val_by_site)})
        return Learning(metric_title=f"{words.sentence(words.metric(metric))}, validation images", best_round=run.scores["best_round"],
                        loss=_losses(rounds, sites), metric=() if metric == "loss" else _scores(rounds, sites, metric),
                        told=told(section.blocks))


def _scores(rounds: Sequence[RoundFinished], sites: Sequence[str], metric: str) -> tuple[Line, ...]:
    """The validation metric of each hospital and of all."""
    found = [_line(site, [(event.round, event.val_by_site.get(site, {}).get(metric)) for event in rounds], is_thin=True) for site in sites]
    return _drawn([*found, _line(TOGETHER, [(event.round, event.val.get(metric)) for event in rounds])])


def _losses(rounds: Sequence[RoundFinished], sites: Sequence[str]) -> tuple[Line, ...]:
    """Training loss of each hospital and of all, averaged from one validation to the next as in the report; validation loss."""
    from wardround.report.plots import mean_of, stretches

    parts = stretches(rounds)
    found = [_line(site, [(part[-1].round, mean_of([event.train_loss_by_site[site] for event in part if site in event.train_loss_by_site]))
                          for part in parts], is_thin=True) for site in sites]
    return _drawn([*found, _line(TRAINING, [(part[-1].round, mean_of([event.train_loss for event in part])) for part in parts]),
                   _line(VALIDATION, [(event.round, event.val.get("loss")) for event in rounds])])


def _drawn(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Those with a point."""
    return tuple(line for line in lines if len(line.x))


def _line(name: str, points: Sequence[tuple[int, float | None]], *, is_thin: bool = False) -> Line:
    known = [(x, y) for x, y in points if y is not None and math.isfinite(y)]
    return Line(name=name, arm="", x=np.array([x for x, _ in known], dtype=float), y=np.array([y for _, y in known], dtype=float),
                is_thin=is_thin)
