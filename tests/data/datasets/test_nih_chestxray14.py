"""NIH ChestX-ray14: the table in both forms, image folders, lists, ages, and the real subset."""

import logging
from pathlib import Path

import numpy as np
import pytest

from wardround.data.datasets.nih_chestxray14 import FINDINGS, READER, age_of
from wardround.errors import CatalogueError
from wardround.testing import check_dataset

HEADER_2017 = ("Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,OriginalImage[Width,Height],"
               "OriginalImagePixelSpacing[x,y],")
HEADER_2020 = HEADER_2017.replace("Gender", "Sex").rstrip(",")
ROWS = ("00000001_000.png,Cardiomegaly,0,1,058Y,M,PA,2682,2749,0.143,0.143,",
        "00000001_001.png,Cardiomegaly|Emphysema,1,1,58,M,AP,2894,2729,0.143,0.143,",
        "00000002_000.png,No Finding,0,2,411,F,PA,2500,2048,0.171,0.171,",
        "00000003_000.png,Hernia,0,3,81,F,PA,2582,2991,0.143,0.143,")
NAMES = tuple(row.partition(",")[0] for row in ROWS)


def make(root: Path, *, table: str = "Data_Entry_2017.csv", header: str = HEADER_2017, rows: tuple[str, ...] = ROWS,
         images: tuple[str, ...] = NAMES, folder: str = "images") -> Path:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in images:
        (root / folder / name).write_bytes(b"x")
    (root / table).write_text("\n".join([header, *rows]) + "\n")
    return root


def lists(root: Path, train: tuple[str, ...], test: tuple[str, ...]) -> Path:
    (root / "train_val_list.txt").write_text("\n".join(train))
    (root / "test_list.txt").write_text("\n".join(test))
    return root


def test_rows_carry_findings_patient_and_what_subgroups_need(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path))
    assert found.task == "multilabel"
    assert found.images.tolist() == [f"images/{name}" for name in NAMES]
    assert [[FINDINGS[i] for i in np.flatnonzero(row)] for row in found.labels] == [
        ["Cardiomegaly"], ["Cardiomegaly", "Emphysema"], [], ["Hernia"]]
    assert found.patients.tolist() == ["1", "1", "2", "3"]
    assert {name: found.column(name).tolist() for name in ("sex", "view", "follow_up")} == {
        "sex": ["M", "M", "F", "F"], "view": ["PA", "AP", "PA", "PA"], "follow_up": ["0", "1", "0", "0"]}


def test_an_impossible_age_is_emptied_and_flagged(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path))
    assert found.column("age").tolist() == ["58", "58", "", "81"]
    assert found.column("age_flag").tolist() == ["", "", "impossible", ""]


@pytest.mark.parametrize(("text", "age"), [("58", "58"), ("058Y", "58"), ("011M", "0"), ("030M", "2"), ("005D", "0"), ("0", "0"),
                                           ("120", "120"), ("121", ""), ("411", ""), ("", ""), ("-3", ""), ("nan", ""), ("58.5", "")])
def test_ages_are_completed_years(text: str, age: str) -> None:
    assert age_of(text) == age


@pytest.mark.parametrize(("table", "header"), [("Data_Entry_2017.csv", HEADER_2017), ("Data_Entry_2017_v2020.csv", HEADER_2020)])
def test_both_tables_are_read_alike(tmp_path: Path, table: str, header: str) -> None:
    found = READER.read(make(tmp_path, table=table, header=header))
    assert len(found) == 4
    assert found.column("sex").tolist() == ["M", "M", "F", "F"]


def test_the_newer_table_counts_where_both_lie(tmp_path: Path) -> None:
    make(tmp_path)
    make(tmp_path, table="Data_Entry_2017_v2020.csv", rows=(ROWS[0].replace("Cardiomegaly", "Mass"), *ROWS[1:]))
    assert READER.read(tmp_path).labels[0].tolist() == [name == "Mass" for name in FINDINGS]


@pytest.mark.parametrize("inner", ["images_{}/images", "images_{}"])
def test_the_twelve_archives_are_read_as_one_in_order_of_names(tmp_path: Path, inner: str) -> None:
    make(tmp_path, images=NAMES[2:], folder=inner.format("001"))
    make(tmp_path, images=NAMES[:2], folder=inner.format("012"))
    folders = [inner.format("012")] * 2 + [inner.format("001")] * 2
    assert READER.read(tmp_path).images.tolist() == [f"{folder}/{name}" for folder, name in zip(folders, NAMES, strict=True)]
    check_dataset(READER, tmp_path)


