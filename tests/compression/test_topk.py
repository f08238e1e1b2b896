"""The largest numbers and their places, in few bytes."""

import numpy as np
import pytest
import torch

from wardround.compression.topk import TopK, from_gaps, largest, to_gaps

RNG = torch.Generator()


def there_and_back(share: float, *numbers: float) -> list[float]:
    codec, values = TopK(share), torch.tensor(numbers)
    return codec.decode(codec.encode(values, [len(values)], RNG), [len(values)]).tolist()


def test_the_largest_numbers_of_either_sign_are_kept_and_the_others_are_zero() -> None:
    assert there_and_back(0.4, 0.25, -4.0, 1.0, 2.0, 0.0) == [0.0, -4.0, 0.0, 2.0, 0.0]


def test_a_share_is_rounded_up_so_at_least_one_number_is_sent() -> None:
    assert there_and_back(0.001, 1.0, -2.0, 0.5) == [0.0, -2.0, 0.0]
    assert there_and_back(0.34, 1.0, -2.0, 0.5) == [1.0, -2.0, 0.0]


def test_all_of_them_is_half_precision() -> None:
    assert there_and_back(1.0, 1.0, -2.0, 0.5) == [1.0, -2.0, 0.5]


def test_zeros_are_never_sent() -> None:
    codec = TopK(1.0)
    assert len(codec.encode(torch.tensor([0.0, 1.0, 0.0, 0.0]), [4], RNG)) == 4 + 1 + 2 + 1


def test_of_equal_numbers_the_first_are_sent() -> None:
    assert largest(np.array([1.0, 2.0, 1.0, 1.0, 3.0]), 3).tolist() == [0, 1, 4]


def test_places_come_back_whatever_the_gaps() -> None:
    for places in ([0], [254], [255], [256], [0, 1, 2], [3, 258, 514, 10**6]):
        assert from_gaps(to_gaps(np.array(places))).tolist() == places
    assert len(to_gaps(np.array([0, 1, 256]))) == 3
    assert len(to_gaps(np.array([255]))) == 2  # 255 places skipped: on and on


@pytest.mark.parametrize(("share", "bytes_share"), [(0.01, 0.0077), (0.1, 0.075), (0.001, 0.0016)])
def test_bytes_as_a_share_of_float32(share, bytes_share) -> None:
    values = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    codec = TopK(share)
    data = codec.encode(values, [200_000], RNG)
    assert len(data) / 800_000 == pytest.approx(bytes_share, rel=0.03)
    found = codec.decode(data, [200_000])
    assert int((found != 0).sum()) == share * 200_000
    assert torch.allclose(found[found != 0], values[found != 0], rtol=2**-11)
