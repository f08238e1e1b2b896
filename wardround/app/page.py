"""What every page is: a title, a body, a banner for errors, progress, and the equal command below."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import shiboken6
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QProgressBar, QPushButton, QVBoxLayout, QWidget

from wardround.app.aside import Request
from wardround.app.desk import Desk
from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.widgets.banner import Banner
from wardround.app.widgets.text import heading, muted
from wardround.core.events import Event, Progress
from wardround.core.wording import stage

SOON_MS = 400  # what is there sooner shows no progress


class Page(QWidget):
    """Variants give key, title and purpose, fill `body`, and show in `refresh` what the desk holds."""

    key: ClassVar[str] = ""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.setObjectName(self.key)
        self._banner = Banner()
        self.body = QVBoxLayout()
        self.body.setSpacing(theme().px(10))
        inner = QVBoxLayout()
        inner.setContentsMargins(theme().px(22), theme().px(16), theme().px(22), theme().px(10))
        inner.setSpacing(theme().px(10))
        inner.addWidget(heading(self.title(), look="title"))
        inner.addWidget(muted(self.purpose()))
        inner.addWidget(self._banner)
        inner.addLayout(self.body, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(inner, 1)
        self._working = _Working(self)
        self._command = _CommandBar(self)
        outer.addWidget(self._working)
        outer.addWidget(self._command)

    def showEvent(self, event: QShowEvent) -> None:
        """Let Tab come to the bars below after all that is above them, though they were made first."""
        super().showEvent(event)
        bars = (self._working, self._command)
        above = [widget for widget in self.findChildren(QWidget)
                 if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.window() is self.window()
                 and not any(bar.isAncestorOf(widget) for bar in bars)]
        for before, after in pairwise([*above[-1:], *self._working.operated(), *self._command.operated()]):
            self.setTabOrder(before, after)

    def title(self) -> str:
        """The page's name, translated."""
        raise NotImplementedError

    def purpose(self) -> str:
        """What one does here, in a line, translated."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show what the desk holds now. Called when the page is shown, and while it is shown when something changed."""

    def let_go(self) -> None:
        """Called when the page will not be shown again."""

    def ask(self, function: Callable[..., Any], *args: Any, done: Callable[[Any], None], key: str = "", slow: bool = False,
            failed: Callable[[str], None] | None = None, **named: Any) -> None:
        """Let the second process work a view out; done gets its answer, the banner its error.

        key: a newer request of this page and key takes the place of an older one. slow: in the process for what takes long, with
        progress and a button that ends it; the function then has an argument `watch`."""
        aside = self.desk.slow if slow else self.desk.aside

        def over(receive: Callable[[Any], None], value: Any) -> None:
            if not shiboken6.isValid(self):
                return  # the page was closed meanwhile
            if slow:
                self._working.end()
            receive(value)

        request = Request(function=function, arguments=args, named=named, key=f"{id(self)}.{key}" if key else "",
                          done=lambda value: over(done, value), failed=lambda text: over(failed or self.complain, text),
                          told=self._working.tell if slow else None)
        if slow:
            self._working.begin(aside.cancel)
        aside.ask(request)

    def reading(self, folder: Path) -> str:
        """What stands in place of what was shown before, until a folder is read: numbers never stand under another run's name."""
        return self.tr("Reading {}\N{HORIZONTAL ELLIPSIS}").format(folder)

    def complain(self, error: str) -> None:
        """Show what went wrong and what to do."""
        self._banner.show_error(error)

    def calm(self) -> None:
        """Take the banner away."""
        self._banner.hide()

    def show_command(self, command: str, plan: Path | None = None) -> None:
        """Show the command that does the same, and where the plan is saved."""
        self._command.show_command(command, plan)


class _Working(QFrame):
    """How far a long piece of work is, and a button that ends it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("look", "bar")
        self._bar, self._button = QProgressBar(), QPushButton(self.tr("&Cancel"))
        self._label = QLabel()
        self._bar.setAccessibleName(self.tr("Progress"))
        self._button.setObjectName("working.cancel")
        row = QHBoxLayout(self)
        row.addWidget(self._label)
        row.addWidget(self._bar, 1)
        row.addWidget(self._button)
        self._cancel: Callable[[], None] = lambda: None
        self._delay = QTimer(self, singleShot=True, interval=SOON_MS)
        self._delay.timeout.connect(self.show)
        self._button.clicked.connect(self._ended)
        self.hide()

    def operated(self) -> list[QWidget]:
        return [self._button]

    def begin(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._label.setText(self.tr("Working"))
        self._bar.setRange(0, 0)
        self._delay.start()

    def tell(self, event: Event) -> None:
        if isinstance(event, Progress) and shiboken6.isValid(self):
            self._label.setText(said(stage(event)))
            self._bar.setRange(0, max(1, event.total))
            self._bar.setValue(event.done)

    def end(self) -> None:
        """What was waited for is there."""
        self._delay.stop()
        self.hide()

    def _ended(self) -> None:
        self.end()
        self._cancel()


class _CommandBar(QFrame):
    """The same thing as a command, to be copied."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("look", "bar")
        self._line, self._plan = QLineEdit(), QLabel()
        self._line.setReadOnly(True)
        self._line.setObjectName("command")
        self._line.setAccessibleName(self.tr("The same as a command"))
        font = self._line.font()
        font.setFamilies(["DejaVu Sans Mono", "Consolas", "Menlo", "monospace"])
        self._line.setFont(font)
        self._plan.setProperty("look", "muted")
        self._plan.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._copy = copy = QPushButton(self.tr("Cop&y"))
        copy.setObjectName("command.copy")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._line.text()))
        row = QHBoxLayout(self)
        row.setContentsMargins(theme().px(22), theme().px(6), theme().px(22), theme().px(6))
        row.addWidget(muted(self.tr("As a command"), wraps=False))
        row.addWidget(self._line, 1)
        row.addWidget(copy)
        row.addWidget(self._plan)
        self.hide()

    def operated(self) -> list[QWidget]:
        return [self._line, self._copy]

    def show_command(self, command: str, plan: Path | None) -> None:
        self._line.setText(command)
        self._line.setCursorPosition(0)
        self._plan.setText("" if plan is None else self.tr("Plan saved as {}").format(plan))
        self._plan.setVisible(plan is not None)
        self.setVisible(bool(command))
