"""Where there is nothing yet: what to do."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from wardround.app.theme import theme
from wardround.app.widgets.text import label


class Empty(QWidget):
    """A sentence in the middle, and a button that does what it says."""

    def __init__(self, text: str, button_text: str = "", on_click: Callable[[], object] | None = None) -> None:
        super().__init__()
        self._label = label(text, look="muted")
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setMaximumWidth(theme().px(560))
        column = QVBoxLayout(self)
        column.addStretch(1)
        row = QHBoxLayout()  # between stretches a text that breaks into lines gets the height it needs
        row.addStretch(0)
        row.addWidget(self._label, 1)
        row.addStretch(0)
        column.addLayout(row)
        if button_text:
            button = QPushButton(button_text)
            button.setObjectName("empty.action")
            if on_click is not None:
                button.clicked.connect(lambda: on_click())
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(2)

    def text(self) -> str:
        return self._label.text()

    def set_text(self, text: str) -> None:
        self._label.setText(text)
