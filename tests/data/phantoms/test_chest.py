import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.core.events import Progress, silent
from wardround.data.phantoms import chest

NUM = 100


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.jpeg"))}


def patient(name: str) -> str:
    found = re.fullmatch(r".*/(?:(IM-\d{4})-\d{4}|(person\d+)_(?:bacteria|virus)_\d+)\.jpeg", name)
    assert found, name
    return found[1] or found[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chest")
    chest.write_folders(folder, NUM, 0, silent)
    return folder


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    path = tmp_path_factory.mktemp("mnist") / "pneumoniamnist.npz"
    chest.write_npz(path, NUM, 0, silent)
    with np.load(path) as file:
        return dict(file)


def test_splits_hold_seventy_ten_and_twenty_per_cent_and_three_fifths_are_pneumonia(folder: Path):
    counts = {(split, name): len(list((folder / split / name).iterdir())) for split in chest.SPLITS for name in chest.CLASSES}
    assert counts == {("train", "NORMAL"): 28, ("val", "NORMAL"): 4, ("test", "NORMAL"): 8,
                      ("train", "PNEUMONIA"): 42, ("val", "PNEUMONIA"): 6, ("test", "PNEUMONIA"): 12}


def test_files_are_named_as_in_the_real_set_and_no_patient_is_in_two_splits_or_classes(folder: Path):
    homes: dict[str, set[str]] = {}
    for name in files(folder):
        homes.setdefault(patient(name), set()).add(name.rsplit("/", 1)[0])
    assert all(len(places) == 1 for places in homes.values())


def test_some_patients_have_several_images(folder: Path):
    patients = [patient(name) for name in files(folder)]
    assert len(patients) == NUM
    assert NUM / 2 < len(set(patients)) < NUM


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path):
    chest.write_folders(tmp_path, NUM, 0, silent)
    assert files(tmp_path) == files(folder)


def test_another_seed_gives_other_images(folder: Path, tmp_path: Path):
    chest.write_folders(tmp_path, NUM, 1, silent)
    assert not set(files(tmp_path).values()) & set(files(folder).values())


def test_a_smaller_phantom_leaves_nothing_of_a_larger_one(tmp_path: Path):
    chest.write_folders(tmp_path, 40, 0, silent)
    chest.write_folders(tmp_path, 30, 0, silent)
    assert len(files(tmp_path)) == 30


def test_every_class_is_in_every_split_of_the_smallest_phantom(tmp_path: Path):
    chest.write_folders(tmp_path, 30, 3, silent)
    assert {name.rsplit("/", 1)[0] for name in files(tmp_path)} == {f"{s}/{c}" for s in chest.SPLITS for c in chest.CLASSES}


def test_images_are_grey_jpegs_of_224_px(folder: Path):
    for path in folder.rglob("*.jpeg"):
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "L", (224, 224))


def test_lungs_are_darker_than_the_heart_between_them_and_pneumonia_makes_them_brighter():
    films = chest._films(200, 0)
    images = {label: np.stack([chest.draw(film, 0) for film in films if film.label == label][:60]) / 255 for label in (0, 1)}
    lungs = {label: np.concatenate([x[:, 70:140, 35:75], x[:, 70:140, 150:190]], axis=2).mean() for label, x in images.items()}
    heart = images[0][:, 110:150, 108:130].mean()
    assert lungs[0] < heart - 0.15
    assert lungs[1] > lungs[0] + 0.03


def test_npz_has_the_keys_shapes_and_types_of_medmnist(arrays: dict[str, np.ndarray]):
    assert {key: (value.shape, value.dtype.name) for key, value in arrays.items()} == {
        "train_images": ((70, 28, 28), "uint8"), "val_images": ((10, 28, 28), "uint8"), "test_images": ((20, 28, 28), "uint8"),
        "train_labels": ((70, 1), "uint8"), "val_labels": ((10, 1), "uint8"), "test_labels": ((20, 1), "uint8")}
    assert arrays["train_labels"].sum() == 42


def test_npz_holds_the_films_of_the_folders_shrunk(folder: Path, arrays: dict[str, np.ndarray]):
    means = {name: sorted(np.asarray(Image.open(path)).mean() for path in (folder / "test" / name).iterdir()) for name in chest.CLASSES}
    for label, name in enumerate(chest.CLASSES):
        shrunk = sorted(arrays["test_images"][arrays["test_labels"][:, 0] == label].mean(axis=(1, 2)))
        assert shrunk == pytest.approx(means[name], abs=1)


def test_npz_of_the_same_seed_has_the_same_bytes_and_an_older_file_is_replaced(tmp_path: Path):
    path, again = tmp_path / "a.npz", tmp_path / "b.npz"
    path.write_bytes(b"old")
    chest.write_npz(path, 30, 0, silent)
    chest.write_npz(again, 30, 0, silent)
    assert path.read_bytes() == again.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_progress_ends_at_the_number_of_images(tmp_path: Path):
    seen: list[Progress] = []
    chest.write_npz(tmp_path / "a.npz", 30, 0, seen.append)
    assert [(event.stage, event.done, event.total) for event in seen] == [("phantom", 30, 30)]
