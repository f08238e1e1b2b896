"""What went wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QToolButton

from wardround.app.widgets.text import label


class Banner(QFrame):
    """An error with its cause and next step, until it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("look", "bad_panel")
        self.setObjectName("banner")
        self._text = label("")
        self._text.setAccessibleName(self.tr("Error"))
        self._button = QPushButton()
        self._button.setObjectName("banner.remedy")
        self._button.setAccessibleName(self.tr("What helps"))
        self._button.clicked.connect(lambda: self._remedy())
        self._remedy: Callable[[], object] = self.hide
        close = QToolButton()
        close.setText("\N{MULTIPLICATION SIGN}")
        close.setAccessibleName(self.tr("Close this message"))
        close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.addWidget(label("\N{WARNING SIGN}", look="bad", wraps=False))
        row.addWidget(self._text, 1)
        row.addWidget(self._button)
        row.addWidget(close)
        self.hide()

    def text(self) -> str:
        return self._text.text()

    def show_error(self, text: str, button: str = "", remedy: Callable[[], object] | None = None) -> None:
        """Show an error; button: what helps, called remedy."""
        self._text.setText(text)
        self._button.setText(button)
        self._button.setVisible(bool(button))
        self._remedy = remedy or self.hide
        self.show()
