"""Start: a demo, a plan, an earlier run; and what this machine can do."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QGridLayout, QHBoxLayout, QHeaderView, QLabel, QPushButton, QVBoxLayout, QWidget

from wardround.app.desk import Desk
from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.theme import theme
from wardround.app.views.start import Machine, Probe, Recent, RecentRuns, Study, machine, probe, recent_runs, studies
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.panel import panel
from wardround.app.widgets.table import TableView
from wardround.app.widgets.text import heading, label, muted
from wardround.errors import WardroundError

ACROSS = 4  # cards in a row
RESULT = 3  # the column that is cut where there is no room
PLAN = ".toml"


class StartPage(Page):
    """Everything here leads to another page."""

    key = "start"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._runs: tuple[Recent, ...] = ()
        self._asked: object = None  # the list of runs that is shown, or asked for
        self._knows_machine = False
        self.setAcceptDrops(True)
        first = QHBoxLayout()
        first.setSpacing(theme().px(12))
        first.addWidget(self._demo_panel(), 1)
        first.addWidget(self._open_panel(), 1)
        self.body.addLayout(first)
        self.body.addWidget(heading(self.tr("Recent runs")))
        self._recent_part(self.body)
        self.body.addWidget(heading(self.tr("New study")))
        self.body.addWidget(muted(self.tr("Plans of five systems, ready to run on your own images; without a folder they use phantoms.")))
        self.body.addLayout(self._cards(studies()))
        self.body.addWidget(self._machine_panel())
        self.body.addStretch(1)

    def title(self) -> str:
        return self.tr("Start")

    def purpose(self) -> str:
        return self.tr("Hospitals train one model together while every image stays where it was taken. Begin with the demo, a plan, or an "
                       "earlier run.")

    def refresh(self) -> None:
        self.show_command(shlex.join(["wardround", "demo", "--out", str(self.desk.runs)]))
        folders = self.desk.recent()
        working = [job.results for job in self.desk.jobs.all() if job.is_alive]
        asked = (folders, working)
        if asked != self._asked:
            self._asked = asked
            self.ask(recent_runs, folders, working, done=self._show_recent, key="recent")
        if not self._knows_machine:
            self._knows_machine = True
            self.ask(machine, done=self._show_machine, key="machine")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        plans = [path for path in paths if path.suffix == PLAN]
        if plans:
            self._open(plans[0])
        else:
            self.complain(self.tr("What was dropped is no plan. A plan is a file that ends in .toml; images are chosen on the page Data."))

    def _demo_panel(self) -> QFrame:
        run, own = QPushButton(self.tr("&Try the demo")), QPushButton(self.tr("With a &folder of images\N{HORIZONTAL ELLIPSIS}"))
        run.setObjectName("start.demo")
        run.setProperty("look", "main")
        run.clicked.connect(lambda: self._demo(None))
        own.setObjectName("start.demo_folder")
        own.clicked.connect(self._demo_on_folder)
        return panel([label(self.tr("Three hospitals, each without some kinds of brain tumour, learn together and alone, and the results "
                                     "are compared: about a minute. It uses phantoms, synthetic images that are drawn by a program, unless "
                                     "you choose a folder of the brain tumour set."))], [run, own])

    def _open_panel(self) -> QFrame:
        plan, run = QPushButton(self.tr("&Open a plan\N{HORIZONTAL ELLIPSIS}")), QPushButton(self.tr("Open a &run\N{HORIZONTAL ELLIPSIS}"))
        plan.setObjectName("start.open_plan")
        plan.clicked.connect(self._ask_plan)
        run.setObjectName("start.open_run")
        run.clicked.connect(self._ask_run)
        return panel([label(self.tr("A plan is a file that says everything about a study: images, hospitals, model, training. Open one, "
                                     "or drop it anywhere on this page. A run is the folder of results that a plan leads to.")),
                       muted(self.tr("Plans and runs are kept in {}").format(self.desk.workspace))], [plan, run])

    def _recent_part(self, column: QVBoxLayout) -> None:
        self._table, self._none = TableView(max_rows=6), muted(self.tr("Looking\N{HORIZONTAL ELLIPSIS}"))
        self._table.setObjectName("start.recent")
        self._table.setAccessibleName(self.tr("Recent runs"))
        self._table.horizontalHeader().setStretchLastSection(False)
        self._table.opened.connect(lambda row: self._look_at(self._runs[row]))
        self._none.setObjectName("start.none")
        self._look, self._resume = QPushButton(self.tr("&Look at it")), QPushButton(self.tr("R&esume"))
        self._look.setObjectName("start.look")
        self._resume.setObjectName("start.resume")
        self._look.clicked.connect(lambda: self._with_chosen(self._look_at))
        self._resume.clicked.connect(lambda: self._with_chosen(self._go_on))
        self._table.selectionModel().selectionChanged.connect(lambda: self._choose())
        self._buttons = QWidget()
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._look)
        row.addWidget(self._resume)
        row.addStretch(1)
        for widget in (self._none, self._table, self._buttons):
            column.addWidget(widget)
        self._table.hide()
        self._buttons.hide()

    def _cards(self, found: tuple[Study, ...]) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(theme().px(12))
        for number, study in enumerate(found):
            button = QPushButton(self.tr("Begin"))
            button.setObjectName(f"start.study.{study.name}")
            button.setAccessibleName(self.tr("Begin: {}").format(study.title))
            button.clicked.connect(lambda _, name=study.name: self._begin(name))
            texts: list[QLabel] = [heading(said(study.title)), label(said(study.line))]
            texts[0].setWordWrap(True)
            if study.layout:
                texts.append(muted(self.tr("Wants a folder with {}").format(said(study.layout))))
            grid.addWidget(panel(texts, [button]), number // ACROSS, number % ACROSS)
        for column in range(ACROSS):
            grid.setColumnStretch(column, 1)
        return grid

    def _machine_panel(self) -> QFrame:
        self._facts, self._versions, self._steps = Facts(), Facts(), Facts()
        self._facts.show_facts({self.tr("This machine"): self.tr("is looked at\N{HORIZONTAL ELLIPSIS}")})
        self._sentence = muted(self.tr("Which number format trains fastest here? This takes some seconds of all cores."))
        self._sentence.setObjectName("start.sentence")
        self._probe = QPushButton(self.tr("Ti&me a training step"))
        self._probe.setObjectName("start.probe")
        self._probe.clicked.connect(self._time)
        frame = QFrame()
        frame.setProperty("look", "panel")
        grid = QGridLayout(frame)
        grid.setContentsMargins(*[theme().px(14)] * 4)
        grid.setHorizontalSpacing(theme().px(30))
        for column, (text, facts) in enumerate(((self.tr("This machine"), self._facts), (self.tr("Versions"), self._versions))):
            grid.addWidget(heading(text), 0, column)
            grid.addWidget(facts, 1, column, Qt.AlignmentFlag.AlignTop)
            grid.setColumnStretch(column, 1)
        row = QHBoxLayout()
        row.setSpacing(theme().px(12))
        row.addWidget(self._probe)
        row.addWidget(self._sentence, 1)
        grid.addLayout(row, 2, 0, 1, 2)
        grid.addWidget(self._steps, 3, 0, 1, 2)
        return frame

    def _demo(self, data: Path | None) -> None:
        self._try(lambda: self.desk.demo(data), "run")

    def _demo_on_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("The folder that holds Training and Testing"), str(Path.home()))
        if folder:
            self._demo(Path(folder))

    def _ask_plan(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Open a plan"), str(self.desk.workspace), self.tr("Plans (*.toml)"))
        if path:
            self._open(Path(path))

    def _ask_run(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Open a run or comparison"), str(self.desk.runs))
        if folder:
            self._try(lambda: self.desk.open_run(Path(folder)), "results")

    def _open(self, path: Path) -> None:
        self._try(lambda: self.desk.open_plan(path), "plan")

    def _begin(self, name: str) -> None:
        self._try(lambda: self.desk.open_plan(name), "data")

    def _look_at(self, run: Recent) -> None:
        if run.problem:
            self.complain(run.problem)
        else:
            self._try(lambda: self.desk.open_run(run.folder), "run" if run.state == "running" else "results")

    def _go_on(self, run: Recent) -> None:
        """By the job that made it, or by the command that its folder asks for."""
        def begin() -> None:
            known = [job for job in self.desk.jobs.all() if job.results == run.folder and not job.is_alive]
            if known:
                known[0].resume()
            else:
                self.desk.jobs.start(run.resume, run.folder.name, run.folder)

        self._try(begin, "run")

    def _time(self) -> None:
        self._probe.setEnabled(False)
        self.ask(probe, done=self._show_probe, failed=self._stop_timing, key="probe", slow=True)

    def _stop_timing(self, error: str) -> None:
        self._probe.setEnabled(True)
        self.complain(error)

    def _show_probe(self, found: Probe) -> None:
        self._probe.setEnabled(True)
        self._sentence.setText(found.sentence)
        self._steps.show_facts(found.facts)

    def _show_machine(self, found: Machine) -> None:
        self._facts.show_facts(found.facts)
        self._versions.show_facts(found.versions)

    def _show_recent(self, found: RecentRuns) -> None:
        self._runs = found.runs
        self._table.setVisible(bool(found.runs))
        self._buttons.setVisible(bool(found.runs))
        self._none.setVisible(not found.runs)
        self._none.setText(self.tr("There are none yet. The demo above makes one in about a minute, and each study makes its own."))
        self._table.show_grid(found.grid)
        self._table.horizontalHeader().setSectionResizeMode(RESULT, QHeaderView.ResizeMode.Stretch)
        if found.runs:
            self._table.choose([0])
        self._choose()

    def _choose(self) -> None:
        """Buttons for what can be done with the chosen run."""
        chosen = [self._runs[row] for row in self._table.chosen()[:1]]
        self._look.setEnabled(bool(chosen))
        self._resume.setEnabled(any(run.state == "unfinished" and bool(run.resume) for run in chosen))

    def _with_chosen(self, action: Callable[[Recent], None]) -> None:
        for row in self._table.chosen()[:1]:
            action(self._runs[row])

    def _try(self, action: Callable[[], object], then: str) -> None:
        """Do it and go to a page, or say here what went wrong."""
        try:
            action()
        except UnicodeDecodeError as error:
            self.complain(self.tr("This file is not text ({}). A plan is a TOML file in UTF-8.").format(error.reason))
        except (WardroundError, OSError) as error:
            self.complain(str(error))
        else:
            self.calm()
            self.desk.go(then)
