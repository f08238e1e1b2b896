"""Folders of images beside folders of masks."""

import logging
from pathlib import Path

import pytest

from wardround.data.datasets.image_mask import READER
from wardround.errors import CatalogueError
from wardround.testing import check_dataset


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def pairs(root: Path) -> Path:
    return touch(root, "images/a.png", "images/b.png", "masks/a.png", "masks/b_mask.png")


@pytest.mark.parametrize(("images", "masks"), [("images", "masks"), ("images", "labels"), ("imagesTr", "labelsTr"), ("Images", "Masks")])
def test_images_beside_masks(tmp_path: Path, images: str, masks: str) -> None:
    found = READER.read(touch(tmp_path, f"{images}/a.nii.gz", f"{masks}/a.nii.gz"))
    assert found.images.tolist() == [f"{images}/a.nii.gz"]
    assert found.masks is not None
    assert found.masks.tolist() == [f"{masks}/a.nii.gz"]
    assert found.task == READER.task == "segmentation"
    assert found.patients.tolist() == [""]


def test_masks_are_binary_unless_told_otherwise(tmp_path: Path) -> None:
    found = READER.read(pairs(tmp_path))
    assert found.classes == ("background", "foreground")
    assert found.mask_values == {0: 0, 1: 1, 255: 1}


def test_the_reader_keeps_its_promises(tmp_path: Path) -> None:
    check_dataset(READER, pairs(tmp_path))
    check_dataset(READER, pairs(tmp_path / "above" / "inside").parent)


def test_split_folders_are_published_splits(tmp_path: Path) -> None:
    touch(tmp_path, *[f"{split}/{kind}/a.png" for split in ("train", "valid", "test") for kind in ("images", "masks")])
    found = READER.read(tmp_path)
    assert found.splits.tolist() == ["train", "val", "test"]
    assert found.images[0] == "train/images/a.png"
    assert found.masks is not None
    assert found.masks[0] == "train/masks/a.png"


def test_a_split_without_masks_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "train/images/a.png", "train/masks/a.png", "test/images/b.png")
    with caplog.at_level(logging.WARNING):
        assert READER.read(tmp_path).splits.tolist() == ["train"]
    assert "images without a folder of masks are left out" in caplog.text


def test_files_without_a_partner_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(pairs(tmp_path), "images/c.png")
    with caplog.at_level(logging.WARNING):
        assert len(READER.read(tmp_path)) == 2
    assert "1 left out" in caplog.text
    assert "c.png" not in caplog.text


def test_no_pair_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no image has a mask of the same name"):
        READER.read(touch(tmp_path, "images/a.png", "masks/b.png"))


@pytest.mark.parametrize("names", [
    ("images/a.png", "labels/a.txt"),  # boxes, not masks
    ("images/a.png", "masks/a.png", "manifest.csv"),
    ("imagesTr/a.nii.gz", "labelsTr/a.nii.gz", "dataset.json"),
    ("healthy/a.png", "sick/a.png"),
    ("TCGA_DU_5849_19950405/TCGA_DU_5849_19950405_1.tif", "TCGA_DU_5849_19950405/TCGA_DU_5849_19950405_1_mask.tif")])
def test_other_layouts_do_not_match(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *names)
    if (tmp_path / "manifest.csv").exists():
        (tmp_path / "manifest.csv").write_text("image,label\nimages/a.png,sick\n")
    assert not READER.matches(tmp_path)


def test_another_layout_is_an_error_that_shows_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"Expected images/NAME.png with masks/NAME.png"):
        READER.read(tmp_path)


def test_classes_json_names_the_classes(tmp_path: Path) -> None:
    (pairs(tmp_path) / "classes.json").write_text('{"classes": ["background", "liver", "tumour"], "values": {"0": 0, "128": 1, "255": 2}}')
    found = READER.read(tmp_path)
    assert found.classes == ("background", "liver", "tumour")
    assert found.mask_values == {0: 0, 128: 1, 255: 2}


@pytest.mark.parametrize(("text", "said"), [
    ("{", "not of the form"),
    ('{"classes": ["a", "b"]}', "not of the form"),
    ('{"classes": ["a", "b"], "values": {"x": 0}}', "not of the form"),
    ('{"classes": ["a"], "values": {"0": 0}}', "1 classes"),
    ('{"classes": ["a", "a"], "values": {"0": 0, "1": 1}}', "1 of them different"),
    ('{"classes": ["a", "b"], "values": {"0": 0, "1": 2}}', r"Expected each of 0\.\.1"),
    ('{"classes": ["a", "b"], "values": {"1": 1}}', r"Expected each of 0\.\.1")])
def test_a_wrong_classes_json_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    (pairs(tmp_path) / "classes.json").write_text(text)
    with pytest.raises(CatalogueError, match=said):
        READER.read(tmp_path)


@pytest.mark.parametrize("cells", [("images/a.png", "images/b.png"), ("b.png", "a.png"), ("a", "b")])
def test_patients_csv_tells_patients_and_sites(tmp_path: Path, cells: tuple[str, str]) -> None:
    table = "".join(f"{cell},p-{Path(cell).stem},north,{Path(cell).stem}\n" for cell in cells)
    (pairs(tmp_path) / "patients.csv").write_text("Image,Patient,Site,series\n" + table)
    found = READER.read(tmp_path)
    assert found.patients.tolist() == ["p-a", "p-b"]
    assert found.column("site").tolist() == ["north", "north"]
    assert found.column("series").tolist() == ["a", "b"]
    assert "image" not in found.columns


@pytest.mark.parametrize(("table", "said"), [
    ("image,patient\na.png,p1\n", r"no patient for 1 of 2 images \(first: images/b.png\)"),
    ("image,patient\na.png,p1\nb.png,\n", "no patient for 1 of 2 images"),
    ("image,patient\na.png,p1\na.png,p2\n", "contradict each other"),
    ("file,patient\na.png,p1\n", "expected the columns image and patient, found file, patient"),
    ("image,patient\n", "found no rows")])
def test_a_wrong_patients_csv_is_an_error(tmp_path: Path, table: str, said: str) -> None:
    (pairs(tmp_path) / "patients.csv").write_text(table)
    with pytest.raises(CatalogueError, match=said):
        READER.read(tmp_path)


def test_it_has_no_phantom(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="'image-mask' has no phantoms"):
        READER.write_phantom(tmp_path, 10, 0)
