"""PNG, JPEG, TIFF and BMP that lie about their size, repeat themselves or end early."""

import struct
from collections.abc import Callable
from pathlib import Path

import corpus
import pytest
from PIL import Image as pillow

from wardround.data.readers.image import load_picture, read_image
from wardround.errors import ImageError


def whole(form: str) -> bytes:
    return corpus.saved(pillow.linear_gradient("L").resize((64, 64)), form)


def tiled(side: int) -> bytes:
    """A TIFF of 16 x 16 pixels in one tile of side x side, which decoders unpack whole."""
    data = corpus.deflated(side * side)
    tags = {**corpus.page(16, 16, compression=8), 322: (4, 1, side), 323: (4, 1, side), 324: (4, 1, 8), 325: (4, 1, len(data))}
    return corpus.tiff([{tag: entry for tag, entry in tags.items() if tag not in (273, 278, 279)}], data=data)


def second_page_larger() -> bytes:
    data = corpus.deflated(60_000_000)
    return corpus.tiff([corpus.page(1, 1), corpus.page(8000, 7500, num_bytes=len(data), compression=8)], data=data)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a png of 2^62 pixels": (lambda: corpus.png(2**31 - 1, 2**31 - 1, data=b""), "too_large"),
    "a png of 88 million pixels": (lambda: corpus.png(9300, 9500), "too_large"),
    "a png whose text unpacks to 200 MB": (
        lambda: corpus.png(10, 10, chunks=[corpus.png_chunk(b"zTXt", b"k\0\0" + corpus.deflated(200 * 2**20))]), "truncated"),
    "a png whose profile unpacks to 200 MB": (
        lambda: corpus.png(10, 10, chunks=[corpus.png_chunk(b"iCCP", b"k\0\0" + corpus.deflated(200 * 2**20))]), "truncated"),
    "a png with fewer pixels than it says": (lambda: corpus.png(100, 100, data=corpus.deflated(5000)), "truncated"),
    "a png cut short": (lambda: whole("PNG")[:-40], "truncated"),
    "a png of height 0": (lambda: corpus.png(10, 0), "truncated"),
    "a jpeg of a thousand scans": (lambda: corpus.jpeg_of_scans(4000, 1000), "unsupported"),
    "a jpeg of 300 bytes and 63 million pixels": (lambda: corpus.jpeg_sized(9000, 7000), "truncated"),
    "a jpeg of 4 billion pixels": (lambda: corpus.jpeg_sized(65500, 65500), "too_large"),
    "a jpeg cut short": (lambda: whole("JPEG")[:-200], "truncated"),
    "a tiff of 10,000 pages": (lambda: corpus.tiff([corpus.page(1, 1)] * 10_000, data=bytes(4)), "too_large"),
    "a tiff of 2^62 pixels": (lambda: corpus.tiff([corpus.page(2**31, 2**31)], data=bytes(4)), "too_large"),
    "a tiff in a tile of 1.6 GB": (lambda: tiled(40_000), "too_large"),
    "a tiff whose second page is the large one": (second_page_larger, "unsupported"),
    "a tiff with its strip outside of the file": (lambda: corpus.tiff([corpus.page(16, 16, offset=10**6, num_bytes=256)]), "truncated"),
    "a tiff without a directory": (lambda: struct.pack("<2sHI", b"II", 42, 10**6), "truncated"),
    "a bmp of 2^30 rows": (
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 1000, 2**30, 1, 8, 0, 0, 0, 0, 0, 0), "too_large"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_the_name_of_its_fault(case: str, tmp_path: Path) -> None:
    make, reason = REFUSED[case]
    path = tmp_path / "hostile"
    path.write_bytes(make())
    for read in (lambda: read_image(path), lambda: load_picture(tmp_path, "hostile")):
        with pytest.raises(ImageError, match="hostile: ") as caught:
            read()
        assert caught.value.reason == reason


@pytest.mark.parametrize("make", [lambda: corpus.png(8000, 8000), lambda: corpus.png(8000, 8000, colour=2)], ids=["grey", "colour"])
def test_the_largest_picture_that_is_read_stays_within_the_limits(make: Callable[[], bytes], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(make())
    assert read_image(tmp_path / "a.png").pixels.shape[2:] == (8000, 8000)


def test_a_tiff_whose_pages_go_in_a_circle_ends(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(corpus.tiff([corpus.page(1, 1)] * 3, data=bytes(4), next_of_last=12))
    assert read_image(tmp_path / "a.tif").pixels.shape == (1, 3, 1, 1)


def test_a_strip_of_two_billion_rows_is_not_believed(tmp_path: Path) -> None:
    data = corpus.deflated(2**28)
    strip = {**corpus.page(16, 16, num_bytes=len(data), compression=8), 278: (4, 1, 2**31 - 1)}
    (tmp_path / "a.tif").write_bytes(corpus.tiff([strip], data=data))
    assert read_image(tmp_path / "a.tif").pixels.shape == (1, 1, 16, 16)
