"""The card that goes with a model to each hospital."""

import json
from pathlib import Path
from typing import Any

import pytest
from toy_results import CLINICS, Study

from wardround.network.results import provenance_of
from wardround.report.card import model_card
from wardround.runs.folder import read_json

RECORD = {"model": {"name": "cnn"}, "dataset": "brain-tumour-mri", "classes": ["no tumour", "glioma", "meningioma", "pituitary"],
          "parameters": 390_000, "data": {"dims": 2, "size": 64, "channels": 1}, "best_round": 4, "threshold": None, "personal": None,
          "licence": None, "fingerprint": "9f31"}
PARTS = ["The model", "Data", "Training", "Results", "By hospital", "Calibration", "Limits"]


def card_of(study: Study, **record: Any) -> str:
    return model_card(study.scores(), {**RECORD, "classes": list(study.classes), **record},
                      provenance_of(study.blueprint, study.ready, plan_hash="ab" * 32))


@pytest.fixture(scope="module")
def clinics() -> Study:
    return Study(tests={**CLINICS, "west": 7, "coast": 60}, resamples=100, missing={"coast": "not connected"})


def test_it_has_all_its_parts_and_warns_first(clinics: Study) -> None:
    card = card_of(clinics)
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == PARTS
    assert card.split("\n\n")[1].startswith("**Not for clinical use.**")


def test_it_hides_what_rests_on_few_images(clinics: Study) -> None:
    lines = card_of(clinics).splitlines()
    west = [line.split("|")[1:-1] for line in lines if line.startswith("| west")]
    assert [[cell.strip() for cell in line] for line in west] == [["west", "14", "1–10", "1–10"], ["west", "1–10", "too few images"]]
    assert "- Test: 571–580 test images" in lines


def test_results_have_intervals_over_all_and_by_hospital(clinics: Study) -> None:
    card = card_of(Study(tests=CLINICS, resamples=100))
    entry = Study(tests=CLINICS, resamples=100).pooled_metrics["balanced_accuracy"]
    results = card.split("## Results")[1].split("## By hospital")[0]
    assert f"| Balanced accuracy       | {entry['value']:.3f} [" in results
    assert card.split("## By hospital")[1].split("## Calibration")[0].count(" [0.") == 3


def test_it_names_hospitals_that_were_missing(clinics: Study) -> None:
    card = card_of(clinics)
    assert "**Finished without coast**" in card
    assert "| coast    | 60          | not tested" in card


def test_names_from_outside_cannot_break_it() -> None:
    study = Study(tests={"a|b <script>": 200, "south": 150}, resamples=100)
    card = card_of(study, dataset="one\n# two")
    assert "| a\\|b \\<script\\>" in card
    assert "\n# two" not in card


def test_the_threshold_and_the_personal_models_are_told() -> None:
    study = Study(tests=CLINICS, task="binary", shares=(0.6, 0.4), resamples=100)
    card = card_of(study, threshold=0.4, personal="fedbn")
    assert "- Threshold: glioma is called from a probability of 0.400" in card
    assert "strategy fedbn leaves every hospital a model of its own" in card


def test_a_run_on_one_machine_has_a_card_too(sample: Any, write: Any) -> None:
    folder: Path = write.run(sample(num_test=60, rounds=2))
    card = model_card(read_json(folder / "scores.json"), RECORD, read_json(folder / "provenance.json"))
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == PARTS
    assert "None" not in card
    assert "nan" not in card


@pytest.mark.parametrize("task", ["findings", "masks"])
def test_other_tasks_have_a_card(request: Any, write: Any, task: str) -> None:
    folder: Path = write.run(request.getfixturevalue(task)(num_test=60, rounds=1))
    scores = json.loads((folder / "scores.json").read_text())
    card = model_card(scores, {**RECORD, "classes": scores["classes"]}, read_json(folder / "provenance.json"))
    assert ("Mean AUROC" if task == "findings" else "Mean Dice") in card.split("## By hospital")[1]
