"""The door to all formats: what is refused and why, npz rows, and 8-bit planes."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from wardround.data.readers.image import Image, load, load_picture, read_image, to_uint8
from wardround.errors import ImageError


def reason(path: Path, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    assert str(path) in str(caught.value)
    return caught.value.reason


def test_an_empty_file_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    assert reason(path) == "empty_file"


def test_text_named_png_is_not_an_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("name,age\n")
    assert reason(path) == "not_an_image"


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    assert reason(tmp_path / "absent.png") == "unreadable"
    (tmp_path / "folder.png").mkdir()
    assert reason(tmp_path / "folder.png") == "unreadable"


def test_a_known_but_unread_format_is_unsupported(tmp_path: Path) -> None:
    pillow.new("L", (4, 4)).save(tmp_path / "a.gif")
    assert reason(tmp_path / "a.gif") == "unsupported"


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    pillow.new("L", (4, 3), 7).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert (read_image(tmp_path / "a.jpg").pixels == 7).all()


def test_more_pixels_than_the_limit_are_refused(tmp_path: Path) -> None:
    pillow.new("L", (10, 10)).save(tmp_path / "a.png")
    assert reason(tmp_path / "a.png", limit_pixels=99) == "too_large"
    assert read_image(tmp_path / "a.png", limit_pixels=100).pixels.shape == (1, 1, 10, 10)


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "/etc/passwd", "../a.npz#images/0"])
def test_a_name_that_leads_out_of_the_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError) as caught:
        load(tmp_path / "root", name)
    assert caught.value.reason == "outside_root"


def test_a_name_below_the_root_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    pillow.new("L", (4, 3), 9).save(tmp_path / "x" / "a.png")
    assert load(tmp_path, "x/a.png").pixels.shape == (1, 1, 3, 4)


def turned() -> pillow.Exif:
    exif = pillow.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn
    return exif


RGB = pillow.fromarray((np.arange(11 * 7 * 3) % 256).astype(np.uint8).reshape(11, 7, 3))
PICTURES = {
    "grey.png": (RGB.convert("L"), {}), "rgb.png": (RGB, {}), "rgba.png": (RGB.convert("RGBA"), {}), "la.png": (RGB.convert("LA"), {}),
    "palette.png": (RGB.quantize(5), {}), "one-bit.png": (RGB.convert("1"), {}), "see-through.png": (RGB, {"transparency": (0, 1, 2)}),
    "grey-see-through.png": (RGB.convert("L"), {"transparency": 1}), "grey.jpg": (RGB.convert("L"), {}), "rgb.jpg": (RGB, {}),
    "cmyk.jpg": (RGB.convert("CMYK"), {}), "turned.jpg": (RGB, {"exif": turned()}), "grey.tif": (RGB.convert("L"), {}),
    "packed.tif": (RGB, {"compression": "tiff_lzw"}), "rgb.bmp": (RGB, {}), "palette.bmp": (RGB.quantize(5), {}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_short_way_gives_the_same_pixels(tmp_path: Path, name: str) -> None:
    picture, options = PICTURES[name]
    picture.save(tmp_path / name, **options)
    short = load_picture(tmp_path, name)
    assert short is not None
    pixels = np.asarray(short)
    assert np.array_equal(pixels[None] if short.mode == "L" else pixels.transpose(2, 0, 1), to_uint8(load(tmp_path, name)))
    assert np.array_equal(np.asarray(short.convert("L")), np.asarray(pillow.fromarray(pixels).convert("L")))


def test_the_short_way_is_for_plain_pictures_only(tmp_path: Path) -> None:
    pillow.fromarray(np.ones((4, 4), np.uint16)).save(tmp_path / "deep.png")
    RGB.save(tmp_path / "pages.tif", save_all=True, append_images=[RGB])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("name,age\n")
    for name in ("deep.png", "pages.tif", "empty.png", "text.png", "absent.png", "rows.npz#images/0"):
        assert load_picture(tmp_path, name) is None


def test_the_short_way_refuses_what_the_long_way_refuses(tmp_path: Path) -> None:
    RGB.save(tmp_path / "large.png")
    RGB.save(tmp_path / "torn.jpg")
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "torn.jpg").read_bytes()[:-60])
    for name in ("large.png", "torn.jpg", "../a.png"):
        with pytest.raises(ImageError) as short:
            load_picture(tmp_path, name, limit_pixels=76 if name == "large.png" else 77)
        with pytest.raises(ImageError) as long:
            load(tmp_path, name, limit_pixels=76 if name == "large.png" else 77)
        assert (short.value.reason, str(short.value)) == (long.value.reason, str(long.value))


def test_no_warning_leaves_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    pillow.new("L", (64, 64), 9).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert reason(path) == "truncated"
    assert not seen


def test_eight_bits_pass_unchanged() -> None:
    pixels = np.array([[[[3, 200]]]], np.uint8)
    assert to_uint8(Image(pixels=pixels)).tolist() == [[[3, 200]]]


def test_a_deep_plane_is_scaled_from_its_lowest_to_its_highest() -> None:
    assert to_uint8(Image(pixels=np.array([[[[1000, 1500, 2000]]]], np.uint16))).tolist() == [[[0, 128, 255]]]


def test_channels_are_scaled_on_their_own() -> None:
    pixels = np.array([[[[0, 1]]], [[[0, 1000]]]], np.float32)
    assert to_uint8(Image(pixels=pixels)).tolist() == [[[0, 255]], [[0, 255]]]


def test_a_volume_gives_its_middle_slice_and_one_bright_voxel_does_not_darken_it() -> None:
    volume = np.tile(np.linspace(0, 100, 10_000, dtype=np.float32).reshape(1, 1, 100, 100), (1, 3, 1, 1))
    volume[0, 0, 0, 0] = 1e6
    plane = to_uint8(Image(pixels=volume))
    assert plane.shape == (1, 100, 100)
    assert plane[0, 50, 0] == pytest.approx(128, abs=2)


def test_nan_and_constant_planes_are_black_not_an_error() -> None:
    assert to_uint8(Image(pixels=np.array([[[[np.nan, 1.0, 3.0]]]], np.float32))).tolist() == [[[0, 0, 255]]]
    assert not to_uint8(Image(pixels=np.full((1, 1, 2, 2), np.nan, np.float32))).any()
    assert not to_uint8(Image(pixels=np.full((1, 1, 2, 2), 7, np.int16))).any()
