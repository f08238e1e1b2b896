"""The table of many thousand images: only cells in sight become text, and rows keep their number."""

import time

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from wardround.app.widgets.cases import Cases

MANY = 60_000


@pytest.fixture
def table(qtbot):
    made = Cases()
    qtbot.addWidget(made)
    made.resize(600, 400)
    made.show()
    return made


def small() -> dict[str, np.ndarray]:
    return {"Image": np.array(["b.png", "a.png", "c.png"], dtype=object), "Status": np.array(["used", "failed", "used"], dtype=object),
            "Group": np.array([10, 9, -1])}


def texts(table: Cases, column: int = 0) -> list[str]:
    return [table.model().index(row, column).data() for row in range(table.model().rowCount())]


def test_columns_are_shown_in_words_and_numbers_to_the_right(table):
    table.show_columns(small(), {"Status": {"used": "in use", "failed": "unreadable"}.__getitem__,
                                 "Group": lambda group: "" if group < 0 else str(group)})
    assert texts(table, 1) == ["in use", "unreadable", "in use"]
    assert texts(table, 2) == ["10", "9", ""]
    model = table.model()
    assert model.headerData(0, Qt.Orientation.Horizontal) == "Image"
    assert model.index(0, 2).data(Qt.ItemDataRole.TextAlignmentRole) & Qt.AlignmentFlag.AlignRight


def test_a_click_on_a_head_sorts_numbers_as_numbers_and_keeps_rows_apart(qtbot, table):
    chosen: list[int] = []
    table.chosen.connect(chosen.append)
    table.show_columns(small())
    head = table.horizontalHeader()
    qtbot.mouseClick(head.viewport(), Qt.MouseButton.LeftButton, pos=head.rect().center() * 0 + _middle_of(head, 2))
    assert texts(table) == ["c.png", "a.png", "b.png"]
    table.selectRow(1)
    assert chosen == [1]


def _middle_of(head, section):
    from PySide6.QtCore import QPoint

    return QPoint(head.sectionViewportPosition(section) + head.sectionSize(section) // 2, head.height() // 2)


def test_a_filter_keeps_the_order_that_the_user_chose(table):
    table.show_columns(small())
    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    table.show_rows(np.array([0, 2]))
    assert texts(table) == ["c.png", "b.png"]


def test_enter_opens_the_row_of_the_data(qtbot, table):
    table.show_columns(small())
    table.show_rows(np.array([2]))
    table.selectRow(0)
    with qtbot.waitSignal(table.opened) as told:
        qtbot.keyClick(table, Qt.Key.Key_Return)
    assert told.args == [2]


def test_selected_rows_are_copied_for_a_spreadsheet(qtbot, table):
    table.show_columns(small())
    table.selectRow(1)
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Image\tStatus\tGroup\na.png\tfailed\t9"


def test_sixty_thousand_rows_appear_sort_and_scroll_at_once(table):
    """Each bound is ten times what was measured on two busy cores."""
    names = np.array([f"train/{index:06}.png" for index in range(MANY)], dtype=object)
    start = time.perf_counter()
    table.show_columns({"Image": names, "Group": np.arange(MANY)[::-1]})
    assert time.perf_counter() - start < 0.3
    table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert texts_at(table, 0) == "train/059999.png"
    bar = table.verticalScrollBar()
    frames = []
    for place in range(0, 4000, 100):
        start = time.perf_counter()
        bar.setValue(place)
        table.viewport().repaint()
        frames.append(time.perf_counter() - start)
    assert np.median(frames) < 0.05


def texts_at(table: Cases, row: int) -> str:
    return str(table.model().index(row, 0).data())
