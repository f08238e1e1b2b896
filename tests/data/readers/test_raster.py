"""PNG, JPEG, TIFF and BMP."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from wardround.data.readers.image import read_image
from wardround.errors import ImageError

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def reason(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path)
    return caught.value.reason


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_grey_is_one_channel(tmp_path: Path, suffix: str) -> None:
    pillow.fromarray(GREY).save(tmp_path / f"a.{suffix}")
    image = read_image(tmp_path / f"a.{suffix}")
    assert np.array_equal(image.pixels, GREY[None, None])
    assert image.spacing_mm is None
    assert image.orientation == ""


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, suffix: str) -> None:
    deep = GREY.astype(np.uint16) * 257
    pillow.fromarray(deep).save(tmp_path / f"a.{suffix}")
    pixels = read_image(tmp_path / f"a.{suffix}").pixels
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels[0, 0], deep)


def test_big_endian_tiff_is_turned_to_the_machines_order(tmp_path: Path) -> None:
    deep = GREY.astype(">u2") * 257
    pillow.frombytes("I;16B", (4, 3), deep.tobytes()).save(tmp_path / "a.tif")
    pixels = read_image(tmp_path / "a.tif").pixels
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels[0, 0], deep)


def test_float_tiff_is_kept(tmp_path: Path) -> None:
    pillow.fromarray(GREY.astype(np.float32) / 7).save(tmp_path / "a.tif")
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels[0, 0], GREY.astype(np.float32) / 7)


def test_pages_of_a_tiff_are_depth(tmp_path: Path) -> None:
    pages = [pillow.fromarray(GREY + page) for page in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    pixels = read_image(tmp_path / "a.tif").pixels
    assert pixels.shape == (1, 3, 3, 4)
    assert np.array_equal(pixels[0, 2], GREY + 2)


def test_pages_of_different_size_are_unsupported(tmp_path: Path) -> None:
    pillow.new("L", (4, 3)).save(tmp_path / "a.tif", save_all=True, append_images=[pillow.new("L", (5, 5))])
    assert reason(tmp_path / "a.tif") == "unsupported"


def test_alpha_is_dropped(tmp_path: Path) -> None:
    rgba = np.dstack([GREY, GREY + 1, GREY + 2, np.zeros_like(GREY)])
    pillow.fromarray(rgba).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png").pixels[:, 0], rgba[:, :, :3].transpose(2, 0, 1))


def test_grey_with_alpha_is_one_channel(tmp_path: Path) -> None:
    pillow.fromarray(GREY).convert("LA").save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png").pixels, GREY[None, None])


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    picture = pillow.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").pixels[:, 0, 0].tolist() == [[10, 40], [20, 50], [30, 60]]


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    pillow.fromarray(GREY > 100).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png").pixels[0, 0], (GREY > 100) * 255)


def test_the_orientation_in_exif_is_applied(tmp_path: Path) -> None:
    picture = pillow.fromarray(GREY)
    exif = picture.getexif()
    exif[0x0112] = 3  # turned by 180 degrees
    picture.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png").pixels[0, 0], GREY[::-1, ::-1])


def test_a_cut_jpeg_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    pillow.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    assert reason(path) == "truncated"


@pytest.mark.parametrize("cut", [8, 20, 60, 2000])
def test_a_cut_png_is_truncated(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.png"
    pillow.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:cut])
    assert reason(path) == "truncated"


@pytest.mark.parametrize("side", [10_000, 20_000, 60_000])
def test_a_small_file_claiming_a_huge_picture_is_too_large(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_claiming(side, side))
    assert path.stat().st_size < 200
    assert reason(path) == "too_large"
