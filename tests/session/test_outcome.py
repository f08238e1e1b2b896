"""What an arm leaves, for each task: measures, truth, models, and the images that the report shows."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file

from wardround.build import build, initial_params
from wardround.core.events import RoundFinished
from wardround.core.exchange import SiteFailed, SiteReport
from wardround.core.predictions import Measured, Predictions
from wardround.core.state import State
from wardround.core.tally import ClassTally
from wardround.data.prepare import prepare
from wardround.errors import Resumable, SiteError
from wardround.evaluation import metrics
from wardround.evaluation.operating_point import threshold
from wardround.evaluation.temperature import TEMPERATURES, fitted, loss_sums, scaled
from wardround.fleet.scripted import ScriptedFleet
from wardround.plan.schema import Plan, StrategyPlan
from wardround.rounds.course import Course
from wardround.runs.folder import RunFolder, read_json, write_json
from wardround.session import outcome, predict, resume, run

SLICE_MEASURES = ("dice", "hd95", "dice_foreground", "hd95_foreground", "volume_error_foreground")


def digest(folder: RunFolder) -> str:
    return hashlib.sha256((folder.path / "model.safetensors").read_bytes()).hexdigest()


# --- masks of pictures


def test_a_run_on_masks_leaves_each_patient_s_measures(slices_run, slices_plan) -> None:
    scores, prepared = slices_run.scores(), prepare(slices_plan())
    assert (scores["task"], scores["threshold"], scores["confusion"], scores["classes"]) == (
        "segmentation", None, None, ["background", "foreground"])
    assert set(scores["metrics"]) == set(SLICE_MEASURES)
    assert scores["metrics"]["volume_error_foreground"] == {"value": None, "low": None, "high": None}  # pictures have no spacing
    assert (scores["temperature"], scores["uncalibrated"]) == (None, None)
    for site in ("DU", "HT"):
        tested = prepared.rows(site, "test")
        assert scores["per_site"][site]["num_test"] == len(set(prepared.catalogue.patients[tested])) == len(tested) // 2
        assert scores["per_site"][site]["num_train"] == len(prepared.rows(site, "train"))
    assert scores["num_test"] == sum(site["num_test"] for site in scores["per_site"].values())
    assert scores["num_train"] == len(prepared.rows(None, "train"))


def test_the_measures_in_predictions_csv_give_the_scores(slices_run) -> None:
    found, scores = slices_run.predictions(), slices_run.scores()
    assert isinstance(found, Measured)
    assert found.names == SLICE_MEASURES
    assert len(found) == scores["num_test"]
    assert found.values[:, 0].mean() == pytest.approx(scores["metrics"]["dice"]["value"])
    assert 0 < scores["metrics"]["dice"]["value"] < 1
    assert np.isnan(found.values[:, 4]).all()
    assert len(set(found.groups)) == len(found)


def test_the_gallery_shows_best_median_and_worst_without_ids(slices_run) -> None:
    dice = slices_run.predictions().values[:, 0]
    with np.load(slices_run.path / "figures" / "overlays.npz") as kept:
        assert set(kept) == {"classes", *(f"{kind}_{part}" for kind in ("best", "median", "worst")
                                          for part in ("image", "truth", "predicted", "dice"))}
        assert kept["classes"].tolist() == ["background", "foreground"]
        assert float(kept["best_dice"]) == pytest.approx(dice.max())
        assert float(kept["worst_dice"]) == pytest.approx(dice.min())
        for kind in ("best", "median", "worst"):
            truth, predicted = kept[f"{kind}_truth"], kept[f"{kind}_predicted"]
            assert kept[f"{kind}_image"].shape == truth.shape == predicted.shape == (2, 32, 32)
            overlap = 2 * ((truth == 1) & (predicted == 1)).sum() / ((truth == 1).sum() + (predicted == 1).sum())
            assert overlap == pytest.approx(float(kept[f"{kind}_dice"]))


def test_only_the_ledger_names_images(slices_run) -> None:
    for path in slices_run.path.rglob("*"):
        if path.suffix in {".json", ".jsonl", ".csv", ".html"} and path.name != "ledger.csv":
            assert "images/00.png" not in path.read_text()


def test_masks_stopped_and_resumed_on_other_workers_give_the_same_bits(slices_run, slices_plan, tmp_path) -> None:

    def stop(event) -> None:
        if isinstance(event, RoundFinished) and event.round == 2:
            raise KeyboardInterrupt

    with pytest.raises(Resumable, match="stopped after round 1 of 2"):
        run(slices_plan(workers=2), out=tmp_path / "half", watch=stop)
    half = resume(tmp_path / "half" / "tiny" / "federated-seed0")
    assert digest(half) == digest(slices_run)
    assert half.scores()["metrics"] == slices_run.scores()["metrics"]


def test_arms_on_masks_are_tested_on_the_same_patients(slices_run, slices_plan, tmp_path) -> None:
    arms = [slices_run, run(slices_plan(), out=tmp_path, arm="pooled"), run(slices_plan(), out=tmp_path, arm="local", site="HT")]
    assert len({tuple(sorted(arm.predictions().cases)) for arm in arms}) == 1
    assert arms[2].scores()["num_train"] == arms[0].scores()["per_site"]["HT"]["num_train"]


def test_a_site_that_dies_is_left_out_and_named(slices_plan, tmp_path) -> None:
    own = tmp_path / "dying.py"
    own.write_text("import os, signal\nfrom wardround.strategies.fedavg import FedAvg\n"
                   "class Dying(FedAvg):\n"
                   "    def train(self, site, order):\n"
                   "        if site.name == 'HT':\n"
                   "            os.kill(os.getpid(), signal.SIGKILL)\n"
                   "        return super().train(site, order)\n")
    plan = slices_plan(workers=2)
    plan = plan.model_copy(update={"strategy": plan.strategy.model_copy(update={"name": f"{own}:Dying"})})
    scores = run(plan, out=tmp_path).scores()
    assert scores["without"] == ["HT"]
    assert scores["num_test"] == sum(site["num_test"] for site in scores["per_site"].values())


# --- masks of volumes


@pytest.mark.parametrize("patch", [(8, 8, 8), (16, 16, 16), (1, 16, 16)])
def test_volumes_are_segmented_by_patches_or_slices(brains_plan, tmp_path, patch) -> None:
    folder = run(brains_plan(patch=patch), out=tmp_path)
    scores = folder.scores()
    assert scores["regions"] == {"WT": [1, 2, 3], "TC": [2, 3], "ET": [2]}
    assert {"dice", "hd95", "dice_WT", "hd95_TC", "volume_error_ET", "dice_oedema", "dice_necrotic core"} <= set(scores["metrics"])
    assert scores["metrics"]["volume_error_WT"]["value"] is not None
    assert scores["num_test"] == len(folder.predictions()) == 2
    record = json.loads((folder.path / "model.json").read_text())
    assert record["suffixes"] == ["flair.nii.gz", "t1.nii.gz", "t1ce.nii.gz", "t2.nii.gz"]
    assert record["mask_values"] == {"0": 0, "1": 3, "2": 1, "4": 2, "3": 2}
    with np.load(folder.path / "figures" / "overlays.npz") as kept:
        assert kept["best_image"].shape == kept["best_truth"].shape == (14, 14, 12)  # the head's box
        assert set(np.unique(kept["best_truth"])) == {0, 1, 2, 3}


# --- several findings


def test_a_run_on_findings_keeps_a_truth_each_and_says_what_is_not_estimable(xrays_run) -> None:
    scores, found = xrays_run.scores(), xrays_run.predictions()
    assert isinstance(found, Predictions)
    assert found.is_multilabel
    assert found.truth.shape == found.probabilities.shape == (scores["num_test"], 14)
    mass, hernia = found.classes.index("Mass"), found.classes.index("Hernia")
    assert 0 < found.truth[:, mass].sum() < len(found)
    assert not found.truth[:, hernia].any()
    assert scores["metrics"]["auroc_Hernia"] == {"value": None, "low": None, "high": None}
    assert scores["metrics"]["auroc_Mass"]["value"] is not None
    assert (scores["task"], scores["threshold"], scores["confusion"]) == ("multilabel", None, None)
    assert not (xrays_run.path / "figures" / "errors.npz").exists()


def test_only_what_is_shared_is_sent_and_the_rest_stays_as_it_was(xrays_plan, tmp_path) -> None:
    plan = xrays_plan(share=["5.*"])  # the last layer: 16 x 14 weights and 14 offsets
    folder = run(plan, out=tmp_path)
    assert folder.scores()["bytes_up"] == 4 * (16 * 14 + 14) * 2 * 2
    assert folder.provenance()["model"] | {"name": "", "weights": None} == {
        "name": "", "parameters": 238, "frozen": 4 * 9 + 4 + 8, "bytes": 4 * 238, "weights": None}
    begun = build(plan, prepare(plan), "federated").model().tensors()
    kept = load_file(folder.path / "model.safetensors")
    assert {name for name in begun if not begun[name].equal(kept[name])} == {"5.weight", "5.bias"}


def test_frozen_batch_norm_keeps_its_statistics(xrays_plan, tmp_path) -> None:
    folder = run(xrays_plan(share=["5.*"], norm="batch"), out=tmp_path)
    kept = load_file(folder.path / "model.safetensors")
    assert kept["1.running_mean"].abs().max() == 0
    assert kept["1.running_var"].tolist() == [1.0] * 4


# --- labels of volumes


def test_volumes_with_labels_are_told_apart_by_their_slices_and_new_ones_too(scans, tmp_path) -> None:
    plan = Plan.model_validate({
        "name": "tiny", "data": {"dataset": "folder", "folder": scans, "dims": 3, "patch": (6, 16, 16)}, "sites": {"num": 2},
        "split": {"val": 0.2, "test": 0.3}, "model": {"name": "slice-sequence", "width": 8, "hidden": 8},
        "recipe": {"batch_size": 4, "optimizer": "adam", "lr": 0.01}, "rounds": {"num": 2}, "engine": {"workers": 1, "precision": "fp32"},
        "evaluation": {"resamples": 100}, "augment": {"flip": True}})
    folder = run(plan, out=tmp_path)
    assert folder.scores()["task"] == "binary"
    tested = folder.predictions()
    assert tested.probabilities.sum(1) == pytest.approx(1)
    again = predict(folder, [scans])
    assert len(again) == 20
    found = {tuple(round(p, 4) for p in prediction.probabilities.values()) for prediction in again}
    assert {tuple(row.round(4)) for row in tested.probabilities} <= found
    assert not (folder.path / "figures" / "errors.npz").exists()


# --- temperature and threshold


def test_the_temperature_is_that_of_all_validation_rows_together(plan_with, images, tmp_path) -> None:
    plan = plan_with(recipe={"lr": 0.5})
    folder, prepared = run(plan, out=tmp_path), prepare(plan)
    scores, record = folder.scores(), read_json(folder.path / "model.json")
    assert scores["temperature"] == record["temperature"]
    assert 0.1 < scores["temperature"] < 0.9
    write_json(folder.path / "model.json", record | {"temperature": 1.0})
    rows = prepared.rows(None, "val")
    raw = np.array([list(found.probabilities.values())
                    for found in predict(folder, [images / prepared.catalogue.images[row] for row in rows])])
    sums = loss_sums(raw, prepared.catalogue.labels[rows], [len(rows)], TEMPERATURES)[0]
    assert scores["temperature"] == pytest.approx(fitted(sums), rel=1e-4)


def test_what_the_temperature_changed_is_told(plan_with, tmp_path) -> None:
    folder = run(plan_with(recipe={"lr": 0.5}), out=tmp_path)
    scores, tested = folder.scores(), folder.predictions()
    raw = scaled(tested.probabilities, 1 / scores["temperature"], is_multilabel=False)
    assert scores["uncalibrated"] == {"ece": pytest.approx(float(metrics.ece(tested.truth, raw)), abs=1e-6),
                                      "brier": pytest.approx(float(metrics.brier(tested.truth, raw)), abs=1e-6)}
    assert scores["uncalibrated"]["brier"] != scores["metrics"]["brier"]["value"]


def test_a_plan_may_leave_probabilities_as_they_are(plan_with, tmp_path) -> None:
    scores = run(plan_with(recipe={"lr": 0.5}, evaluation={"calibrate": False}), out=tmp_path).scores()
    assert scores["temperature"] == 1.0
    assert scores["uncalibrated"] == pytest.approx({name: scores["metrics"][name]["value"] for name in ("ece", "brier")}, rel=1e-12)


@pytest.fixture
def two(plan_with, sides) -> tuple:
    """Blueprint, images and course of a plan on two classes."""
    plan = plan_with(data={"folder": sides})
    prepared = prepare(plan)
    blueprint = build(plan, prepared, "federated")
    start = initial_params(blueprint)
    return blueprint, prepared, Course(state=State(round=1, params=start, num_sites=3), best=start, best_round=1)


def too_sure(blueprint, prepared, site: str) -> SiteReport:
    """A site's report of a model that is certain to 0.98, also of one image that is of the other class."""
    rows = blueprint.rows[site].val
    truth = prepared.catalogue.labels[rows]
    is_mistaken = np.arange(len(rows)) == truth.argmin()
    says = np.where(is_mistaken | (truth == 1), 0.98 - rows * 1e-5, 0.01)
    values = np.stack([1 - says, says], 1)
    return SiteReport(site=site, tally=ClassTally.of(values, truth, np.zeros(len(rows))), rows=rows, values=values,
                      loss_sums=loss_sums(values, truth, [len(rows)], TEMPERATURES)[0])


