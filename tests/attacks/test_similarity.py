"""Measures of likeness, by hand."""

import pytest
import torch

from wardround.attacks.similarity import Box, compare, psnr, ssim
from wardround.rng import torch_stream


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch_stream("similarity", seed))


def test_psnr_by_hand() -> None:
    black = torch.zeros(2, 1, 2, 2)
    grey = black.clone()
    grey[0] += 0.1  # mean squared error 0.01
    assert psnr(grey, black).tolist() == pytest.approx([20.0, 200.0])


def test_equal_images_have_ssim_one_and_unrelated_ones_none() -> None:
    image = noise(1, 3, 16, 16)
    assert float(ssim(image, image)) == pytest.approx(1)
    assert abs(float(ssim(image, noise(1, 3, 16, 16, seed=1)))) < 0.2
    assert float(ssim(image, 1 - image)) < -0.5


def test_ssim_of_flat_images_compares_their_brightness() -> None:
    bright, dark = torch.full((1, 1, 8, 8), 0.8), torch.full((1, 1, 8, 8), 0.4)
    assert float(ssim(bright, dark)) == pytest.approx((2 * 0.8 * 0.4 + 1e-4) / (0.8**2 + 0.4**2 + 1e-4))


def test_ssim_agrees_with_monai() -> None:
    first = (torch.arange(100.0).view(1, 1, 10, 10) * 7 % 100) / 100
    second = (torch.arange(100.0).view(1, 1, 10, 10) * 3 % 100) / 100
    assert float(ssim(first, (first + second) / 2)) == pytest.approx(0.705725, abs=2e-5)  # MONAI 1.6.1's SSIMMetric


def test_images_smaller_than_a_window_are_one() -> None:
    assert float(ssim(noise(1, 1, 4, 4), noise(1, 1, 4, 4))) == pytest.approx(1)


def test_guesses_are_compared_with_true_images_of_their_own() -> None:
    truth = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 1, 8, 8)
    likeness = compare(truth[[2, 0]], truth)
    assert likeness.partners.tolist() == [2, 0]
    assert (likeness.psnr, likeness.ssim) == (pytest.approx(200), pytest.approx(1))


def test_the_nearest_guess_comes_first() -> None:
    truth = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    likeness = compare(torch.tensor([0.2, 0.9]).view(2, 1, 1, 1).expand(2, 1, 8, 8), truth)
    assert likeness.order.tolist() == [1, 0]
    assert likeness.psnrs.tolist() == pytest.approx([13.979, 20.0], abs=1e-3)  # squared errors 0.04 and 0.01


def test_two_guesses_alike_share_no_true_image() -> None:
    truth = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    assert sorted(compare(torch.zeros(2, 1, 8, 8), truth).partners.tolist()) == [0, 1]


@pytest.mark.parametrize("how", ["fixed", "imagenet", "image"])
def test_grey_values_and_network_units_are_turned_into_each_other(how: str) -> None:
    box = Box.of(how, 3)  # type: ignore[arg-type]
    grey = noise(2, 3, 4, 4)
    assert torch.allclose(box.grey(box.units(grey)), grey, atol=1e-6)
    assert torch.equal(box.grey(box.clip(box.units(grey + 2))), torch.ones(2, 3, 4, 4))
