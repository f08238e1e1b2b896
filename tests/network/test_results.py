"""Sums over sites come to what all rows in one place would, and give no hidden number away."""

import json
import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from toy_results import CLINICS, Study

from wardround.errors import NetworkError, WireError
from wardround.evaluation.operating_point import threshold
from wardround.evaluation.scores import confusion
from wardround.evaluation.temperature import TEMPERATURES, fitted, loss_sums, scaled
from wardround.network import few, results
from wardround.network.few import decimals_of, told_parts, told_tables, told_total
from wardround.network.messages import SiteSummary
from wardround.network.summary import local_summary
from wardround.report.words import SMALL_COUNT
from wardround.rng import stream
from wardround.runs import folder as folders
from wardround.runs.folder import RunFolder, read_json, write_json, write_text
from wardround.session import predict
from wardround.session.trained import Trained

TASKS = [("multiclass", (0.3, 0.3, 0.2, 0.2)), ("binary", (0.6, 0.4)), ("multilabel", (0.3, 0.2, 0.1)), ("segmentation", (0.3, 0.3, 0.4))]
TOLERANCE = {"auroc": 0.001, "auprc": 0.004, "ece": 0.015}
WITH_TINY = {**CLINICS, "west": 7}


@pytest.fixture(scope="module", params=TASKS, ids=lambda task: task[0])
def study(request: Any) -> Study:
    return Study(tests=CLINICS, task=request.param[0], shares=request.param[1])


# --- the same numbers


def test_sums_give_the_metrics_of_all_rows_together(study: Study) -> None:
    found = study.scores()["metrics"]
    assert list(found) == list(study.pooled_metrics)
    for name, entry in study.pooled_metrics.items():
        kind = name.partition("_")[0]
        assert found[name]["value"] == pytest.approx(entry["value"], abs=TOLERANCE.get(kind, 1e-6)), name


def test_what_is_approximate_is_named(study: Study) -> None:
    found = study.scores()
    assert set(found["approximate"]) == {name for name in found["metrics"] if name.partition("_")[0] in TOLERANCE}


def test_intervals_agree_with_those_of_the_rows(study: Study) -> None:
    found = study.scores()["metrics"]
    for name, entry in study.pooled_metrics.items():
        near = 0.2 * (entry["high"] - entry["low"]) + TOLERANCE.get(name.partition("_")[0], 0.0)
        assert found[name]["low"] == pytest.approx(entry["low"], abs=near), name
        assert found[name]["high"] == pytest.approx(entry["high"], abs=near), name


def test_the_confusion_of_sure_models_is_that_of_the_rows() -> None:
    study = Study(tests=CLINICS, skill=9.0)
    found = study.scores()
    assert found["confusion"] == confusion(study.pooled).tolist()
    assert found["num_test"] == len(study.pooled) == 570


def test_the_threshold_decides_the_confusion_of_two_classes() -> None:
    study = Study(tests={"north": 300, "south": 300}, task="binary", shares=(0.6, 0.4), skill=1.0)
    assert study.scores()["confusion"] == confusion(study.pooled, study.threshold).tolist()


def test_intervals_are_none_where_no_site_has_two_patients() -> None:
    metrics = Study(tests={"north": 40, "south": 30}, rows_each=1000, shares=(0.5, 0.5), task="binary").scores()["metrics"]
    assert metrics["accuracy"]["value"] is not None
    assert (metrics["accuracy"]["low"], metrics["accuracy"]["high"]) == (None, None)


@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel"])
def test_the_temperature_is_that_of_all_validation_rows(task: str) -> None:
    study = Study(tests=CLINICS, task=task, shares=dict(TASKS)[task], skill=1.0)
    reports = [study.report(site, "val") for site in CLINICS]
    found, _ = results.fixed_from_sums(study.blueprint, [report.tally for report in reports], [report.loss_sums for report in reports])
    rows = study.validated
    assert found == pytest.approx(fitted(loss_sums(rows.probabilities, rows.truth, [len(rows)], TEMPERATURES)[0]))
    assert found != 1.0


def test_the_threshold_lies_within_a_bin_of_that_of_all_validation_rows() -> None:
    study = Study(tests=CLINICS, task="binary", shares=(0.6, 0.4), skill=1.0)
    reports = [study.report(site, "val") for site in CLINICS]
    temperature, found = results.fixed_from_sums(study.blueprint, [report.tally for report in reports],
                                                 [report.loss_sums for report in reports])
    rows = study.validated
    assert temperature is not None
    exact = threshold(replace(rows, probabilities=scaled(rows.probabilities, temperature, is_multilabel=False)))
    assert found == pytest.approx(exact, abs=2 / 1024)


