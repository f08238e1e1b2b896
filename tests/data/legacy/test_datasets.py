"""Pickled data sets in the forms that people pickled them in, as a labelled folder that our readers know."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from wardround.data.datasets.base import detect
from wardround.data.legacy.datasets import Converted, convert, read
from wardround.errors import DataError

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
LABELS = [0, 2, 3, 0, 1]
IMAGES = [np.full((6, 8), 40 * place, np.uint8) + np.arange(8, dtype=np.uint8) for place in range(5)]
ONE_HOT = np.eye(4)[LABELS]

FORMS: dict[str, Any] = {
    "[labels, images]": [LABELS, IMAGES],
    "(images, labels)": (np.stack(IMAGES), np.array(LABELS)),
    "pairs": list(zip(IMAGES, LABELS, strict=True)),
    "pairs, label first": [[label, image] for image, label in zip(IMAGES, LABELS, strict=True)],
    "dict": {"images": IMAGES, "labels": LABELS},
    "dict, other keys": {"X": np.stack(IMAGES)[..., None], "y": np.array(LABELS)[:, None]},
    "one-hot": [ONE_HOT, np.stack(IMAGES)],
    "one-hot pairs": [(image, row) for image, row in zip(IMAGES, ONE_HOT.astype(int), strict=True)],
    "tensors": (torch.tensor(np.stack(IMAGES))[:, None], torch.tensor(LABELS)),
    "list of tensors": [[torch.tensor(label) for label in LABELS], [torch.tensor(image) for image in IMAGES]],
    "nested lists": [LABELS, [image.tolist() for image in IMAGES]],
    "floats as labels": (np.stack(IMAGES), np.array(LABELS, float)),
    "pictures": [LABELS, [Image.fromarray(image) for image in IMAGES]],
    "names": [[CLASSES[label] for label in LABELS], IMAGES],
    "array of names": (np.stack(IMAGES), np.array([CLASSES[label] for label in LABELS])),
}


def object_pairs() -> np.ndarray:
    pairs = np.empty((5, 2), object)
    for place in range(5):
        pairs[place, 0], pairs[place, 1] = IMAGES[place], LABELS[place]
    return pairs


@pytest.fixture
def converted(tmp_path: Path) -> Callable[..., Converted]:
    def run(value: Any, protocol: int = 4, **options: Any) -> Converted:
        (tmp_path / "old.p").write_bytes(pickle.dumps(value, protocol))
        return convert(tmp_path / "old.p", tmp_path / "folder", **options)

    return run


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("form", [*FORMS, "array of pairs"])
def test_every_form_gives_the_same_folder(form: str, protocol: int, converted: Callable[..., Converted]) -> None:
    found = converted(FORMS.get(form, object_pairs()), protocol, classes=CLASSES)
    assert found.counts == {"glioma": 2, "meningioma": 1, "notumor": 1, "pituitary": 1}
    assert (found.refused, found.has_manifest) == ({}, False)
    assert np.array_equal(np.asarray(Image.open(found.folder / "glioma" / "00002.png")), IMAGES[3])
    reader = detect(found.folder)
    assert reader is not None
    assert reader.read(found.folder).classes == CLASSES


def test_a_file_of_torch_save_is_read_too(tmp_path: Path) -> None:
    torch.save((torch.tensor(np.stack(IMAGES)), torch.tensor(LABELS)), tmp_path / "old.pt")
    assert convert(tmp_path / "old.pt", tmp_path / "folder").counts == {"0": 2, "1": 1, "2": 1, "3": 1}


def test_mobilenet_scaling_is_undone_and_said(converted: Callable[..., Converted]) -> None:
    found = converted([LABELS, [image / 127.5 - 1 for image in IMAGES[:-1]] + [np.linspace(-1, 1, 48).reshape(6, 8)]])
    assert found.rule == "-1..1 became 0..255"
    assert np.array_equal(np.asarray(Image.open(found.folder / "0" / "00002.png")), IMAGES[3])
    assert "-1..1" in found.facts()["grey values"]


def test_two_pairs_are_not_two_columns(converted: Callable[..., Converted]) -> None:
    assert converted([(IMAGES[0], 0), (IMAGES[1], 1)]).counts == {"0": 1, "1": 1}


def test_known_patients_and_sites_go_to_a_manifest(converted: Callable[..., Converted]) -> None:
    found = converted({"images": IMAGES, "labels": LABELS, "patients": [11, 11, 12, 13, 14], "sites": np.array(list("abaab"))},
                      classes=CLASSES)
    assert found.has_manifest
    assert (found.folder / "manifest.csv").read_text().splitlines()[:3] == ["image,label,patient,site", "glioma/00001.png,glioma,11,a",
                                                                             "notumor/00001.png,notumor,11,b"]
    reader = detect(found.folder)
    assert reader is not None
    catalogue = reader.read(found.folder)
    assert catalogue.patients.tolist() == ["11", "11", "12", "13", "14"]
    assert catalogue.column("site").tolist() == list("abaab")


def test_rows_that_cannot_be_written_are_counted_by_reason(converted: Callable[..., Converted]) -> None:
    found = converted([[0, 1, 0.5, [1, 1, 0], 1], [*IMAGES[:4], np.full((6, 8), np.nan)]])
    assert found.counts == {"0": 1, "1": 1}
    assert found.refused == {"label is neither a number, a name nor one-hot": 2, "image holds values that are not finite": 1}
    assert "2 (label" in found.facts()["left out"]


@pytest.mark.parametrize(("value", "message"), [
    ({"pictures": IMAGES, "labels": LABELS}, "a dict with the keys labels, pictures"), ("text", "a str of 0"), ([], "a list of 0"),
    ({"images": IMAGES, "labels": LABELS[:4]}, "4 labels for 5 images"),
    ({"images": IMAGES, "labels": LABELS, "sites": [1]}, "1 sites for 5"),
    ([LABELS, np.zeros((5, 48))], "were not found in it"), ([["x/../y"] * 5, IMAGES], "cannot be the name of a folder"),
    ([["..", *"abcd"], IMAGES], "cannot be the name of a folder"),
])
def test_another_form_is_an_error_that_says_what_was_found(value: Any, message: str, tmp_path: Path,
                                                           converted: Callable[..., Converted]) -> None:
    with pytest.raises(DataError, match=message):
        converted(value)
    assert not (tmp_path / "folder").exists()


def test_class_names_must_cover_the_labels(converted: Callable[..., Converted]) -> None:
    with pytest.raises(DataError, match="label 2 has no name: --classes names 2"):
        converted([LABELS, IMAGES], classes=("a", "b"))
    with pytest.raises(DataError, match=r"'glioma', which --classes does not name. Did you mean 'gliomas'"):
        converted(FORMS["names"], classes=("gliomas", "b"))


def test_nothing_is_written_over(tmp_path: Path, converted: Callable[..., Converted]) -> None:
    (tmp_path / "folder").mkdir()
    assert converted([LABELS, IMAGES]).counts["0"] == 2
    with pytest.raises(DataError, match="not an empty folder"):
        converted([LABELS, IMAGES])


def test_no_half_folder_is_left(tmp_path: Path, converted: Callable[..., Converted], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        converted([LABELS, IMAGES])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.p"]


def test_an_attack_between_images_is_refused_and_not_run(tmp_path: Path, converted: Callable[..., Converted]) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'sentinel'}",)

    with pytest.raises(DataError, match=rf"old.p asks for {os.system.__module__}.system: refused; nothing was executed"):
        converted([LABELS, [*IMAGES[:4], Attack()]])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.p"]


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none.p")
