"""Any labelled folder."""

from pathlib import Path

import pytest

from wardround.data.datasets.folder import READER
from wardround.errors import CatalogueError
from wardround.testing import check_dataset


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_class_folders_without_splits(tmp_path: Path) -> None:
    found = READER.read(touch(tmp_path, "sick/b.png", "sick/a.dcm", "healthy/c.nii.gz"))
    assert found.classes == ("healthy", "sick")
    assert found.images.tolist() == ["healthy/c.nii.gz", "sick/a.dcm", "sick/b.png"]
    assert found.labels.tolist() == [0, 1, 1]
    assert found.splits.tolist() == ["", "", ""]


def test_class_folders_in_splits(tmp_path: Path) -> None:
    found = READER.read(touch(tmp_path, "train/sick/b.png", "train/healthy/a.png", "valid/sick/c.png", "Test/rare/d.png"))
    assert found.classes == ("healthy", "rare", "sick")
    assert found.splits.tolist() == ["train", "train", "val", "test"]


def test_what_is_no_image_is_no_row(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/.DS_Store", "a/Thumbs.db", "a/note.txt", "a/table.csv", "b/1.png", "b/.git/1.png",
          ".ipynb_checkpoints/1.png")
    assert READER.read(tmp_path).images.tolist() == ["a/1.png", "b/1.png"]


def test_numbered_classes_are_ordered_by_value(tmp_path: Path) -> None:
    assert READER.read(touch(tmp_path, "10/a.png", "9/a.png")).classes == ("9", "10")


def test_two_spellings_of_one_class_stay_two_classes(tmp_path: Path) -> None:
    assert READER.read(touch(tmp_path, "glioma/a.png", "glioma_tumor/a.png")).labels.tolist() == [0, 1]


def test_the_reader_keeps_its_promises(tmp_path: Path) -> None:
    check_dataset(READER, touch(tmp_path, "a/1.png", "b/1.png"))


@pytest.mark.parametrize("names", [("only/a.png",), ("a.png", "b.png"), ("a/deep/1.png", "b/deep/1.png")])
def test_fewer_than_two_folders_of_images_do_not_match(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert not READER.matches(touch(tmp_path, *names))


def test_a_folder_without_class_folders_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"no class folders. Expected CLASS/image.png"):
        READER.read(touch(tmp_path, "a.png"))


def test_an_empty_class_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="the folder of class 'b' holds no image"):
        READER.read(touch(tmp_path, "a/1.png", "b/readme.txt"))


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="does not exist"):
        READER.read(tmp_path / "absent")


def test_it_has_no_phantom(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"'folder' has no phantoms. Name a folder of images with --data DIR"):
        READER.write_phantom(tmp_path, 10, 0)
