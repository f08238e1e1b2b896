"""Scores of test rows: which metrics, on which rows, with which intervals, ready for JSON."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from wardround.core.predictions import Measured, Predictions, Results
from wardround.errors import WardroundError
from wardround.evaluation import metrics, scores
from wardround.evaluation.intervals import Bootstrap
from wardround.plan.schema import EvaluationPlan
from wardround.rng import stream

PLAN = EvaluationPlan(resamples=200)
Make = Callable[..., Predictions]


def judge(predictions: Predictions, threshold: float | None = None, seed: int = 0) -> dict[str, scores.Entry]:
    return scores.test_scores(predictions, threshold=threshold, plan=PLAN, seed=seed)


def test_binary_metrics(make_predictions: Make) -> None:
    assert list(judge(make_predictions(), 0.5)) == [
        "auroc", "auprc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "f1", "brier", "ece"]


def test_multi_class_metrics(make_predictions: Make) -> None:
    assert list(judge(make_predictions(num_classes=4))) == [
        "accuracy", "balanced_accuracy", "auroc", "f1", "brier", "ece", "recall_no_tumor", "recall_glioma", "recall_meningioma",
        "recall_pituitary"]


@pytest.mark.parametrize("num_classes", [2, 4])
def test_every_interval_holds_its_value_and_is_ready_for_json(make_predictions: Make, num_classes: int) -> None:
    found = judge(make_predictions(300, num_classes))
    for name, entry in json.loads(json.dumps(found, allow_nan=False)).items():
        assert entry["low"] < entry["value"] < entry["high"], name


def test_the_interval_of_ece_holds_its_value_although_resampling_raises_ece(make_predictions: Make) -> None:
    rows = make_predictions(300)
    truth = (stream(5, "calibrated").random(300) < rows.probabilities[:, 1]).astype(np.int64)
    calibrated = replace(rows, truth=truth)
    raised = [metrics.ece(truth, rows.probabilities, weights).mean() for weights in Bootstrap(rows.groups, 200, 0).blocks()]
    entry = judge(calibrated)["ece"]
    assert np.mean(raised) > 1.2 * entry["value"]
    assert (entry["low"] + entry["high"]) / 2 == pytest.approx(entry["value"], rel=0.15)


def test_the_threshold_moves_decisions_and_not_areas(make_predictions: Make) -> None:
    low, high = judge(make_predictions(), 0.1), judge(make_predictions(), 0.9)
    assert low["sensitivity"]["value"] > high["sensitivity"]["value"]
    assert low["specificity"]["value"] < high["specificity"]["value"]
    assert low["auroc"] == high["auroc"]


def test_only_test_rows_count(make_predictions: Make) -> None:
    rows = make_predictions()
    splits = rows.splits.copy()
    splits[:10], splits[10:20] = "val", "test-leak"
    truth = rows.truth.copy()
    truth[:20] = 1 - truth[:20]
    assert judge(replace(rows, splits=splits, truth=truth)) == judge(rows.take(np.arange(20, 60)))


def test_without_test_rows_it_says_so(make_predictions: Make) -> None:
    rows = make_predictions()
    with pytest.raises(WardroundError, match="no test rows"):
        judge(replace(rows, splits=np.full(len(rows), "val", object)))


def test_a_diverged_model_is_named_as_such(make_predictions: Make) -> None:
    rows = make_predictions()
    with pytest.raises(WardroundError, match="diverged"):
        judge(replace(rows, probabilities=np.full_like(rows.probabilities, np.nan)))


def test_what_cannot_be_estimated_is_none(make_predictions: Make) -> None:
    rows = make_predictions()
    found = judge(rows.take(rows.truth == 1), 0.5)
    assert found["auroc"] == found["specificity"] == {"value": None, "low": None, "high": None}
    assert found["accuracy"]["value"] is not None


def test_a_class_that_many_resamples_miss_has_a_value_and_no_interval(make_predictions: Make) -> None:
    rows = make_predictions()
    rare = np.concatenate([np.flatnonzero(rows.truth == 0), np.flatnonzero(rows.truth == 1)[:1]])
    found = judge(rows.take(rare), 0.5)["sensitivity"]  # about 37 % of resamples draw no positive row
    assert found["value"] in (0, 1)
    assert found["low"] is found["high"] is None


@pytest.mark.parametrize("num_classes", [2, 4])
def test_the_order_of_rows_does_not_matter(make_predictions: Make, num_classes: int) -> None:
    rows = make_predictions(num_classes=num_classes)
    first, reversed_ = judge(rows), judge(rows.take(np.arange(60)[::-1]))
    for name, entry in first.items():
        assert entry == pytest.approx(reversed_[name]), name


def test_repeated_images_of_patients_widen_intervals(make_predictions: Make) -> None:
    one = make_predictions(100)
    rows = replace(one.take(np.repeat(np.arange(100), 4)), cases=np.array([f"case-{i:05}" for i in range(400)], object))
    naive = judge(replace(rows, groups=rows.cases))["accuracy"]
    clustered = judge(rows)["accuracy"]
    assert clustered["high"] - clustered["low"] > 1.5 * (naive["high"] - naive["low"])


def test_mean_scores_of_one_model_are_its_scores(make_predictions: Make) -> None:
    rows = make_predictions()
    assert scores.mean_scores([rows], thresholds=[0.4], plan=PLAN, seed=0) == judge(rows, 0.4)


def test_mean_scores_are_means_over_models_on_the_same_resamples(make_predictions: Make) -> None:
    good, bad = make_predictions(skill=3), make_predictions(skill=0, model=1)
    found = scores.mean_scores([good, bad], thresholds=[0.5, 0.3], plan=PLAN, seed=0)
    assert found["auroc"]["value"] == pytest.approx((judge(good)["auroc"]["value"] + judge(bad)["auroc"]["value"]) / 2)
    assert found["accuracy"]["value"] == pytest.approx(
        (judge(good, 0.5)["accuracy"]["value"] + judge(bad, 0.3)["accuracy"]["value"]) / 2)
    same = scores.mean_scores([good, good.take(np.arange(60)[::-1])], thresholds=[0.5, 0.5], plan=PLAN, seed=0)
    assert same["auroc"] == pytest.approx(judge(good, 0.5)["auroc"])


def test_models_of_other_cases_truth_or_patients_are_refused(make_predictions: Make) -> None:
    rows = make_predictions()
    others = {"same test cases": rows.take(np.arange(50)), "truth or patient": replace(rows, truth=1 - rows.truth),
              "differ in truth or patient": make_predictions(rows_each=2)}
    for message, other in others.items():
        with pytest.raises(WardroundError, match=message):
            scores.mean_scores([rows, other], thresholds=[None, None], plan=PLAN, seed=0)


def test_per_site_judges_each_sites_own_test_rows(make_predictions: Make) -> None:
    rows = make_predictions()
    found = scores.per_site(rows, threshold=0.5, plan=PLAN, seed=0)
    assert list(found) == ["north", "south", "west"]
    assert {site: value["num_test"] for site, value in found.items()} == {"north": 20, "south": 20, "west": 20}
    south = rows.sites == "south"
    assert found["south"]["metrics"]["accuracy"]["value"] == metrics.accuracy(rows.truth[south], rows.probabilities[south], 0.5)


def test_a_site_of_one_patient_has_values_and_no_intervals(make_predictions: Make) -> None:
    rows = make_predictions()
    sites = rows.sites.copy()
    sites[0] = "lone"
    found = scores.per_site(replace(rows, sites=sites), threshold=0.5, plan=PLAN, seed=0)["lone"]["metrics"]
    assert found["brier"]["value"] is not None
    assert found["brier"]["low"] is found["ece"]["high"] is None
    assert found["auroc"]["value"] is None


def test_published_counts_leaking_rows_in(make_predictions: Make) -> None:
    rows = make_predictions()
    assert scores.published(rows, threshold=0.5, plan=PLAN, seed=0) is None
    splits = rows.splits.copy()
    splits[:7], splits[7:10] = "test-leak", "val"
    found = scores.published(replace(rows, splits=splits), threshold=0.5, plan=PLAN, seed=0)
    assert (found["num_test"], found["num_leaking"]) == (57, 7)
    whole = np.r_[0:7, 10:60]
    assert found["metrics"]["brier"]["value"] == pytest.approx(float(metrics.brier(rows.truth[whole], rows.probabilities[whole])))


def test_confusion_counts_test_rows_by_truth() -> None:
    names = np.array(list("abcde"), object)
    rows = Predictions(classes=("no", "yes"), cases=names, groups=names, sites=np.full(5, "north", object),
                       splits=np.array(["test"] * 4 + ["val"], object), truth=np.array([0, 1, 1, 1, 0]),
                       probabilities=np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8]]))
    assert scores.confusion(rows).tolist() == [[1, 0], [1, 2]]
    assert scores.confusion(rows, 0.7).tolist() == [[1, 0], [2, 1]]


# --- several findings an image, and segmentations


def findings_of(num: int = 80) -> Predictions:
    """Three findings; the third has no image that shows it."""
    truth = (stream(0, "findings").random((num, 3)) < (0.5, 0.2, 0.0)).astype(np.int64)
    probabilities = 1 / (1 + np.exp(-(stream(1, "findings").normal(size=(num, 3)) + 1.5 * truth)))
    return Predictions(classes=("Mass", "Nodule", "Hernia"), truth=truth, probabilities=probabilities, **held(num))


def measured_of(num: int = 40) -> Measured:
    values = stream(2, "measured").random((num, 3))
    values[:5, 1] = np.nan
    values[:, 2] = np.nan
    return Measured(names=("dice", "hd95", "volume_error_a"), values=values, **held(num))


def held(num: int) -> dict[str, np.ndarray]:
    return {"cases": np.array([f"case-{i:03}" for i in range(num)], object),
            "groups": np.array([f"patient-{i:03}" for i in range(num)], object),
            "sites": np.array([("north", "south")[i % 2] for i in range(num)], object), "splits": np.full(num, "test", object)}


def test_findings_are_scored_each_and_in_the_mean_over_those_there_are() -> None:
    found = judge(findings_of())
    assert list(found) == ["auroc", "auprc", "brier", "ece", "auroc_Mass", "auroc_Nodule", "auroc_Hernia", "auprc_Mass", "auprc_Nodule",
                           "auprc_Hernia"]
    assert found["auroc_Hernia"] == found["auprc_Hernia"] == {"value": None, "low": None, "high": None}
    assert found["auroc"]["value"] == pytest.approx((found["auroc_Mass"]["value"] + found["auroc_Nodule"]["value"]) / 2)
    for name in ("auroc", "auprc", "brier", "auroc_Mass"):
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
    json.dumps(found, allow_nan=False)


def test_segmentations_are_means_over_patients_that_have_the_measure() -> None:
    rows = measured_of()
    found = judge(rows)
    assert found["dice"]["value"] == pytest.approx(rows.values[:, 0].mean())
    assert found["hd95"]["value"] == pytest.approx(rows.values[5:, 1].mean())
    assert found["volume_error_a"] == {"value": None, "low": None, "high": None}
    assert found["dice"]["low"] < found["dice"]["value"] < found["dice"]["high"]


@pytest.mark.parametrize("make", [findings_of, measured_of])
def test_sites_and_means_over_models_are_scored_alike(make: Callable[[], Results]) -> None:
    rows = make()
    by_site = scores.per_site(rows, threshold=None, plan=PLAN, seed=0)
    assert {site: found["num_test"] for site, found in by_site.items()} == {"north": len(rows) // 2, "south": len(rows) // 2}
    name = "auroc" if isinstance(rows, Predictions) else "dice"
    own = judge(rows.take(rows.sites == "north"))
    assert by_site["north"]["metrics"][name] == own[name]
    assert scores.mean_scores([rows, rows], thresholds=[None, None], plan=PLAN, seed=0) == judge(rows)


def test_segmentations_that_leak_are_judged_apart() -> None:
    rows = measured_of()
    rows.splits[:4] = "test-leak"
    assert judge(rows)["dice"]["value"] == pytest.approx(rows.values[4:, 0].mean())
    found = scores.published(rows, threshold=None, plan=PLAN, seed=0)
    assert found is not None
    assert (found["num_test"], found["num_leaking"]) == (40, 4)
    assert found["metrics"]["dice"]["value"] == pytest.approx(rows.values[:, 0].mean())


def test_findings_of_a_diverged_model_are_named_as_such() -> None:
    rows = findings_of()
    rows.probabilities[3, 1] = np.nan
    with pytest.raises(WardroundError, match="the model diverged"):
        judge(rows)
