"""Data, the other tabs: the ledger, what was found, and how the images are split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.views.data import Found
from wardround.app.views.grid import Grid
from wardround.app.views.ledger import REASONS, STATUS, Checked, Matter, split_word
from wardround.app.views.sheet import Sheet
from wardround.app.widgets.cases import Cases
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.table import TableView
from wardround.app.widgets.text import heading, label, muted, set_look

LARGE = 1.2  # text scale above which tables do not stand side by side
SIGNS = {"good": "\N{CHECK MARK}", "caution": "\N{WARNING SIGN}", "bad": "\N{BALLOT X}"}


class LedgerTab(QWidget):
    """Every image with what becomes of it. `opened` tells the row that was double-clicked."""

    opened = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._sheet: Sheet | None = None
        self.cases, self.said = Cases(), label("")
        self.cases.setObjectName("data.ledger")
        self.cases.setAccessibleName(self.tr("Case ledger"))
        self.said.setObjectName("data.ledger.said")
        self.cases.chosen.connect(self._explain)
        self.cases.opened.connect(self.opened)
        column = QVBoxLayout(self)
        column.addWidget(self.cases, 1)
        column.addWidget(self.said)

    def show_rows(self, sheet: Sheet, rows: np.ndarray) -> None:
        """Show these rows of a sheet."""
        if sheet is not self._sheet:
            self._sheet = sheet
            heads = {"Image": self.tr("Image"), "Label": self.tr("Label"), "Status": self.tr("Status"), "Reason": self.tr("Reason"),
                     "Split": self.tr("Split"), "Site": self.tr("Site"), "Patient": self.tr("Patient"), "Group": self.tr("Group"),
                     "In group": self.tr("In group"), "Published split": self.tr("Published split")}
            columns = {heads.get(name, name): values for name, values in sheet.columns().items()}
            self.cases.show_columns(columns, {
                heads["Status"]: lambda status: said(STATUS[status]), heads["Reason"]: lambda code: said(REASONS.get(code, str(code))),
                heads["Split"]: lambda split: said(split_word(split)), heads["Published split"]: lambda split: said(split_word(split)),
                heads["Group"]: lambda group: "" if group < 0 else f"{group:,}",
                heads["In group"]: lambda number: f"{number:,}" if number > 1 else ""})
        self.cases.show_rows(rows)
        self.said.setText(self.tr("Select a row for what became of the image; a double click shows it.") if sheet.checked is not None
                          else self.tr("Status and reason of each image are known once the images are checked."))

    def _explain(self, row: int) -> None:
        """The whole story of a row."""
        if self._sheet is None or self._sheet.checked is None:
            return
        facts = " \N{MIDDLE DOT} ".join(f"{said(name)}: {said(value)}" for name, value in self._sheet.facts(row).items())
        detail = self._sheet.checked.detail[row]
        self.said.setText(f"{self._sheet.found.images[row]} \N{MIDDLE DOT} {facts}" + (f"\n{detail}" if detail else ""))


class FindingsTab(QStackedWidget):
    """Duplicates, leaks and unreadable images: what each means and what is done about it. `opened`: an image's path."""

    opened = Signal(str)

    def __init__(self, on_check: Callable[[], object]) -> None:
        super().__init__()
        self.empty = Empty(self.tr("The images have not been checked. Checking reads every image once and looks for unreadable ones, "
                                   "duplicates, and patients or copies on both sides of a split. The decoded images are kept, so that "
                                   "training starts sooner."), self.tr("C&heck images"), on_check)
        self._texts: list[str] = []
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(theme().px(12))
        self._grid.setVerticalSpacing(theme().px(10))
        self._grid.setColumnStretch(2, 1)
        self.leaks, self.examples = TableView(), TableView(max_rows=8)
        self.leaks.setObjectName("data.leaks")
        self.leaks.horizontalHeader().setStretchLastSection(False)
        self.leaks.setAccessibleName(self.tr("Leaks of the published split"))
        self.examples.setObjectName("data.examples")
        self.examples.setAccessibleName(self.tr("Pairs of images"))
        self.examples.opened.connect(lambda row: self.opened.emit(self.examples.grid.rows[row][1]))
        self._leaks_title, self._leaks_caption = heading(self.tr("Leaks of the published split")), muted("")
        self._pairs_title = heading(self.tr("Pairs to look at (a double click shows the first)"))
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setSpacing(theme().px(12))
        column.addLayout(self._grid)
        column.addWidget(self._leaks_title)
        column.addLayout(_to_the_left(self.leaks))
        for widget in (self._leaks_caption, self._pairs_title, self.examples):
            column.addWidget(widget)
        column.addStretch(1)
        self.addWidget(self.empty)
        self.addWidget(_scrolled(inside))

    def show_checked(self, checked: Checked | None) -> None:
        """Show what was found; None: nothing was looked for yet."""
        self.setCurrentIndex(0 if checked is None else 1)
        if checked is None:
            return
        emptied(self._grid)
        self._texts.clear()
        for row, matter in enumerate(sorted(checked.matters, key=lambda one: ("bad", "caution", "good").index(one.level))):
            self._add(row, matter)
        _show_whole(self.leaks, checked.leaks)
        self._leaks_caption.setText(said(checked.leaks.caption))
        _show_whole(self.examples, checked.examples)
        for widget in (self._leaks_title, self.leaks, self._leaks_caption):
            widget.setVisible(bool(checked.leaks.rows))
        for widget in (self._pairs_title, self.examples):
            widget.setVisible(bool(checked.examples.rows))

    def texts(self) -> list[str]:
        """The findings' titles with their numbers, as they are shown."""
        return list(self._texts)

    def _add(self, row: int, matter: Matter) -> None:
        words = {"good": self.tr("None"), "caution": self.tr("Caution"), "bad": self.tr("Problem")}
        top = Qt.AlignmentFlag.AlignTop
        sign = label(f"{SIGNS[matter.level]} {words[matter.level]}", wraps=False)
        sign.setProperty("look", matter.level)
        title = said(matter.title) + (f": {matter.num:,}" if matter.num else "")
        self._texts.append(title)
        self._grid.addWidget(sign, row, 0, top)
        self._grid.addWidget(label(title, look="heading", wraps=False), row, 1, top)
        text = label(f"{said(matter.meaning)}\n{said(matter.action)}") if matter.num else muted(said(matter.action))
        self._grid.addWidget(text, row, 2, top)


