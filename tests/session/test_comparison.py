"""All arms side by side."""

import json

import numpy as np
import pytest

from wardround.core.events import RunFinished
from wardround.errors import PlanError, TooFewSites
from wardround.session import compare, run


def test_a_comparison_runs_every_arm_and_pairs_them(plan_with, tmp_path) -> None:
    events: list = []
    folder = compare(plan_with(), seeds=2, out=tmp_path, watch=events.append)
    record = json.loads((folder / "compare.json").read_text())
    assert record["seeds"] == [0, 1]
    assert record["runs"]["local"] == [[f"local-seed{seed}-{site}" for site in ("north", "south", "east")] for seed in (0, 1)]
    begun = {name for arm in record["runs"].values() for group in arm for name in group}
    assert {event.run for event in events if isinstance(event, RunFinished)} == begun
    assert {arm: len(scores) for arm, scores in record["arms"].items()} == {"federated": 2, "pooled": 2, "local": 2, "ensemble": 2}
    assert list(record["paired"]) == ["federated/pooled", "federated/ensemble", "federated/local"]
    assert set(record["runs"]) == {"federated", "pooled", "local"}
    paired = record["paired"]["federated/pooled"]["balanced_accuracy"]
    assert paired["difference_low"] <= paired["difference"] <= paired["difference_high"]
    assert (folder / "report.html").exists()


def test_local_is_the_mean_of_the_hospitals_own_models(plan_with, tmp_path) -> None:
    folder = compare(plan_with(), arms=("local",), out=tmp_path)
    local = json.loads((folder / "compare.json").read_text())["arms"]["local"][0]
    models = [entry["metrics"]["accuracy"]["value"] for entry in local["models"].values()]
    assert local["metrics"]["accuracy"]["value"] == pytest.approx(sum(models) / 3)


def test_the_ensemble_is_the_mean_of_the_hospitals_own_models_by_training_images(plan_with, tmp_path) -> None:
    folder = compare(plan_with(sites={"partition": "quantity"}), arms=("local",), out=tmp_path)
    record, runs = folder.scores(), folder.runs("local")
    assert record["paired"] == {}
    scores, (one, *_) = record["arms"]["ensemble"][0], [run.scores() for run in runs]
    weights = np.array([run.scores()["num_train"] for run in runs])
    assert len(set(weights)) > 1
    tested = runs[0].predictions()
    mean = sum(weight * run.predictions().probabilities for weight, run in zip(weights, runs, strict=True)) / weights.sum()
    assert scores["metrics"]["accuracy"]["value"] == pytest.approx((mean.argmax(1) == tested.truth).mean())
    assert scores["metrics"]["brier"]["value"] == pytest.approx(((mean - np.eye(3)[tested.truth]) ** 2).sum(1).mean(), abs=1e-6)
    assert set(scores) == set(one)
    assert (scores["arm"], scores["num_train"], scores["threshold"], scores["temperature"]) == ("ensemble", weights.sum(), None, None)
    assert np.sum(scores["confusion"]) == sum(site["num_test"] for site in scores["per_site"].values()) == scores["num_test"]
    sent = sum(run.provenance()["model"]["bytes"] for run in runs)
    assert (scores["bytes_up"], scores["bytes_down"]) == (sent, 2 * sent)


def test_the_ensemble_of_two_classes_decides_at_the_mean_of_the_models_thresholds(plan_with, sides, tmp_path) -> None:
    folder = compare(plan_with(data={"folder": sides}, rounds={"num": 1}), arms=("local",), out=tmp_path)
    told = [run.scores() for run in folder.runs("local")]
    expected = sum(scores["threshold"] * scores["num_train"] for scores in told) / sum(scores["num_train"] for scores in told)
    assert folder.scores()["arms"]["ensemble"][0]["threshold"] == pytest.approx(expected)


def test_segmentations_have_no_ensemble(slices_plan, tmp_path) -> None:
    folder = compare(slices_plan(), arms=("local",), out=tmp_path)
    assert set(folder.scores()["arms"]) == {"local"}


def test_runs_that_are_there_are_used(plan_with, tmp_path) -> None:
    done = run(plan_with(), out=tmp_path)
    before = (done.path / "scores.json").stat().st_mtime_ns
    compare(plan_with(), arms=("federated", "pooled"), out=tmp_path)
    assert (done.path / "scores.json").stat().st_mtime_ns == before


def test_a_plan_that_cannot_be_built_is_refused_before_any_run(plan_with, tmp_path) -> None:
    with pytest.raises(PlanError, match="no setting 'mu'"):
        compare(plan_with(strategy={"mu": 0.1}), out=tmp_path)


def test_a_run_that_fails_on_the_way_is_the_comparison_s_error(plan_with, broken_strategy, tmp_path) -> None:
    with pytest.raises(TooFewSites, match=r"federated-seed0: round 1: 0 of 3 sites.*no film"):
        compare(plan_with(strategy={"name": broken_strategy}), out=tmp_path)
