"""A table of texts: sorted by a click on its head, copied with Ctrl+C, as tall as its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QFont, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.views.grid import Grid

MOST_BESIDE = 5  # columns of numbers that fit beside each other

Index = QModelIndex | QPersistentModelIndex
_NUMBER = re.compile(r"^[+-]?\d[\d,\s]*(\.\d+)?([eE][+-]?\d+)?")


def number_in(text: str) -> float | None:
    """The number that a text begins with, e.g. 0.91 of "0.910 [0.88, 0.94]"; None if it begins with none."""
    found = _NUMBER.match(text.replace("\N{MINUS SIGN}", "-").lstrip())
    return None if found is None else float(found[0].replace(",", "").replace(" ", "").replace("\N{NO-BREAK SPACE}", ""))


class GridModel(QAbstractTableModel):
    """A grid as Qt reads it. marked: (row, column) -> a role of the theme, for cells that need a second look."""

    def __init__(self, grid: Grid, marked: Mapping[tuple[int, int], str]) -> None:
        super().__init__()
        self.grid, self._marked = grid, marked

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own signature)
        return 0 if parent.isValid() else len(self.grid.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.grid.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = index.row(), index.column()
        text = self.grid.rows[row][column] if column < len(self.grid.rows[row]) else ""
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return said(text)
            case Qt.ItemDataRole.UserRole:
                return text if (number := number_in(text)) is None else number
            case Qt.ItemDataRole.TextAlignmentRole:
                return self._side(column)
            case Qt.ItemDataRole.ForegroundRole if (row, column) in self._marked:
                return theme().colour(self._marked[row, column])
            case Qt.ItemDataRole.FontRole if (row, column) in self._marked:
                font = QFont()
                font.setBold(True)
                return font
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return said(self.grid.columns[section])
        return self._side(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def _side(self, column: int) -> Qt.AlignmentFlag:
        side = Qt.AlignmentFlag.AlignRight if self.grid.is_numeric(column) else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter


class TableView(QTableView):
    """Shows grids. opened: a row of the grid was double-clicked, or Enter pressed on it."""

    opened = Signal(int)

    def __init__(self, *, max_rows: int = 12) -> None:
        """max_rows: so many are shown at once, the others are scrolled to."""
        super().__init__()
        self._max_rows = max_rows
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSortRole(Qt.ItemDataRole.UserRole)
        self.setModel(self._sorted)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(theme().px(28))
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setStretchLastSection(True)
        self.doubleClicked.connect(lambda index: self.opened.emit(self._sorted.mapToSource(index).row()))

    @property
    def grid(self) -> Grid:
        """What is shown."""
        model = self._sorted.sourceModel()
        return model.grid if isinstance(model, GridModel) else Grid(columns=(), rows=())

    def show_grid(self, grid: Grid, marked: Mapping[tuple[int, int], str] | None = None) -> None:
        """Show a grid, in its own order until a head is clicked; its caption describes the table to screen readers."""
        self._kept = GridModel(grid, dict(marked or {}))
        self.setSortingEnabled(False)
        self._sorted.setSourceModel(self._kept)
        self._sorted.sort(-1)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setAccessibleDescription(said(grid.caption))
        self.resizeColumnsToContents()
        for column in range(len(grid.columns) - 1):  # the last one takes what is left
            self.setColumnWidth(column, min(self.columnWidth(column) + theme().px(14), theme().px(420)))
        rows = min(max(1, len(grid.rows)), self._max_rows)
        height = self.horizontalHeader().sizeHint().height() + rows * self.verticalHeader().defaultSectionSize()
        self.setMinimumHeight(min(height + theme().px(4), theme().px(200)))
        self.setMaximumHeight(height + self.horizontalScrollBar().sizeHint().height() + theme().px(6))
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)

    def show_whole(self, grid: Grid, marked: Mapping[tuple[int, int], str] | None = None) -> None:
        """All rows at once: the page scrolls, not the table. Columns of numbers share the width."""
        self.show_grid(grid, marked)
        self.setMinimumHeight(self.maximumHeight())
        if grid.is_numeric(len(grid.columns) - 1) and len(grid.columns) <= MOST_BESIDE:
            self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)

    def chosen(self) -> list[int]:
        """The grid's rows that are selected, ascending."""
        return sorted({self._sorted.mapToSource(index).row() for index in self.selectionModel().selectedRows()})

    def choose(self, rows: Sequence[int]) -> None:
        """Select rows of the grid."""
        self.clearSelection()
        mode = self.selectionModel().SelectionFlag.Select | self.selectionModel().SelectionFlag.Rows
        for row in rows:
            self.selectionModel().select(self._sorted.mapFromSource(self._kept.index(row, 0)), mode)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.as_text())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.opened.emit(self._sorted.mapToSource(self.currentIndex()).row())
        else:
            super().keyPressEvent(event)

    def as_text(self) -> str:
        """The selected rows, or all, with their heads, separated by tabs: for a spreadsheet."""
        rows = self.chosen() or range(len(self.grid.rows))
        return "\n".join(["\t".join(self.grid.columns), *("\t".join(self.grid.rows[row]) for row in rows)])
