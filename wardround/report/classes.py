"""What a report shows of one class an image: confusion, curves, the worst errors, calibration."""

from __future__ import annotations

from wardround.evaluation.calibration import recalibration
from wardround.report import story, summed, tables, words
from wardround.report.checklist import Facts
from wardround.report.figures import Figures
from wardround.report.material import Comparison
from wardround.report.page import Block, Items, Rows, Section, Text
from wardround.report.view import View


def details(facts: Facts, comparison: Comparison | None) -> list[Block]:
    """Predictive values, of two classes."""
    if facts.is_binary and facts.run.scores.get("threshold") is not None:
        return [Rows(table=tables.predictive_values_table(facts.run.scores))]
    return []


def meanings(facts: Facts) -> list[tuple[str, str]]:
    """Recall, of more than two classes."""
    return [] if facts.is_binary else [("recall of a class", words.meaning("recall"))]


def errors(facts: Facts, comparison: Comparison | None, figures: Figures) -> Section:
    """Confusion, curves and the worst single errors."""
    run = facts.run
    blocks: list[Block] = [*figures.confusion(run)]
    if run.predictions is not None:
        blocks += figures.curves([run] if comparison is None else [run for runs in comparison.runs.values() for run in runs])
    elif run.is_network:
        blocks += [*figures.curves([run]), Text(text=summed.NOTE)]
    else:
        blocks.append(Text(text="predictions.csv is absent: ROC and precision-recall curves cannot be drawn."))
    if run.is_network:
        blocks.append(Text(text="The images that were named wrongly stayed at the hospitals."))
    elif run.errors is None:
        blocks.append(Text(text="The run kept no gallery of its worst errors (figures/errors.npz is absent)."))
    else:
        blocks += figures.worst_errors(run)
        if not run.scores["phantom"]:
            blocks.append(Text(text="This gallery holds images of the data set. Pass the page on only to people who may see them.",
                               is_caution=True))
    return Section(anchor="errors", title="Where it errs", blocks=tuple(blocks))


def calibration(facts: Facts, figures: Figures) -> list[Section]:
    """Whether stated probabilities come true."""
    title, run = "Are the probabilities right?", facts.run
    if run.predictions is None and not run.is_network:
        return [Section(anchor="calibration", title=title, blocks=(Text(text="Cannot be drawn: predictions.csv is absent."),))]
    numbers = [(words.metric(name), f"{words.estimate(facts.metrics, name)} (0 is perfect)")
               for name in ("ece", "brier") if name in facts.metrics] + story.temperature(run)
    if facts.is_binary and run.predictions is not None:
        slope, intercept = recalibration(run.predictions)
        numbers += [("calibration slope", f"{words.number(slope)} (1 is perfect; below 1 the probabilities are too extreme)"),
                    ("calibration intercept", f"{words.number(intercept)} (0 is perfect; above 0 they are too low on average)")]
    return [Section(anchor="calibration", title=title, blocks=(*figures.reliability(run), Items(items=tuple(numbers))))]


VIEW = View(details=details, meanings=meanings, errors=errors, calibration=calibration)