def test_sites_sums_soften_a_model_that_is_too_sure_and_then_the_threshold_is_chosen(two) -> None:
    blueprint, prepared, course = two
    reports = {site: too_sure(blueprint, prepared, site) for site in blueprint.rows}
    temperature, cut = outcome.fixed(blueprint, prepared, course, ScriptedFleet(replies=dict.fromkeys(reports), reports=reports))
    values = np.concatenate([report.values for report in reports.values()])
    rows = np.concatenate([report.rows for report in reports.values()])
    assert temperature > 1
    assert temperature == fitted(sum(report.loss_sums for report in reports.values()))
    chosen = [threshold(outcome.label(blueprint, prepared, rows, p)) for p in (values, scaled(values, temperature, is_multilabel=False))]
    assert cut == chosen[1] != chosen[0]


def test_without_validation_rows_nothing_is_fitted(two) -> None:
    blueprint, prepared, course = two
    alone = replace(blueprint, rows={name: replace(rows, val=rows.val[:0]) for name, rows in blueprint.rows.items()})
    assert outcome.fixed(alone, prepared, course, ScriptedFleet(replies={})) == (1.0, 0.5)


@pytest.mark.parametrize(("change", "reason"), [
    (lambda report: SiteFailed(site=report.site, reason="no power"), "no power"),
    (lambda report: replace(report, loss_sums=None), "it sent no results"),
    (lambda report: replace(report, values=None), "it sent no results")])
