"""Brain MRI, four classes: both layouts, and the real set."""

from collections import Counter
from pathlib import Path

import pytest

from wardround.data.datasets.base import mark_phantom
from wardround.data.datasets.brain_tumour_mri import READER
from wardround.errors import CatalogueError
from wardround.testing import check_dataset

PLAIN = ("glioma", "meningioma", "notumor", "pituitary")
LONG = ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor")


def make(root: Path, classes: tuple[str, ...]) -> Path:
    for split in ("Training", "Testing"):
        for name in classes:
            (root / split / name).mkdir(parents=True)
            (root / split / name / "image(1).jpg").write_bytes(b"x")
    return root


@pytest.mark.parametrize("classes", [PLAIN, LONG])
def test_both_layouts_have_the_same_classes(tmp_path: Path, classes: tuple[str, ...]) -> None:
    found = READER.read(make(tmp_path, classes))
    assert found.classes == PLAIN
    assert found.labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert found.splits.tolist() == ["train"] * 4 + ["test"] * 4
    assert found.images[0] == f"Training/{classes[0]}/image(1).jpg"
    assert set(found.patients) == {""}
    assert not found.phantom


def test_the_reader_keeps_its_promises(tmp_path: Path) -> None:
    check_dataset(READER, make(tmp_path, LONG))


@pytest.mark.parametrize("given", ["..", "Training"])
def test_a_parent_or_a_split_is_understood(tmp_path: Path, given: str) -> None:
    root = make(tmp_path / "set", PLAIN)
    assert len(READER.read((root / given).resolve())) == 8


def test_a_fifth_class_is_an_error_that_names_it(tmp_path: Path) -> None:
    root = make(tmp_path, (*PLAIN, "astrocytoma"))
    with pytest.raises(CatalogueError, match=r"'astrocytoma' is no class of 'brain-tumour-mri'"):
        READER.read(root)


def test_an_emptied_class_is_an_error_that_names_it(tmp_path: Path) -> None:
    root = make(tmp_path, PLAIN)
    (root / "Testing" / "notumor" / "image(1).jpg").unlink()
    with pytest.raises(CatalogueError, match=r"Testing/notumor: the folder of class 'notumor' holds no image"):
        READER.read(root)


def test_another_layout_is_an_error_that_shows_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(CatalogueError, match=r"Expected \{Training,Testing\}/\{glioma,meningioma,notumor,pituitary\}"):
        READER.read(tmp_path)


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"does not exist. Name the folder of .* with --data DIR"):
        READER.read(tmp_path / "absent")


def test_a_marked_folder_is_a_phantom(tmp_path: Path) -> None:
    root = make(tmp_path / "set", PLAIN)
    mark_phantom(root, dataset=READER.name, num=8, seed=0)
    assert READER.read(root).phantom
    assert READER.read(tmp_path).phantom  # the mark is found where the set was found


def test_a_phantom_is_read_back_and_written_once(tmp_path: Path) -> None:
    READER.write_phantom(tmp_path, 40, 3)
    found = READER.read(tmp_path)
    assert found.phantom
    assert len(found) == 40
    assert set(found.labels) == {0, 1, 2, 3}
    (tmp_path / found.images[0]).unlink()
    READER.write_phantom(tmp_path, 40, 3)
    assert len(READER.read(tmp_path)) == 39  # the same phantom is not drawn again


def test_a_phantom_never_replaces_real_images(tmp_path: Path) -> None:
    make(tmp_path, PLAIN)
    with pytest.raises(CatalogueError, match="not drawn by wardround"):
        READER.write_phantom(tmp_path, 40, 0)
    found = READER.read(tmp_path)
    assert not found.phantom
    assert all((tmp_path / image).read_bytes() == b"x" for image in found.images)


@pytest.mark.data
def test_the_real_set_has_its_published_counts(real_data: Path) -> None:
    found = READER.read(real_data / "brain_tumor_mri")
    counts = Counter((split, found.classes[label]) for split, label in zip(found.splits, found.labels, strict=True))
    assert counts == {("train", "glioma"): 1111, ("train", "meningioma"): 1130, ("train", "notumor"): 1353, ("train", "pituitary"): 1250,
                      ("test", "glioma"): 261, ("test", "meningioma"): 254, ("test", "notumor"): 343, ("test", "pituitary"): 261}
