"""Half precision: exact where it can be, and neither large nor tiny numbers are lost."""

import pytest
import torch

from wardround.compression.half import Half, pack, unpack

RNG = torch.Generator()


def there_and_back(*numbers: float) -> list[float]:
    values = torch.tensor(numbers)
    return Half().decode(Half().encode(values, [len(values)], RNG), [len(values)]).tolist()


def test_two_bytes_a_number_and_one_for_the_shift() -> None:
    assert len(Half().encode(torch.ones(10), [4, 6], RNG)) == 21


def test_numbers_of_eleven_bits_come_back_exactly() -> None:
    assert there_and_back(1.0, -0.75, 2047 / 1024, 0.0) == [1.0, -0.75, 2047 / 1024, 0.0]


def test_others_are_rounded_to_the_nearest_of_eleven_bits() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    found = unpack(pack(values))
    assert ((found - values).abs() <= values.abs() * 2**-11).all()
    assert not torch.equal(found, values)


def test_numbers_beyond_float16_keep_their_precision() -> None:
    for scale in (1e30, 1e5, 1e-8, 1e-30):  # float16 itself ends at 65504 and at 6e-8
        assert there_and_back(scale, -scale / 1000) == pytest.approx([scale, -scale / 1000], rel=2**-11)


def test_the_largest_and_the_smallest_float32_stay_finite() -> None:
    assert there_and_back(3.4e38, 1.0) == pytest.approx([3.4e38, 0.0], rel=2**-11)
    assert there_and_back(1e-45) == [pytest.approx(0, abs=2e-45)]
