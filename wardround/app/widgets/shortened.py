"""Names from outside are of any length; a label is not."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from wardround.app.theme import theme


def shorten(shown: QLabel, text: str, width: float, *, tip: str = "") -> None:
    """Show as much of a text as fits into a width, in pixels at text of usual size, without its middle; the whole is a tool tip, or tip."""
    shown.ensurePolished()  # the font is its look's
    shown.setText(shown.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, theme().px(width)))
    shown.setToolTip(tip or text)
    shown.setAccessibleName(text)
