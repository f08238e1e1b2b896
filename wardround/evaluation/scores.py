"""The scores of test rows with their intervals, as they stand in scores.json. NaN ("not estimable") becomes None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from wardround.core.predictions import Held, Measured, Predictions, Results
from wardround.errors import WardroundError
from wardround.evaluation import metrics
from wardround.evaluation.findings import measure_findings
from wardround.evaluation.intervals import Bootstrap, Draws, resample
from wardround.evaluation.segmentation import measure_segmentations
from wardround.plan.schema import EvaluationPlan

Entry = dict[str, float | None]
Kept = TypeVar("Kept", bound=Held)


def test_scores(predictions: Results, *, threshold: float | None, plan: EvaluationPlan, seed: int) -> dict[str, Entry]:
    """Return {metric: {"value", "low", "high"}} over the rows of split "test"; WardroundError if there are none.

    Two classes: auroc, auprc, accuracy, balanced_accuracy, sensitivity, specificity, f1, brier, ece. More: accuracy, balanced_accuracy,
    auroc, f1 (both macro), brier, ece and a recall_CLASS for each class. Several findings an image:
    evaluation/findings.py; segmentations: evaluation/segmentation.py. threshold: chosen on validation rows; None: the most probable
    class."""
    return mean_scores([predictions], thresholds=[threshold], plan=plan, seed=seed)


def mean_scores(models: Sequence[Results], *, thresholds: Sequence[float | None], plan: EvaluationPlan,
                seed: int) -> dict[str, Entry]:
    """The scores of several models judged on the same test rows: each metric is the mean over the models (the local arm)."""
    draws = mean_draws(draw_tests(list(zip(models, thresholds, strict=True)), plan, seed))
    return {name: entry(metric, plan.level) for name, metric in draws.items()}


def per_site(predictions: Results, *, threshold: float | None, plan: EvaluationPlan, seed: int) -> dict[str, dict[str, Any]]:
    """Return {site: {"num_test", "metrics"}} over each site's own test rows; sites without test rows are absent."""
    tested = _rows(predictions, "test")
    found = {}
    for site in np.unique(tested.sites):
        own = tested.take(tested.sites == site)
        found[str(site)] = {"num_test": len(own), "metrics": test_scores(own, threshold=threshold, plan=plan, seed=seed)}
    return found


def published(predictions: Results, *, threshold: float | None, plan: EvaluationPlan, seed: int) -> dict[str, Any] | None:
    """Return {"num_test", "num_leaking", "metrics"} over the whole published test split, leaking rows included: comparable with
    published figures, and too good. None when no row leaks."""
    num_leaking = int((predictions.splits == "test-leak").sum())
    if num_leaking == 0:
        return None
    whole = _rows(predictions, "test", "test-leak")
    draws = _draw([(whole, threshold)], plan, seed)[0]
    return {"num_test": len(whole), "num_leaking": num_leaking,
            "metrics": {name: entry(metric, plan.level) for name, metric in draws.items()}}


def confusion(predictions: Predictions, threshold: float | None = None) -> np.ndarray:
    """Return (C, C) int64 counts of test rows, truth by row."""
    tested = _rows(predictions, "test")
    table = metrics.confusion_table(tested.truth, metrics.decide(tested.probabilities, threshold), len(tested.classes))
    return table.astype(np.int64)


def draw_tests(models: Sequence[tuple[Results, float | None]], plan: EvaluationPlan, seed: int) -> list[dict[str, Draws]]:
    """Measure models, each with its threshold, on the same resamples of the test rows.

    Rows may come in any order; WardroundError unless all models were given the same test cases of the same truth and patients."""
    tested = [by_case(_rows(predictions, "test")) for predictions, _ in models]
    for other in tested[1:]:
        check_same(tested[0], other)
    return _draw([(rows, threshold) for rows, (_, threshold) in zip(tested, models, strict=True)], plan, seed)


def mean_draws(models: Sequence[Mapping[str, Draws]]) -> dict[str, Draws]:
    """Each metric's mean over models, resample by resample."""
    return {name: Draws(value=float(np.mean([model[name].value for model in models])),
                        draws=np.mean([model[name].draws for model in models], axis=0)) for name in models[0]}