class SplitTab(QWidget):
    """What the data set is, its published counts, and after the check those of the plan."""

    def __init__(self) -> None:
        super().__init__()
        self.facts, self.published, self.by_class, self.by_patient = Facts(), TableView(max_rows=18), TableView(max_rows=18), TableView()
        self.facts.setObjectName("data.facts")
        self._titles = [heading(self.tr("As published")), heading(self.tr("Images of this plan's split")),
                        heading(self.tr("Patients of this plan's split"))]
        self._captions = [muted(""), muted(""), muted("")]
        self._tables = (self.published, self.by_class, self.by_patient)
        names = ("data.published", "data.by_class", "data.by_patient")
        self._problem = label("", look="bad")
        left, right, inside = QVBoxLayout(), QVBoxLayout(), QWidget()
        for place, (title, table, caption, name) in enumerate(zip(self._titles, self._tables, self._captions, names, strict=True)):
            table.setObjectName(name)
            table.setAccessibleName(title.text())
            table.horizontalHeader().setStretchLastSection(False)
            side = right if place else left
            side.addWidget(title)
            side.addLayout(_to_the_left(table))
            side.addWidget(caption)
        right.insertWidget(0, self._problem)
        left.insertWidget(0, self._panel())
        columns = QGridLayout(inside)
        columns.setHorizontalSpacing(theme().px(24))
        for place, column in enumerate((left, right)):
            column.addStretch(1)
            column.setSpacing(theme().px(8))
            is_large = theme().scale > LARGE
            columns.addLayout(column, place if is_large else 0, 0 if is_large else place)
            columns.setColumnStretch(0 if is_large else place, 4 + place)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(_scrolled(inside))

    def show_found(self, found: Found, checked: Checked | None) -> None:
        """Show the data set, and what a check has found."""
        self.facts.show_facts({said(name): said(value) for name, value in found.facts.items()})
        grids = (found.counts, *((checked.by_class, checked.by_patient) if checked is not None else (None, None)))
        for grid, title, table, caption in zip(grids, self._titles, self._tables, self._captions, strict=True):
            for widget in (title, table, caption):
                widget.setVisible(grid is not None and bool(grid.rows))
            if grid is not None:
                _show_whole(table, grid)
                caption.setText(said(grid.caption))
        problem = "" if checked is None else checked.problem
        self._problem.setText(problem or self.tr("How this plan splits the images is known once they are checked."))
        set_look(self._problem, "bad" if problem else "muted")
        self._problem.setVisible(bool(problem) or checked is None)

    def _panel(self) -> QFrame:
        panel = QFrame()
        column = QVBoxLayout(panel)
        column.setContentsMargins(0, 0, 0, theme().px(8))
        column.addWidget(self.facts)
        return panel


def _show_whole(table: TableView, grid: Grid) -> None:
    """Show a grid in its full height, and as wide as it needs: what is around it scrolls."""
    table.show_grid(grid)
    table.setMinimumHeight(table.maximumHeight())
    if not table.horizontalHeader().stretchLastSection():
        table.setMaximumWidth(table.horizontalHeader().length() + theme().px(16))


def _to_the_left(table: TableView) -> QHBoxLayout:
    """A table that takes what it needs of a line."""
    row = QHBoxLayout()
    row.addWidget(table, 1000)
    row.addStretch(1)
    return row


def _scrolled(inside: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(inside)
    return area
