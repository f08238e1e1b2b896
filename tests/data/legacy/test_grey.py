"""One rule makes a set's grey values 8-bit, and says so."""

import re

import numpy as np
import pytest

from wardround.data.legacy.grey import picture, scale_of


@pytest.mark.parametrize(("values", "shown", "text"), [
    (np.array([0, 7, 255], np.uint8), [0, 7, 255], "0..255 already"),
    (np.array([0, 1, 1], np.uint8), [0, 1, 1], "0..255 already"),
    (np.array([0.0, 0.5, 1.0]), [0, 128, 255], "0..1 became"),
    (np.array([-1.0, 0.0, 1.0], np.float32), [0, 128, 255], "-1..1 became"),
    (np.array([0.4, 99.6, 254.0]), [0, 100, 254], "0..255 already"),
    (np.array([0, 2048, 4096], np.uint16), [0, 128, 255], r"range 0\.\.4096"),
    (np.array([-1000.0, 0.0, 1000.0]), [0, 128, 255], r"range -1000\.\.1000"),
    (np.array([False, True, True]), [0, 255, 255], "yes and no"),
    (np.array([7.5, 7.5, 7.5]) * 100, [0, 0, 0], r"range 750\.\.750"),
])
def test_the_rule_follows_from_type_and_range(values: np.ndarray, shown: list[int], text: str) -> None:
    scale = scale_of([values])
    assert scale(values).tolist() == pytest.approx(shown, abs=1)
    assert scale(values).dtype == np.uint8
    assert re.search(text, scale.text)


def test_the_rule_is_the_sets_and_not_the_images() -> None:
    dark, light = np.full((2, 2), 0.25), np.full((2, 2), -1.0)
    assert scale_of([dark, light])(dark)[0, 0] == 159


@pytest.mark.parametrize("shape", [(6, 8), (1, 6, 8), (6, 8, 1)])
def test_grey_is_two_axes(shape: tuple[int, ...]) -> None:
    assert picture(np.zeros(shape)).shape == (6, 8)


@pytest.mark.parametrize("shape", [(6, 8, 3), (3, 6, 8), (6, 8, 4)])
def test_colour_is_three(shape: tuple[int, ...]) -> None:
    assert picture(np.zeros(shape)).shape == (6, 8, 3)


@pytest.mark.parametrize(("value", "reason"), [
    (np.zeros((5, 6, 8)), "two dimensions"), (np.zeros(7), "two dimensions"), (np.array([[np.nan, 1], [1, 1]]), "not finite"),
    (np.array([["a", "b"], ["c", "d"]]), "numbers"), ("text", "no array"), ([["a"]], "numbers"),
    ([[1, 2], [3]], "rows of different lengths"),
])
def test_what_is_no_picture_says_why(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        picture(value)


def test_a_list_that_repeats_itself_is_measured_before_it_is_copied() -> None:
    row: list[object] = [1] * 10_000
    with pytest.raises(ValueError, match="too many pixels"):
        picture([[row] * 10_000] * 10_000)
