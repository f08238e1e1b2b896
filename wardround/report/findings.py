"""What a report shows of several findings an image: each finding with its support, by arm; curves; calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from wardround.report import curves, plots, story, summed, words
from wardround.report.canvas import Estimate
from wardround.report.checklist import Facts
from wardround.report.figures import Figures, estimate
from wardround.report.material import Comparison, RunMaterial, ordered_arms, value_of
from wardround.report.page import Block, Items, Picture, Rows, Section, Text
from wardround.report.tables import Table, spread
from wardround.report.view import View, gap_note

Results = Mapping[str, Sequence[Mapping[str, Any]]]  # arm -> scores by seed


def details(facts: Facts, comparison: Comparison | None) -> list[Block]:
    """Each finding: forest plot and tables."""
    run, results = facts.run, _results(facts, comparison)
    names = by_support(run)
    absent = [name for name in names if math.isnan(value_of(run.scores, f"auroc_{name}"))]
    blocks: list[Block] = [_forest(run, results, names)]
    if len(results) == 1:
        blocks.append(Rows(table=finding_table(run, names)))
    else:
        blocks += [Rows(table=arms_table(run, results, names, kind)) for kind in ("auroc", "auprc")]
    if absent:
        why = f"Hidden, or not estimable, because no test image, or only {words.FEW}, have the finding or lack it" if run.is_network else (
            "Not estimable, because no test image has the finding, or all have it")
        blocks.append(Text(text=f"{why}: {words.listing(absent)}. The means are over the other "
                                f"{words.plural(len(names) - len(absent), 'finding')}."))
    return blocks


def support(run: RunMaterial) -> dict[str, int | None]:
    """Test images with each finding; None where that is not recorded."""
    if run.predictions is not None:
        return dict(zip(run.predictions.classes, run.predictions.truth.sum(0).tolist(), strict=True))
    if run.is_network:
        return dict(run.scores["support"])
    counted = (run.data.get("class_counts") or {}).get("test") or {}
    return {name: counted.get(name) for name in run.scores["classes"]}


def by_support(run: RunMaterial) -> list[str]:
    """The findings, the most frequent first."""
    found = support(run)
    return sorted(run.scores["classes"], key=lambda name: -(found.get(name) or 0))


def finding_table(run: RunMaterial, names: Sequence[str]) -> Table:
    """One model: each finding's test images, AUROC and AUPRC."""
    rows = tuple((name, _supported(run, name), *(words.estimate(run.scores["metrics"], f"{kind}_{name}") for kind in ("auroc", "auprc")))
                 for name in names)
    return Table(columns=("Finding", "Test images with it", "AUROC", "AUPRC"), rows=rows, caption=GUESSING)


def arms_table(run: RunMaterial, results: Results, names: Sequence[str], kind: str) -> Table:
    """One metric of each finding, arms by column."""
    rows = tuple((name, _supported(run, name), *(spread(by_seed, f"{kind}_{name}") for by_seed in results.values())) for name in names)
    return Table(columns=("Finding", "Test images with it", *(f"{words.metric(kind)}, {words.arm(arm).lower()}" for arm in results)),
                 rows=rows, caption=GUESSING)


GUESSING = ("Guessing gives an AUROC of 0.5, and an AUPRC equal to the share of test images with the finding. A number without an interval "
            "stands on too few of them.")


def _supported(run: RunMaterial, name: str) -> str:
    number = support(run).get(name)
    if number is None:
        return "hidden" if run.is_network else "not recorded"
    share = f" ({words.share(number, run.scores['num_test'])})" if run.scores["num_test"] is not None else ""
    return f"{words.count(number, hide_small=False)}{share}"


def _results(facts: Facts, comparison: Comparison | None) -> Results:
    """The arms' scores by seed."""
    if comparison is None:
        return {facts.run.scores["arm"]: [facts.run.scores]}
    return {arm: comparison.compare["arms"][arm] for arm in ordered_arms(comparison.compare)}


