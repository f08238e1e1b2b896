"""Decathlon: Task01 in the classes of BraTS, other tasks in their own."""

import json
import logging
from pathlib import Path

import pytest

from wardround.data.datasets import brats
from wardround.data.datasets.decathlon import READER
from wardround.errors import CatalogueError
from wardround.testing import check_dataset

BRAIN = {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"}


def make(root: Path, labels: object = BRAIN, cases: tuple[str, ...] = ("BRATS_002", "BRATS_001")) -> Path:
    for folder in ("imagesTr", "labelsTr", "imagesTs"):
        (root / folder).mkdir(parents=True)
        for case in cases:
            (root / folder / f"{case}.nii.gz").write_bytes(b"x")
            (root / folder / f"._{case}.nii.gz").write_bytes(b"x")
    (root / "dataset.json").write_text(json.dumps({"name": "BRATS", "labels": labels}))
    return root


def test_one_row_a_case_of_the_training_set(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path))
    assert found.images.tolist() == ["imagesTr/BRATS_001.nii.gz", "imagesTr/BRATS_002.nii.gz"]
    assert found.masks is not None
    assert found.masks.tolist() == ["labelsTr/BRATS_001.nii.gz", "labelsTr/BRATS_002.nii.gz"]
    assert found.patients.tolist() == ["BRATS_001", "BRATS_002"]
    assert found.splits.tolist() == ["", ""]


def test_task01_has_the_classes_of_brats_under_its_own_numbers(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path))
    meaning = {value: found.classes[index] for value, index in found.mask_values.items()}
    assert meaning == {0: "background", 1: "oedema", 2: "necrotic core", 3: "enhancing tumour"}
    assert found.classes == brats.CLASSES
    assert found.regions == brats.REGIONS


def test_another_task_has_its_own_classes_in_number_order(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path, {"10": "tumour", "0": "background", "2": "liver"}))
    assert found.classes == ("background", "liver", "tumour")
    assert found.mask_values == {0: 0, 2: 1, 10: 2}
    assert found.regions == {}


def test_the_reader_keeps_its_promises_one_folder_above(tmp_path: Path) -> None:
    make(tmp_path / "Task01_BrainTumour")
    check_dataset(READER, tmp_path)


def test_an_image_without_mask_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (make(tmp_path) / "labelsTr" / "BRATS_001.nii.gz").unlink()
    with caplog.at_level(logging.WARNING):
        assert READER.read(tmp_path).patients.tolist() == ["BRATS_002"]
    assert "1 left out" in caplog.text
    assert "BRATS_001" not in caplog.text


def test_no_pair_at_all_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, cases=())
    with pytest.raises(CatalogueError, match="no file of imagesTr has a namesake in labelsTr"):
        READER.read(tmp_path)


@pytest.mark.parametrize("labels", [{"background": 0, "liver": 1}, ["background", "liver"], None])
def test_labels_of_another_form_are_an_error_that_shows_the_right_one(tmp_path: Path, labels: object) -> None:
    make(tmp_path, labels)
    assert READER.matches(tmp_path)
    with pytest.raises(CatalogueError, match="numbers first"):
        READER.read(tmp_path)


@pytest.mark.parametrize("labels", [{}, {"0": "background"}, {"1": "liver", "2": "tumour"}, {"0": "a", "1": "a"}])
def test_labels_must_hold_a_background_and_a_class(tmp_path: Path, labels: object) -> None:
    with pytest.raises(CatalogueError, match="Expected \"0\" for the background"):
        READER.read(make(tmp_path, labels))


def test_a_broken_description_is_an_error(tmp_path: Path) -> None:
    (make(tmp_path) / "dataset.json").write_text("{")
    with pytest.raises(CatalogueError, match="'labels' does not tell the classes"):
        READER.read(tmp_path)


def test_without_a_description_it_is_not_the_decathlon(tmp_path: Path) -> None:
    (make(tmp_path) / "dataset.json").unlink()
    assert not READER.matches(tmp_path)
    with pytest.raises(CatalogueError, match="Expected one task"):
        READER.read(tmp_path)


def test_it_has_no_phantom(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="'decathlon-brain' has no phantoms"):
        READER.write_phantom(tmp_path, 10, 0)
