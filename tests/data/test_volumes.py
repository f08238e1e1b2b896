"""Volumes: tiny NIfTI files written here, and the two real cases."""

import os
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from wardround.core.events import Event, Progress
from wardround.data import storage, volumes
from wardround.data.cache import digest_of
from wardround.data.catalogue import Catalogue, text_column
from wardround.data.volumes import POINTS, Volumes, open_volumes, read_volume
from wardround.errors import DataError, ImageError
from wardround.rng import stream

VALUES = {0: 0, 1: 3, 2: 1, 4: 2}  # as BraTS numbers its labels


def save(path: Path, data: np.ndarray) -> None:
    """Write (D, H, W) as 1 mm voxels in the order of scanners, LPS."""
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(data.T[::-1, ::-1]), np.diag([-1.0, -1.0, 1.0, 1.0])), path)


def labels_of(row: int) -> np.ndarray:
    """A block of each label of the files: 1, 2 and 4."""
    mask = np.zeros((9, 8, 7), np.uint8)
    mask[3:5, 3:5, 3:5], mask[5, 3:5, 3:5], mask[6, 3, 2 + row % 3] = 1, 2, 4
    return mask


def written(root: Path, num: int = 3, *, masks: bool = True) -> Catalogue:
    """num patients of two channels, 9 x 8 x 7 voxels, not 0 in [2:8, 2:7, 2:6]."""
    root.mkdir(parents=True, exist_ok=True)
    rng = stream(0, "test", "volumes")
    for row in range(num):
        for name in ("t1", "t2"):
            volume = np.zeros((9, 8, 7), np.int16)
            volume[2:8, 2:7, 2:6] = rng.integers(50, 200, (6, 5, 4))
            save(root / f"{row}_{name}.nii.gz", volume)
        save(root / f"{row}_seg.nii.gz", labels_of(row))
    return Catalogue(name="test", root=root, classes=("background", "oedema", "enhancing", "necrotic"),
                     images=text_column([f"{row}_{{t1,t2}}.nii.gz" for row in range(num)]), labels=np.zeros(num, np.int64),
                     patients=text_column([str(row) for row in range(num)]), splits=text_column([""] * num),
                     masks=text_column([f"{row}_seg.nii.gz" for row in range(num)]) if masks else None,
                     mask_values=VALUES if masks else {})


def opened(table: Catalogue, **options: object) -> Volumes:
    return open_volumes(table, **({"spacing_mm": 0.0, "channels": 2, "workers": 1} | options))  # type: ignore[arg-type]


def changed(path: Path) -> None:
    """Give a file that was overwritten another time, however fast that went."""
    os.utime(path, ns=(1, 1))


def test_a_row_is_the_catalogues_row(tmp_path: Path) -> None:
    table = written(tmp_path)
    found = opened(table)
    raw = read_volume(tmp_path, table.images[1], channels=2)
    assert found.image(1).shape == (2, 6, 5, 4)
    assert found.image(1).dtype == np.float16
    kept = raw.pixels[:, 2:8, 2:7, 2:6].astype(np.float64)
    mean, deviation = kept.mean((1, 2, 3), keepdims=True), kept.std((1, 2, 3), keepdims=True)
    assert np.allclose(found.image(1), (kept - mean) / deviation, atol=2e-3)
    assert found.reasons.tolist() == found.details.tolist() == [""] * 3
    assert found.spacings.tolist() == [[1.0, 1.0, 1.0]] * 3
    assert found.digests[1] == digest_of(raw.pixels)


def test_masks_hold_classes_not_the_files_numbers(tmp_path: Path) -> None:
    mask = opened(written(tmp_path)).mask(1)
    expected = labels_of(1)[2:8, 2:7, 2:6]
    for value, index in VALUES.items():
        assert np.array_equal(mask == index, expected == value)


def test_points_are_voxels_of_their_class(tmp_path: Path) -> None:
    found = opened(written(tmp_path))
    points, mask = found.points(0), found.mask(0)
    assert np.array_equal(mask[tuple(points[:, 1:].T)], points[:, 0])
    assert np.bincount(points[:, 0]).tolist() == [0, 4, 1, 8]


