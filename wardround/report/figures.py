"""Which figures a report gets, with captions and alternative texts. What cannot be drawn is left out; the sections say why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wardround.core.events import RoundFinished
from wardround.report import curves, plots, summed, words
from wardround.report.canvas import Estimate
from wardround.report.curves import Model
from wardround.report.material import Comparison, RunMaterial, ordered_arms, trained_at, value_of
from wardround.report.page import Picture

PAIRED = (("federated/pooled", "ratio", "Federated divided by pooled"),
          ("federated/ensemble", "difference", "Federated minus ensemble (the hospitals' own models asked together)"),
          ("federated/local", "difference", "Federated minus local (mean of the hospitals alone)"))


@dataclass(frozen=True)
class Figures:
    """Makes the figures of one report. Each method returns no, one or more pictures."""

    metric: str

    def partition(self, run: RunMaterial) -> list[Picture]:
        counts = {site: held.get("train", {}) for site, held in run.site_counts.items()}
        drawn = plots.partition(counts)
        if run.is_network and all(set(held) == {"images"} for held in counts.values()):
            return [Picture(name="partition", figure=drawn, caption="Who holds what: training images by hospital.",
                            alt="Bars: training images at each hospital. The table below has the counts.")]
        if run.task == "segmentation":
            return [Picture(name="partition", figure=drawn, caption="Who holds what: training images by hospital.",
                            alt="Bars: training images at each hospital. The table below has the counts.")]
        if run.task == "multilabel":
            return [Picture(name="partition", figure=drawn, caption="Who holds what. An image may have several findings, so a row adds up "
                            "to more than the hospital's images.",
                            alt="Grid: training images with each finding at each hospital. The table below has the counts.")]
        return [Picture(name="partition", figure=drawn, caption="Who holds what: training images by hospital and class.",
                        alt="Stacked bars: training images of each class at each hospital. The table below has the counts.")]

    def learning_curves(self, run: RunMaterial) -> list[Picture]:
        if not run.rounds:
            return []
        drawn = plots.learning_curves(shown_rounds(run), run.plan.rounds.metric, best_round=run.scores["best_round"],
                                      title=f"Learning curves, {words.arm(run.scores['arm']).lower()} training")
        last = run.rounds[-1]
        alt = (f"Lines over {len(run.rounds)} rounds: training loss ends at {words.number(last.train_loss)}, validation "
               f"{words.metric(run.plan.rounds.metric)} at {words.number(last.val.get(run.plan.rounds.metric))}.")
        return [Picture(name="learning-curves", figure=drawn, alt=alt,
                        caption="Bold: all hospitals together. Thin: each hospital. While the validation line improves, training goes "
                                "well; the round kept is chosen on it.")]

    def arms(self, comparison: Comparison) -> list[Picture]:
        rows = arm_estimates(comparison)
        alt = "; ".join(f"{e.label} {words.interval(e.value, e.low, e.high, words.digits(self.metric))}" for e in rows[:12])
        title = f"{words.sentence(words.title(self.metric, comparison.lead.scores['metrics']))} on the test {comparison.lead.unit}s"
        better = "left" if words.lower_is_better(self.metric) else "right"
        return [Picture(name="arms", figure=plots.arms(rows, self.metric, title=title), alt=f"{words.metric(self.metric)}: {alt}.",
                        caption=f"Point: result on the test {comparison.lead.unit}s. Line: 95 % interval. Further {better} is better.")]

    def paired(self, comparison: Comparison, metrics: Sequence[str]) -> list[Picture]:
        """The ratio to pooled and the differences to ensemble and local, for metrics of which more is better."""
        upward = [name for name in metrics if not words.lower_is_better(name)]
        made = []
        for pair, kind, title in PAIRED:
            prefix = "" if kind == "ratio" else "difference_"
            found = comparison.compare["paired"].get(pair) or {}
            rows = [Estimate(label=words.metric(name), value=_nan(found[name][kind]), low=_nan(found[name][f"{prefix}low"]),
                             high=_nan(found[name][f"{prefix}high"])) for name in upward if name in found]
            if not rows:
                continue
            alt = "; ".join(f"{e.label} {words.interval(e.value, e.low, e.high)}" for e in rows)
            made.append(Picture(name=f"paired-{pair.rpartition('/')[2]}", alt=f"{title}: {alt}.",
                                figure=plots.paired(rows, kind=kind, title=title),
                                caption="Tested on the same patients. A line that crosses the dashed one shows no difference."))
        return made

    def per_site(self, run: RunMaterial, metric: str, own: Mapping[str, float]) -> list[Picture]:
        rows = [estimate(site, part, metric, run.scores["arm"]) for site, part in run.scores["per_site"].items()]
        if run.is_network:  # not those whose result is hidden or was not asked
            rows = [row for row in rows if math.isfinite(row.value)]
            if not rows:
                return []
        title = f"{words.sentence(words.title(metric, run.scores['metrics']))} at each hospital, worst first"
        is_compared = any(map(math.isfinite, own.values()))
        caption = "Filled: this model, with its 95 % interval." + (" Open: the hospital's own local model at home." if is_compared else "")
        return [Picture(name="per-site", figure=plots.per_site(rows, metric, own=own, title=title), caption=caption,
                        alt=f"{words.metric(metric)} at each hospital, worst first. The table below has the numbers.")]

    def site_matrix(self, comparison: Comparison) -> list[Picture]:
        """Each local model at each hospital, where the local runs are there."""
        runs = {home: run for run in comparison.runs.get("local", ()) if (home := trained_at(run)) is not None}
        if len(runs) < 2:
            return []
        values = np.array([[value_of(run.scores["per_site"].get(site, {}), self.metric) for site in runs] for run in runs.values()])
        return [Picture(name="site-matrix", figure=plots.site_matrix(values, list(runs), self.metric),
                        alt=f"Grid: {words.metric(self.metric)} of the model trained at each hospital, tested at each hospital.",
                        caption="Rows: where a model was trained. Columns: where it was tested. Diagonal: at home.")]

    def confusion(self, run: RunMaterial) -> list[Picture]:
        if run.scores["confusion"] is None:
            return []
        table, classes = np.array(run.scores["confusion"], dtype=float), run.scores["classes"]
        if np.isnan(table).any():
            return [summed.confusion(run)]
        alt = "; ".join(f"of {int(table[i].sum())} {name}, {int(table[i, i])} were called so" for i, name in enumerate(classes))
        return [Picture(name="confusion", figure=curves.confusion(table, classes), alt=f"Confusion matrix: {alt}.",
                        caption=f"{words.arm(run.scores['arm'])} model, test images. Rows: the truth; each row adds up to 100 %. "
                                "Right answers lie on the diagonal.")]

    def curves(self, runs: Sequence[RunMaterial]) -> list[Picture]:
        """ROC and precision-recall of all models; the first run's areas are printed."""
        models = [Model(kind=run.scores["arm"], predictions=run.predictions) for run in runs if run.predictions is not None]
        models.sort(key=lambda model: (model.kind != "federated", model.kind == "local"))
        if not models:
            return [picture for run in runs[:1] for picture in summed.roc(run)]
        return [Picture(name="roc", figure=curves.roc_curves(models),
                        alt="ROC curves of each class; areas are printed above each panel.",
                        caption="The nearer a curve comes to the upper left corner, the better. Dotted: guessing."),
                Picture(name="precision-recall", figure=curves.pr_curves(models),
                        alt="Precision-recall curves of each class; areas are printed above each panel.",
                        caption="How many calls are right (precision) when so many of the class are found (recall). Dotted: "
                                "guessing.")]

    def reliability(self, run: RunMaterial) -> list[Picture]:
        if run.predictions is None:
            return summed.reliability(run)
        return [Picture(name="reliability", figure=curves.reliability(run.predictions),
                        alt="Observed share against stated probability, with intervals, over a histogram of stated probabilities.",
                        caption=f"{words.arm(run.scores['arm'])} model. On the dotted line, of images called with 80 % "
                                "probability, 80 % are so. Below it the model is too sure of itself. Each point holds about the "
                                "same number of test images.")]

    def worst_errors(self, run: RunMaterial) -> list[Picture]:
        if run.errors is None:
            return []
        return [Picture(name="worst-errors", figure=plots.worst_errors(run.errors.images, run.errors.captions),
                        alt=f"Gallery of {len(run.errors.captions)} test images that the model named wrongly.",
                        caption="The test images that the model named wrongly with the highest probability.")]


