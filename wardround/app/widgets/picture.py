"""One picture, as large as there is room."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from wardround.app.theme import theme


def image_of(array: np.ndarray) -> QImage:
    """(H, W) grey or (H, W, 3) colour uint8, or (C, H, W) with one or three channels, as an image of its own memory."""
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = np.moveaxis(array, 0, -1)
    array = np.ascontiguousarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)
    height, width = array.shape[:2]
    kind = QImage.Format.Format_RGB888 if array.ndim == 3 else QImage.Format.Format_Grayscale8
    return QImage(array.data, width, height, array.strides[0], kind).copy()


class Picture(QWidget):
    """Scaled smoothly into the widget, its shape kept."""

    def __init__(self, side: int = 160) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self._side = theme().px(side)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(theme().px(64), theme().px(64))

    def show_array(self, array: np.ndarray) -> None:
        """Show an array of `image_of`."""
        self._pixmap = QPixmap.fromImage(image_of(array))
        self.update()

    def clear(self) -> None:
        self._pixmap = QPixmap()
        self.update()

    @property
    def is_empty(self) -> bool:
        return self._pixmap.isNull()

    def sizeHint(self) -> QSize:
        return QSize(self._side, self._side)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._pixmap.isNull():
            return
        painter = QPainter(self)
        ratio = self.devicePixelRatioF()
        scaled = self._pixmap.scaled(self.size() * ratio, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        scaled.setDevicePixelRatio(ratio)
        size = scaled.deviceIndependentSize()
        painter.drawPixmap(round((self.width() - size.width()) / 2), round((self.height() - size.height()) / 2), scaled)
        painter.end()
