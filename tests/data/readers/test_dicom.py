"""DICOM: tiny files written here with pydicom."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wardround.data.readers.image import read_image
from wardround.errors import ImageError, MissingExtra

pydicom = pytest.importorskip("pydicom")

STORED = np.array([[0, 100, 200], [300, 400, 500]], np.uint16)


def write(path: Path, stored: np.ndarray = STORED, **elements: Any) -> Path:
    """An uncompressed secondary capture: (H, W) or (frames, H, W), or (H, W, 3) uint8."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    is_colour = stored.ndim == 3 and stored.dtype == np.uint8
    data.SamplesPerPixel = 3 if is_colour else 1
    data.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    data.Rows, data.Columns = stored.shape[:2] if is_colour else stored.shape[-2:]
    if is_colour:
        data.PlanarConfiguration = 0
    elif stored.ndim == 3:
        data.NumberOfFrames = len(stored)
    data.BitsAllocated = data.BitsStored = stored.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(stored.dtype.kind == "i")
    data.PixelData = stored.tobytes()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    data.save_as(path, enforce_file_format=True)
    return path


def pixels(path: Path) -> np.ndarray:
    return read_image(path).pixels


def reason(path: Path, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    return caught.value.reason


def test_stored_values_without_rescale_or_window_are_kept(tmp_path: Path) -> None:
    assert np.array_equal(pixels(write(tmp_path / "a.dcm")), STORED[None, None])


def test_the_suffix_is_not_needed(tmp_path: Path) -> None:
    assert np.array_equal(pixels(write(tmp_path / "IM0001")), STORED[None, None])


def test_slope_and_intercept_give_the_units(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", RescaleSlope=2, RescaleIntercept=-1024)
    assert np.array_equal(pixels(path)[0, 0], STORED.astype(np.float32) * 2 - 1024)


def test_the_window_is_applied_after_the_rescale(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", RescaleSlope=1, RescaleIntercept=-100, WindowCenter=100, WindowWidth=100)
    shown = pixels(path)[0, 0]
    assert shown[0, 0] == shown[0, 1] == shown.min()  # -100 and 0 lie below the window
    assert shown[1, 0] == shown[1, 1] == shown[1, 2] == shown.max()  # 200 and more above it
    assert shown.min() < shown[0, 2] < shown.max()  # 100 is its centre


@pytest.mark.parametrize("elements", [{}, {"RescaleSlope": 1, "RescaleIntercept": -1000}], ids=["stored", "rescaled"])
def test_monochrome1_is_turned_so_that_more_is_brighter(tmp_path: Path, elements: dict[str, int]) -> None:
    plain = pixels(write(tmp_path / "a.dcm", **elements))[0, 0].astype(float)
    turned = pixels(write(tmp_path / "b.dcm", PhotometricInterpretation="MONOCHROME1", **elements))[0, 0].astype(float)
    assert np.array_equal(turned - turned.min(), plain.max() - plain)


def test_frames_are_depth(tmp_path: Path) -> None:
    frames = np.stack([STORED, STORED + 1, STORED + 2, STORED + 3])
    assert np.array_equal(pixels(write(tmp_path / "a.dcm", frames)), frames[None])


def test_colour_is_three_channels(tmp_path: Path) -> None:
    colour = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(pixels(write(tmp_path / "a.dcm", colour))[:, 0], colour.transpose(2, 0, 1))


def test_spacing_is_depth_rows_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", PixelSpacing=[0.5, 0.25], SliceThickness=3)
    assert read_image(path).spacing_mm == (3.0, 0.5, 0.25)
    assert read_image(write(tmp_path / "b.dcm")).spacing_mm is None


def test_text_named_dcm_is_not_an_image(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_text("no pixels here, only words that fill more than one element of a header " * 5)
    assert reason(path) in ("not_an_image", "truncated")


def test_an_object_without_pixels_is_not_an_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm")
    data = pydicom.dcmread(path)
    del data.PixelData
    data.save_as(path)
    assert reason(path) == "not_an_image"


def test_a_cut_file_is_truncated(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", np.zeros((64, 64), np.uint16))
    path.write_bytes(path.read_bytes()[:-4000])
    assert reason(path) == "truncated"


def test_a_damaged_header_is_truncated(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes().replace(b"\x28\x00\x11\x00US", b"\x28\x00\x11\x00\x55\xd8"))
    assert reason(path) == "truncated"


def test_a_header_claiming_a_huge_picture_is_too_large(tmp_path: Path) -> None:
    assert reason(write(tmp_path / "a.dcm", Rows=60_000, Columns=60_000)) == "too_large"


def test_without_pydicom_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.dcm")
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(MissingExtra, match=r"wardround\[dicom\]"):
        read_image(path)


def test_a_turned_eight_bit_image_keeps_its_brightness(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", np.array([[[100, 200]]], np.uint8), SamplesPerPixel=1,
                 PhotometricInterpretation="MONOCHROME1", Rows=1, Columns=2)
    assert pixels(path).tolist() == [[[[155, 55]]]]  # within 0..255, not within what this image happens to hold
