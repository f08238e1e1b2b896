"""Overlays: which slices are shown, how errors are told apart, and that nothing can break or betray."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from wardround.report.canvas import png
from wardround.report.overlays import (
    ADDED,
    CLASS_COLOURS,
    CONFUSED,
    MISSED,
    OverlayCase,
    colours_of,
    difference,
    montage,
    montage_slices,
    overlay_rows,
)

BRAIN = ("background", "oedema", "enhancing tumour", "necrotic core")


def case(truth: np.ndarray, predicted: np.ndarray, *, classes: tuple[str, ...] = ("background", "glioma"), label: str = "worst",
         dtype: type = np.uint8, dice: float = 0.5) -> OverlayCase:
    grey = (np.arange(truth.size) % 251).reshape(truth.shape).astype(dtype)
    return OverlayCase(image=grey, truth=truth, predicted=predicted, classes=classes, dice=dice, label=label)


def masks(depth: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Slice 1 has the largest true region, slice 2 the largest prediction."""
    truth, predicted = np.zeros((2, depth, 8, 8), np.uint8)
    truth[0, 0, 0] = 1
    truth[1, 2:5, 2:5] = 1
    predicted[2, 1:7, 1:7] = 1
    return truth, predicted


def texts(drawing: Figure) -> list[str]:
    assert png(drawing).startswith(b"\x89PNG")
    return [text.get_text() for text in drawing.findobj(Text) if text.get_text()]


def test_the_slice_shown_has_the_largest_true_region() -> None:
    truth, predicted = masks()
    assert case(truth, predicted).main_slice == 1


def test_without_a_true_region_the_largest_prediction_is_shown_and_without_either_the_middle() -> None:
    truth, predicted = masks()
    assert case(np.zeros_like(truth), predicted).main_slice == 2
    assert case(np.zeros_like(truth), np.zeros_like(truth)).main_slice == 1


def test_the_difference_tells_missed_added_and_another_class() -> None:
    truth, predicted = np.array([0, 1, 0, 1, 2]), np.array([0, 0, 2, 2, 2])
    assert difference(truth, predicted).tolist() == [0, 1, 2, 3, 0]


def test_missed_and_added_pixels_are_painted_in_their_colours() -> None:
    truth, predicted = np.zeros((2, 1, 4, 4), np.uint8)
    truth[0, 0, 0], predicted[0, 3, 3] = 1, 1
    (_, _, _, panel) = overlay_rows([case(truth, predicted)]).axes
    paint = panel.images[1].get_array()
    assert paint[0, 0, :3].tolist() == pytest.approx(to_rgba(MISSED)[:3])
    assert paint[3, 3, :3].tolist() == pytest.approx(to_rgba(ADDED)[:3])
    assert paint[1, 1, 3] == 0


def test_every_row_says_why_it_is_shown_and_its_dice() -> None:
    truth, predicted = masks()
    found = texts(overlay_rows([case(truth, predicted, label="best", dice=0.91), case(truth, truth, label="worst", dice=0.123)]))
    assert {"best: Dice 0.91", "worst: Dice 0.12", "truth", "prediction", "difference", "glioma", "missed", "added"} <= set(found)
    assert "another class" not in found  # there is only one


def test_all_classes_are_in_the_legend_and_no_colour_means_two_things() -> None:
    truth, predicted = masks()
    found = texts(overlay_rows([case(truth, predicted, classes=BRAIN)]))
    assert {*BRAIN[1:], "another class"} <= set(found)
    assert len(set(colours_of(BRAIN))) == 3
    assert not {MISSED, ADDED, CONFUSED} & set(CLASS_COLOURS)


def test_a_montage_shows_at_most_twelve_slices_of_those_with_a_region() -> None:
    truth = np.zeros((60, 4, 4), np.uint8)
    truth[10:51, 1, 1] = 1
    found = montage_slices(case(truth, np.zeros_like(truth)))
    assert (len(found), found[0], found[-1]) == (12, 10, 50)
    assert found == sorted(set(found))


def test_a_montage_of_few_slices_shows_each_once() -> None:
    truth, predicted = masks()
    assert montage_slices(case(truth, predicted)) == [0, 1, 2]
    assert {"slice 1 of 3", "slice 3 of 3"} <= set(texts(montage(case(truth, predicted))))


@pytest.mark.parametrize("dtype", [np.uint8, np.float16])
def test_empty_full_and_constant_images_are_drawn_without_a_warning(dtype: type) -> None:
    nothing, all_of_it = np.zeros((1, 6, 6), np.uint8), np.ones((1, 6, 6), np.uint8)
    pairs = ((nothing, nothing), (all_of_it, nothing), (nothing, all_of_it))
    cases = [case(truth, predicted, dtype=dtype, dice=math.nan) for truth, predicted in pairs]
    flat = OverlayCase(**{**vars(cases[0]), "image": np.zeros((1, 6, 6), dtype)})
    texts(overlay_rows([*cases, flat]))
    texts(montage(flat))


def test_no_patients_give_a_figure_that_says_so() -> None:
    assert "no patients to show" in texts(overlay_rows([]))
