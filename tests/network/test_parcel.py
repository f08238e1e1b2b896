"""A message is the same when it has travelled as pieces, and nothing else passes for one."""

from typing import Any

import numpy as np
import pytest

from wardround.errors import WireError
from wardround.network import parcel
from wardround.network.parcel import pieces, whole


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "PIECE", 4)


@pytest.mark.parametrize("num", [1, 3, 4, 5, 8, 45])
def test_a_message_is_whole_again(num: int) -> None:
    data = bytes(range(num))
    found = pieces(data)
    assert len(found) == -(-num // 4)
    assert whole(found, num) == data
    assert whole(dict(reversed(found.items())), num) == data  # whatever order they come in


def test_pieces_are_views_of_the_message() -> None:
    data = bytes(10)
    assert all(piece.base is not None and not piece.flags.writeable for piece in pieces(data).values())


def array(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)


@pytest.mark.parametrize("found", [
    None, [], {}, "pieces", b"bytes", {"0": b"bytes"}, {"0": array(1), "2": array(2)}, {"1": array(1)}, {0: array(1)},
    {"0": array(1), "00": array(2)}, {"0": np.array([1.0])}, {"0": np.array([[1]], np.uint8)}, {"0": array(1), "1": None},
    {"0": np.array([object()])}, {"0": np.arange(8, dtype=np.uint8)[::2]}])
def test_what_is_no_message_is_refused(found: Any) -> None:
    with pytest.raises(WireError, match="Do server and site run the same version"):
        whole(found, 100)


def test_a_message_that_is_too_large_is_refused() -> None:
    assert whole(pieces(bytes(9)), 9) == bytes(9)
    with pytest.raises(WireError, match=r"a message of 0\.0 MB came"):
        whole(pieces(bytes(9)), 8)


def test_an_empty_message_is_none() -> None:
    with pytest.raises(WireError):
        whole(pieces(b""), 100)
