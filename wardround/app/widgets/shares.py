"""Probabilities as bars, each with its digits."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from wardround.app.theme import theme
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.shortened import shorten
from wardround.app.widgets.text import label

MOST = 40  # bars; further classes are counted in a line
NAME = 140  # width of a class's name, at text of usual size
CALLED = "\N{CHECK MARK}"  # beside the class that is decided for


class Bar(QWidget):
    """A share of 1. mark: a place that is drawn as a line across, or None."""

    def __init__(self, share: float, *, is_called: bool, mark: float | None) -> None:
        super().__init__()
        self._share, self._is_called, self._mark = share, is_called, mark
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(theme().px(120), theme().px(18))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        high, radius = theme().px(10), theme().px(3)
        track = QRectF(0, (self.height() - high) / 2, self.width(), high)
        painter.setBrush(theme().colour("line"))
        painter.drawRoundedRect(track, radius, radius)
        painter.setBrush(theme().colour("accent" if self._is_called else "muted"))
        painter.drawRoundedRect(QRectF(track.x(), track.y(), max(track.width() * self._share, 2.0), high), radius, radius)
        if self._mark is not None:
            painter.setPen(QPen(theme().colour("text"), theme().px(2)))
            painter.drawLine(round(self.width() * self._mark), 0, round(self.width() * self._mark), self.height())
        painter.end()


class Shares(QWidget):
    """A line a class: a check mark if it is decided for, its name, its bar and its probability."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: tuple[str, ...] = ()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme().px(8))
        self._grid.setVerticalSpacing(theme().px(4))
        self._grid.setColumnStretch(2, 1)

    def show_shares(self, shares: Sequence[tuple[str, float]], called: str = "", *, mark: tuple[str, float] | None = None) -> None:
        """Show (class, probability), in their order. called: the class decided for. mark: a class and the probability from which it is."""
        emptied(self._grid)
        for row, (name, share) in enumerate(shares[:MOST]):
            is_called = name == called
            self._grid.addWidget(label(CALLED if is_called else " ", look="good", wraps=False), row, 0)
            said = label("", wraps=False)
            self._grid.addWidget(said, row, 1)
            shorten(said, name, NAME)
            self._grid.addWidget(Bar(share, is_called=is_called, mark=mark[1] if mark and mark[0] == name else None), row, 2)
            self._grid.addWidget(label(f"{share:.3f}", wraps=False), row, 3, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if len(shares) > MOST:
            self._grid.addWidget(label(self.tr("and %n more", "", len(shares) - MOST), look="muted"), MOST, 1, 1, 3)
        self._lines = tuple(f"{CALLED + ' ' if name == called else ''}{name} {share:.3f}" for name, share in shares)
        self.setAccessibleName(self.tr("Probabilities"))
        self.setAccessibleDescription("; ".join(self._lines))

    def texts(self) -> tuple[str, ...]:
        """The lines as they are read, e.g. "✓ glioma 0.910"."""
        return self._lines