def _forest(run: RunMaterial, results: Results, names: Sequence[str]) -> Picture:
    lead = run.scores["arm"]
    found = support(run)
    unknown = "hidden" if run.is_network else words.NOT_ESTIMABLE
    rows = {f"{name} ({unknown if found.get(name) is None else found[name]})":
            [_over_seeds(results[arm], f"auroc_{name}", arm) for arm in results] for name in names}
    drawn = plots.grouped(rows, "auroc", title="AUROC of each finding (in brackets: test images with it)", lead=lead, reference=0.5)
    several = any(len(by_seed) > 1 for by_seed in results.values())
    line = "lowest to highest of the seeds" if several else "95 % interval"
    whose = f" The numbers are those of the {words.arm(lead).lower()} model." if len(results) > 1 else ""
    return Picture(name="findings", figure=drawn, alt="AUROC of each finding with its interval. The table below has the numbers.",
                   caption=f"Line: {line}. Dashed: guessing. Few images with a finding make a wide interval, very few none at all: such "
                   f"a point says little.{whose}")


def _over_seeds(by_seed: Sequence[Mapping[str, Any]], metric: str, arm: str) -> Estimate:
    if len(by_seed) == 1:
        return estimate("", by_seed[0], metric, arm)
    values = [value_of(scores, metric) for scores in by_seed]
    return Estimate(label="", value=sum(values) / len(values), low=min(values), high=max(values), kind=arm)


def meanings(facts: Facts) -> list[tuple[str, str]]:
    """How a mean over findings is made."""
    return [("mean over findings", "each estimable finding counts the same, a rare one as much as a common one")]


def hospital_columns(facts: Facts) -> dict[str, dict[str, str]]:
    """How many findings each hospital's mean is over."""
    num = len(facts.run.scores["classes"])
    return {"Findings estimable": {site: f"{_num_estimable(part)} of {num}" for site, part in facts.run.scores["per_site"].items()}}


def _num_estimable(scores: Mapping[str, Any]) -> int:
    return sum(name.startswith("auroc_") and not math.isnan(value_of(scores, name)) for name in scores["metrics"])


def hospital_note(known: Mapping[str, float]) -> str:
    return f"{gap_note(known)} Each hospital's mean is over the findings that its own test images have."


def errors(facts: Facts, comparison: Comparison | None, figures: Figures) -> Section:
    """Curves of each finding."""
    blocks: list[Block] = [Text(text="The model ranks images for each finding apart. No threshold was chosen, so there are no calls to "
                                     "count and no confusion matrix. The curves show every threshold at once.")]
    if facts.run.is_network:
        blocks.append(Text(text=summed.NOTE))
    elif facts.run.predictions is None:
        blocks.append(Text(text="predictions.csv is absent: ROC and precision-recall curves cannot be drawn."))
    blocks += figures.curves([facts.run] if comparison is None else [run for runs in comparison.runs.values() for run in runs])
    return Section(anchor="errors", title="Where it errs", blocks=tuple(blocks))


def calibration(facts: Facts, figures: Figures) -> list[Section]:
    """Whether stated probabilities come true, over all findings."""
    title, run = "Are the probabilities right?", facts.run
    if run.predictions is None and not run.is_network:
        return [Section(anchor="calibration", title=title, blocks=(Text(text="Cannot be drawn: predictions.csv is absent."),))]
    blocks: list[Block] = [*summed.reliability(run)] if run.predictions is None else [Picture(
        name="reliability", figure=curves.reliability(run.predictions),
        alt="Observed share against stated probability over all findings, with intervals, over a histogram of stated probabilities.",
        caption=f"{words.arm(run.scores['arm'])} model, all pairs of a test image and a finding. On the dotted line, of findings stated "
                "with 20 % probability, 20 % are there. Below it the model says too much. The intervals take the pairs as independent, so "
                "they are somewhat too narrow.")]
    if run.plan.recipe.class_weights == "balanced":
        blocks.append(Text(text="This model was trained with rare findings weighted up. That helps it to rank images, but makes its "
                                "probabilities too high: do not read them as risks.", is_caution=True))
    numbers = [(f"{words.metric(name)}, mean of findings", f"{words.estimate(facts.metrics, name)} (0 is perfect)")
               for name in ("ece", "brier") if name in facts.metrics]
    blocks.append(Items(items=(*numbers, *story.temperature(run))))
    return [Section(anchor="calibration", title=title, blocks=tuple(blocks))]


VIEW = View(details=details, meanings=meanings, hospital_columns=hospital_columns, hospital_note=hospital_note, errors=errors,
            calibration=calibration)
