"""A site's summary tells sums and rates, and nothing that rests on a handful of images."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toy_results import CLINICS, Study

from wardround.core.tally import ClassTally
from wardround.errors import SiteError
from wardround.evaluation import scores as judging
from wardround.network.few import DECIMALS
from wardround.network.summary import local_summary, summarise
from wardround.report.words import SMALL_COUNT

FINDINGS = (0.3, 0.2, 0.06)


def leaves(value: Any) -> Iterator[Any]:
    """Everything in it that is no dict or list."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from leaves(part)
    else:
        yield value


@pytest.mark.parametrize(("task", "shares"), [("multiclass", (0.3, 0.3, 0.2, 0.2)), ("binary", (0.6, 0.4)), ("multilabel", FINDINGS),
                                              ("segmentation", (0.3, 0.3, 0.4))])
def test_a_site_with_seven_test_images_tells_no_count_and_no_rate_of_them(task: str, shares: tuple[float, ...]) -> None:
    told = Study(tests={"tiny": 7}, task=task, shares=shares).summary("tiny").scores
    assert (told["num_train"], told["num_val"], told["num_test"], told["hidden"]) == (14, None, None, True)
    assert set(leaves({**told, "num_train": None})) <= {None, True, "few"}


def test_counts_of_nothing_and_of_many_are_told() -> None:
    told = Study(tests={"none": 0, "some": 11}).summary("none").scores
    assert (told["num_train"], told["num_val"], told["num_test"], told["hidden"]) == (0, 0, 0, False)
    assert told["metrics"] == {}
    some = Study(tests={"some": 11}).summary("some").scores
    assert (some["num_test"], some["hidden"]) == (11, False)
    assert some["metrics"]["accuracy"]["value"] is not None


def test_rates_of_a_rare_class_and_means_over_it_are_hidden() -> None:
    study = Study(tests={"north": 200}, shares=(0.5, 0.3, 0.17, 0.03))
    support = study.prepared.catalogue.counts(study.prepared.rows("north", "test"))
    assert 1 <= support["pituitary"] <= SMALL_COUNT < min(support["glioma"], support["meningioma"])
    metrics = study.summary("north").scores["metrics"]
    hidden = {name for name, entry in metrics.items() if entry["value"] is None}
    assert hidden == {"recall_pituitary", "balanced_accuracy", "auroc", "f1"}
    assert metrics["recall_pituitary"] == {"value": None, "low": None, "high": None, "reason": "few"}
    assert "reason" not in metrics["accuracy"]


def test_of_two_classes_the_rare_one_hides_its_rate_and_what_needs_both() -> None:
    metrics = Study(tests={"north": 100}, task="binary", shares=(0.94, 0.06)).summary("north").scores["metrics"]
    assert {name for name, entry in metrics.items() if entry.get("reason") == "few"} == {
        "sensitivity", "balanced_accuracy", "auroc", "auprc", "f1"}
    assert metrics["specificity"]["value"] is not None


def test_means_over_findings_leave_rare_ones_out() -> None:
    study = Study(tests={"north": 100}, task="multilabel", shares=FINDINGS)
    metrics = study.summary("north").scores["metrics"]
    assert {name for name, entry in metrics.items() if entry.get("reason") == "few"} == {"auroc_meningioma", "auprc_meningioma"}
    common = [metrics[f"auroc_{name}"]["value"] for name in ("no tumour", "glioma")]
    assert metrics["auroc"]["value"] == pytest.approx(sum(common) / 2, abs=1e-3)


def test_a_measure_that_few_patients_have_is_hidden() -> None:
    study = Study(tests={"north": 30}, task="segmentation", shares=(0.3, 0.3, 0.4))
    rows = study.prepared.rows("north", "test")
    study.values[rows[5:], 1] = np.nan  # 5 patients have an HD95
    metrics = study.summary("north").scores["metrics"]
    assert metrics["hd95"]["reason"] == "few"
    assert metrics["dice"]["value"] == pytest.approx(study.values[rows, 0].mean(), abs=1e-3)


def test_the_other_rates_are_those_of_the_rows_rounded() -> None:
    study = Study(tests={"north": 240})
    told = study.summary("north").scores["metrics"]
    assert told == {name: {key: round(value, DECIMALS) for key, value in entry.items()} for name, entry in
                    judging.test_scores(study.pooled, threshold=None, plan=study.blueprint.plan.evaluation, seed=0).items()}


def test_a_confusion_with_a_small_cell_is_hidden_whole() -> None:
    assert {cell for row in Study(tests={"north": 240}).summary("north").scores["confusion"] for cell in row} == {None}
    sure = Study(tests={"north": 240}, skill=9.0).summary("north").scores["confusion"]
    assert sum(map(sum, sure)) == 240
    assert all(cell == 0 or cell > SMALL_COUNT for row in sure for cell in row)


@pytest.mark.parametrize(("task", "shares"), [("multiclass", (0.3, 0.3, 0.2, 0.2)), ("binary", (0.6, 0.4)), ("multilabel", FINDINGS)])
@pytest.mark.parametrize("num", [11, 40, 300])
def test_points_of_curves_rest_on_many_images(task: str, shares: tuple[float, ...], num: int) -> None:
    study = Study(tests={"north": num}, task=task, shares=shares, skill=1.0)
    told = study.summary("north").scores
    pairs = len(shares) if task == "multilabel" else 1
    assert sum(part["count"] for part in told["calibration"]) == num * pairs
    assert all(part["count"] > SMALL_COUNT * pairs for part in told["calibration"])
    labels = study.labels[study.prepared.rows("north", "test")]
    for name, curve in told["roc"].items():
        place = study.classes.index(name)
        positives = int((labels[:, place] if task == "multilabel" else labels == place).sum())
        steps = np.diff(curve["tpr"]) * positives + np.diff(curve["fpr"]) * (num - positives)
        assert min(positives, num - positives) > SMALL_COUNT
        assert (steps > SMALL_COUNT - 0.5).all()  # rates are rounded
        assert (curve["fpr"][0], curve["tpr"][0], curve["fpr"][-1], curve["tpr"][-1]) == (0, 0, 1, 1)


