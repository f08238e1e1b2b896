from pathlib import Path
from typing import Any

import pytest

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
