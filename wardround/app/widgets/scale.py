"""What the colours of a heat map mean."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from wardround.app.theme import theme
from wardround.app.widgets.picture import image_of
from wardround.app.widgets.text import muted


class ColourScale(QWidget):
    """A strip of colours between two words."""

    def __init__(self, low: str, high: str) -> None:
        super().__init__()
        self._strip = _Strip()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(muted(low, wraps=False))
        row.addWidget(self._strip, 1)
        row.addWidget(muted(high, wraps=False))

    def show_colours(self, colours: np.ndarray) -> None:
        """(n, 3) uint8, from low to high."""
        self._strip.colours = colours
        self._strip.update()


class _Strip(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.colours = np.zeros((2, 3), np.uint8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(theme().px(80), theme().px(12))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawImage(self.rect(), image_of(self.colours[None]))
        painter.end()
