"""Thumbnails of many images: only those in sight are asked for, and some hundred are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QIcon, QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QListView

from wardround.app.theme import theme
from wardround.app.widgets.overlay import picture

KEPT = 600  # thumbnails in memory: some screens full
SIDE = 96  # pixels of a thumbnail at text scale 1
GAP = 16  # at least, between thumbnails
PAUSE_MS = 60  # of scrolling, before thumbnails are asked for

Index = QModelIndex | QPersistentModelIndex


class Thumbnails(QAbstractListModel):
    """Captions and what thumbnails there are; a plain square stands for one that is still to come."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side, self.count = side, 0
        self._caption: Callable[[int], str] = str
        self._kept: OrderedDict[int, QIcon] = OrderedDict()
        plain = QPixmap(side, side)
        plain.fill(theme().colour("line"))
        self._waiting = _untinted(plain)

    def begin(self, count: int, caption: Callable[[int], str]) -> None:
        """Other items, none of them with a thumbnail."""
        self.beginResetModel()
        self.count, self._caption = count, caption
        self._kept.clear()
        self.endResetModel()

    def put(self, row: int, array: np.ndarray) -> None:
        """The thumbnail of an item, (H, W) or (H, W, 3) uint8."""
        if not 0 <= row < self.count:
            return
        pixels = array.transpose(2, 0, 1) if array.ndim == 3 else array
        ratio = _screen_ratio()
        shown = QPixmap.fromImage(picture(pixels)).scaled(round(self.side * ratio), round(self.side * ratio),
                                                          Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        shown.setDevicePixelRatio(ratio)
        self._kept[row] = _untinted(shown)
        self._kept.move_to_end(row)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        place = self.index(row)
        self.dataChanged.emit(place, place, [Qt.ItemDataRole.DecorationRole])

    def has(self, row: int) -> bool:
        """Whether the thumbnail is there; it then counts as just used."""
        if row in self._kept:
            self._kept.move_to_end(row)
        return row in self._kept

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  Qt's own default
        """Number of items."""
        return 0 if parent.isValid() else self.count

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Caption and thumbnail."""
        if not index.isValid():
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._caption(index.row())
        if role == Qt.ItemDataRole.DecorationRole:
            return self._kept.get(index.row(), self._waiting)
        return None


class Gallery(QListView):
    """A grid of thumbnails with captions. `chosen` tells the item that was clicked, or gone to by keys."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.side = round(SIDE * max(1.0, theme().scale))
        self._items = Thumbnails(self.side)
        self._fetch: Callable[[int], None] = lambda row: None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._ask)
        self.setAccessibleName(self.tr("Images"))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setIconSize(QSize(self.side, self.side))
        self.setGridSize(QSize(self.side + GAP, self.side + 2 * self.fontMetrics().height() + 6))
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setModel(self._items)
        self.verticalScrollBar().valueChanged.connect(lambda value: self._pause.start())
        self.verticalScrollBar().setSingleStep(self.gridSize().height() // 2)

    def show_items(self, count: int, caption: Callable[[int], str], fetch: Callable[[int], None]) -> None:
        """Show so many items. fetch is called with the number of each that is in sight and has no thumbnail, once scrolling rests;
        `put` answers it, now or later, and what is not answered is asked for again when it is next in sight."""
        self._fetch = fetch
        self._items.begin(count, caption)
        self.scrollToTop()
        self._pause.start()

    def put(self, index: int, array: np.ndarray) -> None:
        """Set the thumbnail of an item: (H, W) or (H, W, 3) uint8."""
        self._items.put(index, array)

    def in_sight(self) -> range:
        """The items that are shown now, whole or in part."""
        grid, inside = self.gridSize(), self.viewport().size()
        across = max(1, inside.width() // grid.width())
        top = self.verticalScrollBar().value()
        first, last = top // grid.height(), (top + inside.height()) // grid.height()
        return range(min(first * across, self._items.count), min((last + 1) * across, self._items.count))

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Tell the item gone to."""
        super().currentChanged(current, previous)
        if current.isValid():
            self.chosen.emit(current.row())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another number of items may be in sight; columns share the width."""
        across = max(1, self.viewport().width() // (self.side + GAP))
        self.setGridSize(QSize(max(self.side + GAP, (self.viewport().width() - 2) // across), self.gridSize().height()))
        super().resizeEvent(event)
        self._pause.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Items that were hidden ask for their thumbnails."""
        super().showEvent(event)
        self._pause.start()

    def _ask(self) -> None:
        if self.isVisible():
            for row in self.in_sight():
                if not self._items.has(row):
                    self._fetch(row)


def _untinted(pixmap: QPixmap) -> QIcon:
    """The picture as it is, also where it is selected: a blue X-ray would be another X-ray."""
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)
    return icon


def _screen_ratio() -> float:
    """Pixels of the screen for a pixel of the layout."""
    screen = QGuiApplication.primaryScreen()
    return screen.devicePixelRatio() if screen is not None else 1.0
