"""MedMNIST files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wardround.data.datasets.medmnist import PNEUMONIA, MedMnist
from wardround.data.labels import class_counts
from wardround.data.readers.image import load
from wardround.errors import CatalogueError
from wardround.testing import check_dataset

FILE = "pneumoniamnist.npz"


def arrays(**changed: Any) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made = {}
    for split, num in (("train", 4), ("val", 2), ("test", 3)):
        made[f"{split}_images"] = rng.integers(0, 255, (num, 28, 28), dtype=np.uint8)
        made[f"{split}_labels"] = (np.arange(num, dtype=np.uint8) % 2)[:, None]
    return {key: value for key, value in {**made, **changed}.items() if value is not None}


def write(root: Path, **changed: Any) -> Path:
    np.savez(root / FILE, **arrays(**changed))
    return root


@pytest.mark.parametrize("given", [".", FILE])
def test_the_folder_or_the_file_is_read(tmp_path: Path, given: str) -> None:
    found = PNEUMONIA.read(write(tmp_path) / given)
    assert found.classes == ("normal", "pneumonia")
    assert found.splits.tolist() == ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    assert found.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert found.images[3] == "pneumoniamnist.npz#train_images/3"
    assert found.root == tmp_path


def test_images_of_the_catalogue_can_be_loaded(tmp_path: Path) -> None:
    found = PNEUMONIA.read(write(tmp_path))
    pixels = load(found.root, found.images[-1]).pixels
    assert np.array_equal(pixels[0, 0], arrays()["test_images"][2])


def test_flat_labels_are_accepted(tmp_path: Path) -> None:
    assert PNEUMONIA.read(write(tmp_path, val_labels=np.array([1, 0]))).labels[4:6].tolist() == [1, 0]


def test_another_set_is_one_more_line(tmp_path: Path) -> None:
    blood = MedMnist(name="bloodmnist", title="BloodMNIST", file="bloodmnist.npz", classes=("a", "b", "c"))
    colour = arrays(train_images=np.zeros((4, 28, 28, 3), np.uint8), train_labels=np.array([[2], [0], [1], [2]]))
    np.savez(tmp_path / "bloodmnist.npz", **colour)
    assert blood.task == "multiclass"
    assert PNEUMONIA.task == "binary"
    assert blood.read(tmp_path).labels[:4].tolist() == [2, 0, 1, 2]
    with pytest.raises(CatalogueError, match="'bloodmnist' has no phantoms"):
        blood.write_phantom(tmp_path, 10, 0)


def test_the_reader_keeps_its_promises(tmp_path: Path) -> None:
    check_dataset(PNEUMONIA, write(tmp_path))


@pytest.mark.parametrize(("changed", "message"), [
    ({"val_labels": None}, r"no array 'val_labels'. MedMNIST files have .* found: test_images"),
    ({"train_images": np.zeros((4, 28, 28, 28), np.uint8)}, r"'train_images' is \(4, 28, 28, 28\) uint8; .* Volumes"),
    ({"train_images": np.zeros((4, 28, 28), np.float32)}, r"'train_images' is \(4, 28, 28\) float32; expected .* uint8"),
    ({"test_labels": np.zeros((3, 2), np.uint8)}, r"'test_labels' is \(3, 2\) uint8; expected \(3, 1\)"),
    ({"test_labels": np.zeros((5, 1), np.uint8)}, r"'test_labels' is \(5, 1\) uint8; expected \(3, 1\)"),
    ({"test_labels": np.zeros((3, 1))}, r"'test_labels' is \(3, 1\) float64; expected"),
    ({"test_labels": np.array([[0], [7], [1]])}, r"holds 0 to 7; 'pneumoniamnist' has the labels 0 to 1 \(normal, pneumonia\)"),
    ({"val_labels": np.array([0, 1], dtype=object)}, r"holds Python objects, which are never unpickled"),
])
def test_a_file_of_another_form_is_an_error(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        PNEUMONIA.read(write(tmp_path, **changed))


def test_a_cut_file_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path) / FILE
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(CatalogueError, match="damaged or cut short"):
        PNEUMONIA.read(path)


def test_a_folder_without_the_file_is_an_error(tmp_path: Path) -> None:
    assert not PNEUMONIA.matches(tmp_path)
    with pytest.raises(CatalogueError, match=r"no file pneumoniamnist.npz"):
        PNEUMONIA.read(tmp_path)
    with pytest.raises(CatalogueError, match="does not exist"):
        PNEUMONIA.read(tmp_path / "absent")


def test_a_phantom_is_read_back(tmp_path: Path) -> None:
    PNEUMONIA.write_phantom(tmp_path, 40, 0)
    found = PNEUMONIA.read(tmp_path)
    assert found.phantom
    assert len(found) == 40
    assert PNEUMONIA.read(tmp_path / FILE).phantom


def test_a_phantom_never_replaces_real_images(tmp_path: Path) -> None:
    before = (write(tmp_path) / FILE).read_bytes()
    with pytest.raises(CatalogueError, match="was not drawn by wardround"):
        PNEUMONIA.write_phantom(tmp_path, 40, 0)
    assert (tmp_path / FILE).read_bytes() == before
    assert not PNEUMONIA.read(tmp_path).phantom


@pytest.mark.data
def test_the_real_file_has_the_counts_of_its_readme(real_data: Path) -> None:
    found = PNEUMONIA.read(real_data / "pneumoniamnist")
    counts = {split: class_counts(found.labels[found.splits == split], 2).tolist() for split in ("train", "val", "test")}
    assert counts == {"train": [333, 2977], "val": [116, 325], "test": [234, 390]}
    assert load(found.root, found.images[0]).pixels.shape == (1, 1, 28, 28)
