"""BraTS: names and layouts of its years, its known defect, its tables."""

import logging
from pathlib import Path

import pytest

from wardround.data.catalogue import Catalogue, files_of
from wardround.data.datasets.brats import READER
from wardround.errors import CatalogueError
from wardround.testing import check_dataset

PARTS = ("flair", "t1", "t1ce", "t2", "seg")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def make(root: Path, case: str, parts: tuple[str, ...] = PARTS, *, joint: str = "_", suffix: str = ".nii.gz") -> Path:
    return touch(root, *[f"{case}/{case}{joint}{part}{suffix}" for part in parts])


def assert_files_exist(found: Catalogue) -> None:
    assert found.masks is not None
    for image, mask in zip(found.images, found.masks, strict=True):
        assert all((found.root / name).is_file() for name in [*files_of(image), mask])


def test_the_reader_keeps_its_promises(tmp_path: Path) -> None:
    check_dataset(READER, make(tmp_path, "BraTS20_Training_001"))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_channels_are_flair_t1_t1ce_t2(tmp_path: Path, suffix: str) -> None:
    for case in ("BraTS20_Training_002", "BraTS20_Training_001"):
        make(tmp_path, case, suffix=suffix)
    found = READER.read(tmp_path)
    assert found.images[0] == f"BraTS20_Training_001/BraTS20_Training_001_{{flair,t1,t1ce,t2}}{suffix}"
    assert found.masks is not None
    assert found.masks[0] == f"BraTS20_Training_001/BraTS20_Training_001_seg{suffix}"
    assert found.patients.tolist() == ["BraTS20_Training_001", "BraTS20_Training_002"]
    assert_files_exist(found)


def test_a_value_in_the_file_means_a_class_by_name(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path, "BraTS20_Training_001"))
    meaning = {value: found.classes[index] for value, index in found.mask_values.items()}
    assert meaning == {0: "background", 1: "necrotic core", 2: "oedema", 4: "enhancing tumour", 3: "enhancing tumour"}
    assert found.classes == ("background", "oedema", "enhancing tumour", "necrotic core")
    regions = {name: {found.classes[index] for index in part} for name, part in found.regions.items()}
    assert regions == {"WT": {"oedema", "enhancing tumour", "necrotic core"}, "TC": {"enhancing tumour", "necrotic core"},
                       "ET": {"enhancing tumour"}}
    assert found.task == READER.task == "segmentation"
    assert found.labels.tolist() == [0]


@pytest.mark.parametrize("above", ["", "MICCAI_BraTS2020_TrainingData", "BraTS2020_TrainingData/MICCAI_BraTS2020_TrainingData"])
def test_the_training_folder_is_found_beside_the_validation_folder(tmp_path: Path, above: str) -> None:
    make(tmp_path / above, "BraTS20_Training_001")
    if above:
        make(tmp_path / above.replace("Training", "Validation"), "BraTS20_Validation_001", PARTS[:4])
    assert READER.matches(tmp_path)
    assert READER.read(tmp_path).patients.tolist() == ["BraTS20_Training_001"]


def test_suffixes_of_two_kinds_in_a_case(tmp_path: Path) -> None:
    make(tmp_path, "BraTS20_Training_001", ("flair", "t1ce", "seg"), suffix=".nii")
    found = READER.read(make(tmp_path, "BraTS20_Training_001", ("t1", "t2")))
    assert found.images.tolist() == ["BraTS20_Training_001/BraTS20_Training_001_{flair.nii,t1.nii.gz,t1ce.nii,t2.nii.gz}"]
    assert_files_exist(found)


def test_unpacked_beside_packed_is_one_file(tmp_path: Path) -> None:
    make(tmp_path, "BraTS20_Training_001", suffix=".nii")
    found = READER.read(make(tmp_path, "BraTS20_Training_001"))
    assert found.images.tolist() == ["BraTS20_Training_001/BraTS20_Training_001_{flair,t1,t1ce,t2}.nii"]


def test_the_misnamed_mask_of_case_355_counts(tmp_path: Path) -> None:
    make(tmp_path, "BraTS20_Training_355", PARTS[:4], suffix=".nii")
    touch(tmp_path, "BraTS20_Training_355/W39_1998.09.19_Segm.nii", "BraTS20_Training_355/._BraTS20_Training_355_seg.nii")
    found = READER.read(tmp_path)
    assert found.masks is not None
    assert found.masks.tolist() == ["BraTS20_Training_355/W39_1998.09.19_Segm.nii"]


def test_of_two_misnamed_masks_none_is_guessed(tmp_path: Path) -> None:
    make(tmp_path, "BraTS20_Training_355", PARTS[:4])
    touch(tmp_path, "BraTS20_Training_355/a_seg1.nii", "BraTS20_Training_355/a_seg2.nii")
    with pytest.raises(CatalogueError, match=r"BraTS20_Training_355 \(one mask of 2\)"):
        READER.read(tmp_path)