def entry(metric: Draws, level: float) -> Entry:
    """Return {"value", "low", "high"}, None for NaN."""
    low, high = metric.interval(level)
    return {"value": known(metric.value), "low": known(low), "high": known(high)}


def known(value: float) -> float | None:
    """The number for JSON, None for NaN."""
    return None if np.isnan(value) else float(value)


def measure(results: Results, threshold: float | None, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """All test metrics of these rows by name. weights, results: as in metrics.py."""
    if isinstance(results, Measured):
        return measure_segmentations(results, weights)
    return measure_findings(results, weights) if results.is_multilabel else _measure_classes(results, threshold, weights)


def _measure_classes(predictions: Predictions, threshold: float | None, weights: np.ndarray | None) -> dict[str, np.ndarray]:
    ranked = (predictions.truth, predictions.probabilities, weights)
    decided = (predictions.truth, predictions.probabilities, threshold, weights)
    if len(predictions.classes) == 2:
        return {"auroc": metrics.auroc(*ranked), "auprc": metrics.auprc(*ranked), "accuracy": metrics.accuracy(*decided),
                "balanced_accuracy": metrics.balanced_accuracy(*decided), "sensitivity": metrics.sensitivity(*decided),
                "specificity": metrics.specificity(*decided), "f1": metrics.f1(*decided), "brier": metrics.brier(*ranked),
                "ece": metrics.ece(*ranked)}
    recalls = metrics.recalls(*decided)
    return {"accuracy": metrics.accuracy(*decided), "balanced_accuracy": metrics.balanced_accuracy(*decided),
            "auroc": metrics.auroc(*ranked), "f1": metrics.macro_f1(*decided), "brier": metrics.brier(*ranked),
            "ece": metrics.ece(*ranked),
            **{f"recall_{name}": recalls[..., label] for label, name in enumerate(predictions.classes)}}


def _draw(models: Sequence[tuple[Results, float | None]], plan: EvaluationPlan, seed: int) -> list[dict[str, Draws]]:
    for results, _ in models:
        if isinstance(results, Predictions) and not np.isfinite(results.probabilities).all():
            raise WardroundError("probabilities of test rows are NaN or infinite: the model diverged. "
                                 "Lower recipe.lr or set recipe.clip_norm")
    bootstrap = Bootstrap(models[0][0].groups, plan.resamples, seed)
    drawn = resample(bootstrap, [partial(measure, results, threshold) for results, threshold in models])
    return [{name: draws.centred() if name == "ece" else draws for name, draws in model.items()} for model in drawn]


def _rows(results: Kept, *splits: str) -> Kept:
    rows = results.take(np.isin(results.splits.astype(str), splits))
    if len(rows) == 0:
        raise WardroundError("there are no test rows to judge the model on: the split left none. "
                             "Raise split.test or choose another split.policy")
    return rows


def by_case(results: Kept) -> Kept:
    """The same rows in the order of their cases."""
    return results.take(np.argsort(results.cases, kind="stable"))


def check_same(first: Results, other: Results) -> None:
    """WardroundError unless both, in the order of cases, have the same cases, classes, truth and patients."""
    if _answers(first) != _answers(other) or not np.array_equal(first.cases, other.cases):
        raise WardroundError(f"models can be compared only on the same test cases and classes: one has {len(first)} cases of "
                             f"{_answers(first)}, another has {len(other)} of {_answers(other)}, or other cases. "
                             "Run both from the same plan, data and split.seed")
    has_same_truth = not (isinstance(first, Predictions) and isinstance(other, Predictions)) or np.array_equal(first.truth, other.truth)
    if not has_same_truth or not np.array_equal(first.groups, other.groups):
        raise WardroundError("models can be compared only on the same test cases: some cases differ in truth or patient. "
                             "Run both from the same plan and data")


def _answers(results: Results) -> tuple[str, ...]:
    return results.classes if isinstance(results, Predictions) else results.names