def test_no_patient_and_no_image_is_named() -> None:
    told = json.dumps(Study(tests=CLINICS).summary("north").scores)
    assert "Smith" not in told
    assert not any(name in told for name in Study(tests=CLINICS).pooled.cases[:50].tolist())


def test_leaking_rows_are_not_tested() -> None:
    clean, leaking = (Study(tests={"north": 50}, leaking=num).summary("north") for num in (0, 20))
    assert clean.tally is not None
    assert leaking.tally is not None
    assert (leaking.scores["num_test"], leaking.tally.num_examples) == (50, 50)


def test_the_tally_is_at_the_temperature() -> None:
    study = Study(tests={"north": 240})
    tally = study.summary("north").tally
    assert isinstance(tally, ClassTally)
    rows = study.pooled
    expected = ClassTally.of(rows.probabilities, rows.truth, np.zeros(240))
    assert np.array_equal(tally.counts.dense, expected.counts.dense)
    assert tally.loss_sum == pytest.approx(-np.log(rows.probabilities[np.arange(240), rows.truth]).sum())


def test_the_sums_of_a_site_stay_below_two_megabytes_however_many_rows() -> None:
    sizes = {num: Study(tests={"north": num, "south": 1}).summary("north").replicates.nbytes for num in (0, 20, 500)}
    assert len(set(sizes.values())) == 1
    assert sizes[500] < 2e6


def test_the_first_sum_is_of_the_rows_and_the_others_are_of_as_many_patients() -> None:
    study = Study(tests={"north": 60}, rows_each=3, resamples=100)
    drawn = study.summary("north").replicates
    assert drawn.shape[0] == 101
    assert set(drawn[1:, :16].sum(1).tolist()) == {60.0}  # whole patients, of three images each
    assert (drawn[1:, :16] != drawn[0, :16]).any(1).all()


def test_resamples_are_a_named_stream_of_each_site() -> None:
    study = Study(tests={"north": 60, "south": 60})
    study.values[study.prepared.rows("south", "test")] = study.values[study.prepared.rows("north", "test")]
    study.labels[study.prepared.rows("south", "test")] = study.labels[study.prepared.rows("north", "test")]
    north, again, south = (study.summary(site).replicates for site in ("north", "north", "south"))
    assert np.array_equal(north, again)
    assert np.array_equal(north[0], south[0])
    assert not np.array_equal(north[1:], south[1:])


def test_a_single_patient_does_not_vary() -> None:
    drawn = Study(tests={"north": 20}, rows_each=80, resamples=100).summary("north").replicates
    assert (drawn == drawn[0]).all()


def test_a_report_without_details_is_refused() -> None:
    study = Study(tests={"north": 20})
    report = replace(study.report("north", "test"), rows=None, values=None)
    with pytest.raises(SiteError, match="'north' could not sum up"):
        summarise(study.blueprint, study.prepared, "north", report, temperature=1.0, threshold=None)


# --- the local arm


def local_scores(study: Study, site: str) -> dict[str, Any]:
    return {"per_site": {site: {"num_test": study.tests[site], "metrics": study.pooled_metrics}}}


def test_a_local_arm_hides_the_same_and_tells_no_sums() -> None:
    study = Study(tests={"north": 200}, shares=(0.5, 0.3, 0.17, 0.03))
    summary, federated = local_summary(local_scores(study, "north"), study.prepared, "north"), study.summary("north")
    assert (summary.site, summary.tally, summary.replicates) == ("north", None, None)
    assert summary.scores["metrics"] == federated.scores["metrics"]
    assert {name: summary.scores[name] for name in ("num_train", "num_test", "hidden")} == {"num_train": 400, "num_test": 200,
                                                                                           "hidden": False}


def test_a_local_arm_tested_on_seven_images_tells_nothing() -> None:
    study = Study(tests={"tiny": 7})
    told = local_summary(local_scores(study, "tiny"), study.prepared, "tiny").scores
    assert {entry["reason"] for entry in told["metrics"].values()} == {"few"}
    assert told["num_test"] is None


def test_a_local_arm_of_findings_has_no_mean_over_rare_ones() -> None:
    study = Study(tests={"north": 100}, task="multilabel", shares=FINDINGS)
    metrics = local_summary(local_scores(study, "north"), study.prepared, "north").scores["metrics"]
    assert metrics["auroc"]["reason"] == metrics["auroc_meningioma"]["reason"] == "few"
    assert metrics["auroc_glioma"]["value"] is not None


def test_a_local_arm_of_segmentations_tells_dice_only() -> None:
    study = Study(tests={"north": 30}, task="segmentation", shares=(0.3, 0.3, 0.4))
    metrics = local_summary(local_scores(study, "north"), study.prepared, "north").scores["metrics"]
    assert set(metrics) == {"dice", "dice_WT", "dice_TC", "dice_glioma", "dice_meningioma"}