def arm_estimates(comparison: Comparison) -> list[Estimate]:
    """A row for each arm and seed, and for each hospital alone."""
    seeds, rows = comparison.compare["seeds"], []
    for arm in ordered_arms(comparison.compare):
        results = comparison.compare["arms"][arm]
        is_by_seed = len(results) == len(seeds)
        for i, scores in enumerate(results if is_by_seed else ()):
            mean = ", mean" if arm == "local" and len(comparison.runs.get("local", ())) > 1 else ""
            label = words.arm(arm) + mean + (f", seed {seeds[i]}" if len(seeds) > 1 else "")
            rows.append(estimate(label, scores, comparison.metric, arm))
        if arm == "local" and (len(comparison.runs.get("local", ())) > 1 or not is_by_seed):
            rows += [estimate(f"only {trained_at(run) or run.folder.name}", run.scores, comparison.metric, arm)
                     for run in comparison.runs.get("local", ())]
    return rows


def estimate(label: str, scores: Mapping[str, Any], metric: str, kind: str) -> Estimate:
    """One entry of scores["metrics"] for a forest plot."""
    return Estimate(label=label, value=value_of(scores, metric), low=value_of(scores, metric, "low"),
                    high=value_of(scores, metric, "high"), kind=kind)


def shown_rounds(run: RunMaterial) -> list[RoundFinished]:
    """The rounds, without the scores of hospitals whose validation images are so few that their number is hidden."""
    if not run.is_network:
        return run.rounds
    few = {site for site, part in run.scores["per_site"].items() if part["num_val"] is None}
    return [replace(event, val_by_site={site: scores for site, scores in event.val_by_site.items() if site not in few})
            for event in run.rounds]


def _nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