def test_of_a_large_class_some_points_are_kept() -> None:
    mask = np.ones((30, 30, 30), np.uint8)
    points = volumes._points(mask, 0)
    assert len(np.unique(points, axis=0)) == POINTS
    assert points[:, 1:].astype(float).mean(0) == pytest.approx([14.5] * 3, abs=1)


def test_files_of_other_shape_are_a_reason_not_an_end(tmp_path: Path) -> None:
    table = written(tmp_path)
    save(tmp_path / "1_t2.nii.gz", np.ones((9, 8, 6), np.int16))
    found = opened(table)
    assert found.reasons.tolist() == ["", "shape", ""]
    assert "9 x 8 x 7, 9 x 8 x 6" in found.details[1]
    assert found.digests[1] == ""
    assert np.isnan(found.spacings[1]).all()
    with pytest.raises(DataError, match="row 1 has no volume"):
        found.image(1)


def test_another_number_of_channels_names_the_setting_that_fits(tmp_path: Path) -> None:
    found = opened(written(tmp_path), channels=4)
    assert set(found.reasons) == {"channels"}
    assert "data.channels = 2 would fit" in found.details[0]


def test_a_fourth_axis_counts_as_channels(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((5, 6, 7, 3), np.int16), np.eye(4)), tmp_path / "a.nii")
    assert read_volume(tmp_path, "a.nii", channels=3).pixels.shape == (3, 7, 6, 5)


@pytest.mark.parametrize(("spoil", "reason"), [
    (lambda root: save(root / "1_seg.nii.gz", labels_of(1) + 1), "mask_values"),
    (lambda root: save(root / "1_seg.nii.gz", labels_of(1)[:-1]), "shape"),
    (lambda root: (root / "1_seg.nii.gz").unlink(), "unreadable"),
    (lambda root: (root / "1_t1.nii.gz").write_bytes((root / "1_t1.nii.gz").read_bytes()[:-20]), "truncated"),
    (lambda root: (root / "1_t1.nii.gz").write_bytes(b""), "empty_file"),
])
def test_a_bad_file_fails_its_row_alone(tmp_path: Path, spoil: Callable[[Path], object], reason: str) -> None:
    table = written(tmp_path)
    spoil(tmp_path)
    found = opened(table)
    assert found.reasons.tolist() == ["", reason, ""]
    assert found.details[1]


def test_a_row_without_mask_fails(tmp_path: Path) -> None:
    table = written(tmp_path)
    table.masks[2] = ""  # type: ignore[index]
    found = opened(table)
    assert found.reasons.tolist() == ["", "", "no_mask"]
    assert table.images[2] in found.details[2]


def test_labels_outside_of_the_body_are_told(tmp_path: Path) -> None:
    table = written(tmp_path)
    mask = labels_of(0)
    mask[0, 0, :2] = 1
    save(tmp_path / "0_seg.nii.gz", mask)
    found = opened(table)
    assert found.reasons[0] == ""
    assert found.details[0].startswith("2 labelled voxels")


def test_labels_go_back_to_the_files_space(tmp_path: Path) -> None:
    found = opened(written(tmp_path))
    back = found.geometry(1).put_back(found.mask(1))
    assert np.array_equal(back == 2, labels_of(1) == 4)


def test_volumes_of_a_common_shape_stack(tmp_path: Path) -> None:
    table = written(tmp_path, masks=False)
    (tmp_path / "2_t1.nii.gz").write_bytes(b"")
    found = opened(table, shape=(4, 5, 6))
    assert found.stacked().shape == (3, 2, 4, 5, 6)
    assert found.stacked().dtype == np.float16
    batch = found.stacked()[np.array([1, 0, 1])]
    assert np.array_equal(batch[1], found.image(0))
    assert batch[0].any() and not np.array_equal(batch[0], batch[1])
    assert not found.stacked()[2].any()
    with pytest.raises(DataError, match="give open_volumes a shape"):
        opened(table).stacked()


