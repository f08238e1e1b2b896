"""The surface that a slice is painted on, with its overlays. It knows pixels and pens, not volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QLineF, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

OUTLINE = 2.0  # thickness in pixels of the screen, whatever the image's
SMALLEST = 160
NOTCH = 120  # of a mouse's wheel


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One overlay: a translucent picture, or coloured lines in pixels of the image."""

    fill: QImage | None = None
    lines: Sequence[tuple[QColor, Sequence[QLineF]]] = field(default_factory=tuple)
    opacity: float = 1.0


class Canvas(QWidget):
    """Shows one picture as large as it fits, upright and undistorted. Dragging and the wheel are told, not acted on."""

    dragged = Signal(int, int)  # to the right, upwards: pixels of the screen since the last signal
    wheeled = Signal(int)  # notches, upwards positive
    reset = Signal()  # double click

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self._layers: tuple[Layer, ...] = ()
        self._aspect = 1.0
        self._from: QPoint | None = None
        self._turned = 0
        self.setMinimumSize(SMALLEST, SMALLEST)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def show_slice(self, image: QImage | None, layers: Sequence[Layer] = (), aspect: float = 1.0) -> None:
        """Show a picture under its layers; None: nothing. aspect: height of a pixel in widths."""
        self._image, self._layers, self._aspect = image, tuple(layers), aspect
        self.update()

    def sizeHint(self) -> QSize:
        """Modest: it takes what room there is, and a page in a scroll area is never made taller for it."""
        return QSize(SMALLEST + 80, SMALLEST + 40)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Black where no image is: the surroundings of an image change how bright it seems."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        if self._image is None or self._image.isNull():
            return
        place = self._place(self._image)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(place, self._image)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        for layer in self._layers:
            if layer.fill is not None:
                painter.drawImage(place, layer.fill)
            self._draw_lines(painter, place, layer)

    def _draw_lines(self, painter: QPainter, place: QRectF, layer: Layer) -> None:
        if self._image is None or not layer.lines:
            return
        painter.save()
        painter.translate(place.topLeft())
        painter.scale(place.width() / self._image.width(), place.height() / self._image.height())
        painter.setOpacity(layer.opacity)
        for colour, width in ((QColor(Qt.GlobalColor.black), OUTLINE + 2), (None, OUTLINE)):  # a dark rim shows on bright tissue too
            for own, lines in layer.lines:
                pen = QPen(colour or own, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
                pen.setCosmetic(True)
                painter.setPen(pen)
                painter.drawLines(list(lines))
        painter.restore()

    def _place(self, image: QImage) -> QRectF:
        wide, high = image.width(), image.height() * self._aspect
        scale = min(self.width() / wide, self.height() / high)
        size = wide * scale, high * scale
        return QRectF((self.width() - size[0]) / 2, (self.height() - size[1]) / 2, *size)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A drag begins."""
        self._from = event.position().toPoint()
        event.ignore()  # the viewer takes the keyboard

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell how far."""
        if self._from is not None:
            here = event.position().toPoint()
            self.dragged.emit(here.x() - self._from.x(), self._from.y() - here.y())
            self._from = here

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The drag is over."""
        self._from = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Back to how it began."""
        self.reset.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Count the notches; touchpads turn by parts of one."""
        self._turned += event.angleDelta().y()
        notches = int(self._turned / NOTCH)
        if notches:
            self._turned -= notches * NOTCH
            self.wheeled.emit(notches)
        event.accept()
