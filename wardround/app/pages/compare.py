"""Finished runs side by side."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from wardround.app.desk import Desk
from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.theme import theme
from wardround.app.views import compare as view
from wardround.app.views.grid import Grid
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.plot import Curves
from wardround.app.widgets.scrolled import Inside
from wardround.app.widgets.table import TableView
from wardround.app.widgets.text import heading, label, muted, set_look

FOLDER = Qt.ItemDataRole.UserRole
LABEL = Qt.ItemDataRole.UserRole + 1
VERDICT = 3  # column of the paired table
ROLES = {"better": "good", "worse": "bad"}


class ComparePage(Page):
    """Runs are ticked at the left; what they reached and how they differ is at the right."""

    key = "compare"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._added: list[Path] = []
        self._chosen: tuple[Path, ...] = ()
        self._list = QListWidget()
        self._list.setObjectName("compare.runs")
        self._list.setAccessibleName(self.tr("Finished runs"))
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._list.itemChanged.connect(self._ticked)
        self._found = _Found()
        self._few = Empty(self.tr("Tick two or more runs to see them side by side. Two runs that were tested on the same patients are "
                                  "compared patient by patient."))
        self._none = Empty(self.tr("There are no two finished runs to compare yet. Train the same plan in two ways, or two plans on the "
                                   "same images; or add the folder of runs that were made elsewhere."), self.tr("&Train a run"),
                           lambda: desk.go("run"))
        self._stack = QStackedWidget()
        for part in (self._none, self._few, self._found):
            self._stack.addWidget(part)
        split = QSplitter()
        split.addWidget(self._side())
        split.addWidget(self._stack)
        split.setStretchFactor(1, 1)
        split.setSizes([theme().px(290), theme().px(900)])
        split.setChildrenCollapsible(False)
        self.body.addWidget(split, 1)

    def title(self) -> str:
        return self.tr("Compare runs")

    def purpose(self) -> str:
        return self.tr("What finished runs reached, in which keys their plans differ, and how they learnt.")

    def refresh(self) -> None:
        """List the runs that there are; ticks stay."""
        opened = [self.desk.run] if self.desk.run is not None else []
        ticked = self.chosen() if self._list.count() else [run.folder for run in view.candidates(opened)][:2]
        self._list_runs(self._candidates(), ticked)
        self._show()

    def chosen(self) -> list[Path]:
        """The folders that are ticked, in their order."""
        items = [self._list.item(row) for row in range(self._list.count())]
        return [item.data(FOLDER) for item in items if item.checkState() is Qt.CheckState.Checked]

    def add_folder(self, folder: Path) -> None:
        """Put a folder's runs on the list, as many of them ticked as make two."""
        self.calm()
        self.ask(view.found_in, folder, done=lambda found: self._add(folder, found), key="folder")

    def _add(self, folder: Path, found: tuple[view.Candidate, ...]) -> None:
        self._added.append(folder)
        ticked = self.chosen()
        ticked += [run.folder for run in found if run.folder not in ticked][: max(1, 2 - len(ticked))]
        self._list_runs(self._candidates(), ticked)
        self._show()

    def _candidates(self) -> tuple[view.Candidate, ...]:
        opened = [self.desk.run] if self.desk.run is not None else []
        return view.candidates([*opened, *self._added, *self.desk.recent()])

    def _side(self) -> QWidget:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, theme().px(8), 0)
        named = muted(self.tr("Finished &runs"), wraps=False)
        named.setBuddy(self._list)
        add = QPushButton(self.tr("Add a &folder\N{HORIZONTAL ELLIPSIS}"))
        add.setObjectName("compare.add")
        add.clicked.connect(self._choose)
        column.addWidget(named)
        column.addWidget(self._list, 1)
        column.addWidget(add)
        return side

    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("The folder of a run, or of a comparison"), str(self.desk.runs))
        if folder:
            self.add_folder(Path(folder))

    def _list_runs(self, runs: tuple[view.Candidate, ...], ticked: list[Path]) -> None:
        with QSignalBlocker(self._list):
            self._list.clear()
            for run in runs:
                item = QListWidgetItem(run.label)
                item.setData(FOLDER, run.folder)
                item.setData(LABEL, run.label)
                item.setToolTip(str(run.folder))
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if run.folder in ticked else Qt.CheckState.Unchecked)
                self._list.addItem(item)

    def _ticked(self) -> None:
        self.calm()
        if len(self.chosen()) > len(view.LETTERS):
            self.complain(self.tr("At most {} runs fit side by side. Untick one first.").format(len(view.LETTERS)))
        self._show()

    def _show(self) -> None:
        chosen = tuple(self.chosen()[: len(view.LETTERS)])
        self._letter(chosen)
        if len(chosen) < 2:
            self._chosen = chosen
            self._stack.setCurrentWidget(self._few if self._list.count() > 1 else self._none)
            return self.show_command("")
        if chosen != self._chosen:
            self._chosen = chosen
            self.show_command(view.command(chosen))
            self.ask(view.compare, chosen, done=self._compared, key="compare")
        return None

    def _letter(self, chosen: tuple[Path, ...]) -> None:
        """Put before each ticked run the letter that stands for it."""
        with QSignalBlocker(self._list):
            for row in range(self._list.count()):
                item, text = self._list.item(row), self._list.item(row).data(LABEL)
                folder = item.data(FOLDER)
                item.setText(f"{view.LETTERS[chosen.index(folder)]}   {text}" if folder in chosen else text)

    def _compared(self, found: view.Compared) -> None:
        self._found.show_compared(found)
        self._stack.setCurrentWidget(self._found)
        if len(self._chosen) == 2:
            self._found.show_waiting()
            self.ask(view.contrast, *self._chosen, done=self._found.show_paired, failed=self._found.show_unpaired, key="contrast")


