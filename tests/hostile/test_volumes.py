"""NIfTI whose header claims more than follows, packed or not, and the volumes that are made of it."""

import struct
from collections.abc import Callable
from pathlib import Path

import corpus
import numpy as np
import pytest

from wardround.data.geometry import prepared_volume
from wardround.data.readers.image import Image, read_image
from wardround.errors import ImageError

NAN = float("nan")
LONG = struct.pack("<4Bii", 1, 0, 0, 0, 2**30 - 400, 4)
CIFTI = struct.pack("<4Bii", 1, 0, 0, 0, 3008, 32) + b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'>]><CIFTI Version='2'>&a;</CIFTI>" + bytes(3000)

REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "3.6 terabytes": ("a.nii", lambda: corpus.nifti((32_000, 32_000, 1000), code=16, bits=32), "too_large"),
    "2^63 voxels in NIfTI-2": ("a.nii", lambda: corpus.nifti_2((2**40, 2**23, 1)), "too_large"),
    "125 MB that do not follow": ("a.nii", lambda: corpus.nifti((500, 500, 500)), "truncated"),
    "125 MB that do not follow, packed": ("a.nii.gz", lambda: corpus.gzip_of(corpus.nifti((500, 500, 500))), "truncated"),
    "700 KB that unpack to 720 MB": (
        "a.nii.gz", lambda: corpus.gzipped(corpus.nifti((600, 600, 500), code=16, bits=32), 720_000_352), "too_large"),
    "whole numbers that scaling makes four times larger": (
        "a.nii.gz", lambda: corpus.gzipped(corpus.nifti((600, 600, 500), code=4, bits=16, slope=2.0), 360_000_352), "too_large"),
    "a gigabyte before the voxels": ("a.nii.gz", lambda: corpus.gzipped(corpus.nifti((4, 4, 4), offset=2.0**30), 2**20), "too_large"),
    "an extension of a gigabyte": (
        "a.nii.gz", lambda: corpus.gzipped(corpus.nifti((4, 4, 4), offset=2.0**30, extension=LONG), 2**20), "too_large"),
    "voxels at no place": ("a.nii", lambda: corpus.nifti((4, 4, 4), bytes(64), offset=NAN), "too_large"),
    "a zip named gz": ("a.nii.gz", lambda: corpus.zipped({"a": b"a"}), "not_an_image"),
    "gzip cut short": ("a.nii.gz", lambda: corpus.gzip_of(corpus.nifti((50, 50, 50), bytes(125_000)))[:-60], "truncated"),
    "CIFTI with entities": ("a.nii", lambda: corpus.nifti_2((1, 1, 1, 1, 10, 10), extension=CIFTI, offset=4000, intent=3001), "truncated"),
    "no length": ("a.nii", lambda: corpus.nifti((4, 0, 4), bytes(64)), "truncated"),
    "a negative length": ("a.nii", lambda: corpus.nifti((4, -4, 4), bytes(64)), "truncated"),
    "seven axes": ("a.nii", lambda: corpus.nifti((2,) * 7, bytes(128)), "unsupported"),
    "complex voxels": ("a.nii", lambda: corpus.nifti((4, 4, 4), bytes(512), code=32, bits=64), "unsupported"),
    "an unknown type": ("a.nii", lambda: corpus.nifti((4, 4, 4), bytes(64), code=77), "truncated"),
    "axes in no direction": ("a.nii", lambda: corpus.nifti((4, 4, 4), bytes(64), affine=(NAN,) * 12), "truncated"),
    "all axes in one": ("a.nii", lambda: corpus.nifti((4, 4, 4), bytes(64), affine=(0.0,) * 12), "truncated"),
    "a table": ("a.nii", lambda: b"name,age\n" * 100, "not_an_image"),
    "three bytes": ("a.nii", lambda: b"abc", "not_an_image"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_the_name_of_its_fault(case: str, tmp_path: Path) -> None:
    name, make, reason = REFUSED[case]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(ImageError, match=name) as caught:
        read_image(tmp_path / name)
    assert caught.value.reason == reason


def test_of_a_bomb_no_more_is_unpacked_than_the_header_says(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(corpus.gzipped(corpus.nifti((4, 4, 4)), 2**30))
    assert read_image(tmp_path / "a.nii.gz").pixels.shape == (1, 4, 4, 4)


def test_180_mb_of_voxels_out_of_180_kb_stay_within_the_limits(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(corpus.gzipped(corpus.nifti((600, 600, 500)), 180_000_352))
    assert read_image(tmp_path / "a.nii.gz").pixels.shape == (1, 500, 600, 600)


@pytest.mark.parametrize("spacing", [(1e9, 1e9, 1e9), (1e30, 1.0, 1.0)])
def test_voxels_of_a_thousand_kilometres_are_not_resampled_to_millimetres(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(ImageError, match="Correct the header") as caught:
        prepared_volume(Image(pixels=np.ones((1, 4, 4, 4), np.uint8), spacing_mm=spacing), spacing_mm=1.0)
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("spacing", [(NAN, 1.0, 1.0), (0.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (float("inf"), 1.0, 1.0)])
def test_voxels_of_no_size_are_left_as_they_are(spacing: tuple[float, float, float]) -> None:
    volume, geometry = prepared_volume(Image(pixels=np.ones((1, 4, 4, 4), np.uint8), spacing_mm=spacing), spacing_mm=1.0)
    assert volume.shape == (1, 4, 4, 4)
    assert geometry.spacing_mm is None
