"""A table of many thousand images: the columns are arrays, and only the cells in sight become text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QTableView

from wardround.app.theme import theme

SAMPLE = 200  # rows that the columns' widths are taken from
WIDEST = 320  # pixels of a column at text scale 1
MOST_COPIED = 100_000  # rows

Index = QModelIndex | QPersistentModelIndex
Said = Callable[[Any], str]


class CasesModel(QAbstractTableModel):
    """Columns of n rows, of which those in `rows` are shown in that order."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.rows = np.zeros(0, np.int64)
        self._columns: list[np.ndarray] = []
        self._said: list[Said] = []

    def begin(self, columns: Mapping[str, np.ndarray], said: Mapping[str, Said]) -> None:
        """Other columns, all of their rows shown."""
        self.beginResetModel()
        self.names, self._columns = list(columns), list(columns.values())
        self._said = [said.get(name, str) for name in columns]
        self.rows = np.arange(len(self._columns[0]) if self._columns else 0)
        self.endResetModel()

    def select(self, rows: np.ndarray) -> None:
        """Show these rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order the rows that are shown by a column; equal ones stay as they were."""
        if not 0 <= column < len(self._columns):
            return
        values = self._columns[column][self.rows]
        keys = values if values.dtype.kind in "iuf" else np.unique(values.astype(str), return_inverse=True)[1]
        places = np.argsort(-keys if order == Qt.SortOrder.DescendingOrder else keys, kind="stable")
        self.layoutAboutToBeChanged.emit()
        self.rows = self.rows[places]
        self.layoutChanged.emit()

    def text(self, row: int, column: int) -> str:
        """A cell as it is shown; row: of those that are shown."""
        return self._said[column](self._columns[column][self.rows[row]])

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's own signature)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.names)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self.text(index.row(), index.column())
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._side(index.column())
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.names[section]
        is_head = orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole
        return self._side(section) if is_head else None

    def _side(self, column: int) -> Qt.AlignmentFlag:
        is_number = self._columns[column].dtype.kind in "iuf"
        return (Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter


class Cases(QTableView):
    """Shows the columns. `chosen` tells the row, of all n, that was gone to; `opened` the one that was double-clicked, or Enter pressed
    on."""

    chosen = Signal(int)
    opened = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.cases = CasesModel()
        self.setModel(self.cases)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(theme().px(26))
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setStretchLastSection(True)
        self.doubleClicked.connect(lambda index: self.opened.emit(int(self.cases.rows[index.row()])))

    def show_columns(self, columns: Mapping[str, np.ndarray], said: Mapping[str, Said] | None = None) -> None:
        """Show columns by their heads, all of n rows, in their own order; said: how the values of a column are written."""
        self.setSortingEnabled(False)
        self.cases.begin(columns, said or {})
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self._fit()

    def show_rows(self, rows: np.ndarray) -> None:
        """Show only these rows, sorted as the user has asked."""
        self.cases.select(rows)
        header = self.horizontalHeader()
        self.cases.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        if current.isValid() and current.row() != previous.row():
            self.chosen.emit(int(self.cases.rows[current.row()]))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.as_text())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.opened.emit(int(self.cases.rows[self.currentIndex().row()]))
        else:
            super().keyPressEvent(event)

    def as_text(self) -> str:
        """The selected rows with their heads, separated by tabs."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())[:MOST_COPIED]
        lines = ["\t".join(self.cases.text(row, column) for column in range(len(self.cases.names))) for row in rows]
        return "\n".join(["\t".join(self.cases.names), *lines])

    def _fit(self) -> None:
        """Widths by some of the rows: measuring all of them would take seconds."""
        metrics, rows = self.fontMetrics(), range(0, len(self.cases.rows), max(1, len(self.cases.rows) // SAMPLE))
        for column, name in enumerate(self.cases.names):
            longest = max((self.cases.text(row, column) for row in rows), key=len, default="")
            wide = max(metrics.horizontalAdvance(longest), metrics.horizontalAdvance(name) + theme().px(22))
            self.setColumnWidth(column, min(wide + theme().px(18), theme().px(WIDEST)))
