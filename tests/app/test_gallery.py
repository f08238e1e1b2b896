"""Thumbnails: only those in sight are asked for, whatever the number of images."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from wardround.app.widgets import gallery
from wardround.app.widgets.gallery import Gallery

MANY = 60_000


@pytest.fixture
def shown(qtbot):
    made = Gallery()
    qtbot.addWidget(made)
    made.resize(600, 400)
    made.show()
    return made


def test_only_what_is_in_sight_is_asked_for(qtbot, shown):
    asked: list[int] = []
    shown.show_items(MANY, str, asked.append)
    qtbot.waitUntil(lambda: bool(asked), timeout=5000)
    assert asked == list(shown.in_sight())
    assert len(asked) < 40


def test_a_jump_asks_once_for_the_new_place(qtbot, shown):
    asked: list[int] = []
    shown.show_items(MANY, str, asked.append)
    qtbot.waitUntil(lambda: bool(asked), timeout=5000)
    asked.clear()
    bar = shown.verticalScrollBar()
    for share in (0.2, 0.7, 0.5):  # passing by asks for nothing
        bar.setValue(int(bar.maximum() * share))
    qtbot.waitUntil(lambda: bool(asked), timeout=5000)
    assert asked == list(shown.in_sight())
    assert MANY * 0.45 < asked[0] < MANY * 0.55


def test_what_is_in_sight_is_what_the_view_paints(shown):
    shown.show_items(MANY, str, lambda row: None)
    shown.verticalScrollBar().setValue(10_000)
    assert shown.indexAt(QPoint(30, 30)).row() == shown.in_sight()[0]


def test_a_thumbnail_is_painted_and_not_asked_for_again(qtbot, shown):
    asked: list[int] = []
    shown.show_items(3, str, asked.append)
    qtbot.waitUntil(lambda: asked == [0, 1, 2], timeout=5000)
    shown.put(0, np.full((40, 40), 255, np.uint8))
    place = shown.visualRect(shown.model().index(0)).center()
    assert shown.viewport().grab().toImage().pixelColor(place.x(), place.y() - 12).red() == 255
    asked.clear()
    shown.verticalScrollBar().valueChanged.emit(0)
    qtbot.waitUntil(lambda: bool(asked), timeout=5000)
    assert asked == [1, 2]


def test_a_late_thumbnail_of_a_list_that_is_gone_does_no_harm(shown):
    shown.show_items(3, str, lambda row: None)
    shown.put(7, np.zeros((4, 4, 3), np.uint8))
    assert not shown.model().has(7)


def test_old_thumbnails_are_forgotten(monkeypatch, shown):
    monkeypatch.setattr(gallery, "KEPT", 2)
    shown.show_items(3, str, lambda row: None)
    for row in range(3):
        shown.put(row, np.zeros((4, 4), np.uint8))
    assert [shown.model().has(row) for row in range(3)] == [False, True, True]


def test_clicks_and_keys_choose(qtbot, shown):
    chosen: list[int] = []
    shown.chosen.connect(chosen.append)
    shown.show_items(MANY, str, lambda row: None)
    qtbot.mouseClick(shown.viewport(), Qt.MouseButton.LeftButton, pos=shown.visualRect(shown.model().index(1)).center())
    qtbot.keyClick(shown, Qt.Key.Key_Right)
    assert chosen == [1, 2]
