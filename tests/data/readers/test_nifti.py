"""NIfTI: tiny volumes written here with nibabel."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from wardround.data.readers.image import read_image
from wardround.data.readers.nifti import write_labels
from wardround.errors import ImageError

VOLUME = np.arange(24, dtype=np.int16).reshape(2, 3, 4)  # (X, Y, Z), X to the right, Y to the front, Z up


def write(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nibabel.save(nibabel.Nifti1Image(data, np.diag([0.5, 1.0, 2.0, 1.0]) if affine is None else affine), path)
    return path


def reason(path: Path, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    return caught.value.reason


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_volume_is_depth_rows_columns(tmp_path: Path, name: str) -> None:
    image = read_image(write(tmp_path / name, VOLUME))
    assert np.array_equal(image.pixels, VOLUME.transpose(2, 1, 0)[None])
    assert image.pixels.dtype == np.int16
    assert image.spacing_mm == (2.0, 1.0, 0.5)
    assert image.orientation == "RAS"


def test_a_flipped_volume_reads_as_the_same_patient(tmp_path: Path) -> None:
    affine = np.diag([-0.5, -1.0, 2.0, 1.0])  # LPS, as scanners write
    image = read_image(write(tmp_path / "a.nii", VOLUME[::-1, ::-1].copy(), affine))
    assert np.array_equal(image.pixels, VOLUME.transpose(2, 1, 0)[None])


def test_a_volume_of_other_axes_reads_as_the_same_patient(tmp_path: Path) -> None:
    affine = np.zeros((4, 4))  # stored (Y, Z, X)
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = 1.0, 2.0, 0.5, 1.0
    image = read_image(write(tmp_path / "a.nii", np.ascontiguousarray(VOLUME.transpose(1, 2, 0)), affine))
    assert np.array_equal(image.pixels, VOLUME.transpose(2, 1, 0)[None])
    assert image.spacing_mm == (2.0, 1.0, 0.5)


def test_a_fourth_axis_is_channels(tmp_path: Path) -> None:
    both = np.stack([VOLUME, VOLUME + 100], axis=-1)
    image = read_image(write(tmp_path / "a.nii", both))
    assert image.pixels.shape == (2, 4, 3, 2)
    assert np.array_equal(image.pixels[1], (VOLUME + 100).transpose(2, 1, 0))


def test_two_axes_are_one_slice(tmp_path: Path) -> None:
    image = read_image(write(tmp_path / "a.nii", VOLUME[:, :, 0].copy()))
    assert np.array_equal(image.pixels[0, 0], VOLUME[:, :, 0].T)


def test_scaled_integers_are_float(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOLUME, np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    nibabel.save(image, tmp_path / "a.nii")
    read = read_image(tmp_path / "a.nii").pixels
    assert read.dtype == np.float32


def test_five_axes_are_unsupported(tmp_path: Path) -> None:
    assert reason(write(tmp_path / "a.nii", np.zeros((2, 2, 2, 2, 2), np.float32))) == "unsupported"


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_cut_volume_is_truncated(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    path = write(tmp_path / name, rng.integers(0, 1000, (16, 16, 16), dtype=np.int16))
    path.write_bytes(path.read_bytes()[:-3000])
    assert reason(path) == "truncated"


@pytest.mark.parametrize(("offset", "value"), [(70, b"\x05\x00"), (42, b"\x00\x00"), (42, b"\xff\xff"), (280, b"\x00" * 48)],
                         ids=["data-type", "no-rows", "negative-rows", "no-orientation"])
def test_a_damaged_header_is_truncated(tmp_path: Path, offset: int, value: bytes) -> None:
    path = write(tmp_path / "a.nii", VOLUME)
    content = bytearray(path.read_bytes())
    content[offset:offset + len(value)] = value
    path.write_bytes(content)
    assert reason(path) == "truncated"


def test_text_named_nii_is_not_an_image(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    path.write_text("x" * 1000)
    assert reason(path) == "not_an_image"


def test_more_voxels_than_the_limit_are_refused(tmp_path: Path) -> None:
    assert reason(write(tmp_path / "a.nii", VOLUME), limit_pixels=23) == "too_large"


@pytest.mark.data
def test_a_real_volume_is_read(real_data: Path) -> None:
    image = read_image(real_data / "nifti_samples" / "fets_flair" / "AAAC0_flair_pp_shrunk.nii.gz")
    assert image.pixels.shape == (1, 96, 128, 96)
    assert image.spacing_mm == pytest.approx((2.0, 1.95, 1.95), abs=0.01)


# --- masks written beside a volume

LABELS = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)  # (D, H, W), as the reader gives VOLUME


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_labels_lie_on_the_voxels_of_their_volume(tmp_path: Path, axes: tuple[int, int, int], flips: tuple[int, int, int]) -> None:
    affine = np.zeros((4, 4))
    for stored, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        affine[axis, stored] = flip * (0.5, 1.0, 2.0)[axis]
    affine[:, 3] = 10, -20, 30, 1
    shape = [(2, 3, 4)[axis] for axis in axes]
    like = write(tmp_path / "like.nii.gz", np.arange(1, 25, dtype=np.int16).reshape(shape), affine)
    write_labels(read_image(like).pixels[0].astype(np.uint8), like=like, path=tmp_path / "mask.nii.gz")
    mask, image = nibabel.load(tmp_path / "mask.nii.gz"), nibabel.load(like)
    assert np.array_equal(mask.affine, image.affine)
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(image.dataobj))
    assert np.array_equal(read_image(tmp_path / "mask.nii.gz").pixels, read_image(like).pixels)


def test_labels_of_a_volume_with_channels_have_its_first_three_axes(tmp_path: Path) -> None:
    like = write(tmp_path / "like.nii", np.stack([VOLUME, VOLUME], axis=-1))
    write_labels(LABELS, like=like, path=tmp_path / "mask.nii")
    assert np.array_equal(read_image(tmp_path / "mask.nii").pixels[0], LABELS)


def test_labels_of_a_single_slice_lie_as_it_does(tmp_path: Path) -> None:
    like = write(tmp_path / "like.nii", VOLUME[:, :, 0].copy(), np.diag([-1.0, -1.0, 1.0, 1.0]))
    write_labels(LABELS[:1], like=like, path=tmp_path / "mask.nii")
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "mask.nii").dataobj).reshape(2, 3), LABELS[0].T)


def test_labels_beside_another_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "like.dcm").write_bytes(b"x" * 400)
    with pytest.raises(ImageError, match=r"like\.dcm.*Convert it to NIfTI") as caught:
        write_labels(LABELS, like=tmp_path / "like.dcm", path=tmp_path / "mask.nii")
    assert caught.value.reason == "unsupported"
