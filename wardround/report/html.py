"""The page a clinician reads: one self-contained report.html for a run or for a comparison, with its figures beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wardround.report import attacked, sections, spent, story, words
from wardround.report.checklist import Facts, checklist
from wardround.report.figures import Figures
from wardround.report.material import (
    Comparison,
    RunMaterial,
    ordered_arms,
    primary_metric,
    read_comparison,
    read_run,
    tested,
    trained_at,
    understood,
    value_of,
)
from wardround.report.page import Card, Page, Rows, Section, write_page

RESEARCH_ONLY = "Research software: not a medical device, not for clinical use."


def write_run_report(folder: Path) -> Path:
    """Write report.html and figures/*.png of a finished run and return the page's path.

    WardroundError if the folder holds no finished run; other missing files become sentences of the page."""
    with understood(folder):
        return _run_report(folder)


def _run_report(folder: Path) -> Path:
    run = read_run(folder)
    metric = primary_metric(run)
    facts, figures = Facts(plan=run.plan, run=run, metric=metric, compare={}), Figures(metric)
    commands = _study_commands(run) if run.is_network else [f"wardround run plan.toml --arm {run.scores['arm']}{_data_option(run)}"]
    others = [name for name in ("auroc", "balanced_accuracy", "accuracy", "sensitivity", "specificity", "auprc", "hd95")
              if name in run.scores["metrics"] and name != metric]
    page = Page(title=run.plan.title or run.plan.name, details=_details(run, f"{words.arm(run.scores['arm'])} run {folder.name}"),
                phantom=bool(run.scores["phantom"]), headline=story.run_headline(run, metric),
                remarks=(story.outcome(run), *story.remarks(run)),
                cards_title=f"On the test {run.unit}s",
                cards=tuple(_metric_card(run.scores, name) for name in [metric, *others[:2]]),
                sections=_sections(facts, figures, None, commands), footer=RESEARCH_ONLY)
    return write_page(page, folder)


def write_compare_report(folder: Path) -> Path:
    """Write report.html and figures/*.png of a comparison and return the page's path.

    WardroundError without compare.json or without any run folder beside it; other missing files become sentences of the page."""
    with understood(folder):
        return _compare_report(folder)


def _compare_report(folder: Path) -> Path:
    comparison = read_comparison(folder)
    run, compare = comparison.lead, comparison.compare
    facts, figures = Facts(plan=run.plan, run=run, metric=comparison.metric, compare=compare), Figures(comparison.metric)
    seeds = words.plural(len(compare["seeds"]), "seed")
    commands = [f"wardround compare plan.toml --seeds {len(compare['seeds'])}{_data_option(run)}"]
    page = Page(title=run.plan.title or run.plan.name, details=_details(run, f"Comparison over {seeds}"),
                phantom=any(bool(scores["phantom"]) for results in compare["arms"].values() for scores in results),
                headline=story.comparison_headline(comparison), remarks=tuple(story.verdict_sentences(comparison)),
                cards_title=f"{words.heading(facts.metric, facts.metrics)} on the test {run.unit}s: {words.meaning(facts.metric)}.",
                cards=tuple(_arm_card(comparison, arm) for arm in ordered_arms(compare)),
                sections=_sections(facts, figures, comparison, commands), footer=RESEARCH_ONLY)
    return write_page(page, folder)


def _sections(facts: Facts, figures: Figures, comparison: Comparison | None, commands: list[str]) -> tuple[Section, ...]:
    view = sections.VIEWS[facts.task]
    runs = [facts.run] if comparison is None else [run for runs in comparison.runs.values() for run in runs]
    own = own_models(comparison) if comparison is not None else told_models(facts)
    hospitals = sections.per_hospital(facts, figures, own)
    if comparison is not None:
        hospitals = replace(hospitals, blocks=(*hospitals.blocks, *figures.site_matrix(comparison)))
    return (sections.how_good(facts, comparison, figures), sections.how_sure(facts, comparison), hospitals,
            sections.done(facts, runs), sections.images(facts, figures), sections.left_out(facts),
            view.errors(facts, comparison, figures), *view.calibration(facts, figures), sections.training(facts, figures),
            *spent.sections(facts.run), *(attacked.sections(facts.run) if comparison is None else ()),
            sections.limits(facts, comparison), sections.repeat(facts, commands),
            Section(anchor="checklist", title="Checklist for reviewers", blocks=(Rows(table=checklist(facts)),)))


def own_models(comparison: Comparison) -> dict[str, float]:
    """What each hospital's own local model reaches on the hospital's own test images."""
    return {home: value_of(run.scores["per_site"].get(home, {}), comparison.metric)
            for run in comparison.runs.get("local", ()) if (home := trained_at(run)) is not None}


def told_models(facts: Facts) -> dict[str, float]:
    """The same of a study's run, where the hospitals have trained alone and told their results."""
    per_site = facts.run.scores["per_site"]
    return {site: value_of({"metrics": part["local"]}, facts.metric) for site, part in per_site.items() if "local" in part}


def _study_commands(run: RunMaterial) -> list[str]:
    sites = ",".join(run.scores["per_site"])
    return [f"wardround study new NAME --plan plan.toml --sites {sites} --address HOST:PORT", "wardround study start"]


def _metric_card(scores: Mapping[str, Any], metric: str) -> Card:
    value, low, high = (value_of(scores, metric, part) for part in ("value", "low", "high"))
    digits = words.places(scores["metrics"], metric)
    return Card(title=words.heading(metric, scores["metrics"]), value=words.number(value, digits), interval=_range(low, high, digits),
                note=words.meaning(metric), kind=scores["arm"])


def _arm_card(comparison: Comparison, arm: str) -> Card:
    results = comparison.compare["arms"][arm]
    values = [value for value in (value_of(scores, comparison.metric) for scores in results) if math.isfinite(value)]
    if len(results) == 1:
        interval = _range(value_of(results[0], comparison.metric, "low"), value_of(results[0], comparison.metric, "high"))
    else:
        interval = f"{words.number(min(values))} to {words.number(max(values))} over {len(results)} models" if values else ""
    return Card(title=words.arm(arm), value=words.number(sum(values) / len(values) if values else None), interval=interval,
                note=words.ARM_MEANINGS.get(arm, ""), kind=arm)


def _range(low: float, high: float, digits: int = 3) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return "no interval"
    between = f"{words.number(low, digits)} to {words.number(high, digits)}".replace(" ", "\N{NO-BREAK SPACE}")  # a card is narrow
    return f"95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}interval {between}"


def _details(run: RunMaterial, what: str) -> str:
    data = run.data.get("name") or run.plan.data.dataset
    started = str(run.provenance.get("started") or "")[:10]
    return " · ".join(filter(None, [what, f"data set {data}", tested(run.scores), started]))


def _data_option(run: RunMaterial) -> str:
    return "" if run.scores["phantom"] else " --data FOLDER"