def test_without_validation_rows_the_temperature_is_1_and_the_threshold_one_half() -> None:
    study = Study(tests={"north": 20}, task="binary", shares=(0.6, 0.4))
    assert results.fixed_from_sums(study.blueprint, [], []) == (1.0, 0.5)


def test_a_plan_may_leave_probabilities_as_they_are() -> None:
    study = Study(tests={"north": 50}, settings={"calibrate": False})
    assert results.fixed_from_sums(study.blueprint, [study.report("north", "val").tally], [])[0] == 1.0


def test_segmentations_have_neither() -> None:
    study = Study(tests={"north": 20}, task="segmentation", shares=(0.3, 0.3, 0.4))
    assert results.fixed_from_sums(study.blueprint, [], []) == (None, None)


def test_the_record_is_that_of_any_run() -> None:
    found = Study(tests=CLINICS).scores()
    assert {"arm", "task", "phantom", "rounds", "best_round", "seconds", "train_seconds", "bytes_up", "bytes_down", "num_train", "num_test",
            "threshold", "temperature", "uncalibrated", "metrics", "published", "per_site", "confusion", "regions", "classes",
            "without"} < set(found)
    assert (found["network"], found["arm"], found["rounds"], found["best_round"], found["bytes_up"]) == (True, "federated", 5, 4, 1000)
    assert json.loads(json.dumps(found)) == found


def test_a_sites_own_model_stands_beside_the_shared_one() -> None:
    study = Study(tests=CLINICS)
    own = local_summary({"per_site": {"south": {"num_test": 180, "metrics": study.pooled_metrics}}}, study.prepared, "south")
    per_site = study.scores(locals={"south": own})["per_site"]
    assert per_site["south"]["local"] == own.scores["metrics"]
    assert "local" not in per_site["north"]


# --- sites that are not there


def test_a_site_that_did_not_answer_is_named_and_left_out() -> None:
    study = Study(tests=CLINICS, missing={"south": "no answer within 30 s"}, course={"dropped": ("east",)})
    found = study.scores()
    assert found["untested"] == {"south": "no answer within 30 s"}
    assert found["without"] == ["east", "south"]
    assert found["num_test"] == 390
    assert found["per_site"]["south"] == {"num_train": 360, "num_val": 180, "num_test": 180, "hidden": False, "metrics": {},
                                          "untested": "no answer within 30 s"}
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(study.pooled_metrics["accuracy"]["value"])


def test_without_any_test_result_there_is_nothing_to_write() -> None:
    with pytest.raises(NetworkError, match="no site has sent results of test images"):
        Study(tests=CLINICS, missing=dict.fromkeys(CLINICS, "not connected")).scores()
    with pytest.raises(NetworkError, match="no site has sent"):
        Study(tests={"north": 0, "south": 20}, missing={"south": "not connected"}).scores()


# --- what is hidden stays hidden


def test_a_tiny_site_cannot_be_found_by_subtraction() -> None:
    found = Study(tests=WITH_TINY, skill=1.0).scores()
    assert found["per_site"]["west"]["num_test"] is None
    assert found["num_test"] is None  # 577 less the others' 570
    assert {part["count"] for part in found["calibration"]} == {None}
    assert [found["confusion"][place][place] for place in range(4)] == [None] * 4  # all cells would add up to 577
    assert all(entry["value"] == round(entry["value"], 2) for entry in found["metrics"].values())  # of 577 rows


def test_two_tiny_sites_hide_in_their_sum() -> None:
    assert Study(tests={**CLINICS, "west": 7, "coast": 8}).scores()["num_test"] == 585
    assert Study(tests={**CLINICS, "west": 3, "coast": 4}).scores()["num_test"] is None


def test_a_total_tells_no_hidden_part() -> None:
    for counts in ([7], [7, 50], [3, 4], [7, 8], [20, 30], [0, 12], [0, 5], [10, 10, 90], [0, 0]):
        small = [count for count in counts if 1 <= count <= SMALL_COUNT]
        expected = None if len(small) == 1 or 1 <= sum(small) <= SMALL_COUNT else sum(counts)
        assert told_total(counts) == expected, counts


def test_classes_of_a_told_total_hide_in_pairs() -> None:
    assert told_parts({"a": 100, "b": 7, "c": 0}) == {"a": None, "b": None, "c": 0}
    assert told_parts({"a": 100, "b": 7, "c": 8}) == {"a": 100, "b": None, "c": None}
    assert told_parts({"a": 100, "b": 3, "c": 4, "d": 60}) == {"a": 100, "b": None, "c": None, "d": None}
    assert told_parts({"a": 100, "b": 0}) == {"a": 100, "b": 0}
    assert told_parts({"a": 4, "b": 0}) == {"a": None, "b": 0}  # the total is hidden as well


