"""What clinical reviewers ask of such a report, and where this one answers, answers in part, or does not.

The 24 items follow TRIPOD+AI 2024 (doi:10.1136/bmj-2023-078378), CLAIM (doi:10.1148/ryai.2020200029) and DECIDE-AI 2022
(doi:10.1038/s41591-022-01772-9). Items of live trials do not apply to a retrospective benchmark and are not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wardround.plan.schema import Plan
from wardround.report import words
from wardround.report.material import HEADLINES, RunMaterial
from wardround.report.tables import Table

YES, PARTLY, NO, NOT_APPLICABLE = "answered", "in part", "not done", "not applicable"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the answers are worked out from. compare: {} for a single run. run: the run whose curves are shown."""

    plan: Plan
    run: RunMaterial
    metric: str
    compare: Mapping[str, Any]

    @property
    def metrics(self) -> Mapping[str, Any]:
        metrics: Mapping[str, Any] = self.run.scores["metrics"]
        return metrics

    @property
    def task(self) -> str:
        return self.run.task

    @property
    def is_binary(self) -> bool:
        return self.task == "binary"


Answer = tuple[str, str]  # one of the four words above, and where or why

WITHOUT_THRESHOLD: Mapping[str, Answer] = {
    "multiclass": (NOT_APPLICABLE, "because there are more than two classes: the most probable class is named, without a threshold."),
    "multilabel": (NO, "no threshold was chosen for any finding: only the ranking of the images is judged."),
    "segmentation": (NOT_APPLICABLE, "because outlines are judged, not yes or no."),
}


def checklist(facts: Facts) -> Table:
    """The 24 items with their answers."""
    rows = tuple((f"{number}. {title}", *answer(facts)) for number, (title, answer) in enumerate(ITEMS, start=1))
    counts = [f"{sum(row[1] == status for row in rows)} {status}" for status in (YES, PARTLY, NO, NOT_APPLICABLE)]
    return Table(columns=("Item", "Status", "Where, or why not"), rows=rows, caption=f"Of {len(rows)} items: {', '.join(counts)}.")


def _intended_use(facts: Facts) -> Answer:
    return PARTLY, "“Limits”: research only. The plan names no clinical task, user or place in care."


def _source(facts: Facts) -> Answer:
    data = facts.run.data
    if facts.run.scores["phantom"]:
        return NOT_APPLICABLE, "because the images are phantoms, drawn by a program; “The images” says so."
    if not (data.get("licence") and data.get("citation")):
        return PARTLY, "“The images”: the name only; the data set's source or licence is not recorded, nor are dates."
    return PARTLY, "“The images”: source and licence. Dates of acquisition are not recorded."


def _sites(facts: Facts) -> Answer:
    if not facts.run.site_counts:
        return NO, "provenance.json is absent."
    if facts.run.is_network:
        return PARTLY, "“The images”: by hospital, small numbers hidden; of each class only where the plan made the hospitals tell."
    kind = {"multilabel": " and finding", "segmentation": ""}.get(facts.task, " and class")
    return YES, f"“The images”: table and figure by hospital{kind}."


def _exclusions(facts: Facts) -> Answer:
    if facts.run.is_network:
        return PARTLY, "“What was left out”: each hospital keeps its own list."
    if not (facts.run.data or facts.run.ledger):
        return NO, "neither provenance.json nor ledger.csv is there."
    return YES, "“What was left out”: every image, with reasons and leaks."


def _labels(facts: Facts) -> Answer:
    if facts.run.scores["phantom"]:
        return NOT_APPLICABLE, "because a phantom's class is known by construction."
    return NO, "labels are taken as published; who made them, and how many are wrong, was not examined."


def _disjoint(facts: Facts) -> Answer:
    if not facts.run.data:
        return NO, "provenance.json is absent."
    if facts.run.is_network:
        return PARTLY, "each hospital's program looked within the hospital and stops if there is one; between hospitals nobody can look."
    if facts.run.patients_known:
        return YES, "“What was left out”: no patient, identical image or near copy is in two splits."
    return PARTLY, "“What was left out”: no identical image or near copy is in two splits; the data set names no patients."


