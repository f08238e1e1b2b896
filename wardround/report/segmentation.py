"""What a report shows of segmentations: each region by arm, each patient, the best, median and worst of them in pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wardround.evaluation.metrics import mean_estimable
from wardround.evaluation.segmentation import not_estimable
from wardround.report import words
from wardround.report.canvas import ARM_COLOURS, PALETTE, axes, empty, figure, legend_below, plain
from wardround.report.checklist import Facts
from wardround.report.figures import Figures
from wardround.report.material import Comparison, RunMaterial, ordered_arms
from wardround.report.overlays import montage, overlay_rows
from wardround.report.page import Block, Items, Picture, Rows, Section, Text
from wardround.report.tables import Table, region_names, spread
from wardround.report.view import View, gap_note

KINDS = ("dice", "hd95", "volume_error")
EMPTY_MASKS = (
    "Where neither the truth nor the model marks a region, that counts as a success: Dice 1, HD95 0.",
    "Where only one of them does, Dice is 0, and there is no distance to nothing: the patient is left out of the mean HD95, which is then "
    "too good. Read it beside Dice.")
Dice = Mapping[str, Mapping[str, np.ndarray]]  # region -> arm -> (n,) Dice of each test patient


def details(facts: Facts, comparison: Comparison | None) -> list[Block]:
    """Each patient's Dice, each region by arm, and how empty masks count."""
    results = {facts.run.scores["arm"]: [facts.run.scores]} if comparison is None else {
        arm: comparison.compare["arms"][arm] for arm in ordered_arms(comparison.compare)}
    runs = {facts.run.scores["arm"]: [facts.run]} if comparison is None else {arm: comparison.runs.get(arm, ()) for arm in results}
    regions = region_names(facts.run.scores)
    values = dice_of(runs, regions)
    blocks: list[Block] = []
    if any(values.values()):
        several = comparison is not None and len(comparison.compare["seeds"]) > 1
        blocks.append(Picture(name="patients", figure=patients(values), caption="Each point is a test patient"
                              f"{' (first seed)' if several else ''}; the box holds the middle half of them, its line is the median."
                              + (" Of local models: their mean." if len(runs.get("local", ())) > 1 else ""),
                              alt="Dice of each test patient, by region and arm. The table below has the means."))
    if len(regions) > 1 or words.has_spacing(facts.metrics):  # else the summary above has it all
        blocks.append(Rows(table=region_table(results, regions)))
    return [*blocks, Items.of([*EMPTY_MASKS, *_left_out(facts.run, regions)])]


def region_table(results: Mapping[str, Sequence[Mapping[str, Any]]], regions: Sequence[str]) -> Table:
    """Regions and arms by row; Dice, HD95 and volume error by column. results: arm -> scores by seed."""
    metrics, rows = next(iter(results.values()))[0]["metrics"], []
    kinds = KINDS if words.has_spacing(metrics) else KINDS[:2]
    for name in regions:
        for arm, by_seed in results.items():
            label = words.sentence(words.region(name)) + (f", {words.arm(arm).lower()}" if len(results) > 1 else "")
            rows.append((label, *(spread(by_seed, f"{kind}_{name}") for kind in kinds)))
    worded = [f"{words.metric(kind)} ({words.unit(kind, metrics)})" for kind in kinds[1:]]
    return Table(columns=("Region", "Dice", *map(words.sentence, worded)), rows=tuple(rows),
                 caption=f"Means over the test patients. Dice: higher is better. {words.sentence(words.listing(worded))}: lower is better.")


def _left_out(run: RunMaterial, regions: Sequence[str]) -> list[str]:
    """Sentences on what the means of HD95 leave out, and on what cannot be measured."""
    found = []
    if run.measured is not None:
        left_out = not_estimable(run.measured)
        counted = [f"{left_out[f'hd95_{name}']} for {words.region(name)}" for name in regions if left_out.get(f"hd95_{name}")]
        if counted:
            found.append(f"Of {words.plural(len(run.measured), 'test patient')} the HD95 of the {words.arm(run.scores['arm']).lower()} "
                         f"model leaves out {words.listing(counted)}.")
    if not words.has_spacing(run.scores["metrics"]):
        found.append("The size of a pixel is not recorded: HD95 is in pixels of the image as the model sees it, and volumes cannot be "
                     "given.")
    if run.plan.data.dims == 2:
        found.append("These are separate slices: a patient's HD95 is the mean over the slices that both mark.")
    return found


