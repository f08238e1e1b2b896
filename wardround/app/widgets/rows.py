"""Rows of small pictures with captions, one below the other, to be held against each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from wardround.app.theme import theme
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.picture import Picture
from wardround.app.widgets.text import label, muted

SIDE = 84
WIDE_NAME = 110  # room for a row's name


class PictureRows(QWidget):
    """A row has a name, pictures (H, W) or (H, W, 3) uint8, and a caption below each."""

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme().px(6))

    def show_rows(self, rows: Sequence[tuple[str, Sequence[np.ndarray], Sequence[str]]]) -> None:
        """Show these instead of the former ones."""
        emptied(self._column)
        self._names = [name for name, _, _ in rows]
        for name, pictures, captions in rows:
            self._column.addWidget(_row(name, pictures, captions))

    def names(self) -> list[str]:
        """The rows that are shown."""
        return list(self._names)


def _row(name: str, pictures: Sequence[np.ndarray], captions: Sequence[str]) -> QFrame:
    frame = QFrame()
    frame.setAccessibleName(name)
    row = QHBoxLayout(frame)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(theme().px(6))
    title = label(name, wraps=True)
    title.setFixedWidth(theme().px(WIDE_NAME))
    row.addWidget(title)
    for array, caption in zip(pictures, captions, strict=True):
        row.addLayout(_cell(array, caption))
    row.addStretch(1)
    return frame


def _cell(array: np.ndarray, caption: str) -> QVBoxLayout:
    side = theme().px(SIDE)
    picture = Picture(SIDE)
    picture.setFixedSize(side, side)
    picture.show_array(array)
    picture.setAccessibleName(caption)
    text: QLabel = muted("", wraps=False)
    text.setText(text.fontMetrics().elidedText(caption, Qt.TextElideMode.ElideRight, side))
    text.setToolTip(caption)
    text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    text.setFixedWidth(side)
    column = QVBoxLayout()
    column.setSpacing(theme().px(2))
    column.addWidget(picture)
    column.addWidget(text)
    return column