@pytest.mark.parametrize("seed", range(60))
def test_no_hidden_cell_of_a_confusion_follows_from_the_others(seed: int) -> None:
    """An attacker has what is shown, the number of each site's rows, and each class's rate over all sites."""
    rng = stream(seed, "attack")
    num_classes, num_sites = int(rng.integers(2, 5)), int(rng.integers(1, 5))
    wrong = rng.poisson(rng.choice([0.0, 0.5, 4.0, 30.0]), (num_sites, num_classes, num_classes))
    right = np.eye(num_classes, dtype=int) * rng.integers(0, 200, (num_sites, num_classes, 1))
    tables = {f"site-{site}": table for site, table in enumerate(wrong + right)}
    shown, whole = told_tables(tables)
    hidden = [site for site, table in shown.items() if table[0][0] is None]
    assert not any(few.is_few(cell) for table in [*shown.values(), whole] for row in table for cell in row if cell is not None)
    assert len(hidden) != 1 or all(cell is None for row in whole for cell in row)
    total, gaps = sum(tables.values()), [[cell is None for cell in row] for row in whole]
    assert told_total([int(table.sum()) for table in tables.values()]) is not None or all(gaps[i][i] for i in range(num_classes))
    for place in np.ndindex(total.shape):  # one site less: what the hidden ones have there in all
        assert gaps[place[0]][place[1]] or not few.is_few(sum(tables[site][place] for site in hidden))
    held = total[np.array(gaps)]
    assert len(held) == 0 or not few.is_few(held.sum())  # all rows less what is shown
    for row, row_gaps in zip(total, np.array(gaps), strict=True):  # the rate tells the row's sum if the diagonal is shown
        assert not row_gaps.any() or row_gaps.sum() > 1 or row[~row_gaps].sum() == 0


def test_a_second_table_is_hidden_where_one_would_be_the_rest() -> None:
    tables = {"north": np.diag([50, 60]), "south": np.diag([30, 40]), "west": np.array([[20, 3], [0, 20]])}
    shown, whole = told_tables(tables)
    assert shown["north"] == [[50, 0], [0, 60]]
    assert shown["south"] == shown["west"] == [[None, None], [None, None]]
    assert whole == [[None, None], [0, 120]]  # the 3, and beside it the diagonal that with its rate would tell it


def test_the_only_sites_table_is_not_the_total() -> None:
    assert told_tables({"north": np.array([[20, 3], [0, 20]])})[1] == [[None, None], [None, None]]


def test_a_rare_class_of_all_sites_hides_its_rate_and_the_means() -> None:
    study = Study(tests=CLINICS, shares=(0.5, 0.3, 0.19, 0.01))
    metrics = study.scores()["metrics"]
    assert {name for name, entry in metrics.items() if entry.get("reason") == "few"} == {
        "recall_pituitary", "balanced_accuracy", "auroc", "f1"}


def test_a_rounded_rate_fits_each_number_of_rows_nearby() -> None:
    for num in (25, 160, 1300):
        digits = decimals_of(num)
        for other in range(num - 10, num + 11):
            rates = {round(hits / other, digits) for hits in range(other + 1)}
            assert {round(hits / num, digits) for hits in range(num + 1)} <= rates


# --- what comes from outside


def spoilt(study: Study, **changes: Any) -> list[SiteSummary]:
    first, *others = study.summaries
    return [replace(first, **changes), *others]


def test_sums_that_do_not_fit_are_refused_with_the_site() -> None:
    study = Study(tests=CLINICS, resamples=100)
    sums = study.summaries[0].replicates
    for wrong in (None, sums[:, :-1], sums[:-1], np.where(sums == sums[0, 0], np.nan, sums), -sums):
        with pytest.raises(WireError, match="site 'north' sent a test result that cannot be used: its resampled sums"):
            study.scores(summaries=spoilt(study, replicates=wrong))


def test_a_tally_of_another_task_or_of_other_rows_is_refused() -> None:
    study = Study(tests=CLINICS, resamples=100)
    with pytest.raises(WireError, match=r"'north'.*its tally is NoneType, expected ClassTally"):
        study.scores(summaries=spoilt(study, tally=None))
    with pytest.raises(WireError, match=r"'north'.*of different rows"):
        study.scores(summaries=spoilt(study, tally=study.summaries[1].tally))


