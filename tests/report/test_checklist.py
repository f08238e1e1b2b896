from pathlib import Path
from typing import Any

import pytest

from wardround.report.checklist import ITEMS, Facts, checklist
from wardround.report.material import read_run


def answers(folder: Path, compare: dict[str, Any] | None = None) -> dict[str, tuple[str, str]]:
    run = read_run(folder)
    table = checklist(Facts(plan=run.plan, run=run, metric="balanced_accuracy", compare=compare or {}))
    return {row[0].split(". ", 1)[1]: (row[1], row[2]) for row in table.rows}


def test_there_are_24_items_and_each_is_answered_or_excused(sample: Any, write: Any) -> None:
    found = answers(write.run(sample(num_test=60, rounds=1)))
    assert len(found) == len(ITEMS) == 24
    assert {status for status, _ in found.values()} <= {"answered", "in part", "not done", "not applicable"}
    assert all(why.startswith("because") for status, why in found.values() if status == "not applicable")


def test_a_single_run_does_not_claim_a_comparison(sample: Any, write: Any) -> None:
    found = answers(write.run(sample(num_test=60, rounds=1)))
    assert found["Pooled, local and federated side by side"][0] == "not done"
    assert found["Paired difference or ratio with interval"][0] == "not done"


def test_a_comparison_of_three_arms_answers_side_by_side(sample: Any, write: Any) -> None:
    compare = {"arms": {"federated": [{}], "pooled": [{}], "local": [{}]}, "paired": {"federated/pooled": {}}}
    found = answers(write.run(sample(num_test=60, rounds=1)), compare)
    assert found["Pooled, local and federated side by side"][0] == "answered"
    assert found["Paired difference or ratio with interval"][0] == "answered"


def test_patients_decide_whether_splits_are_proven_apart(sample: Any, write: Any) -> None:
    title = "Proof that no patient is in two splits"
    assert answers(write.run(sample(num_test=60, rounds=1, patients_known=True), name="known"))[title][0] == "answered"
    assert answers(write.run(sample(num_test=60, rounds=1), name="unknown"))[title][0] == "in part"


def test_a_threshold_is_for_two_classes_only(sample: Any, write: Any) -> None:
    title = "Sensitivity and specificity at a fixed threshold, predictive values"
    assert answers(write.run(sample(num_test=60, rounds=1, classes=("a", "b")), name="two"))[title][0] == "answered"
    assert answers(write.run(sample(num_test=60, rounds=1), name="four"))[title][0] == "not applicable"


def test_what_a_missing_file_would_show_is_not_claimed(sample: Any, write: Any) -> None:
    folder = write.run(sample(num_test=60, rounds=1))
    for name in ("provenance.json", "predictions.csv", "ledger.csv", "figures/errors.npz"):
        (folder / name).unlink()
    found = answers(folder)
    assert found["Hospitals, and images of each class at each"][0] == "not done"
    assert found["Inclusion and exclusion, duplicates removed"][0] == "not done"
    assert found["Calibration"][0] == "in part"
    assert found["Robustness and failure cases"][0] == "not done"


def test_few_resamples_answer_in_part(sample: Any, write: Any) -> None:
    title = "95 % intervals by patient-level bootstrap"
    assert answers(write.run(sample(num_test=60, rounds=1, resamples=100), name="few"))[title][0] == "in part"
    assert answers(write.run(sample(num_test=60, rounds=1, resamples=1000), name="many"))[title][0] == "answered"


@pytest.mark.parametrize("task", ["findings", "masks"])
def test_every_task_answers_all_items(request: Any, write: Any, task: str) -> None:
    found = answers(write.run(request.getfixturevalue(task)(num_test=60, rounds=1)))
    assert len(found) == 24
    assert all(why.startswith("because") for status, why in found.values() if status == "not applicable")
    assert found["Results by class, confusion matrix"][0] == "answered"


def test_what_was_not_done_is_not_excused(findings: Any, masks: Any, write: Any) -> None:
    lesions = answers(write.run(findings(num_test=60, rounds=1), name="findings"))
    assert lesions["Sensitivity and specificity at a fixed threshold, predictive values"][0] == "not done"
    assert lesions["Robustness and failure cases"][0] == "not done"
    tumours = answers(write.run(masks(rounds=1), name="masks"))
    assert tumours["Calibration"][0] == "not done"
    assert tumours["Robustness and failure cases"][0] == "in part"
