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


def unnamed(page: Page) -> list[str]:
    """Widgets one operates that tell a screen reader nothing."""
    labels = {label.buddy() for label in page.findChildren(QLabel)}

    def is_named(widget: QWidget) -> bool:
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        return bool(widget.accessibleName() or text or widget in labels)

    def is_part(widget: QWidget) -> bool:
        """Of another widget: the line of a spin box, a combo's list, the cross in a line, the arrows of tabs, scroll bars."""
        above = widget.parentWidget()
        while above is not None and not isinstance(above, (QAbstractSpinBox, QComboBox, QLineEdit, QAbstractItemView)):
            above = above.parentWidget()
        return isinstance(widget, QScrollBar) or widget.objectName().startswith(("qt_", "ScrollLeft", "ScrollRight")) or above is not None

    return [f"{type(widget).__name__} {widget.objectName()}" for kind in OPERATED for widget in page.findChildren(kind)
            if not is_part(widget) and not is_named(widget)]


def test_another_look_keeps_the_page_and_the_plan(window: MainWindow, desk: Desk) -> None:
    desk.open_plan("demo")
    window.show_page("plan")
    width = window.page().findChildren(QLabel)[0].sizeHint().width()
    window.set_look(theme="dark", scale=1.4)
    assert window.page().key == "plan" and desk.draft.name == "demo" and window.windowTitle().startswith("demo")
    assert window.page().findChildren(QLabel)[0].sizeHint().width() > 1.2 * width
    assert (desk.settings.theme, desk.settings.scale) == ("dark", 1.4)
    window.set_look(theme="light", scale=1.0)


def test_text_grows_by_keyboard(window: MainWindow, desk: Desk) -> None:
    window._scale(1)
    assert desk.settings.scale == 1.2
    window._scale(-1)
    assert desk.settings.scale == 1.0


@pytest.mark.parametrize(("number", "key"), list(enumerate(PAGES, start=1)))
def test_a_page_is_reached_by_its_number_says_what_to_do_and_names_its_parts(window: MainWindow, qtbot: QtBot, number: int,
                                                                             key: str) -> None:
    qtbot.keyClick(window, Qt.Key(ord(str(number % 10))), Qt.KeyboardModifier.ControlModifier)
    page = window.page()
    assert page.key == key and page.title() and page.purpose()
    assert unnamed(page) == []


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