@pytest.mark.parametrize(("changes", "why"), [
    ({"num_train": "<b>many</b>"}, "'num_train'"), ({"more": 1}, "'more'"), ({"metrics": {"accuracy": {"value": math.inf}}}, "'metrics"),
    ({"metrics": {"kappa": {"value": 0.5, "low": None, "high": None}}}, "a metric 'kappa', which the plan has not"),
    ({"roc": {"glioma": {"fpr": ["0"], "tpr": [0.0]}}}, "'roc.glioma.fpr.0'")])
def test_scores_of_another_form_are_refused(changes: dict[str, Any], why: str) -> None:
    study = Study(tests=CLINICS, resamples=100)
    with pytest.raises(WireError, match="'north'") as refused:
        study.scores(summaries=spoilt(study, scores={**study.summaries[0].scores, **changes}))
    assert why in str(refused.value)


# --- what is written


@pytest.fixture
def written(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """write(study) -> the run's folder, and the names of its JSON files in the order they were written."""
    monkeypatch.setattr("wardround.report.page.png", lambda drawing: b"png")
    order: list[str] = []

    def noted(path: Any, text: str) -> None:
        order.append(path.name)
        write_text(path, text)

    monkeypatch.setattr(folders, "write_text", noted)

    def write(study: Study) -> tuple[RunFolder, list[str], tuple[dict[str, Any], str]]:
        folder = RunFolder(tmp_path / "run")
        folder.path.mkdir()
        write_text(folder.path / "plan.toml", results_plan(study))
        write_json(folder.path / "provenance.json", {"started": "2026-11-21T04:00:00+00:00"})
        order.clear()
        return folder, order, results.write(folder, study.blueprint, study.state, study.scores(), study.ready, plan_hash="ab" * 32)

    return write


def results_plan(study: Study) -> str:
    from wardround.plan.load import dump_plan

    return dump_plan(study.blueprint.plan)


def test_scores_are_written_after_all_else_but_the_report(written: Any) -> None:
    folder, order, (record, card) = written(Study(tests=CLINICS, resamples=100))
    assert order == ["model.json", "provenance.json", "scores.json"]
    assert folder.is_finished
    assert (folder.path / "report.html").exists()
    assert read_json(folder.path / "model.json") == record
    assert (folder.path / "card.md").read_text() == card


def test_provenance_says_whose_programs_and_which_plan(written: Any) -> None:
    folder, _, _ = written(Study(tests=WITH_TINY, resamples=100, counts_told=True))
    found = folder.provenance()
    assert (found["network"], found["plan_hash"], found["started"]) == (True, "ab" * 32, "2026-11-21T04:00:00+00:00")
    assert found["sites"]["west"] == {"wardround": "0.1.0", "device": "cpu", "threads": 1, "phantom": True, "fingerprint": "of west"}
    counts = found["data"]["site_counts"]
    assert counts["west"]["test"] == {"images": None}
    assert None in counts["west"]["train"].values()
    assert sum(counts["north"]["train"].values()) == 480
    assert found["data"]["fingerprint"] not in ("of west", "")


def test_no_file_tells_a_small_count(written: Any) -> None:
    folder, _, _ = written(Study(tests=WITH_TINY, resamples=100, counts_told=True))
    west = [read_json(folder.path / "scores.json")["per_site"]["west"], folder.provenance()["data"]["site_counts"]["west"]]
    assert "7" not in json.dumps([west[0]["num_test"], west[0]["num_val"], west[1]["test"], west[1]["val"]])
    assert {path.name for path in folder.path.iterdir()} == {"plan.toml", "provenance.json", "model.json", "model.safetensors", "card.md",
                                                             "scores.json", "report.html", "figures"}


def test_the_model_answers_for_new_images(written: Any, images_of_two: Any) -> None:
    study = Study(tests=CLINICS, resamples=100, temperature=1.6)
    folder, _, _ = written(study)
    assert Trained.of(folder).record["temperature"] == 1.6
    answers = predict(folder, [images_of_two])
    assert [set(answer.probabilities) for answer in answers] == [set(study.classes)] * 2


@pytest.fixture
def images_of_two(tmp_path: Any) -> Any:
    from PIL import Image

    (tmp_path / "images").mkdir()
    for index in range(2):
        Image.fromarray(stream("images", index).integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / "images" / f"{index}.png")
    return tmp_path / "images"


def test_pairs_of_sites_differ(study: Study) -> None:
    """The made-up results are not alike, so the agreements above say something."""
    sums = [summary.replicates[0] for summary in study.summaries]
    assert all(not np.array_equal(first, second) for first, second in combinations(sums, 2))
