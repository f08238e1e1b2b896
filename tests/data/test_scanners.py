"""Simulated scanners."""

import numpy as np
import pytest

from wardround.data import scanners
from wardround.data.scanners import Scanner, apply, scanner_for


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 3, 12, 10), dtype=np.uint8)


def scanner(**changes: object) -> Scanner:
    """A scanner that changes nothing but what is given."""
    settings = {"name": "north", "seed": 0, "gamma": 1.0, "bias": (0.0,) * 5, "blur_px": 0.0, "noise": 0.0, **changes}
    return Scanner(**settings)


def test_strength_zero_changes_nothing(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(apply(pixels, np.arange(7), scanner_for(3, "north", 0.0)), pixels)


def test_images_stay_8_bit_and_keep_their_shape(pixels: np.ndarray) -> None:
    shown = apply(pixels, np.arange(7), scanner_for(3, "north", 1.0))
    assert shown.dtype == np.uint8
    assert shown.shape == pixels.shape
    assert (shown != pixels).any()


def test_the_given_pixels_are_left_alone(pixels: np.ndarray) -> None:
    before = pixels.copy()
    apply(pixels, np.arange(7), scanner_for(3, "north", 1.0))
    np.testing.assert_array_equal(pixels, before)


def test_an_image_looks_the_same_whatever_it_is_changed_with(pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.array([4, 9, 2, 100, 7, 31, 5])
    machine = scanner_for(3, "north", 1.0)
    whole = apply(pixels, rows, machine)
    chosen = [5, 0, 3]
    np.testing.assert_array_equal(apply(pixels[chosen], rows[chosen], machine), whole[chosen])
    monkeypatch.setattr(scanners, "CHUNK", 2)
    np.testing.assert_array_equal(apply(pixels, rows, machine), whole)


def test_sites_and_seeds_have_scanners_of_their_own() -> None:
    drawn = {(s.gamma, s.bias, s.blur_px, s.noise) for s in (scanner_for(seed, site, 0.5) for seed in (0, 1) for site in ("a", "b", "c"))}
    assert len(drawn) == 6
    assert scanner_for(0, "a", 0.5) == scanner_for(0, "a", 0.5)


def test_each_image_gets_its_own_noise() -> None:
    flat = np.full((2, 1, 16, 16), 128, np.uint8)
    shown = apply(flat, np.arange(2), scanner(noise=0.05)).astype(float)
    assert (shown[0] != shown[1]).any()
    assert shown.std() / 255 == pytest.approx(0.05, rel=0.15)
    assert shown.mean() == pytest.approx(128, abs=3)


def test_gamma_is_the_exponent_of_brightness() -> None:
    shown = apply(np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3), np.array([0]), scanner(gamma=2.0))
    assert shown.ravel().tolist() == [0, 10, 255]  # 255 * 0.2^2 = 10.2


def test_bias_is_a_smooth_gain() -> None:
    shown = apply(np.full((1, 1, 3, 3), 100, np.uint8), np.array([0]), scanner(bias=(0.5, 0, 0, 0, 0)))[0, 0]
    assert shown[1].tolist() == [61, 100, 165]  # 100 e^-0.5, 100, 100 e^0.5
    np.testing.assert_array_equal(shown[0], shown[2])


def test_blur_keeps_flat_images_and_the_sum_of_a_point() -> None:
    flat = np.full((1, 1, 9, 9), 77, np.uint8)
    np.testing.assert_array_equal(apply(flat, np.array([0]), scanner(blur_px=1.0)), flat)
    point = np.zeros((1, 1, 15, 15), np.uint8)
    point[0, 0, 7, 7] = 255
    shown = apply(point, np.array([0]), scanner(blur_px=1.0))[0, 0]
    assert shown[7, 7] == round(255 / (2 * np.pi))  # the density of a 2-D Gaussian at its centre
    np.testing.assert_array_equal(shown, shown.T)
    assert shown.sum() == pytest.approx(255, abs=30)  # rounding of 225 pixels