def test_a_site_that_cannot_evaluate_is_named(two, change, reason: str) -> None:
    blueprint, prepared, course = two
    reports = {site: too_sure(blueprint, prepared, site) for site in blueprint.rows}
    reports["south"] = change(reports["south"])
    with pytest.raises(SiteError, match=f"'south' could not evaluate its val rows: {reason}"):
        outcome.fixed(blueprint, prepared, course, ScriptedFleet(replies=dict.fromkeys(reports), reports=reports))


# --- personal models


def test_personal_models_are_tested_at_home_and_elsewhere_and_the_last_round_is_kept(plan_with, tmp_path) -> None:
    plan = plan_with(strategy={"name": "fedper"}, sites={"partition": "shards", "shards": 1}, evaluation={"elsewhere": True})
    found = run(plan, out=tmp_path)
    scores, model = found.scores(), json.loads((found.path / "model.json").read_text())
    assert (scores["best_round"], scores["rounds"], model["personal"]) == (4, 4, "fedper")
    shared = 4 * 9 + 4 + 2 * 4  # convolution and norm; the last layer stays
    assert scores["bytes_up"] == scores["bytes_down"] == 4 * 3 * 4 * shared  # rounds, sites, bytes
    for site in ("north", "south", "east"):
        assert set(scores["per_site"][site]["elsewhere"]) == {"loss", "accuracy", "balanced_accuracy", "auroc"}
        assert scores["per_site"][site]["metrics"]["accuracy"]["value"] > scores["per_site"][site]["elsewhere"]["accuracy"]


