"""Labels in the few looks that the app has."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy

Look = Literal["title", "heading", "muted", "caution", "bad", "good", ""]


def label(text: str, *, look: Look = "", wraps: bool = True) -> QLabel:
    """A text, plain (never HTML), that can be selected; it breaks into lines unless wraps is False."""
    made = QLabel()
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setText(text)
    made.setProperty("look", look)
    made.setWordWrap(wraps)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if wraps:
        made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
    return made


def heading(text: str, *, look: Look = "heading") -> QLabel:
    return label(text, look=look, wraps=False)


def muted(text: str, *, wraps: bool = True) -> QLabel:
    return label(text, look="muted", wraps=wraps)


def set_look(widget: QLabel, look: Look) -> None:
    """Give a label that is shown already another look."""
    widget.setProperty("look", look)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
