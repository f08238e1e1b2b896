"""Finding the reader of a folder, and the mark of phantoms."""

from pathlib import Path

import numpy as np
import pytest

from wardround.data.datasets import DATASETS
from wardround.data.datasets.base import MARKER, detect, draw_phantom, existing, has_phantom, is_phantom, mark_phantom
from wardround.data.phantoms import drawing
from wardround.errors import CatalogueError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(folder: Path) -> str | None:
    reader = detect(folder)
    return reader.name if reader else None


@pytest.mark.parametrize("name", DATASETS.table)
def test_every_reader_has_the_name_it_is_listed_under(name: str) -> None:
    reader = DATASETS.find(name)
    assert reader.name == name
    assert reader.task in ("binary", "multiclass", "multilabel", "segmentation")
    assert reader.title


def test_a_known_layout_is_recognised_before_a_plain_folder(tmp_path: Path) -> None:
    touch(tmp_path, "train/NORMAL/a.jpeg", "train/PNEUMONIA/b.jpeg")
    assert found(tmp_path) == "chest-xray"
    assert found(tmp_path / "train") == "chest-xray"


def test_both_brain_layouts_are_recognised(tmp_path: Path) -> None:
    touch(tmp_path, "Training/glioma_tumor/a.jpg", "Training/no_tumor/b.jpg")
    assert found(tmp_path) == "brain-tumour-mri"


def test_an_array_file_is_recognised(tmp_path: Path) -> None:
    np.savez(tmp_path / "pneumoniamnist.npz", x=np.zeros(1))
    assert found(tmp_path) == found(tmp_path / "pneumoniamnist.npz") == "pneumoniamnist"


def test_a_labelled_folder_is_recognised_last(tmp_path: Path) -> None:
    touch(tmp_path, "cat/a.png", "dog/b.png")
    assert found(tmp_path) == "folder"


def test_a_table_says_more_than_the_folders_beside_it(tmp_path: Path) -> None:
    touch(tmp_path, "clinic1/a.png", "clinic2/b.png")
    (tmp_path / "manifest.csv").write_text("image,label\nclinic1/a.png,x\nclinic2/b.png,y\n")
    assert found(tmp_path) == found(tmp_path / "manifest.csv") == "manifest"


def test_nothing_is_recognised_in_an_empty_or_absent_folder(tmp_path: Path) -> None:
    assert found(tmp_path) is None
    assert found(tmp_path / "absent") is None


def test_an_unlistable_folder_is_not_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    assert found(tmp_path) is None


def test_a_phantom_is_whole_only_as_it_was_marked(tmp_path: Path) -> None:
    assert not is_phantom(tmp_path)
    mark_phantom(tmp_path, dataset="x", num=10, seed=1)
    assert is_phantom(tmp_path)
    assert has_phantom(tmp_path, dataset="x", num=10, seed=1)
    assert not has_phantom(tmp_path, dataset="x", num=11, seed=1)
    assert not has_phantom(tmp_path, dataset="x", num=10, seed=2)


def test_a_damaged_mark_is_a_phantom_to_write_anew(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text("{")
    assert is_phantom(tmp_path)
    assert not has_phantom(tmp_path, dataset="x", num=10, seed=1)


def test_a_phantom_is_drawn_once(tmp_path: Path) -> None:
    drawn: list[int] = []
    for num in (10, 10, 20):
        draw_phantom(tmp_path, dataset="x", num=num, seed=1, draw=lambda num=num: drawn.append(num))
    assert drawn == [10, 20]


def test_a_phantom_drawn_over_half_way_is_a_phantom_but_not_whole(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    mark_phantom(tmp_path, dataset="x", num=10, seed=1)
    with pytest.raises(KeyboardInterrupt):
        draw_phantom(tmp_path, dataset="x", num=20, seed=1, draw=stop)
    assert is_phantom(tmp_path)
    assert not has_phantom(tmp_path, dataset="x", num=10, seed=1)
    assert not has_phantom(tmp_path, dataset="x", num=20, seed=1)


def test_a_first_phantom_stopped_half_way_is_a_phantom_but_not_whole(tmp_path: Path) -> None:
    drawing.empty_folders(tmp_path, ["train/a"])
    assert is_phantom(tmp_path)
    assert not has_phantom(tmp_path, dataset="x", num=10, seed=1)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="absent does not exist"):
        existing(tmp_path / "absent", "X")
    assert existing(tmp_path, "X") == tmp_path


@pytest.mark.data
@pytest.mark.parametrize(("folder", "name"), [
    ("brain_tumor_mri", "brain-tumour-mri"), ("chest_xray", "chest-xray"), ("chest_xray_varsize", "chest-xray"),
    ("pneumoniamnist", "pneumoniamnist")])
def test_real_sets_are_recognised(real_data: Path, folder: str, name: str) -> None:
    assert found(real_data / folder) == name
