"""Kermany's chest X-rays: folders, patients in the file names, and the real set."""

from collections import Counter
from pathlib import Path

import pytest

from wardround.data.datasets.chest_xray import READER, kind_of, patient_of
from wardround.errors import CatalogueError
from wardround.testing import check_dataset

NORMAL = ("IM-0115-0001.jpeg", "NORMAL2-IM-0115-0001-0002.jpeg")
PNEUMONIA = ("person1_bacteria_2.jpeg", "person1_virus_6.jpeg")


def make(root: Path, splits: tuple[str, ...] = ("train", "val", "test")) -> Path:
    for split in splits:
        for name, files in (("NORMAL", NORMAL), ("PNEUMONIA", PNEUMONIA)):
            (root / split / name).mkdir(parents=True)
            for file in files:
                (root / split / name / file).write_bytes(b"x")
    return root


@pytest.mark.parametrize(("name", "patient", "kind"), [
    ("person1_bacteria_2.jpeg", "person1", "bacteria"),
    ("person1_virus_6.jpeg", "person1", "virus"),
    ("person10_virus_35.jpeg", "person10", "virus"),
    ("IM-0115-0001.jpeg", "IM-0115", ""),
    ("IM-0115-0001-0002.jpeg", "IM-0115", ""),
    ("NORMAL2-IM-0115-0001.jpeg", "NORMAL2-IM-0115", ""),
    ("scan7.jpeg", "", ""),
])
def test_patient_and_kind_are_in_the_file_name(name: str, patient: str, kind: str) -> None:
    assert patient_of(name) == patient
    assert kind_of(name) == kind


def test_rows_carry_split_class_patient_and_kind(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path))
    assert found.classes == ("NORMAL", "PNEUMONIA")
    assert found.splits.tolist() == ["train"] * 4 + ["val"] * 4 + ["test"] * 4
    assert found.labels[:4].tolist() == [0, 0, 1, 1]
    assert found.patients[:4].tolist() == ["IM-0115", "NORMAL2-IM-0115", "person1", "person1"]
    assert found.column("kind")[:4].tolist() == ["normal", "normal", "bacteria", "virus"]


@pytest.mark.parametrize("splits", [("train",), ("train", "test"), ("train", "val")])
def test_val_or_test_may_be_absent(tmp_path: Path, splits: tuple[str, ...]) -> None:
    assert set(READER.read(make(tmp_path, splits)).splits) == set(splits)


def test_the_nested_folder_of_the_download_is_found(tmp_path: Path) -> None:
    make(tmp_path / "chest_xray" / "chest_xray")
    (tmp_path / "chest_xray" / "__MACOSX" / "train" / "NORMAL").mkdir(parents=True)
    assert len(READER.read(tmp_path)) == 12
    assert len(READER.read(tmp_path / "chest_xray")) == 12


def test_the_reader_keeps_its_promises(tmp_path: Path) -> None:
    check_dataset(READER, make(tmp_path))


def test_an_unknown_class_folder_is_an_error(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "test" / "COVID").mkdir()
    with pytest.raises(CatalogueError, match="'COVID' is no class of 'chest-xray'"):
        READER.read(tmp_path)


def test_an_emptied_class_folder_is_an_error(tmp_path: Path) -> None:
    for file in NORMAL:
        (make(tmp_path) if not (tmp_path / "val").exists() else tmp_path).joinpath("val", "NORMAL", file).unlink()
    with pytest.raises(CatalogueError, match="val/NORMAL: the folder of class 'NORMAL' holds no image"):
        READER.read(tmp_path)


def test_another_layout_is_an_error_that_shows_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"Expected \{train,val,test\}/\{NORMAL,PNEUMONIA\}"):
        READER.read(tmp_path)


def test_a_phantom_is_read_back_with_its_patients(tmp_path: Path) -> None:
    READER.write_phantom(tmp_path, 40, 0)
    found = READER.read(tmp_path)
    assert found.phantom
    assert len(found) == 40
    assert "" not in set(found.patients)
    assert set(found.column("kind")) == {"normal", "bacteria", "virus"}


def test_a_phantom_never_replaces_real_images(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(CatalogueError, match="not drawn by wardround"):
        READER.write_phantom(tmp_path, 40, 0)
    found = READER.read(tmp_path)
    assert not found.phantom
    assert all((tmp_path / image).read_bytes() == b"x" for image in found.images)


@pytest.mark.data
def test_the_real_set_has_its_published_counts_and_patients(real_data: Path) -> None:
    found = READER.read(real_data / "chest_xray")
    rows = list(zip(found.splits, found.labels, found.patients, strict=True))
    assert Counter((split, label) for split, label, _ in rows) == {
        ("train", 0): 1031, ("train", 1): 2979, ("val", 0): 108, ("val", 1): 314, ("test", 0): 234, ("test", 1): 390}
    assert Counter((split, label) for split, label, _ in set(rows)) == {
        ("train", 0): 928, ("train", 1): 1254, ("val", 0): 96, ("val", 1): 119, ("test", 0): 225, ("test", 1): 202}
    of_split = {split: set(found.patients[found.splits == split]) for split in ("train", "val", "test")}
    assert len({patient for patient in of_split["train"] & of_split["test"] if patient.startswith("person")}) == 170
    assert not of_split["val"] & (of_split["train"] | of_split["test"])