def dice_of(runs: Mapping[str, Sequence[RunMaterial]], regions: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """Dice of each test patient by region and arm; of several local models their mean."""
    found: dict[str, dict[str, np.ndarray]] = {name: {} for name in regions}
    for arm, of_arm in runs.items():
        measured = [run.measured for run in of_arm if run.measured is not None]
        for name in regions if measured else ():
            found[name][arm] = mean_estimable(np.stack([_of_case(one.cases, one.values[:, one.names.index(f"dice_{name}")])
                                                        for one in measured], -1))
    return found


def _of_case(cases: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values in the order of their cases, the same for all models."""
    return np.asarray(values[np.argsort(cases, kind="stable")])


def patients(values: Dice) -> Figure:
    """Box and points of each arm's Dice, side by side for each region."""
    drawing = figure("Dice of each test patient", height=3.8)
    (ax,) = axes(drawing)
    arms = list(dict.fromkeys(arm for by_arm in values.values() for arm in by_arm))
    width = min(0.8 / max(1, len(arms)), 0.2 * len(values) ** 0.5)
    for x, by_arm in enumerate(values.values()):
        for place, arm in enumerate(arms):
            if arm in by_arm:
                _box(ax, by_arm[arm], x + width * (place - (len(arms) - 1) / 2), width, ARM_COLOURS.get(arm, PALETTE[0]))
    if not arms:
        empty(ax, "predictions.csv is absent")
        return drawing
    ax.set_xticks(range(len(values)), [plain(words.region(name), 26) for name in values])
    ax.set(ylim=(-0.03, 1.03), xlim=(-0.6, len(values) - 0.4))
    ax.set_ylabel("Dice")
    for arm in arms if len(arms) > 1 else ():
        ax.scatter([], [], s=34, color=ARM_COLOURS.get(arm, PALETTE[0]), label=words.arm(arm))
    legend_below(drawing, ax)
    return drawing


def _box(ax: Axes, values: np.ndarray, x: float, width: float, colour: str) -> None:
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return
    spread_out = (np.arange(len(known)) * 0.618 % 1 - 0.5) * width * 0.55  # golden ratio: neighbours in value lie apart
    ax.scatter(x + spread_out, known, s=11, color=colour, alpha=0.55, linewidth=0)
    line = {"color": colour, "linewidth": 1.4}
    ax.boxplot(known, positions=[x], widths=width * 0.8, showfliers=False, manage_ticks=False, boxprops=line, whiskerprops=line,
               capprops=line, medianprops=line | {"linewidth": 2.4})


def meanings(facts: Facts) -> list[tuple[str, str]]:
    """Volume error, and what the regions are made of."""
    classes, regions = facts.run.scores["classes"], facts.run.scores.get("regions") or {}
    found = [("volume error", words.meaning("volume_error"))] if words.has_spacing(facts.metrics) else []
    found += [(words.region(name), words.listing([classes[label] for label in labels])) for name, labels in regions.items()]
    if len(regions) > 1:
        found.append(("mean Dice, mean HD95", f"means over {words.listing(list(regions))}"))
    return found


def hospital_columns(facts: Facts) -> dict[str, dict[str, str]]:
    """HD95 at each hospital, and its test patients where an image is a slice of one."""
    per_site, measured = facts.run.scores["per_site"], facts.run.measured
    found = {words.heading("hd95", facts.metrics): {site: words.estimate(part["metrics"], "hd95") for site, part in per_site.items()}}
    if measured is None or facts.plan.data.dims == 3:
        return found
    return {"Test patients": {site: words.count(int((measured.sites.astype(str) == site).sum())) for site in per_site}} | found


def errors(facts: Facts, comparison: Comparison | None, figures: Figures) -> Section:
    """The best, median and worst patient, and the slices of the median one."""
    cases = facts.run.overlays
    if not cases:
        why = "The segmentations stayed at the hospitals." if facts.run.is_network else (
            "The run kept no segmentations to show (figures/overlays.npz is absent).")
        return Section(anchor="errors", title="Where it errs", blocks=(Text(text=why),))
    model = f"{words.arm(facts.run.scores['arm'])} model."
    listed = words.listing([f"{case.label} {case.dice:.2f}" if math.isfinite(case.dice) else case.label for case in cases])
    blocks: list[Block] = [Picture(
        name="overlays", figure=overlay_rows(cases), alt=f"Truth and prediction over the image, Dice: {listed}.",
        caption=f"{model} Patients by Dice, each at the slice with the largest true region. Right: what was missed and what was added.")]
    median = next((case for case in cases if case.label == "median"), cases[0])
    blocks.append(Picture(name="montage", figure=montage(median), alt=f"Slices of the {median.label} patient with truth and prediction.",
                          caption=f"{model} The {median.label} patient, slice by slice. Filled: prediction. Line: truth."))
    if not facts.run.scores["phantom"]:
        blocks.append(Text(text="These are images of the data set. Pass the page on only to people who may see them.", is_caution=True))
    return Section(anchor="errors", title="Where it errs", blocks=tuple(blocks))


def calibration(facts: Facts, figures: Figures) -> list[Section]:
    """None: the probabilities of voxels are not kept."""
    return []


VIEW = View(details=details, meanings=meanings, hospital_columns=hospital_columns, hospital_note=gap_note, errors=errors,
            calibration=calibration)
