"""The viewer of volumes and pictures: what a person does with wheel, keys, sliders and switches, and what is then painted."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtWidgets import QApplication

from wardround.app.theme import theme
from wardround.app.widgets.overlay import outlines, windowed
from wardround.app.widgets.slices import SliceViewer


def ramp() -> np.ndarray:
    """Two channels, five slices of 8 x 8; slice d of the first is d everywhere, of the second 100 * d."""
    depth = np.arange(5, dtype=np.float32)[None, :, None, None] * np.array([1.0, 100.0], np.float32)[:, None, None, None]
    return np.broadcast_to(depth, (2, 5, 8, 8)).copy()


@pytest.fixture
def viewer(qtbot):
    made = SliceViewer()
    qtbot.addWidget(made)
    made.resize(500, 700)
    made.show()
    return made


def colour_at(viewer: SliceViewer, down: float, across: float) -> QColor:
    """What the canvas shows at a share of its largest square, whose image is square too."""
    side = min(viewer.canvas.width(), viewer.canvas.height())
    left, top = (viewer.canvas.width() - side) / 2, (viewer.canvas.height() - side) / 2
    return viewer.canvas.grab().toImage().pixelColor(int(left + across * side), int(top + down * side))


def wheel(viewer: SliceViewer, notches: int) -> None:
    place = QPointF(20, 20)
    QApplication.sendEvent(viewer.canvas, QWheelEvent(place, viewer.canvas.mapToGlobal(place), QPoint(), QPoint(0, 120 * notches),
                                                      Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
                                                      Qt.ScrollPhase.NoScrollPhase, False))


def test_a_volume_opens_in_its_middle_and_says_where(viewer):
    viewer.show_volume(ramp(), ("FLAIR", "T1"))
    assert viewer.place_label.text() == "Slice 3 of 5"
    assert viewer.modality.isVisible()


def test_a_volume_with_a_mask_opens_where_the_mask_is_largest(viewer):
    mask = np.zeros((5, 8, 8), np.uint8)
    mask[1, :4], mask[4, :1] = 1, 1
    viewer.show_volume(ramp(), masks={"truth": mask}, class_names=("background", "tumour"))
    assert viewer.slice == 1


def test_wheel_arrows_pages_and_ends_go_through_the_slices(qtbot, viewer):
    viewer.show_volume(ramp())
    wheel(viewer, 1)
    assert viewer.slice == 3
    for key, place in ((Qt.Key.Key_Up, 4), (Qt.Key.Key_Right, 4), (Qt.Key.Key_Down, 3), (Qt.Key.Key_Home, 0), (Qt.Key.Key_End, 4),
                       (Qt.Key.Key_PageDown, 0)):
        qtbot.keyClick(viewer, key)
        assert viewer.slice == place, key
    assert viewer.place_label.text() == "Slice 1 of 5"


def test_a_picture_has_no_slider_of_slices_and_its_colours_are_kept(viewer):
    red = np.zeros((3, 1, 8, 8), np.uint8)
    red[0] = 200
    viewer.show_volume(red)
    assert not viewer.slider.isVisible()
    assert not viewer.modality.isVisible()
    assert colour_at(viewer, 0.5, 0.5).getRgb()[:3] == (200, 0, 0)


def test_three_named_channels_are_modalities_not_colours(viewer):
    sequences = np.stack([np.full((1, 8, 8), value, np.uint8) for value in (10, 120, 240)])
    viewer.show_volume(sequences, ("pre-contrast", "FLAIR", "post-contrast"))
    assert colour_at(viewer, 0.5, 0.5).getRgb()[:3] == (10, 10, 10)
    viewer.modality.setCurrentText("FLAIR")
    assert colour_at(viewer, 0.5, 0.5).getRgb()[:3] == (120, 120, 120)


def test_the_window_makes_values_brighter_until_reset(qtbot, viewer):
    viewer.show_volume(np.full((1, 1, 8, 8), 100, np.uint8))
    assert colour_at(viewer, 0.5, 0.5).red() == 100
    viewer.level_slider.setValue(200)
    brighter = colour_at(viewer, 0.5, 0.5).red()
    assert brighter > 150
    qtbot.mouseClick(viewer.reset_button, Qt.MouseButton.LeftButton)
    assert colour_at(viewer, 0.5, 0.5).red() == 100


def test_dragging_upwards_brightens(qtbot, viewer):
    viewer.show_volume(np.full((1, 1, 8, 8), 100, np.uint8))
    viewer.canvas.dragged.emit(0, 80)
    level, width = viewer.level_and_width
    assert level == pytest.approx(127.5 - 80 * 255 / 400, abs=1)
    assert width == 255
    assert colour_at(viewer, 0.5, 0.5).red() > 100


def test_a_second_mask_is_filled_and_can_be_switched_off(qtbot, viewer):
    truth, model = np.zeros((2, 1, 8, 8), np.uint8)
    model[0, :, :4] = 2
    viewer.show_volume(np.zeros((1, 1, 8, 8), np.uint8), masks={"truth": truth, "model": model},
                       class_names=("background", "oedema", "tumour"))
    viewer.opacity_slider.setValue(100)
    assert [box.text() for box in viewer.mask_boxes()] == ["truth (outline)", "model (filled)"]
    assert "tumour" in viewer.legend.text()
    assert colour_at(viewer, 0.5, 0.25) == theme().series(1)
    assert colour_at(viewer, 0.5, 0.75).red() == 0
    viewer.mask_boxes()[1].click()
    assert colour_at(viewer, 0.5, 0.25).red() == 0


def test_a_switched_off_mask_stays_off_in_the_next_image(viewer):
    mask = np.ones((1, 8, 8), np.uint8)
    for _ in range(2):
        viewer.show_volume(np.zeros((1, 1, 8, 8), np.uint8), masks={"truth": mask, "model": mask})
        if viewer.mask_boxes()[1].isChecked():
            viewer.mask_boxes()[1].click()
    assert [box.isChecked() for box in viewer.mask_boxes()] == [True, False]


def test_the_first_mask_is_an_outline_around_its_pixels():
    mask = np.zeros((4, 4), np.uint8)
    mask[1:3, 1] = 1
    assert {(line.x1(), line.y1(), line.x2(), line.y2()) for line in outlines(mask, 1)} == {
        (1, 1, 2, 1), (1, 3, 2, 3), (1, 1, 1, 3), (2, 1, 2, 3)}


def test_a_window_maps_its_ends_to_black_and_white_and_not_a_number_to_black():
    assert windowed(np.array([[-5.0, 0, 50, 100, 105, np.nan]]), level=50, width=100).tolist() == [[0, 0, 127, 255, 255, 0]]


def test_clear_shows_nothing(viewer):
    viewer.show_volume(np.full((1, 1, 8, 8), 100, np.uint8))
    viewer.clear()
    assert colour_at(viewer, 0.5, 0.5).red() == 0
    assert not viewer.level_slider.isVisible()