def test_a_run_without_personal_models_says_nothing_of_elsewhere(plan_with, tmp_path) -> None:
    found = run(plan_with(evaluation={"elsewhere": True}, rounds={"num": 1}), out=tmp_path)
    assert all("elsewhere" not in told for told in found.scores()["per_site"].values())
    assert json.loads((found.path / "model.json").read_text())["personal"] is None


def test_personal_models_of_a_resumed_run_give_the_same_scores(plan_with, tmp_path) -> None:
    plan = plan_with(strategy={"name": "ditto"}, evaluation={"elsewhere": True})
    whole = run(plan, out=tmp_path / "whole")

    def stop(event) -> None:
        if isinstance(event, RoundFinished) and event.round == 3:
            raise KeyboardInterrupt

    with pytest.raises(Resumable):
        run(plan, out=tmp_path / "half", watch=stop)
    half = resume(tmp_path / "half" / "tiny" / "federated-seed0")
    assert half.scores()["metrics"] == whole.scores()["metrics"]
    assert half.scores()["per_site"] == whole.scores()["per_site"]


def test_segmentations_by_personal_models_are_measured_and_not_drawn(slices_plan, tmp_path) -> None:
    plan = slices_plan().model_copy(update={"strategy": StrategyPlan(name="ditto")})
    found = run(plan, out=tmp_path)
    assert found.scores()["metrics"]["dice"]["value"] > 0
    assert not (found.path / "figures" / "overlays.npz").exists()
