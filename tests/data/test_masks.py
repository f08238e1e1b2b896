import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from wardround.core.events import Event, Progress
from wardround.data import masks as module
from wardround.data.catalogue import Catalogue, text_column
from wardround.data.masks import nearest, open_masks, read_mask
from wardround.errors import DataError, ImageError
from wardround.rng import stream


def drawn(row: int) -> np.ndarray:
    """Random squares of 0, 128 and 255, 20 x 24 pixels."""
    return np.kron(stream(0, "test", "masks", row).choice([0, 128, 255], (5, 6)), np.ones((4, 4))).astype(np.uint8)


def written(root: Path, num: int = 4) -> Catalogue:
    root.mkdir(parents=True, exist_ok=True)
    for row in range(num):
        Image.fromarray(np.full((20, 24, 3), row, np.uint8)).save(root / f"{row}.png")
        Image.fromarray(drawn(row)).save(root / f"{row}_mask.tif")
    return Catalogue(name="test", root=root, classes=("background", "a", "b"), images=text_column([f"{row}.png" for row in range(num)]),
                     labels=np.zeros(num, np.int64), patients=text_column([""] * num), splits=text_column([""] * num),
                     masks=text_column([f"{row}_mask.tif" for row in range(num)]), mask_values={0: 0, 128: 2, 255: 1})


def test_pixels_are_classes_by_nearest_neighbour(tmp_path: Path) -> None:
    found = open_masks(written(tmp_path), size=6)
    assert found.pixels.shape == (4, 6, 6)
    assert found.pixels.dtype == np.uint8
    for row in range(4):
        values = nearest(drawn(row), (6, 6))
        assert np.array_equal(found.pixels[row], np.select([values == 128, values == 255], [2, 1]))
    assert found.reasons.tolist() == found.details.tolist() == [""] * 4


def test_nearest_takes_the_pixel_that_the_centre_lies_in() -> None:
    assert nearest(np.arange(6), (3,)).tolist() == [1, 3, 5]
    assert nearest(np.arange(3), (6,)).tolist() == [0, 0, 1, 1, 2, 2]
    assert nearest(np.arange(5), (3,)).tolist() == [0, 2, 4]
    same = np.arange(12).reshape(3, 4)
    assert np.array_equal(nearest(same, (3, 4)), same)


def test_a_value_without_meaning_is_named(tmp_path: Path) -> None:
    table = written(tmp_path)
    mask = drawn(1)
    mask[0, :2] = 254, 7  # near values are no values: a mask that was saved as JPEG has lost its edges
    Image.fromarray(mask).save(tmp_path / "1_mask.tif")
    found = open_masks(table, size=6)
    assert found.reasons.tolist() == ["", "mask_values", "", ""]
    assert "unknown values 7, 254 in 2 voxels" in found.details[1]
    assert not found.pixels[1].any()


def test_a_mask_of_another_size_than_its_image_fails(tmp_path: Path) -> None:
    table = written(tmp_path)
    Image.fromarray(drawn(2)[:, :20]).save(tmp_path / "2_mask.tif")
    found = open_masks(table, size=6)
    assert found.reasons.tolist() == ["", "", "mask_shape", ""]
    assert "20 x 20 pixels, but its image has 20 x 24" in found.details[2]


def test_a_turned_photograph_is_compared_as_it_is_read(tmp_path: Path) -> None:
    table = written(tmp_path)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(np.zeros((24, 20), np.uint8)).save(tmp_path / "0.png", format="JPEG", exif=exif)
    assert open_masks(table, size=6).reasons[0] == ""


def test_missing_and_damaged_masks_fail_alone(tmp_path: Path) -> None:
    table = written(tmp_path)
    (tmp_path / "0_mask.tif").unlink()
    (tmp_path / "1_mask.tif").write_bytes((tmp_path / "1_mask.tif").read_bytes()[:100])
    table.masks[3] = ""  # type: ignore[index]
    assert open_masks(table, size=6).reasons.tolist() == ["unreadable", "truncated", "", "no_mask"]


