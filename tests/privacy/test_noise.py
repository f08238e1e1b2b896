"""Noise is normal, samples are Poisson, and both come from the operating system."""

import os

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from wardround.errors import PrivacyError
from wardround.privacy import noise
from wardround.privacy.noise import chosen, gaussian


def repeatable(seed: int) -> noise.Entropy:
    """Bytes that are the same in each test run, so that a test of chance never fails by chance."""
    return np.random.default_rng(seed).bytes


def test_noise_is_normal() -> None:
    drawn = gaussian(1_000_000, 1.0, repeatable(0)).numpy()
    assert kstest(drawn, "norm").pvalue > 0.01
    assert drawn.std() == pytest.approx(1, rel=0.01)
    assert abs(drawn.mean()) < 0.004
    assert kstest(drawn[:500_000] + drawn[500_000:], "norm", args=(0, 2**0.5)).pvalue > 0.01  # the halves of pairs do not depend


def test_noise_has_the_standard_deviation_asked_for() -> None:
    drawn = gaussian(200_000, 3.5, repeatable(1))
    assert drawn.dtype == torch.float32
    assert float(drawn.std()) == pytest.approx(3.5, rel=0.01)


def test_zero_std_is_no_noise() -> None:
    assert gaussian(5, 0.0).tolist() == [0] * 5


@pytest.mark.parametrize("num", [0, 1, 2, 7, 8, 9, 25])
def test_chunks_and_odd_numbers_leave_no_hole(num: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "CHUNK", 4)
    drawn = gaussian(num, 1.0, repeatable(2))
    assert drawn.shape == (num,)
    assert len(set(drawn.tolist()) - {0.0}) == num


@pytest.mark.parametrize("byte", [b"\0", b"\xff"])
def test_the_rarest_bits_give_finite_noise(byte: bytes) -> None:
    drawn = gaussian(6, 1.0, lambda num: byte * num)
    assert torch.isfinite(drawn).all()
    assert float(drawn.abs().max()) < 8.7


def test_chance_is_the_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gaussian.__defaults__ == chosen.__defaults__ == (os.urandom,)
    torch.manual_seed(0)
    first, state = gaussian(100, 1.0), torch.random.get_rng_state()
    torch.manual_seed(0)
    assert not torch.equal(first, gaussian(100, 1.0))
    assert torch.equal(state, torch.random.get_rng_state())
    assert chosen(1000, 0.5).tolist() != chosen(1000, 0.5).tolist()


def test_sizes_of_samples_vary_as_those_of_poisson_sampling_do() -> None:
    entropy, num, rate = repeatable(3), 500, 0.1
    sizes = [len(chosen(num, rate, entropy)) for _ in range(2000)]
    assert np.mean(sizes) == pytest.approx(num * rate, rel=0.01)
    assert np.var(sizes) == pytest.approx(num * rate * (1 - rate), rel=0.1)


def test_each_index_is_drawn_as_often_and_independently() -> None:
    entropy = repeatable(4)
    drawn = np.zeros((4000, 5))
    for row in drawn:
        row[chosen(5, 0.3, entropy)] = 1
    assert drawn.mean(axis=0) == pytest.approx(np.full(5, 0.3), abs=0.03)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(5)).max() < 0.06


def test_a_sample_rises_and_holds_each_index_once() -> None:
    drawn = chosen(1000, 0.5, repeatable(5))
    assert drawn.dtype == np.int64
    assert (np.diff(drawn) > 0).all()


def test_rate_one_is_everyone_and_rate_zero_nobody() -> None:
    assert chosen(4, 1.0, lambda num: b"\xff" * num).tolist() == [0, 1, 2, 3]
    assert chosen(4, 0.0, lambda num: b"\0" * num).tolist() == []
    assert chosen(0, 0.5).tolist() == []


@pytest.mark.parametrize("call", [lambda: gaussian(3, -1.0), lambda: gaussian(3, float("nan")), lambda: gaussian(3, float("inf")),
                                  lambda: gaussian(-1, 1.0), lambda: chosen(3, 1.5), lambda: chosen(3, float("nan")),
                                  lambda: chosen(-1, 0.5)])
def test_impossible_noise_and_samples_are_refused(call) -> None:
    with pytest.raises(PrivacyError, match="cannot be drawn"):
        call()
