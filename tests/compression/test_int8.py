"""Stochastic quantisation: unbiased, with a scale for each tensor."""

import pytest
import torch

from wardround.compression.int8 import Int8

CODEC = Int8()


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def there_and_back(values: torch.Tensor, sizes: list[int], seed: int = 0) -> torch.Tensor:
    return CODEC.decode(CODEC.encode(values, sizes, rng(seed)), sizes)


def test_a_byte_a_number_and_four_a_tensor() -> None:
    assert len(CODEC.encode(torch.ones(10), [4, 6], rng())) == 10 + 2 * 4


def test_levels_of_the_scale_come_back_exactly() -> None:
    values = torch.tensor([127.0, -127.0, 64.0, 0.0, -1.0])
    assert torch.equal(there_and_back(values, [5]), values)


def test_a_number_between_two_levels_becomes_either_and_is_right_on_average() -> None:
    values = torch.cat([torch.tensor([127.0]), torch.full((100_000,), -2.75)])  # a level is 1
    found = there_and_back(values, [len(values)])[1:]
    assert sorted(set(found.tolist())) == [-3.0, -2.0]
    assert found.mean().item() == pytest.approx(-2.75, abs=0.006)  # 4 standard errors of a Bernoulli(0.25)


def test_no_number_is_off_by_more_than_a_level_and_none_grows_beyond_the_scale() -> None:
    values = torch.randn(10_000, generator=rng(1))
    found, level = there_and_back(values, [10_000]), values.abs().max() / 127
    assert ((found - values).abs() <= level * 1.0001).all()
    assert found.abs().max() <= values.abs().max() * 1.0001
    assert (found - values).mean().abs() <= 4 * level / 2 / 100


def test_a_small_tensor_is_not_drowned_by_a_large_one() -> None:
    values = torch.tensor([1000.0, 3.0, 1e-6, -1e-6])
    assert there_and_back(values, [2, 2])[2:].tolist() == pytest.approx([1e-6, -1e-6])
    assert there_and_back(values, [4])[2:].abs().max() in (0.0, pytest.approx(1000 / 127))


def test_a_tensor_of_zeros_comes_back_as_zeros() -> None:
    assert there_and_back(torch.tensor([0.0, 0.0, 2.0]), [2, 1]).tolist() == [0.0, 0.0, 2.0]


def test_the_same_stream_gives_the_same_bytes_and_another_one_others() -> None:
    values = torch.randn(100, generator=rng(1))
    assert CODEC.encode(values, [100], rng(3)) == CODEC.encode(values, [100], rng(3)) != CODEC.encode(values, [100], rng(4))
