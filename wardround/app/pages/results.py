"""The Results page: a finished run or comparison, from its headline to its worst errors."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from wardround.app.desk import Desk
from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.pages.results_curves import CurvesTab, TrainingTab
from wardround.app.pages.results_decisions import CalibrationTab, ConfusionTab
from wardround.app.pages.results_overview import FindingsTab, HospitalsTab, OverviewTab
from wardround.app.pages.results_pictures import ErrorsTab, SegmentationTab
from wardround.app.pages.results_tab import Tab
from wardround.app.theme import theme
from wardround.app.views.results import Opened, opened
from wardround.app.views.results_read import Unfinished
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.text import heading, label, muted

TABS: dict[str, type[Tab]] = {tab.key: tab for tab in (OverviewTab, HospitalsTab, FindingsTab, SegmentationTab, CurvesTab, ConfusionTab,
                                                       CalibrationTab, ErrorsTab, TrainingTab)}


class ResultsPage(Page):
    """Shows the run that the desk holds: what it reached, or how an unfinished one goes on."""

    key = "results"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._folder: Path | None = None
        self._found: Opened | Unfinished | None = None
        self._tabs: dict[str, Tab] = {}
        self._stack = QStackedWidget()
        self._empty = Empty(self.tr("No results are open. Train on the Run page, or open the folder of a run or comparison."),
                            self.tr("Open a folder\N{HORIZONTAL ELLIPSIS}"), self._choose_folder)
        self._unfinished, self._reading = _Unfinished(self), Empty("")
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._unfinished)
        self._stack.addWidget(self._reading)
        self._finished = self._make_finished()
        self._stack.addWidget(self._finished)
        self.body.addLayout(self._make_top())
        self.body.addWidget(self._stack, 1)

    def title(self) -> str:
        return self.tr("Results")

    def purpose(self) -> str:
        return self.tr("How good the models are, at which hospital, where they err, and how sure that is.")

    def refresh(self) -> None:
        self._fill_recent()
        if self.desk.run is None:
            self._stack.setCurrentWidget(self._empty)
            return
        if self.desk.run == self._folder and isinstance(self._found, Opened):
            return
        if self.desk.run != self._folder:
            self.calm()
            self._found = None
            self._reading.set_text(self.reading(self.desk.run))
            self._stack.setCurrentWidget(self._reading)
        self._folder = self.desk.run
        self.ask(opened, self.desk.run, done=self._show, key="open", failed=self._cannot_open)

    def _make_top(self) -> QHBoxLayout:
        self._recent = QComboBox()
        self._recent.setObjectName("results.recent")
        self._recent.setAccessibleName(self.tr("Runs and comparisons that were opened lately"))
        self._recent.setMinimumWidth(theme().px(300))
        self._recent.activated.connect(lambda place: self.desk.open_run(Path(self._recent.itemData(place))))
        name = QLabel(self.tr("&Shown"))
        name.setBuddy(self._recent)
        button = QPushButton(self.tr("&Open folder\N{HORIZONTAL ELLIPSIS}"))
        button.setObjectName("results.open")
        button.clicked.connect(self._choose_folder)
        row = QHBoxLayout()
        for widget in (name, self._recent, button):
            row.addWidget(widget)
        row.addStretch(1)
        return row

    def _make_finished(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().px(8))
        self.headline = label("", look="heading")
        self.headline.setObjectName("results.headline")
        self.phantom = QFrame()
        self.phantom.setProperty("look", "caution_panel")
        self.phantom.setObjectName("results.phantom")
        self._phantom_text = label("", look="caution")
        QVBoxLayout(self.phantom).addWidget(self._phantom_text)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("results.tabs")
        self.tabs.setAccessibleName(self.tr("Parts of the results"))
        self.tabs.currentChanged.connect(self._look)
        self._corner = QWidget()
        corner = QHBoxLayout(self._corner)
        corner.setContentsMargins(0, 0, 0, theme().px(4))
        name = QLabel(self.tr("&Model"))
        self.model = QComboBox()
        self.model.setObjectName("results.model")
        self.model.setAccessibleName(self.tr("Model that this tab is about"))
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.model.currentIndexChanged.connect(self._change_model)
        name.setBuddy(self.model)
        corner.addWidget(name)
        corner.addWidget(self.model)
        self.tabs.setCornerWidget(self._corner, Qt.Corner.TopRightCorner)
        for widget in (self.phantom, self.headline):
            column.addWidget(widget)
        column.addWidget(self.tabs, 1)
        return holder

    def _choose_folder(self) -> None:
        start = self.desk.runs if self.desk.runs.is_dir() else self.desk.workspace
        if path := QFileDialog.getExistingDirectory(self, self.tr("Open a run or comparison"), str(start)):
            self.desk.open_run(Path(path))

    def _fill_recent(self) -> None:
        folders = list(dict.fromkeys([*([self.desk.run] if self.desk.run else []), *self.desk.recent()]))
        if folders != [Path(self._recent.itemData(place)) for place in range(self._recent.count())]:
            self._recent.clear()
            for folder in folders:
                self._recent.addItem(str(Path(folder.parent.name) / folder.name), str(folder))
                self._recent.setItemData(self._recent.count() - 1, str(folder), Qt.ItemDataRole.ToolTipRole)
        self._recent.setEnabled(bool(folders))
        self._recent.setCurrentIndex(0 if folders else -1)

    def _cannot_open(self, error: str) -> None:
        """Say why; the folder is tried again when it is opened again."""
        self._folder = self._found = None
        self._stack.setCurrentWidget(self._empty)
        self.show_command("")
        self.complain(error)

    def _show(self, found: Opened | Unfinished) -> None:
        if isinstance(found, Unfinished):
            if found != self._found:
                self._unfinished.show_state(found)
            self._stack.setCurrentWidget(self._unfinished)
        else:
            self._show_finished(found)
            self._stack.setCurrentWidget(self._finished)
        self._found = found
        self.show_command(found.command)

    def _show_finished(self, found: Opened) -> None:
        self.headline.setText(found.headline)
        self._phantom_text.setText(f"\N{WARNING SIGN} {said(found.phantom)}")
        self.phantom.setVisible(bool(found.phantom))
        self.model.blockSignals(True)
        self.model.clear()
        for name, words in found.models:
            self.model.addItem(said(words), name)
        self.model.blockSignals(False)
        chosen = self.tabs.currentWidget()
        self.tabs.blockSignals(True)
        self.tabs.clear()
        for key in found.tabs:
            if key not in self._tabs:
                self._tabs[key] = TABS[key](self)
            tab = self._tabs[key]
            tab.open(found, self._model())
            self.tabs.addTab(tab, tab.title())
        self.tabs.setCurrentIndex(max(0, self.tabs.indexOf(chosen)) if chosen is not None else 0)
        self.tabs.blockSignals(False)
        self._look()

    def _model(self) -> str:
        return str(self.model.currentData() or "")

    def _change_model(self) -> None:
        if isinstance(self._found, Opened):
            for key in self._found.tabs:
                self._tabs[key].open(self._found, self._model())
            self._look()

    def _look(self) -> None:
        """Let the chosen tab show itself."""
        tab = self.tabs.currentWidget()
        if isinstance(tab, Tab):
            self._corner.setVisible(tab.needs_model and self.model.count() > 1)
            tab.look()


class _Unfinished(QWidget):
    """How far training is, how it goes on, and what has finished meanwhile."""

    def __init__(self, page: ResultsPage) -> None:
        super().__init__()
        self._page = page
        self._column = QVBoxLayout(self)
        self._column.setAlignment(Qt.AlignmentFlag.AlignTop)

    def show_state(self, found: Unfinished) -> None:
        """Show it in place of what was shown."""
        emptied(self._column)
        self._column.addWidget(heading(self.tr("There are no results yet")))
        self._column.addWidget(label(found.text))
        self._column.addWidget(muted(self.tr("It goes on from its last checkpoint: press Resume on the Run page, or use the command "
                                             "below.")))
        go = QPushButton(self.tr("Go to the &Run page"))
        go.setObjectName("results.resume")
        go.clicked.connect(lambda: self._page.desk.go("run"))
        self._column.addWidget(go, 0, Qt.AlignmentFlag.AlignLeft)
        if found.finished:
            self._column.addWidget(label(self.tr("These runs of it have finished:")))
        for folder in found.finished:
            button = QPushButton(self.tr("Show {}").format(folder.name))
            button.setObjectName(f"results.show.{folder.name}")
            button.clicked.connect(partial(self._page.desk.open_run, folder))
            self._column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