def test_grey_saved_in_colour_is_read_and_colours_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.repeat(drawn(0)[..., None], 3, axis=2)).save(tmp_path / "grey.png")
    assert read_mask(tmp_path, "grey.png", {0: 0, 128: 2, 255: 1}).shape == (1, 20, 24)
    Image.fromarray(np.stack([drawn(0), drawn(1), drawn(2)], axis=2)).save(tmp_path / "colour.png")
    with pytest.raises(ImageError, match="3 channels that differ") as caught:
        read_mask(tmp_path, "colour.png", {0: 0, 128: 2, 255: 1})
    assert caught.value.reason == "mask_values"


def test_opening_again_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = written(tmp_path)
    (tmp_path / "1_mask.tif").write_bytes(b"")
    first = open_masks(table, size=6)
    monkeypatch.setattr(module, "_build", lambda *args: pytest.fail("decoded again"))
    again = open_masks(table, size=6)
    assert np.array_equal(again.pixels, first.pixels)
    assert again.reasons.tolist() == first.reasons.tolist() == ["", "empty_file", "", ""]
    assert again.details.tolist() == first.details.tolist()


@pytest.mark.parametrize("name", ["1.png", "1_mask.tif"])
def test_a_changed_file_is_decoded_anew(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table, builds, build = written(tmp_path), list[int](), module._build
    monkeypatch.setattr(module, "_build", lambda *args: (builds.append(1), build(*args))[1])
    open_masks(table, size=6)
    os.utime(tmp_path / name, ns=(1, 1))
    open_masks(table, size=6)
    assert len(builds) == 2


@pytest.mark.parametrize("name", [module.PIXELS, module.FAILED])
def test_a_damaged_cache_is_built_anew(tmp_path: Path, name: str) -> None:
    table = written(tmp_path / "images")
    expected = np.array(open_masks(table, size=6, folder=tmp_path / "cache").pixels)
    path = next((tmp_path / "cache").rglob(name))
    path.write_bytes(path.read_bytes()[:1])
    assert np.array_equal(open_masks(table, size=6, folder=tmp_path / "cache").pixels, expected)


def test_a_decode_that_was_killed_leaves_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = written(tmp_path)

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_decode_chunk", killed)
        with pytest.raises(KeyboardInterrupt):
            open_masks(table, size=6)
    assert open_masks(table, size=6).pixels.any()


def test_processes_and_one_process_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = written(tmp_path / "images", 150)
    (table.root / "140_mask.tif").write_bytes(b"")
    alone = open_masks(table, size=6, folder=tmp_path / "alone")
    monkeypatch.setattr(module, "ALONE", 0)
    monkeypatch.setattr(module, "cores", lambda: 2)
    events: list[Event] = []
    apart = open_masks(table, size=6, folder=tmp_path / "apart", watch=events.append)
    assert np.array_equal(apart.pixels, alone.pixels)
    assert apart.reasons.tolist() == alone.reasons.tolist()
    assert np.flatnonzero(apart.reasons != "").tolist() == [140]
    assert [event.done for event in events if isinstance(event, Progress)][-1] == 150


def test_a_folder_that_cannot_be_made_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="WARDROUND_CACHE"):
        open_masks(written(tmp_path / "images"), size=6, folder=tmp_path / "file")


@pytest.mark.data
def test_real_masks_are_decoded_quickly(real_data: Path, tmp_path: Path) -> None:
    root = real_data / "lgg_mri_segmentation" / "kaggle_3m"
    masks = sorted(path.relative_to(root).as_posix() for path in root.rglob("*_mask.tif"))
    n = len(masks)
    table = Catalogue(name="lgg", root=root, classes=("background", "lesion"), labels=np.zeros(n, np.int64), masks=text_column(masks),
                      images=text_column([name.replace("_mask", "") for name in masks]), patients=text_column([""] * n),
                      splits=text_column([""] * n), mask_values={0: 0, 255: 1})
    start = time.perf_counter()
    found = open_masks(table, size=64, folder=tmp_path)
    assert time.perf_counter() - start < 8  # 0.8 s alone; this machine may be busy
    assert set(found.reasons) == {""}
    assert set(np.unique(found.pixels)) == {0, 1}
    assert (found.pixels.any((1, 2))).mean() > 0.95  # every slice has a lesion; the smallest fall between the pixels