def _preprocessing(facts: Facts) -> Answer:
    return YES, "“What was done”: size, channels, brightness, augmentation."


def _partition(facts: Facts) -> Answer:
    if not facts.run.site_counts:
        return PARTLY, f"{facts.plan.sites.partition}: “What was done”; no figure, provenance.json is absent."
    return YES, f"{facts.plan.sites.partition}: “What was done” and the figure in “The images”."


def _model(facts: Facts) -> Answer:
    size = (facts.run.provenance.get("model") or {}).get("parameters")
    started = "initial weights as the plan's model section says" if facts.plan.model.weights else "random initial weights"
    same = ", the same for every arm" if facts.compare else ""
    return (YES if size else PARTLY), f"“To repeat this”: {facts.plan.model.name}, {started}{same}."


def _training(facts: Facts) -> Answer:
    return YES, "“What was done” and the plan in “To repeat this”."


def _selection(facts: Facts) -> Answer:
    return YES, f"“What was done”: best {words.metric(facts.plan.rounds.metric)} on validation images; test images were read once."


def _software(facts: Facts) -> Answer:
    if not facts.run.provenance:
        return PARTLY, "“To repeat this”: seed only; provenance.json is absent."
    return YES, "“To repeat this” and “How training went”."


def _primary(facts: Facts) -> Answer:
    is_named = facts.metric == facts.plan.rounds.metric
    rule = "named by the plan" if is_named else f"by rule: {words.metric(HEADLINES[facts.task])} for a task of this kind"
    return YES, f"{words.metric(facts.metric)}, {rule}; fixed before training."


def _arms(facts: Facts) -> Answer:
    present = [name for name, results in (facts.compare.get("arms") or {}).items() if results]
    if {"federated", "pooled", "local"} <= set(present):
        further = ", and the ensemble of the hospitals' own models" if "ensemble" in present else ""
        return YES, f"“How good”: all three on the same test images{further}."
    if len(present) > 1:
        return PARTLY, f"“How good”: {words.listing(present)} only."
    if facts.run.is_network:
        if any("local" in part for part in facts.run.scores["per_site"].values()):
            return PARTLY, "“Hospital by hospital”: beside each hospital's own model; pooling would need all images in one place."
        return NO, "the hospitals' own models were not asked for; pooling would need all images in one place."
    return NO, "a single arm was run; “wardround compare” runs all three."


def _intervals(facts: Facts) -> Answer:
    if facts.run.is_network:
        return YES, f"“How sure”: {facts.run.scores['resamples']} resamples by patient at each hospital, whose sums were added up."
    unit = "patient" if facts.run.patients_known else "group of near-duplicates"
    status = YES if facts.plan.evaluation.resamples >= 1000 else PARTLY
    return status, f"“How sure”: {facts.plan.evaluation.resamples} bootstrap resamples by {unit}."


def _paired(facts: Facts) -> Answer:
    if facts.compare.get("paired"):
        yardsticks = words.plural(len(facts.compare["paired"]), "yardstick")
        return YES, f"“How good”: difference and ratio on the same resamples. One method against {yardsticks}: no Holm correction."
    if facts.run.is_network:
        return NO, "it would need the single predictions, which stayed at the hospitals."
    return NO, "there is no second arm to compare with; “wardround compare” makes the comparison."


def _operating_point(facts: Facts) -> Answer:
    if facts.task in WITHOUT_THRESHOLD:
        return WITHOUT_THRESHOLD[facts.task]
    if facts.run.scores.get("threshold") is None:
        return NO, "the run records no threshold."
    return YES, "“How good”: at the threshold from validation images, with predictive values at three prevalences."


