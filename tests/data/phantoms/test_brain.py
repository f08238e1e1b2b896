from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.core.events import Progress, silent
from wardround.data.phantoms import brain
from wardround.errors import CatalogueError
from wardround.rng import stream


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brain")
    brain.write(folder, 42, 0, silent)
    return folder


@pytest.fixture(scope="module")
def slices() -> dict[str, np.ndarray]:
    return {name: np.stack([brain.draw(name, stream(name, i)) for i in range(60)]) / 255 for name in brain.CLASSES}


def test_the_classes_are_as_equal_as_the_number_allows(folder: Path):
    assert [len(list(folder.glob(f"*/{name}/*.jpg"))) for name in brain.CLASSES] == [11, 11, 10, 10]


def test_a_fifth_of_each_class_is_for_testing(folder: Path):
    assert [len(list((folder / "Testing" / name).iterdir())) for name in brain.CLASSES] == [2, 2, 2, 2]


def test_files_are_named_as_in_the_real_set(folder: Path):
    names = set(files(folder))
    assert {"Training/glioma/Tr-gl_0010.jpg", "Testing/notumor/Te-no_0010.jpg", "Training/pituitary/Tr-pi_0010.jpg",
            "Testing/meningioma/Te-me_0011.jpg"} <= names


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path):
    brain.write(tmp_path, 42, 0, silent)
    assert files(tmp_path) == files(folder)


def test_another_seed_gives_other_images_under_the_same_names(folder: Path, tmp_path: Path):
    brain.write(tmp_path, 42, 1, silent)
    first, second = files(folder), files(tmp_path)
    assert list(first) == list(second)
    assert not any(first[name] == second[name] for name in first)


def test_no_two_images_are_the_same(folder: Path):
    contents = list(files(folder).values())
    assert len(set(contents)) == len(contents)


def test_a_smaller_phantom_leaves_nothing_of_a_larger_one(tmp_path: Path):
    brain.write(tmp_path, 44, 0, silent)
    (tmp_path / "Training" / "glioma" / "Tr-gl_0011.jpg").write_bytes(b"killed while writing")
    brain.write(tmp_path, 32, 0, silent)
    assert len(files(tmp_path)) == 32
    assert b"killed while writing" not in files(tmp_path).values()


def test_images_are_grey_jpegs_of_224_px(folder: Path):
    for path in folder.rglob("*.jpg"):
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "L", (224, 224))


def test_the_head_is_bright_on_a_dark_background(slices: dict[str, np.ndarray]):
    for images in slices.values():
        assert images[:, :12, :12].mean() < 0.1
        assert (np.median(images[:, 80:140, 80:140], axis=(1, 2)) > 0.1).all()
        assert ((images > 0.98).mean(axis=(1, 2)) < 0.12).all()


@pytest.mark.parametrize("name", ["glioma", "meningioma", "pituitary"])
def test_a_tumour_stands_out_more_than_anything_in_slices_without_one(name: str, slices: dict[str, np.ndarray]):
    assert outstanding(slices[name]) > 1.1 * outstanding(slices["notumor"])


def test_a_pituitary_tumour_lies_on_the_midline(slices: dict[str, np.ndarray]):
    middle, aside = slices["pituitary"][:, 60:180, 102:122], slices["pituitary"][:, 60:180, 62:82]
    normal_middle, normal_aside = slices["notumor"][:, 60:180, 102:122], slices["notumor"][:, 60:180, 62:82]
    assert middle.mean() - aside.mean() > normal_middle.mean() - normal_aside.mean() + 0.01


def test_progress_ends_at_the_number_of_images(tmp_path: Path):
    seen: list[Progress] = []
    brain.write(tmp_path, 60, 0, seen.append)
    assert [(event.stage, event.done, event.total) for event in seen] == [("phantom", 50, 60), ("phantom", 60, 60)]


def test_images_of_others_are_not_touched(tmp_path: Path):
    theirs = tmp_path / "Training" / "glioma" / "Tr-gl_0010.jpg"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"a real image")
    with pytest.raises(CatalogueError, match="Name an empty folder"):
        brain.write(tmp_path, 40, 0, silent)
    assert theirs.read_bytes() == b"a real image"


def outstanding(images: np.ndarray) -> float:
    """The largest contrast between a square of 24 px and the ring 8 px wide around it, within the brain; mean over images."""
    blocks = images.reshape(len(images), 28, 8, 28, 8).mean(axis=(2, 4))[:, 6:19, 7:21]
    windows = np.lib.stride_tricks.sliding_window_view(blocks, (5, 5), axis=(1, 2))
    middle = windows[..., 1:4, 1:4].mean(axis=(-2, -1))
    ring = (windows.sum(axis=(-2, -1)) - 9 * middle) / 16
    return float(np.abs(middle - ring).max(axis=(1, 2)).mean())
