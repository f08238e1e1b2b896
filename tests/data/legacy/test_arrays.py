"""Arrays and pictures are rebuilt from bytes, and never larger than these."""

import io
import pickle
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wardround.data.legacy import inert, names
from wardround.errors import DataError


def read(data: bytes) -> Any:
    return inert.content(inert.load(io.BytesIO(data), "old.p", names.for_data))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.arange(6, dtype=">i2").reshape(2, 3), np.asfortranarray(np.eye(3)[:2]),
    np.array([True, False]), np.array(["a", "bcd"]), np.array([b"xy"]), np.float16([0.5]), np.zeros((0, 4)), np.array(3.5),
], ids=["uint8", "big-endian", "fortran", "bool", "text", "bytes", "half", "empty", "scalar"])
def test_an_array_is_read_as_it_was_pickled(array: np.ndarray, protocol: int) -> None:
    found = read(pickle.dumps(array, protocol))
    assert np.array_equal(found, array)
    assert found.shape == array.shape
    assert found.dtype == array.dtype


def test_an_array_of_objects_becomes_nested_lists() -> None:
    array = np.empty((2, 2), object)
    array[:] = [[1, "a"], [2, "b"]]
    assert read(pickle.dumps(array)) == [[1, "a"], [2, "b"]]


@pytest.mark.parametrize("number", [np.float32(0.5), np.int64(-3), np.uint8(7), np.bool_(True)])
def test_a_number_of_numpy_becomes_pythons(number: Any) -> None:
    assert read(pickle.dumps(number)) == number.item()


def test_an_array_written_by_python_2_with_numpy_1() -> None:
    data = (b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\ntp4\nRp5\n"
            b"(I1\n(I2\ntp6\ncnumpy\ndtype\np7\n"
            b"(S'f4'\np8\nI0\nI1\ntp9\nRp10\n(I3\nS'<'\np11\nNNNI-1\nI-1\nI0\ntp12\nbI00\nS'\\x00\\x00\\x80?\\x00\\x00\\x00\\xc0'\np13\ntp14\nb.")
    assert read(data).tolist() == [1.0, -2.0]


def test_a_shape_larger_than_its_bytes_is_damage() -> None:
    data = pickle.dumps(np.zeros(4, np.uint8), 2).replace(b"K\x04\x85", b"J\xff\xff\xff\x7f\x85")
    with pytest.raises(DataError, match=r"an array of shape .2147483647,. uint8 with 4 bytes"):
        read(data)


def test_records_and_dates_are_refused() -> None:
    for array in (np.zeros(1, [("a", "i4")]), np.zeros(1, "M8[s]")):
        with pytest.raises(DataError, match=r"asks for a numpy\.dtype"):
            read(pickle.dumps(array))


@pytest.mark.parametrize(("mode", "shape"), [("L", (2, 3)), ("RGB", (2, 3, 3)), ("F", (2, 3)), ("I;16", (2, 3))])
def test_a_picture_of_pillow_is_its_pixels(mode: str, shape: tuple[int, ...]) -> None:
    kind = {"F": np.float32, "I;16": np.uint16}.get(mode, np.uint8)
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    picture = Image.fromarray(pixels)
    assert picture.mode == mode
    for protocol in (0, 2, 4):
        assert np.array_equal(read(pickle.dumps(picture, protocol)), pixels)


def test_a_picture_with_a_palette_is_damage() -> None:
    with pytest.raises(DataError, match="not raw grey or colour"):
        read(pickle.dumps(Image.new("P", (2, 2))))
