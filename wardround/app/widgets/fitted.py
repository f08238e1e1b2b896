"""Room for what is as high as its text: it scrolls only where that is too high."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget

from wardround.app.theme import theme


class Fitted(QScrollArea):
    """Takes the height of what is inside, less if there is no room for it."""

    def __init__(self, inside: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._inside = inside
        self.setWidget(inside)
        inside.installEventFilter(self)

    def sizeHint(self) -> QSize:
        """Qt's: the height that the texts inside take at this width."""
        inside, width = self._inside, max(self.viewport().width(), theme().px(200))
        height = inside.heightForWidth(width) if inside.hasHeightForWidth() else inside.sizeHint().height()
        return QSize(inside.sizeHint().width(), height)

    def minimumSizeHint(self) -> QSize:
        """Qt's: a few lines, where there are any."""
        return QSize(0, min(self.sizeHint().height(), theme().px(90)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt's: what is inside has another height."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self.updateGeometry()
        return super().eventFilter(watched, event)