class _Found(QScrollArea):
    """What was found, from above: who is who, results, the paired difference, the plans, the curves."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = Inside()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(theme().px(8), 0, theme().px(8), 0)
        self._column.setSpacing(theme().px(10))
        self.setWidget(inside)
        self._caution, self._note, self._same = label("", look="caution"), label(""), label("")
        self._runs = self._table("compare.named", self.tr("Runs and their letters"))
        self._results = self._table("compare.results", self.tr("Results"))
        self._paired = self._table("compare.paired", self.tr("Paired difference"))
        self._plans = self._table("compare.plans", self.tr("Differences of the plans"))
        self._paired_caption, self._results_caption = muted(""), muted("")
        self._note.setObjectName("compare.note")
        self._same.setObjectName("compare.same")
        self._paired_heading = heading(self.tr("Patient by patient"))
        self._curves = [Curves(), Curves()]
        drawn = QHBoxLayout()
        for curves in self._curves:
            curves.is_integer()
            curves.setMaximumHeight(theme().px(380))
            drawn.addWidget(curves)
        for part in (self._caution, self._runs, heading(self.tr("What they reached")), self._results, self._results_caption,
                     self._paired_heading, self._note, self._paired, self._paired_caption, heading(self.tr("In what their plans differ")),
                     self._same, self._plans, heading(self.tr("How they learnt"))):
            self._column.addWidget(part)
        self._column.addLayout(drawn)
        self._column.addStretch(1)

    def show_compared(self, found: view.Compared) -> None:
        """Show runs side by side, without a paired difference yet."""
        self._caution.setText("\n".join(map(said, found.cautions)))
        self._caution.setVisible(bool(found.cautions))
        self._runs.show_whole(found.runs)
        self._results.show_whole(found.results)
        self._results_caption.setText(said(found.results.caption))
        self._plans.show_whole(found.plans)
        self._plans.setVisible(bool(found.plans.rows))
        self._same.setText(said(found.plans_note))
        self._same.setVisible(bool(found.plans_note))
        for part in (self._paired_heading, self._note, self._paired, self._paired_caption):
            part.hide()
        for number, drawing in enumerate(self._curves):
            drawing.setVisible(number < len(found.curves))
            if number < len(found.curves):
                self._draw(drawing, found.curves[number])

    def show_waiting(self) -> None:
        self._say(self.tr("Drawing the patients again, for intervals\N{HORIZONTAL ELLIPSIS}"))

    def show_paired(self, grid: Grid) -> None:
        """The difference of two runs."""
        self._note.hide()
        self._paired.show_whole(grid, {(row, VERDICT): ROLES[cells[VERDICT]] for row, cells in enumerate(grid.rows)
                                         if cells[VERDICT] in ROLES})
        self._paired_caption.setText(said(grid.caption))
        for part in (self._paired_heading, self._paired, self._paired_caption):
            part.show()

    def show_unpaired(self, problem: str) -> None:
        """Why there is no such difference."""
        self._say(problem, is_problem=True)

    def _say(self, text: str, *, is_problem: bool = False) -> None:
        self._note.setText(text)
        set_look(self._note, "caution" if is_problem else "muted")
        self._paired_heading.show()
        self._note.show()

    def _table(self, name: str, accessible: str) -> TableView:
        table = TableView(max_rows=40)
        table.setObjectName(name)
        table.setAccessibleName(accessible)
        return table

    def _draw(self, drawing: Curves, curves: view.Curves) -> None:
        drawing.clear()
        drawing.labels(said(curves.title), self.tr("round"), "")
        drawing.limits(x=(0, 1.15 * max(float(line.rounds.max()) for line in curves.lines)))  # room for the legend
        for line in curves.lines:
            drawing.line(line.letter, line.rounds, line.values, view.LETTERS.index(line.letter))
