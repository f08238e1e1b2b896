"""Heat as colours over an image."""

import numpy as np

from wardround.session.painting import LONGEST, OPACITY, SHORTEST, beside, coloured, overlay, painted


def test_colours_grow_brighter_from_no_heat_to_the_most() -> None:
    brightness = coloured(np.linspace(0, 1, 50)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(brightness) > 0).all()
    assert brightness[0] < 5 and brightness[-1] > 240


def test_without_heat_the_image_stays_and_under_the_most_it_still_shines_through() -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert (painted(grey, np.zeros((8, 8), np.float32)) == grey[..., None]).all()
    dark, bright = (painted(np.full((8, 8), value, np.uint8), np.ones((8, 8), np.float32)).astype(int) for value in (0, 200))
    assert np.abs(bright - dark - (1 - OPACITY) * 200).max() <= 1


def test_heat_of_any_size_is_stretched_over_the_image() -> None:
    heat = np.array([[1, 0], [0, 0]], np.float32)
    shown = painted(np.zeros((40, 60), np.uint8), heat)
    assert shown.shape == (40, 60, 3)
    assert shown[5, 5].sum() > shown[35, 55].sum() == 0


def test_small_pictures_grow_large_ones_shrink_and_colours_stay() -> None:
    heat = np.zeros((4, 4), np.float32)
    assert beside(np.zeros((1, 16, 32), np.uint8), heat).shape == (SHORTEST, 2 * 2 * SHORTEST + 8, 3)
    assert overlay(np.zeros((1, 4000, 1000), np.uint8), heat).shape == (LONGEST, LONGEST // 4, 3)
    red = np.zeros((3, 300, 300), np.uint8)
    red[0] = 200
    assert (overlay(red, heat) == (200, 0, 0)).all()
