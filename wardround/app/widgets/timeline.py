"""A strip of rounds: those that are done, the best of them, those in which a site failed, the one at work, those to come."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from wardround.app.theme import theme

BEST, FAILED, CURRENT = "\N{BLACK STAR}", "\N{BALLOT X}", "\N{BLACK DOWN-POINTING TRIANGLE}"
HEIGHT, MARKS = 46, 16  # of all, and of the room above and below the cells in which marks stand
GAP_FROM = 5  # pixels of a cell from which cells are drawn apart


class Timeline(QWidget):
    """One cell a round. A click, or the arrow keys, looks at a round: `looked_at` tells its number."""

    looked_at = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._num, self._done, self._current, self._best, self._seen = 0, 0, 0, 0, 0
        self._failed: frozenset[int] = frozenset()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Rounds"))

    def show_rounds(self, num: int, *, done: int, current: int = 0, best: int = 0, failed: Collection[int] = ()) -> None:
        """num: all rounds of the plan. current: the round at work, best: the one kept so far (0: none). failed: with a site that failed."""
        shown = (num, done, current, best, frozenset(failed))
        if shown != (self._num, self._done, self._current, self._best, self._failed):
            self._num, self._done, self._current, self._best, self._failed = shown
            self.setAccessibleDescription(self.describe())
            self.update()

    def describe(self) -> str:
        """What the strip shows, in words."""
        told = [self.tr("{} of {} rounds done").format(self._done, self._num)]
        if self._best:
            told.append(self.tr("best so far: round {}").format(self._best))
        if self._failed:
            told.append(self.tr("a site failed in: {}").format(", ".join(map(str, sorted(self._failed)))))
        return "; ".join(told)

    @property
    def seen(self) -> int:
        """The round that is looked at; 0: none."""
        return self._seen

    def look_at(self, number: int) -> None:
        """Mark a round that is done; 0: none."""
        self._seen = max(0, min(number, self._done))
        self.update()
        self.looked_at.emit(self._seen)

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(theme().px(400), theme().px(HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Cells in the middle, the best and the present round marked above, failures below."""
        if not self._num:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = self._cells()
        painter.setPen(QPen(theme().colour("line")))
        painter.setBrush(theme().colour("panel"))
        painter.drawRect(whole)
        self._fill(painter, whole)
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() * 0.95)
        painter.setFont(font)
        self._mark(painter, self._current, CURRENT, "accent", above=True)
        self._mark(painter, self._best, BEST, "good", above=True)
        for number in self._failed:
            self._mark(painter, number, FAILED, "bad", above=False)
        if self._seen or self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme().colour("text"), theme().px(2)))
            painter.drawRect(self._cell(self._seen) if self._seen else whole)

    def _fill(self, painter: QPainter, whole: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().colour("accent"))
        is_apart = whole.width() / self._num >= GAP_FROM
        for number in range(1, self._done + 1) if is_apart else ():
            painter.drawRect(self._cell(number).adjusted(0.5, 1, -0.5, -1))
        if not is_apart:
            painter.drawRect(QRectF(whole.left(), whole.top() + 1, whole.width() * self._done / self._num, whole.height() - 2))
        if self._current > self._done:
            painter.setBrush(theme().colour("chosen"))
            painter.drawRect(self._cell(self._current).adjusted(0.5, 1, -0.5, -1))

    def _mark(self, painter: QPainter, number: int, sign: str, role: str, *, above: bool) -> None:
        if number:
            cell, height = self._cell(number), theme().px(MARKS)
            top = cell.top() - height if above else cell.bottom()
            painter.setPen(theme().colour(role))
            painter.drawText(QRectF(cell.center().x() - height, top, 2 * height, height), Qt.AlignmentFlag.AlignCenter, sign)

    def _cells(self) -> QRectF:
        edge = theme().px(MARKS)
        return QRectF(theme().px(6), edge, self.width() - 2 * theme().px(6), self.height() - 2 * edge)

    def _cell(self, number: int) -> QRectF:
        whole = self._cells()
        width = whole.width() / self._num
        return QRectF(whole.left() + (number - 1) * width, whole.top(), width, whole.height())

    def _round_at(self, x: float) -> int:
        whole = self._cells()
        number = int((x - whole.left()) / whole.width() * self._num) + 1 if self._num and whole.width() > 0 else 0
        return number if 1 <= number <= self._num else 0

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Look at the round under the mouse."""
        self.look_at(self._round_at(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Look at the round before or after."""
        key, keys = event.key(), Qt.Key
        places = {keys.Key_Left: max(1, self._seen - 1) if self._seen else self._done, keys.Key_Right: self._seen + 1, keys.Key_Home: 1,
                  keys.Key_End: self._done, keys.Key_Escape: 0}
        if key in places:
            self.look_at(places[keys(key)])
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """The number of the round under the mouse, as a tool tip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            number = self._round_at(event.x())
            QToolTip.showText(event.globalPos(), self.tr("Round {}").format(number) if number else "", self)
            return True
        return super().event(event)
