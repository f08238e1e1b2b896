"""Arms are compared on the same patients, resample by resample."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from wardround.core.predictions import Measured, Predictions
from wardround.errors import WardroundError
from wardround.evaluation import scores
from wardround.evaluation.paired import compare, verdict
from wardround.plan.schema import EvaluationPlan

PLAN = EvaluationPlan(resamples=200)
Make = Callable[..., Predictions]


def run(arms: dict[str, list[list[Predictions]]], threshold: float | None = None, plan: EvaluationPlan = PLAN) -> dict:
    return compare(arms, {arm: [[threshold] * len(models) for models in seeds] for arm, seeds in arms.items()}, plan=plan, seed=0)


@pytest.mark.parametrize("num_classes", [2, 4])
def test_an_arm_against_itself_is_exactly_one_and_zero(make_predictions: Make, num_classes: int) -> None:
    rows = make_predictions(num_classes=num_classes)
    found = run({"federated": [[rows]], "pooled": [[rows.take(np.arange(60)[::-1])]]})["federated/pooled"]
    for name, entry in found.items():
        assert entry == {"ratio": 1, "low": 1, "high": 1, "difference": 0, "difference_low": 0, "difference_high": 0}, name
        assert verdict(entry) == "no difference shown"


def test_a_better_arm_is_higher_and_the_other_way_round_lower(make_predictions: Make) -> None:
    good, bad = make_predictions(200, skill=4), make_predictions(200, skill=0.5, model=1)
    better, worse = (run({"federated": [[a]], "pooled": [[b]]})["federated/pooled"] for a, b in ((good, bad), (bad, good)))
    assert (verdict(better["auroc"]), verdict(worse["auroc"])) == ("higher", "lower")
    assert verdict(better["brier"]) == "lower"
    assert better["auroc"]["difference"] == pytest.approx(-worse["auroc"]["difference"])
    assert better["auroc"]["ratio"] == pytest.approx(1 / worse["auroc"]["ratio"])


def test_numbers_agree_with_the_arms_scores(make_predictions: Make) -> None:
    first, second = make_predictions(), make_predictions(model=1, skill=1)
    found = run({"federated": [[first]], "pooled": [[second]]}, 0.4)["federated/pooled"]
    one, two = (scores.test_scores(rows, threshold=0.4, plan=PLAN, seed=0) for rows in (first, second))
    for name, entry in found.items():
        assert entry["difference"] == pytest.approx(one[name]["value"] - two[name]["value"]), name
        assert entry["ratio"] == pytest.approx(one[name]["value"] / two[name]["value"]), name
        assert entry["difference_low"] <= entry["difference"] <= entry["difference_high"], name


def test_pairing_makes_the_interval_of_two_similar_models_narrow(make_predictions: Make) -> None:
    first, other = make_predictions(200), make_predictions(200, skill=1.6)  # the same noise, a little more skill
    paired = run({"federated": [[other]], "pooled": [[first]]})["federated/pooled"]["auroc"]
    alone = scores.test_scores(first, threshold=None, plan=PLAN, seed=0)["auroc"]
    assert paired["difference_high"] - paired["difference_low"] < 0.3 * (alone["high"] - alone["low"])
    assert verdict(paired) == "higher"


def test_metrics_are_means_over_seeds_and_models(make_predictions: Make) -> None:
    a, b, c = (make_predictions(model=model) for model in range(3))
    found = run({"federated": [[a], [b]], "local": [[a, b], [b, c]]})["federated/local"]["auroc"]
    auroc = {rows: scores.test_scores(rows, threshold=None, plan=PLAN, seed=0)["auroc"]["value"] for rows in (a, b, c)}
    local = ((auroc[a] + auroc[b]) / 2 + (auroc[b] + auroc[c]) / 2) / 2
    assert found["difference"] == pytest.approx((auroc[a] + auroc[b]) / 2 - local)
    uneven = run({"federated": [[a], [a]], "local": [[a, b], [c]]})["federated/local"]["auroc"]  # a site failed
    assert uneven["difference"] == pytest.approx(auroc[a] - ((auroc[a] + auroc[b]) / 2 + auroc[c]) / 2)


def test_each_model_is_decided_at_its_own_threshold(make_predictions: Make) -> None:
    rows = make_predictions()
    found = compare({"federated": [[rows]], "pooled": [[rows]]}, {"federated": [[0.1]], "pooled": [[0.9]]}, plan=PLAN, seed=0)
    assert verdict(found["federated/pooled"]["sensitivity"]) == "higher"
    assert found["federated/pooled"]["auroc"]["difference"] == 0


def test_pairs_of_arms_that_were_not_run_are_left_out(make_predictions: Make) -> None:
    rows = make_predictions()
    assert list(run({"federated": [[rows]], "pooled": [[rows]]})) == ["federated/pooled"]
    assert run({"federated": [[rows]]}) == {}
    assert set(run({"federated": [[rows]], "pooled": [[rows]], "local": [[rows]]})) == {"federated/pooled", "federated/local"}
    assert set(run({"federated": [[rows]], "ensemble": [[rows]]})) == {"federated/ensemble"}


def test_arms_of_other_test_cases_are_refused(make_predictions: Make) -> None:
    rows = make_predictions()
    with pytest.raises(WardroundError, match="same test cases"):
        run({"federated": [[rows]], "pooled": [[rows.take(np.arange(59))]]})


def test_arms_of_other_numbers_of_seeds_are_refused(make_predictions: Make) -> None:
    rows = make_predictions()
    with pytest.raises(WardroundError, match="different numbers of seeds"):
        run({"federated": [[rows], [rows]], "pooled": [[rows]]})


def test_what_cannot_be_estimated_is_none_and_said_so(make_predictions: Make) -> None:
    rows = make_predictions()
    ones = rows.take(rows.truth == 1)
    found = run({"federated": [[ones]], "pooled": [[ones]]})["federated/pooled"]
    json.dumps(found, allow_nan=False)
    assert set(found["auroc"].values()) == {None}
    assert verdict(found["auroc"]) == "not estimable"


def test_a_ratio_to_zero_is_none_while_the_difference_stands(make_predictions: Make) -> None:
    rows = make_predictions()
    found = compare({"federated": [[rows]], "pooled": [[rows]]}, {"federated": [[0.5]], "pooled": [[1.1]]}, plan=PLAN, seed=0)
    sensitivity = found["federated/pooled"]["sensitivity"]  # the pooled arm calls nothing positive
    assert sensitivity["ratio"] is sensitivity["low"] is None
    assert verdict(sensitivity) == "higher"


def test_the_difference_of_equal_models_is_covered_about_as_often_as_said(make_predictions: Make) -> None:
    plan = EvaluationPlan(resamples=100)
    pairs = [[make_predictions(100, model=2 * i + k) for k in range(2)] for i in range(100)]
    shown = [verdict(run({"federated": [[a]], "pooled": [[b]]}, plan=plan)["federated/pooled"]["auroc"]) for a, b in pairs]
    assert 88 <= shown.count("no difference shown") <= 99


# --- several findings an image, and segmentations


def held(num: int) -> dict[str, np.ndarray]:
    return {"cases": np.array([f"case-{i:03}" for i in range(num)], object),
            "groups": np.array([f"patient-{i:03}" for i in range(num)], object),
            "sites": np.full(num, "north", object), "splits": np.full(num, "test", object)}


def segmented(gain: float = 0.0) -> Measured:
    rng = np.random.default_rng(0)
    values = np.stack([0.5 + 0.4 * rng.random(30) + gain, np.full(30, np.nan)], 1)
    return Measured(names=("dice", "volume_error_a"), values=values, **held(30))


def found_of(skill: float) -> Predictions:
    truth = np.stack([np.arange(60) % 2, np.zeros(60)], 1).astype(np.int64)
    noise = np.random.default_rng(0).normal(size=(60, 2))
    return Predictions(classes=("Mass", "Hernia"), truth=truth, probabilities=1 / (1 + np.exp(-(noise + skill * truth))), **held(60))


def test_a_gain_that_every_patient_has_is_found_exactly() -> None:
    found = run({"federated": [[segmented(0.05)]], "pooled": [[segmented()]]})["federated/pooled"]
    dice = found["dice"]
    assert (dice["difference"], dice["difference_low"], dice["difference_high"]) == pytest.approx((0.05, 0.05, 0.05))
    assert verdict(dice) == "higher"
    assert verdict(found["volume_error_a"]) == "not estimable"


def test_findings_are_paired_each() -> None:
    found = run({"federated": [[found_of(1.0)]], "pooled": [[found_of(2.0)]]})["federated/pooled"]
    assert verdict(found["auroc_Mass"]) == "lower"
    assert found["auroc"]["difference"] == pytest.approx(found["auroc_Mass"]["difference"])
    assert set(found["auroc_Hernia"].values()) == {None}
    json.dumps(found, allow_nan=False)


def test_other_truth_other_measures_or_another_task_are_refused() -> None:
    other = found_of(1.0)
    other.truth[3, 1] = 1
    renamed = Measured(names=("dice", "volume_error_b"), values=segmented().values, **held(30))
    for first, second in ((found_of(1.0), other), (segmented(), renamed), (segmented(), found_of(1.0))):
        with pytest.raises(WardroundError, match="same test cases"):
            run({"federated": [[first]], "pooled": [[second]]})
