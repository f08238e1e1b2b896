"""A lane a site, or a run: what it does, how far it is, what went wrong. State is a sign and a word; colour only underlines it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QProgressBar, QScrollArea, QWidget

from wardround.app.theme import theme
from wardround.app.widgets.text import Look, label, muted, set_look

SIGNS: dict[str, tuple[str, Look]] = {
    "waiting": ("\N{WHITE CIRCLE}", "muted"), "training": ("\N{BLACK RIGHT-POINTING TRIANGLE}", ""), "sending": ("\N{UPWARDS ARROW}", ""),
    "late": ("\N{WARNING SIGN}", "caution"), "done": ("\N{CHECK MARK}", "good"), "failed": ("\N{BALLOT X}", "bad"),
    "paused": ("\N{DOUBLE VERTICAL LINE}", "caution"), "stopping": ("\N{HORIZONTAL ELLIPSIS}", "muted"),
    "stopped": ("\N{BLACK SQUARE}", "muted"), "running": ("\N{BLACK RIGHT-POINTING TRIANGLE}", ""), "finished": ("\N{CHECK MARK}", "good")}
SWATCH = 10
NAME, STATE, BAR, FACT = 84, 88, 40, 104  # widths at least


@dataclass(frozen=True, kw_only=True)
class LaneRow:
    """state: a key of SIGNS. done, total: of the bar (total 0: not known). fact: a few words beside it. cause: a line below.
    colour: number of the series it is drawn in; None: it is not drawn."""

    name: str
    state: str
    done: int = 0
    total: int = 0
    fact: str = ""
    cause: str = ""
    colour: int | None = None


class Lanes(QWidget):
    """Rows that stay where they are while what they say changes."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[_Lane] = []
        self._shown: tuple[LaneRow, ...] = ()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, theme().px(12), 0)
        self._grid.setHorizontalSpacing(theme().px(10))
        self._grid.setVerticalSpacing(theme().px(5))
        self._grid.setColumnStretch(3, 1)

    def show_rows(self, rows: Sequence[LaneRow]) -> None:
        """Show these; cheap where little has changed."""
        if tuple(rows) == self._shown:
            return
        self._shown = tuple(rows)
        while len(self._rows) > len(rows):
            self._rows.pop().remove(self._grid)
        while len(self._rows) < len(rows):
            self._rows.append(_Lane(self._grid, 2 * len(self._rows)))
        self._grid.setRowStretch(2 * len(rows), 1)
        words = self._words()
        for lane, row in zip(self._rows, rows, strict=True):
            lane.show_row(row, words[row.state])

    def texts(self) -> list[tuple[str, str, str]]:
        """Of each row: name, state in a word, cause."""
        words = self._words()
        return [(row.name, words[row.state], row.cause) for row in self._shown]

    def _words(self) -> dict[str, str]:
        return {"waiting": self.tr("Waiting"), "training": self.tr("Training"), "sending": self.tr("Sending"), "late": self.tr("Late"),
                "done": self.tr("Done"), "failed": self.tr("Failed"), "running": self.tr("Running"), "paused": self.tr("Paused"),
                "stopping": self.tr("Stopping"), "stopped": self.tr("Stopped"), "finished": self.tr("Finished")}


class LanesRoom(QScrollArea):
    """Lanes in a room of their height, up to a highest; beyond that they scroll."""

    def __init__(self, lanes: Lanes, highest: int) -> None:
        super().__init__()
        self._highest = highest
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(lanes)
        for ground in (self, self.viewport(), lanes):
            ground.setAutoFillBackground(False)  # what lies below shows
            ground.setStyleSheet(".LanesRoom, .QWidget, .Lanes { background: transparent; }")
        self._lanes = lanes
        lanes.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Grow and shrink with the lanes."""
        if event.type() == QEvent.Type.LayoutRequest and watched is self._lanes:
            self.setFixedHeight(min(theme().px(self._highest), self._lanes.sizeHint().height() + 2))
        return super().eventFilter(watched, event)


class _Lane:
    """The widgets of one row: swatch, name, state, bar, fact; the cause below."""

    def __init__(self, grid: QGridLayout, place: int) -> None:
        self._swatch, self._name = QLabel(), label("", wraps=False)
        self._state, self._bar, self._fact, self._cause = label("", wraps=False), QProgressBar(), muted("", wraps=False), label("")
        self._swatch.setFixedWidth(theme().px(SWATCH))
        self._name.setMinimumWidth(theme().px(NAME))
        self._state.setMinimumWidth(theme().px(STATE))
        self._bar.setMinimumWidth(theme().px(BAR))
        self._bar.setFixedHeight(theme().px(16))
        self._bar.setTextVisible(False)
        self._fact.setMinimumWidth(theme().px(FACT))
        set_look(self._cause, "bad")
        self._row: LaneRow | None = None
        for column, widget in enumerate((self._swatch, self._name, self._state, self._bar, self._fact)):
            grid.addWidget(widget, place, column, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(self._cause, place + 1, 1, 1, 4)
        self._cause.hide()

    def show_row(self, row: LaneRow, word: str) -> None:
        if row == self._row:
            return
        before, self._row = self._row, row
        sign, look = SIGNS[row.state]
        self._name.setText(row.name)
        self._name.setToolTip(row.name)
        self._state.setText(f"{sign} {word}")
        if before is None or before.state != row.state:
            set_look(self._state, look)
        if before is None or before.colour != row.colour:
            self._swatch.setPixmap(_swatch(row.colour))
        done, total = (1, 1) if row.state in ("done", "finished") else (row.done, row.total or 1)
        self._bar.setRange(0, total)
        self._bar.setValue(min(done, total))
        self._bar.setAccessibleName(f"{row.name}: {word}")
        self._fact.setText(row.fact)
        self._cause.setText(row.cause)
        self._cause.setVisible(bool(row.cause))

    def remove(self, grid: QGridLayout) -> None:
        for widget in (self._swatch, self._name, self._state, self._bar, self._fact, self._cause):
            grid.removeWidget(widget)
            widget.deleteLater()


def _swatch(colour: int | None) -> QPixmap:
    pixmap = QPixmap(theme().px(SWATCH), theme().px(SWATCH))
    pixmap.fill(Qt.GlobalColor.transparent if colour is None else theme().series(colour))
    return pixmap
