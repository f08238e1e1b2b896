"""Listing of labelled folders."""

from pathlib import Path

import pytest

from wardround.data.datasets.layout import class_order, image_names, is_image_name, list_classes, locate, split_folders, subfolders
from wardround.errors import CatalogueError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.mark.parametrize("name", ["a.png", "A.JPEG", "x.nii.gz", "x.dcm", "IM0001", "1.2.840.113619", "old.gif"])
def test_counts_as_an_image(name: str) -> None:
    assert is_image_name(name)


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "notes.txt", "labels.csv", ".hidden.png", "._a.png", "README", "x.gz"])
def test_is_no_image(name: str) -> None:
    assert not is_image_name(name)


def test_hidden_and_archiver_folders_are_not_there(tmp_path: Path) -> None:
    touch(tmp_path, ".ipynb_checkpoints/a.png", "__MACOSX/a.png", "b/a.png", "a/a.png", "file.png")
    assert subfolders(tmp_path) == ["a", "b"]
    assert image_names(tmp_path) == ["file.png"]


def test_split_folders_come_in_the_order_of_the_splits_in_any_case(tmp_path: Path) -> None:
    touch(tmp_path, "TEST/x", "Train/x", "extra/x")
    assert split_folders(tmp_path, {"train": "train", "val": "val", "test": "test"}) == [("Train", "train"), ("TEST", "test")]


def test_rows_are_ordered_by_split_class_and_name(tmp_path: Path) -> None:
    touch(tmp_path, "test/cat/1.png", "train/dog/2.png", "train/dog/1.png", "train/cat/9.png", "train/cat/note.txt")
    listing = list_classes(tmp_path, [("train", "train"), ("test", "test")], ("dog", "cat"), "pets")
    assert listing.images == ["train/dog/1.png", "train/dog/2.png", "train/cat/9.png", "test/cat/1.png"]
    assert listing.label_array().tolist() == [0, 0, 1, 1]
    assert listing.splits == ["train", "train", "train", "test"]


def test_an_unknown_class_folder_is_named_with_the_nearest(tmp_path: Path) -> None:
    touch(tmp_path, "gliomma/1.png")
    with pytest.raises(CatalogueError, match=r"'gliomma' is no class of 'brains'. Did you mean 'glioma'\? Classes: glioma, notumor"):
        list_classes(tmp_path, [("", "")], ("glioma", "notumor"), "brains")


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png", "dog/note.txt")
    with pytest.raises(CatalogueError, match=r"dog: the folder of class 'dog' holds no image"):
        list_classes(tmp_path, [("", "")], ("cat", "dog"), "pets")


@pytest.mark.parametrize("given", [".", "sub", "sub/set", "sub/set/train"])
def test_the_folder_its_parents_and_a_split_lead_to_the_same_root(tmp_path: Path, given: str) -> None:
    touch(tmp_path, "sub/set/train/cat/1.png")
    assert locate(tmp_path / given, {"train": "train"}, lambda folder: (folder / "train").is_dir()) == tmp_path / "sub" / "set"


def test_two_fitting_folders_are_not_guessed_between(tmp_path: Path) -> None:
    touch(tmp_path, "one/train/cat/1.png", "two/train/cat/1.png")
    assert locate(tmp_path, {"train": "train"}, lambda folder: (folder / "train").is_dir()) is None


def test_a_folder_beside_the_splits_does_not_lead_to_them(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "extra/cat/1.png")
    assert locate(tmp_path / "extra", {"train": "train"}, lambda folder: (folder / "train").is_dir()) is None


def test_numbers_are_ordered_by_value() -> None:
    assert class_order({"10", "9", "1"}) == ("1", "9", "10")
    assert class_order({"b", "10", "a"}) == ("10", "a", "b")


def test_a_folder_that_may_not_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(CatalogueError, match=r"cannot be listed \(Permission denied\)"):
        image_names(tmp_path)