def _classes(facts: Facts) -> Answer:
    if facts.task == "segmentation":
        return YES, "“How good”: Dice, HD95 and volume error of each region and class."
    if facts.task == "multilabel":
        return YES, "“How good”: each finding with its number of test images; “Where it errs”: curves. No decision, so no confusion matrix."
    if facts.run.is_network:
        return PARTLY, "“Where it errs”: confusion matrix with small numbers hidden, and ROC curves by class."
    if facts.run.predictions is None:
        return PARTLY, "“Where it errs”: confusion matrix; no curves, predictions.csv is absent."
    return YES, "“Where it errs”: confusion matrix and curves by class."


def _calibration(facts: Facts) -> Answer:
    if facts.task == "segmentation":
        return NO, "the probabilities of single voxels were not kept."
    if facts.run.is_network:
        return PARTLY, "“Are the probabilities right?”: plot of sums, Brier score and ECE; no slope and intercept."
    if facts.run.predictions is None:
        return PARTLY, "“Are the probabilities right?”: Brier score and ECE; no plot, predictions.csv is absent."
    if facts.is_binary:
        return YES, "“Are the probabilities right?”: plot, slope, intercept, ECE, Brier score."
    if facts.task == "multilabel":
        return PARTLY, "“Are the probabilities right?”: plot over all findings, ECE and Brier score as means over them; none by finding."
    return PARTLY, "“Are the probabilities right?”: plot, ECE, Brier score; slope and intercept are defined for two classes only."


def _per_site(facts: Facts) -> Answer:
    if len(facts.run.scores["per_site"]) < 2:
        return NOT_APPLICABLE, "because the test images belong to one hospital."
    return YES, "“Hospital by hospital”: worst first, with spread and number of images."


def _subgroups(facts: Facts) -> Answer:
    return NO, "sex, age, view and scanner were not examined; the run keeps no such columns."


def _privacy(facts: Facts) -> Answer:
    where = "hospitals sent updates and sums over a network" if facts.run.is_network else "all hospitals ran on one machine"
    return PARTLY, f"“Limits”: no differential privacy and no encrypted sums in this run; {where}."


def _robustness(facts: Facts) -> Answer:
    if facts.run.overlays:
        return PARTLY, "“Where it errs”: best, median and worst patient are shown; no attack and no damaged image was tried."
    if facts.run.is_network:
        return NO, "the images with the worst errors stayed at the hospitals; no attack and no damaged image was tried."
    if facts.run.errors is None:
        return NO, "the worst errors were not kept; no attack and no damaged image was tried."
    return PARTLY, "“Where it errs”: worst errors are shown; no attack and no damaged image was tried."


def _limits(facts: Facts) -> Answer:
    return YES, "“Limits”: no external test set; not for clinical use."


ITEMS: Sequence[tuple[str, Callable[[Facts], Answer]]] = (
    ("Intended use and user", _intended_use),
    ("Data source, licence, dates", _source),
    ("Hospitals, and images of each class at each", _sites),
    ("Inclusion and exclusion, duplicates removed", _exclusions),
    ("Origin and noise of the labels", _labels),
    ("Proof that no patient is in two splits", _disjoint),
    ("Pre-processing", _preprocessing),
    ("How images were divided among hospitals, with a figure", _partition),
    ("Model, size, initial weights", _model),
    ("Loss, optimiser, learning rate, batch, local steps, rounds, participation", _training),
    ("Choices made on validation images only", _selection),
    ("Seeds, software, hardware, run time", _software),
    ("Primary metric fixed in advance", _primary),
    ("Pooled, local and federated side by side", _arms),
    ("95 % intervals by patient-level bootstrap", _intervals),
    ("Paired difference or ratio with interval", _paired),
    ("Sensitivity and specificity at a fixed threshold, predictive values", _operating_point),
    ("Results by class, confusion matrix", _classes),
    ("Calibration", _calibration),
    ("Results by hospital, the worst one, spread", _per_site),
    ("Subgroups: sex, age, view", _subgroups),
    ("Privacy statement", _privacy),
    ("Robustness and failure cases", _robustness),
    ("Limits, external test or its absence, not for clinical use", _limits),
)
