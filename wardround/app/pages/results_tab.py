"""What the tabs of the Results page have in common: they wait until they are looked at, and show the report's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.theme import theme
from wardround.app.views.grid import Grid
from wardround.app.views.results import Forest as Estimates
from wardround.app.views.results import Opened
from wardround.app.views.results_read import Told
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.plot import Forest
from wardround.app.widgets.table import TableView
from wardround.app.widgets.text import heading, label, muted

ARM_COLOURS = {"federated": 0, "local": 1, "ensemble": 2, "pooled": 7}  # numbers of the series; the report's colours
MOST_LETTERS = 48  # of a row's name in a forest plot


class Tab(QScrollArea):
    """Variants give key and title, and show in `load` what `opened` is about. needs_model: it is about one run of a comparison."""

    key: ClassVar[str] = ""
    needs_model: ClassVar[bool] = False

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.opened: Opened | None = None
        self.model = ""
        self._is_stale = True
        self.setObjectName(f"results.{self.key}")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        inside = QWidget()
        inside.setObjectName("inside")
        inside.setStyleSheet(f"#inside {{ background: {theme().name('panel')}; }}")
        inside.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)  # as tall as its texts are at the width there is
        self.column = QVBoxLayout(inside)
        self.column.setContentsMargins(theme().px(16), theme().px(14), theme().px(16), theme().px(14))
        self.column.setSpacing(theme().px(10))
        self.setWidget(inside)

    def title(self) -> str:
        """The tab's name, translated."""
        raise NotImplementedError

    def load(self) -> None:
        """Show the opened folder."""
        raise NotImplementedError

    def open(self, opened: Opened, model: str) -> None:
        """Another folder, or another of its models: shown once the tab is looked at."""
        self._is_stale = self._is_stale or opened is not self.opened or (self.needs_model and model != self.model)
        self.opened, self.model = opened, model

    def look(self) -> None:
        """The tab is looked at."""
        if self._is_stale and self.opened is not None:
            self._is_stale = False
            self.load()


def tell(column: QBoxLayout, told: Told, *, max_rows: int = 16) -> None:
    """Put the report's sentences, cautions, tables and terms below each other."""
    for text in told.sentences:
        column.addWidget(label(said(text)))
    for text in told.cautions:
        column.addWidget(label(f"\N{WARNING SIGN} {said(text)}", look="caution"))
    for grid in told.grids:
        add_grid(column, grid, max_rows=max_rows)
    if told.terms:
        column.addWidget(terms(told.terms))


def add_grid(column: QBoxLayout, grid: Grid, *, name: str = "", max_rows: int = 16) -> TableView:
    """A table with its caption below."""
    table = TableView(max_rows=max_rows)
    table.setObjectName(name)
    table.horizontalHeader().setStretchLastSection(not grid.is_numeric(len(grid.columns) - 1))
    table.show_grid(grid)
    table.setAccessibleName(", ".join(map(said, filter(None, grid.columns))))
    table.setFixedHeight(table.maximumHeight() - table.horizontalScrollBar().sizeHint().height())  # all rows up to max_rows
    column.addWidget(table)
    if grid.caption:
        column.addWidget(muted(said(grid.caption)))
    return table


def terms(pairs: Sequence[tuple[str, str]]) -> QWidget:
    """Terms with their meaning; sentences without a term one below the other."""
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    for text in (meaning for term, meaning in pairs if not term):
        column.addWidget(label(said(text)))
    if named := {term: meaning for term, meaning in pairs if term}:
        facts = Facts()
        facts.show_facts(named)
        column.addWidget(facts)
    return holder


def forest(estimates: Estimates, name: str) -> QWidget:
    """A forest plot under its title, the numbers at its right edge."""
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(theme().px(4))
    column.addWidget(heading(said(estimates.title)))
    plot = Forest()
    plot.setObjectName(name)
    points = estimates.points
    plot.show_rows([(said(point.label), point.value, point.low, point.high, ARM_COLOURS.get(point.arm, 3)) for point in points],
                   reference=estimates.reference)
    plot.setAccessibleName(said(estimates.title))
    plot.showAxis("right")
    numbers = plot.getAxis("right")
    numbers.setPen(theme().colour("panel"))
    numbers.setTextPen(theme().colour("text"))
    numbers.setStyle(tickLength=0, tickFont=plot.font())
    for side, texts in (("left", [said(point.label) for point in points]), ("right", [point.text for point in points])):
        plot.names(side, texts, most=MOST_LETTERS)
        widest = max((plot.fontMetrics().horizontalAdvance(text[:MOST_LETTERS]) for text in texts), default=0)
        plot.getAxis(side).setWidth(widest + theme().px(14))
    column.addWidget(plot)
    column.addWidget(muted(said(estimates.note)))
    column.setAlignment(Qt.AlignmentFlag.AlignTop)
    return holder
