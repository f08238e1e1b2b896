"""Noise as long as it is told to be."""

import pytest
import torch

from wardround.attacks.gaussian import gaussian

HONEST = [torch.tensor([3.0, 0.0, 8.0] * 100), torch.tensor([3.0, 8.0, 0.0] * 100)]  # mean (3, 4, 4)


def noise(seed: int = 0, **settings: float) -> torch.Tensor:
    return gaussian(HONEST, torch.Generator().manual_seed(seed), **settings)


@pytest.mark.parametrize(("settings", "factor"), [({}, 10.0), ({"strength": 0.5}, 0.5)])
def test_its_norm_is_the_honest_mean_s_times_strength(settings: dict[str, float], factor: float) -> None:
    assert float(noise(**settings).norm()) == pytest.approx(factor * (100 * (9 + 16 + 16)) ** 0.5)


def test_it_goes_in_no_direction_of_the_honest_mean() -> None:
    mean = torch.stack(HONEST).mean(0)
    assert abs(float(torch.cosine_similarity(noise(), mean, dim=0))) < 0.2


def test_it_comes_from_the_stream_alone() -> None:
    assert torch.equal(noise(1), noise(1))
    assert not torch.equal(noise(1), noise(2))


def test_without_a_change_there_is_no_noise() -> None:
    assert gaussian([torch.zeros(3)], torch.Generator()).tolist() == [0.0, 0.0, 0.0]
