"""Rows of .npz files."""

from pathlib import Path

import numpy as np
import pytest

from wardround.data.readers.arrays import open_arrays
from wardround.data.readers.image import load
from wardround.errors import ImageError

GREY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
COLOUR = np.arange(36, dtype=np.uint8).reshape(1, 3, 4, 3)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    np.savez_compressed(tmp_path / "set.npz", grey=GREY, colour=COLOUR, flat=np.zeros(3), scalar=np.array(3),
                        objects=np.array([{}], dtype=object))
    return tmp_path


def reason(root: Path, image: str, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        load(root, image, **options)
    return caught.value.reason


def test_a_row_of_a_grey_stack(root: Path) -> None:
    assert np.array_equal(load(root, "set.npz#grey/1").pixels, GREY[1][None, None])


def test_a_row_of_a_colour_stack_is_three_channels(root: Path) -> None:
    assert np.array_equal(load(root, "set.npz#colour/0").pixels[:, 0], COLOUR[0].transpose(2, 0, 1))


@pytest.mark.parametrize(("image", "code"), [
    ("set.npz#grey/2", "unreadable"), ("set.npz#grey/-1", "unreadable"), ("set.npz#grey/x", "unreadable"), ("set.npz#none/0", "unreadable"),
    ("absent.npz#grey/0", "unreadable"), ("set.npz#flat/0", "unsupported"), ("set.npz#scalar/0", "unsupported"),
    ("set.npz#objects/0", "unsupported"),
])
def test_a_reference_to_no_image_is_refused(root: Path, image: str, code: str) -> None:
    assert reason(root, image) == code


def test_more_pixels_than_the_limit_are_refused(root: Path) -> None:
    assert reason(root, "set.npz#grey/0", limit_pixels=11) == "too_large"


def test_a_cut_file_is_truncated(root: Path) -> None:
    path = root / "set.npz"
    path.write_bytes(path.read_bytes()[:100])
    assert reason(root, "set.npz#grey/0") == "truncated"


def test_headers_tell_shape_and_type(root: Path) -> None:
    assert open_arrays(root / "set.npz").headers()["grey"] == ((2, 3, 4), np.dtype(np.uint8))


def test_a_file_written_anew_is_read_anew(root: Path) -> None:
    load(root, "set.npz#grey/0")
    np.savez(root / "set.npz", grey=GREY + 100)
    assert load(root, "set.npz#grey/0").pixels[0, 0, 0, 0] == 100
