"""A framed part of a page: what it is about, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from wardround.app.theme import theme


def panel(parts: Sequence[QWidget], buttons: Sequence[QWidget] = ()) -> QFrame:
    """Parts below one another, buttons at the foot."""
    frame = QFrame()
    frame.setProperty("look", "panel")
    column = QVBoxLayout(frame)
    column.setContentsMargins(*[theme().px(14)] * 4)
    column.setSpacing(theme().px(8))
    for part in parts:
        column.addWidget(part)
    column.addStretch(1)
    row = QHBoxLayout()
    for button in buttons:
        row.addWidget(button)
    row.addStretch(1)
    column.addLayout(row)
    return frame
