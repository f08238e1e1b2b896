from pathlib import Path
from typing import Any

import pytest

from wardround.errors import WardroundError
from wardround.report.material import primary_metric, read_comparison, read_run, trained_at


def test_only_clean_test_rows_are_judged(sample: Any, write: Any) -> None:
    folder = write.run(sample(num_test=60, rounds=1))
    predictions = folder / "predictions.csv"
    predictions.write_text(predictions.read_text().replace(",test,", ",test-leak,", 5))
    found = read_run(folder).predictions
    assert found is not None
    assert len(found) == 55


@pytest.mark.parametrize("site", ["north", "St Mary's Hospital", "north-west"])
def test_a_local_run_is_matched_to_its_hospital(sample: Any, write: Any, site: str) -> None:
    comparison = read_comparison(write.comparison(sample(num_test=60, rounds=1, sites=(site, "south"))))
    assert [trained_at(run) for run in comparison.runs["local"]] == [site, "south"]


def test_the_federated_run_leads_and_pooled_stands_in(sample: Any, write: Any) -> None:
    folder = write.comparison(sample(num_test=60, rounds=1))
    assert read_comparison(folder).lead.folder.name == "federated-seed0"
    (folder / "federated-seed0" / "scores.json").unlink()
    assert read_comparison(folder).lead.folder.name == "pooled-seed0"


def test_primary_metric_is_the_plans_or_follows_the_number_of_classes(sample: Any, write: Any, edit_json: Any) -> None:
    folder = write.run(sample(num_test=60, rounds=1, classes=("a", "b")))
    assert primary_metric(read_run(folder)) == "auroc"
    plan = folder / "plan.toml"
    plan.write_text(plan.read_text().replace('metric = "auroc"', 'metric = "balanced_accuracy"'))
    assert primary_metric(read_run(folder)) == "balanced_accuracy"
    plan.write_text(plan.read_text().replace('metric = "balanced_accuracy"', 'metric = "loss"'))
    assert primary_metric(read_run(folder)) == "auroc"


def test_hashes_cover_the_model_and_its_predictions(sample: Any, write: Any) -> None:
    folder: Path = write.run(sample(num_test=60, rounds=1))
    (folder / "model.safetensors").write_bytes(b"abc")
    assert read_run(folder).hashes["model.safetensors"].startswith("ba7816bf")  # SHA-256 of "abc"
    assert set(read_run(folder).hashes) == {"model.safetensors", "predictions.csv"}


def test_each_task_has_its_headline(findings: Any, masks: Any, write: Any) -> None:
    assert primary_metric(read_run(write.run(findings(num_test=60, rounds=1), name="findings"))) == "auroc"
    run = read_run(write.run(masks(rounds=1), name="masks"))
    assert (primary_metric(run), run.unit) == ("dice", "patient")
    assert run.measured is not None
    assert run.predictions is None
    assert [case.label for case in run.overlays] == ["best", "median", "worst"]
    assert not run.missing  # no task misses another task's files


def test_the_share_that_is_sent_counts_what_is_frozen(findings: Any, sample: Any, write: Any) -> None:
    part = read_run(write.run(findings(num_test=60, rounds=1), name="part"))
    assert part.sent_share == pytest.approx(13_115_000 / (13_115_000 + 8_180_000))
    assert read_run(write.run(sample(num_test=60, rounds=1), name="whole")).sent_share == 1


def test_a_task_of_another_version_is_refused(sample: Any, write: Any, edit_json: Any) -> None:
    folder = write.run(sample(num_test=60, rounds=1))
    edit_json(folder / "scores.json", lambda scores: scores.update(task="detection"))
    with pytest.raises(WardroundError, match="detection"):
        read_run(folder)


def test_suspicion_is_read_by_hospital_and_round(sample: Any, write: Any) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=2, suspicion={"north": 1.0}), name="watched"))
    assert run.suspicion == {"north": {1: 1.0, 2: 1.01}}
    assert read_run(write.run(sample(num_test=60, rounds=1), name="mean")).suspicion == {}