def test_names_of_2021(tmp_path: Path) -> None:
    assert READER.read(make(tmp_path, "BraTS2021_00000")).images.tolist() == ["BraTS2021_00000/BraTS2021_00000_{flair,t1,t1ce,t2}.nii.gz"]


def test_names_of_2023_in_the_same_order_of_channels(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path, "BraTS-GLI-00000-000", ("t2f", "t1n", "t1c", "t2w", "seg"), joint="-"))
    assert found.images.tolist() == ["BraTS-GLI-00000-000/BraTS-GLI-00000-000-{t2f,t1n,t1c,t2w}.nii.gz"]
    assert_files_exist(found)


def test_scans_of_two_days_are_one_patient(tmp_path: Path) -> None:
    for case in ("BraTS-GLI-00003-000", "BraTS-GLI-00003-001", "BraTS-GLI-00004-000"):
        make(tmp_path, case, ("t2f", "t1n", "t1c", "t2w", "seg"), joint="-")
    assert READER.read(tmp_path).patients.tolist() == ["BraTS-GLI-00003", "BraTS-GLI-00003", "BraTS-GLI-00004"]


def test_with_the_new_names_a_4_is_not_taken_for_enhancing_tumour(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path, "BraTS-GLI-02062-100", ("t2f", "t1n", "t1c", "t2w", "seg"), joint="-"))
    assert found.mask_values == {0: 0, 1: 3, 2: 1, 3: 2}


def test_incomplete_cases_are_left_out_and_counted_without_a_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, "BraTS20_Training_001")
    make(tmp_path, "BraTS20_Training_002", PARTS[:4])
    make(tmp_path, "BraTS20_Training_003", ("flair", "t2", "seg"))
    with caplog.at_level(logging.WARNING):
        assert READER.read(tmp_path).patients.tolist() == ["BraTS20_Training_001"]
    assert "2 of 3 cases lack a file" in caplog.text
    assert caplog.messages[-1].endswith("left out: seg 1, t1 1, t1ce 1")
    assert "BraTS20_Training" not in caplog.text


def test_validation_cases_alone_are_an_error_that_names_them(tmp_path: Path) -> None:
    for number in range(1, 31):
        make(tmp_path, f"BraTS20_Validation_{number:03}", PARTS[:4])
    assert READER.matches(tmp_path)
    with pytest.raises(CatalogueError, match=r"none of the 30 cases is complete.*BraTS20_Validation_020 \(seg\) and 10 more.*training"):
        READER.read(tmp_path)


def test_grade_site_age_and_survival_come_from_the_tables(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        make(tmp_path, f"BraTS20_Training_00{number}")
    (tmp_path / "name_mapping.csv").write_text(
        "Grade,BraTS_2017_subject_ID,BraTS_2018_subject_ID,TCGA_TCIA_subject_ID,BraTS_2019_subject_ID,BraTS_2020_subject_ID\n"
        "HGG,Brats17_CBICA_AAB_1,Brats18_CBICA_AAB_1,NA,BraTS19_CBICA_AAB_1,BraTS20_Training_001\n"
        "LGG,Brats17_TCIA_130_1,Brats18_TCIA10_130_1,TCGA-DU-1234,NA,BraTS20_Training_002\n")
    (tmp_path / "survival_info.csv").write_text("Brats20ID,Age,Survival_days,Extent_of_Resection\nBraTS20_Training_002,60.463,289,GTR\n")
    found = READER.read(tmp_path)
    assert {name: values.tolist() for name, values in found.columns.items()} == {
        "grade": ["HGG", "LGG", ""], "site": ["CBICA", "TCIA10", ""], "age": ["", "60.463", ""], "survival_days": ["", "289", ""]}


def test_without_tables_there_are_no_columns(tmp_path: Path) -> None:
    assert READER.read(make(tmp_path, "BraTS20_Training_001")).columns == {}


@pytest.mark.parametrize("names", [("images/a.png", "masks/a.png"), ("case/t1c.nii.gz", "case/t2f.nii.gz"), ("a/b_flair.nii.gz",),
                                   ("imagesTr/BRATS_001.nii.gz", "labelsTr/BRATS_001.nii.gz", "dataset.json")])
def test_other_layouts_do_not_match(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert not READER.matches(touch(tmp_path, *names))
    with pytest.raises(CatalogueError, match="Expected one folder of cases"):
        READER.read(tmp_path)


def test_two_sets_side_by_side_must_be_named(tmp_path: Path) -> None:
    make(tmp_path / "a", "BraTS20_Training_001")
    make(tmp_path / "b", "BraTS2021_00000")
    with pytest.raises(CatalogueError, match="If there are several, name one"):
        READER.read(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="does not exist"):
        READER.read(tmp_path / "absent")


def test_a_phantom_is_read_back_with_grades_and_hospitals(tmp_path: Path) -> None:
    READER.write_phantom(tmp_path, 5, 0)
    found = READER.read(tmp_path)
    assert found.phantom
    assert len(found) == len(set(found.patients)) == 5
    assert len(set(found.column("site"))) == 5
    assert set(found.column("grade")) <= {"HGG", "LGG"}
    assert_files_exist(found)
