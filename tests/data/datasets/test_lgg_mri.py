"""TCGA-LGG: slices with masks, hospitals in the patients' names, and the real set."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from wardround.data.datasets.lgg_mri import READER, site_of
from wardround.errors import CatalogueError
from wardround.testing import check_dataset

DU, HT = "TCGA_DU_5849_19950405", "TCGA_HT_7473_19970826"


def make(root: Path, slices: dict[str, tuple[int, ...]] | None = None) -> Path:
    for patient, numbers in (slices or {HT: (1, 10, 9), DU: (2,)}).items():
        (root / patient).mkdir(parents=True)
        for number in numbers:
            for ending in ("", "_mask"):
                (root / patient / f"{patient}_{number}{ending}.tif").write_bytes(b"x")
    return root


def test_rows_are_by_patient_then_slice_number(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path))
    assert found.column("slice").tolist() == ["2", "1", "9", "10"]
    assert found.patients.tolist() == [DU, HT, HT, HT]
    assert found.column("site").tolist() == ["DU", "HT", "HT", "HT"]
    assert found.images[3] == f"{HT}/{HT}_10.tif"
    assert found.masks is not None
    assert found.masks[3] == f"{HT}/{HT}_10_mask.tif"


def test_255_is_tumour(tmp_path: Path) -> None:
    found = READER.read(make(tmp_path))
    assert {value: found.classes[index] for value, index in found.mask_values.items()} == {0: "background", 255: "tumour"}
    assert found.task == READER.task == "segmentation"


@pytest.mark.parametrize("above", ["", "kaggle_3m", "lgg-mri-segmentation/kaggle_3m"])
def test_the_reader_keeps_its_promises_wherever_kaggle_3m_is(tmp_path: Path, above: str) -> None:
    make(tmp_path / above)
    check_dataset(READER, tmp_path)


def test_the_second_copy_in_the_download_is_not_read(tmp_path: Path) -> None:
    make(tmp_path / "kaggle_3m")
    make(tmp_path / "lgg-mri-segmentation" / "kaggle_3m")
    assert READER.read(tmp_path).root == tmp_path / "kaggle_3m"


def test_files_without_a_partner_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path, {DU: (1, 2, 3)})
    (tmp_path / DU / f"{DU}_1_mask.tif").unlink()
    (tmp_path / DU / f"{DU}_3.tif").unlink()
    with caplog.at_level(logging.WARNING):
        assert READER.read(tmp_path).column("slice").tolist() == ["2"]
    assert "2 left out" in caplog.text
    assert DU not in caplog.text


def test_masks_without_any_image_are_an_error(tmp_path: Path) -> None:
    make(tmp_path, {DU: (1,)})
    (tmp_path / DU / f"{DU}_1.tif").unlink()
    with pytest.raises(CatalogueError, match="no slice has both image and mask"):
        READER.read(tmp_path)


def test_a_name_without_a_slice_number_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, {DU: (1,)})
    for name in ("overview.tif", "overview_mask.tif"):
        (tmp_path / DU / name).write_bytes(b"x")
    with pytest.raises(CatalogueError, match=r"overview\.tif: the name does not end with the slice's number"):
        READER.read(tmp_path)


@pytest.mark.parametrize("name", ["patient1/patient1_1_mask.tif", "TCGA_DU_5849_19950405/slice_1.tif", "kaggle_3m/data.csv"])
def test_other_folders_do_not_match(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes(b"x")
    assert not READER.matches(tmp_path)
    with pytest.raises(CatalogueError, match="Expected kaggle_3m/TCGA_SITE_PATIENT_DAY/"):
        READER.read(tmp_path)


def test_site_of_another_name_is_unknown() -> None:
    assert site_of(HT) == "HT"
    assert site_of("patient1") == ""


def test_a_phantom_is_read_back_with_its_hospitals(tmp_path: Path) -> None:
    READER.write_phantom(tmp_path, 30, 0)
    found = READER.read(tmp_path)
    assert found.phantom
    assert len(found) == 30
    assert "" not in set(found.column("site"))


@pytest.mark.data
def test_the_real_set_has_its_published_counts_and_hospitals(real_data: Path) -> None:
    found = READER.read(real_data / "lgg_mri_segmentation")
    assert len(found) == 686
    assert Counter(found.column("site")) == {"DU": 341, "HT": 242, "FG": 103}
    assert len(set(found.patients)) == 82
    assert len({patient.rpartition("_")[0] for patient in found.patients}) == 82  # one examination a patient
    assert found.masks is not None
    assert all((found.root / mask).is_file() for mask in found.masks)
    assert not found.phantom