def test_the_middle_slice_is_an_upright_picture(tmp_path: Path) -> None:
    volume = np.zeros((3, 4, 5), np.int16)
    volume[:] = np.arange(1, 5)[:, None]  # grows to anterior
    volume[1, :, 4] += 10  # and is brightest at the patient's right
    save(tmp_path / "a.nii.gz", volume)
    none = text_column([""])
    table = Catalogue(name="test", root=tmp_path, classes=("a",), images=text_column(["a.nii.gz"]), labels=np.zeros(1, np.int64),
                      patients=none, splits=none)
    picture = opened(table, channels=1).middle(0)
    assert picture.shape == (1, 4, 5)
    assert picture.dtype == np.uint8
    assert picture[0].argmax() == 0  # anterior right, seen from the feet: top left
    assert (np.diff(picture[0, :, 2].astype(int)) < 0).all()


def test_opening_again_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = written(tmp_path)
    (tmp_path / "1_t1.nii.gz").write_bytes(b"")
    first = opened(table)
    monkeypatch.setattr(volumes, "_decode", lambda job, item: pytest.fail("decoded again"))
    again = opened(table)
    assert again.geometries == first.geometries
    assert np.array_equal(again.spacings, first.spacings, equal_nan=True)
    for name in ("reasons", "details", "digests"):
        assert getattr(again, name).tolist() == getattr(first, name).tolist()


@pytest.mark.parametrize("name", ["0_t1.nii.gz", "1_t2.nii.gz", "2_seg.nii.gz"])
def test_a_change_of_any_file_of_a_row_makes_a_new_cache(tmp_path: Path, name: str) -> None:
    table = written(tmp_path)
    first = opened(table)
    changed(tmp_path / name)
    assert opened(table).folder != first.folder


def test_settings_have_caches_of_their_own(tmp_path: Path) -> None:
    table = written(tmp_path, 1)
    assert len({opened(table, **options).folder for options in ({}, {"spacing_mm": 2.0}, {"shape": (4, 4, 4)}, {"channels": 3})}) == 4


@pytest.mark.parametrize("shape", [None, (4, 4, 4)])
def test_a_killed_decode_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int, int]) -> None:
    table, seen, decode = written(tmp_path), list[int](), volumes._decode

    def killed(job: object, item: volumes._Item) -> object:
        if item.row == 2:
            raise KeyboardInterrupt
        return decode(job, item)  # type: ignore[arg-type]

    monkeypatch.setattr(volumes, "_decode", killed)
    with pytest.raises(KeyboardInterrupt):
        opened(table, shape=shape)
    monkeypatch.setattr(volumes, "_decode", lambda job, item: (seen.append(item.row), decode(job, item))[1])
    found = opened(table, shape=shape)
    assert seen == [2]
    whole = opened(table, shape=shape, folder=tmp_path / "other")
    assert all(np.array_equal(found.image(row), whole.image(row)) for row in range(3))


@pytest.mark.parametrize("name", ["000001.image.npy", "000001.mask.npy", "000001.points.npy", "000001.json"])
@pytest.mark.parametrize("spoil", ["cut", "gone"])
def test_a_damaged_row_is_decoded_anew(tmp_path: Path, name: str, spoil: str) -> None:
    table = written(tmp_path)
    first = opened(table)
    image, mask, path = np.array(first.image(1)), np.array(first.mask(1)), first.folder / name
    path.write_bytes(path.read_bytes()[:60]) if spoil == "cut" else path.unlink()
    again = opened(table)
    assert np.array_equal(again.image(1), image)
    assert np.array_equal(again.mask(1), mask)
    assert len(again.points(1)) == 13


def test_a_stack_that_is_gone_is_decoded_anew(tmp_path: Path) -> None:
    table = written(tmp_path, masks=False)
    first = opened(table, shape=(4, 4, 4))
    expected = np.array(first.stacked())
    (first.folder / volumes.STACK).unlink()
    assert np.array_equal(opened(table, shape=(4, 4, 4)).stacked(), expected)


