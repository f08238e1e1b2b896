"""The window: every page by keyboard, in every look, without torch; what is shown has a name for who cannot see it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.window import PAGES, MainWindow

OPERATED = (QAbstractButton, QLineEdit, QComboBox, QAbstractSpinBox, QAbstractSlider, QPlainTextEdit, QAbstractItemView)


@pytest.fixture
def window(desk: Desk, qtbot: QtBot) -> MainWindow:
    made = MainWindow(desk)
    desk.close = lambda: None  # type: ignore[method-assign]  # the second processes belong to all tests
    qtbot.addWidget(made)
    made.show()
    return made


def operated(page: Page) -> list[QWidget]:
    """What one operates, without parts of other widgets: the line of a spin box, a combo's list, the cross in a line, scroll bars."""
    def is_part(widget: QWidget) -> bool:
        above = widget.parentWidget()
        while above is not None and not isinstance(above, (QAbstractSpinBox, QComboBox, QLineEdit, QAbstractItemView)):
            above = above.parentWidget()
        return isinstance(widget, QScrollBar) or widget.objectName().startswith(("qt_", "ScrollLeft", "ScrollRight")) or above is not None

    return [widget for kind in OPERATED for widget in page.findChildren(kind) if not is_part(widget)]


def unnamed(page: Page) -> list[str]:
    """Widgets one operates that tell a screen reader nothing."""
    labels = {label.buddy() for label in page.findChildren(QLabel)}

    def is_named(widget: QWidget) -> bool:
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        return bool(widget.accessibleName() or text or widget in labels)

    return [f"{type(widget).__name__} {widget.objectName()}" for widget in operated(page) if not is_named(widget)]


@pytest.mark.parametrize(("number", "key"), list(enumerate(PAGES, start=1)))
def test_a_page_is_reached_by_its_number_says_what_to_do_and_names_its_parts(window: MainWindow, qtbot: QtBot, number: int,
                                                                             key: str) -> None:
    qtbot.keyClick(window, Qt.Key(ord(str(number % 10))), Qt.KeyboardModifier.ControlModifier)
    page = window.page()
    assert page.key == key and page.title() and page.purpose()
    assert unnamed(page) == []


@pytest.mark.parametrize("key", list(PAGES))
def test_tab_reaches_all_that_is_operated_and_is_caught_nowhere(window: MainWindow, desk: Desk, qtbot: QtBot, key: str) -> None:
    desk.open_plan("demo")
    window.show_page(key)
    window.activateWindow()
    page = window.page()
    wanted = {widget for widget in operated(page)
              if widget.isVisibleTo(page) and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus}
    window.centralWidget().findChild(QWidget, "navigation").setFocus()
    reached: set[QWidget | None] = set()
    for _ in range(4 * len(wanted) + 40):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        reached.add(QApplication.focusWidget())
    assert {f"{type(widget).__name__} {widget.objectName()}" for widget in wanted - reached} == set()


def test_a_wrong_file_is_told_on_the_page_that_is_shown(window: MainWindow, desk: Desk, tmp_path: Path, qtbot: QtBot) -> None:
    window._try(lambda: desk.open_plan(tmp_path / "nothing.toml"), "plan")
    assert window.page().key == "start" and "no plan" in window.page()._banner.text() and window.page()._banner.isVisible()


def test_the_windows_process_never_loads_torch_or_matplotlib() -> None:
    program = ("import sys, importlib\n"
               f"for name in {['wardround.app.main', 'wardround.app.window', *(f'wardround.app.pages.{key}' for key in PAGES)]}:\n"
               "    importlib.import_module(name)\n"
               "print([name for name in ('torch', 'matplotlib', 'monai', 'scipy', 'nibabel') if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_every_page_is_known_by_its_key(shown: Callable[[type[Page]], Page]) -> None:
    import importlib

    for key, name in PAGES.items():
        assert getattr(importlib.import_module(f"wardround.app.pages.{key}"), name).key == key