def test_the_folder_of_the_images_or_the_one_around_them_may_be_named(tmp_path: Path) -> None:
    make(tmp_path / "nih")
    assert len(READER.read(tmp_path)) == len(READER.read(tmp_path / "nih" / "images")) == 4


def test_the_official_lists_are_train_and_test_and_the_rest_is_unknown(tmp_path: Path) -> None:
    assert READER.read(make(tmp_path)).splits.tolist() == [""] * 4
    lists(tmp_path, (*NAMES[:2], "00000099_000.png"), NAMES[2:3])
    assert READER.read(tmp_path).splits.tolist() == ["train", "train", "test", ""]


def test_an_image_in_both_lists_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"1 images are in both train_val_list\.txt and test_list\.txt"):
        READER.read(lists(make(tmp_path), NAMES[:2], NAMES[1:]))


def test_rows_without_image_and_images_without_row_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = READER.read(make(tmp_path, images=(NAMES[3], NAMES[0], "00000009_000.png", "00000009_001.png")))
    assert found.images.tolist() == [f"images/{NAMES[0]}", f"images/{NAMES[3]}"]
    assert found.patients.tolist() == ["1", "3"]
    assert "2 of 4 rows of Data_Entry_2017.csv have no image file" in caplog.text
    assert "2 of 4 images have no row in Data_Entry_2017.csv" in caplog.text


def test_a_complete_set_warns_of_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    READER.read(make(tmp_path))
    assert not caplog.records


def test_a_table_without_any_of_its_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"none of the 4 rows of Data_Entry_2017\.csv has its image \(1 images found\)"):
        READER.read(make(tmp_path, images=("other.png",)))


@pytest.mark.parametrize(("row", "message"), [
    ("x.png,Cardiomegali,0,1,58,M,PA", r"row 6: 'Finding Labels': 'Cardiomegali' is no finding.*Did you mean 'Cardiomegaly'"),
    ("x.png,No Finding|Mass,0,1,58,M,PA", "row 6: 'Finding Labels': 'No Finding' is named beside findings"),
    ("x.png,Mass|,0,1,58,M,PA", "row 6: 'Finding Labels': '' is empty"),
    ("x.png,Mass,0,,58,M,PA", "row 6: 'Patient ID' is empty"),
    ("x.png,Mass,0", "row 6: 3 cells, too few to hold 'Patient ID'"),
    (ROWS[1], "row 6: the same image as in row 3"),
])
def test_a_wrong_row_is_an_error_that_gives_its_number(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        READER.read(make(tmp_path, rows=(*ROWS, row)))


def test_a_missing_column_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"no column 'Finding Labels'\. Did you mean 'Finding Label'\?"):
        READER.read(make(tmp_path, header=HEADER_2017.replace("Labels", "Label")))


def test_another_layout_is_an_error_that_shows_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"Expected Data_Entry_2017\.csv or Data_Entry_2017_v2020\.csv beside images"):
        READER.read(tmp_path)


def test_a_phantom_is_read_back_with_its_lists(tmp_path: Path) -> None:
    READER.write_phantom(tmp_path, 40, 0)
    found = READER.read(tmp_path)
    assert found.phantom
    assert len(found) == 40
    assert sorted(set(found.splits.tolist())) == ["test", "train"]
    check_dataset(READER, tmp_path)


@pytest.mark.data
def test_the_real_subset_has_its_counts(real_data: Path) -> None:
    found = READER.read(real_data / "nih_chestxray14")
    assert found.counts() | {"All images": 850} == {
        "Atelectasis": 80, "Cardiomegaly": 74, "Effusion": 145, "Infiltration": 148, "Mass": 33, "Nodule": 36, "Pneumonia": 10,
        "Pneumothorax": 40, "Consolidation": 38, "Edema": 31, "Emphysema": 32, "Fibrosis": 25, "Pleural_Thickening": 24, "Hernia": 9,
        "No Finding": 414, "All images": 850}
    assert (found.labels.sum(1) >= 2).sum() == 193
    patients = {split: set(found.patients[found.splits == split]) for split in ("train", "test")}
    assert {split: len(held) for split, held in patients.items()} == {"train": 155, "test": 60}
    assert not patients["train"] & patients["test"]
    assert (found.column("view") == "AP").sum() == 329