def test_processes_and_one_process_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "ALONE", 0)
    table = written(tmp_path, 6)
    (tmp_path / "4_t1.nii.gz").write_bytes(b"x" * 500)
    events: list[Event] = []
    apart = opened(table, workers=2, folder=tmp_path / "apart", watch=events.append)
    alone = opened(table, folder=tmp_path / "alone")
    assert apart.reasons.tolist() == alone.reasons.tolist() == ["", "", "", "", "not_an_image", ""]
    assert all(np.array_equal(apart.image(row), alone.image(row)) for row in (0, 1, 2, 3, 5))
    assert all(np.array_equal(apart.points(row), alone.points(row)) for row in (0, 1, 2, 3, 5))
    assert [event.done for event in events if isinstance(event, Progress)] == list(range(7))


def test_a_full_disk_keeps_what_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, put, seen, decode = written(tmp_path), storage.put_in_place, list[int](), volumes._decode

    def filling(path: Path, content: bytes | memoryview) -> None:
        if path.name == "000002.mask.npy":
            raise OSError(28, "No space left on device")
        put(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(volumes, "put_in_place", filling)
        with pytest.raises(DataError, match="disk is full"):
            opened(table)
    monkeypatch.setattr(volumes, "_decode", lambda job, item: (seen.append(item.row), decode(job, item))[1])
    assert (opened(table).reasons == "").all()
    assert seen == [2]


def test_decoded_voxels_cannot_be_written(tmp_path: Path) -> None:
    found = opened(written(tmp_path, 1))
    for array in (found.image(0), found.mask(0), opened(written(tmp_path, 1), shape=(3, 3, 3)).stacked()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_read_volume_needs_equal_shapes(tmp_path: Path) -> None:
    save(tmp_path / "a_1.nii.gz", np.ones((2, 3, 4), np.int16))
    save(tmp_path / "a_2.nii.gz", np.ones((2, 3, 5), np.int16))
    with pytest.raises(ImageError, match="register"):
        read_volume(tmp_path, "a_{1,2}.nii.gz", channels=2)


def real(root: Path, image: str, mask: str | None) -> Catalogue:
    return Catalogue(name="real", root=root, classes=("background", "tumour"), images=text_column([image]), labels=np.zeros(1, np.int64),
                     patients=text_column(["a"]), splits=text_column([""]), masks=None if mask is None else text_column([mask]),
                     mask_values={} if mask is None else {0: 0, 1: 1})


@pytest.mark.data
def test_a_real_case_of_four_sequences(real_data: Path) -> None:
    table = real(real_data / "nifti_samples" / "preprocessed_case", "{t1c,t1n,t2f,t2w}.nii.gz", None)
    found = opened(table, channels=4)
    assert found.reasons[0] == ""
    geometry = found.geometry(0)
    assert geometry.full == (155, 240, 240)
    assert found.image(0).shape == (4, *geometry.cropped) == (4, 126, 171, 130)
    assert geometry.start == (11, 239 - 215, 239 - 184)  # stored as L, P, S: H and W are turned
    assert found.spacings[0].tolist() == [1, 1, 1]
    t1c, t1, flair, t2 = (channel.astype(np.float32) for channel in found.image(0))
    inside = (t1 != 0) & (t2 != 0)
    assert np.corrcoef(t1[inside], t2[inside])[0, 1] < 0.2  # fluid is dark in T1, bright in T2
    assert np.corrcoef(flair[inside], t2[inside])[0, 1] > np.corrcoef(flair[inside], t1c[inside])[0, 1]


@pytest.mark.data
def test_a_real_mask_survives_and_lies_on_the_lesion(real_data: Path) -> None:
    name = "AAAC0_flair_pp_shrunk"
    found = opened(real(real_data / "nifti_samples" / "fets_flair", f"{name}.nii.gz", f"{name}_testTumor.nii.gz"), channels=1)
    image, mask = np.asarray(found.image(0), np.float32)[0], found.mask(0)
    assert found.details[0] == ""
    assert mask.sum() == 6187
    assert found.spacings[0] == pytest.approx([2.0, 1.954, 1.954], abs=1e-3)
    assert image[mask == 1].mean() > 1.5  # bright in FLAIR, in deviations from the brain's mean
    assert np.argwhere(mask)[:, 2].mean() > image.shape[2] / 2  # W grows to the patient's right, where the affine puts this tumour
