"""Run: start training, watch it, steer it. Each job is a command of its own, which a closed window leaves at work."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.run_job import JobView
from wardround.app.pages.run_start import ALL, StartBar
from wardround.app.runner import Job
from wardround.app.theme import theme
from wardround.app.views.live import Live, live_of
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.lanes import SIGNS
from wardround.app.widgets.text import heading
from wardround.errors import WardroundError

TICK_MS = 1000  # between looks at the clock: a site becomes late without an event
LIST = 184  # width


class RunPage(Page):
    """Above what to start, on the left all jobs, on the right the one that is chosen."""

    key = "run"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._read: dict[Path, Live] = {}  # what journals tell of jobs whose command told nothing: their runs were there before
        self._shown: Job | None = None
        self._start, self._jobs, self._view = StartBar(), QListWidget(), JobView()
        self._empty = Empty(self.tr("Nothing has been trained yet. Choose above what to train, then start it; or begin with the demo."),
                            self.tr("&Try the demo"), self._demo)
        self._no_plan = Empty(self.tr("No plan is open, and nothing has been trained yet. A plan says on which images which model is "
                                      "trained."), self.tr("&Choose a plan on the page Start"), lambda: desk.go("start"))
        self._content = QWidget()
        row = QHBoxLayout(self._content)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme().px(16))
        row.addLayout(self._left())
        row.addWidget(self._view, 1)
        for widget, stretch in ((self._start, 0), (self._empty, 1), (self._no_plan, 1), (self._content, 1)):
            self.body.addWidget(widget, stretch)
        self._start.started.connect(self._train)
        self._start.changed.connect(lambda: self.show_command(self._start.command()))
        self._jobs.currentRowChanged.connect(self._choose)
        self._view.results_wanted.connect(self._show_results)
        self._clock = QTimer(self, interval=TICK_MS)
        self._clock.timeout.connect(self._tick)
        self._clock.start()

    def title(self) -> str:
        return self.tr("Run")

    def purpose(self) -> str:
        return self.tr("Train, watch and steer. Training goes on when this window is closed, and is here again when it is opened.")

    def refresh(self) -> None:
        jobs, draft = self.desk.jobs.all(), self.desk.draft
        self._start.setVisible(bool(draft.text))
        self._start.show_draft(draft)
        self._empty.setVisible(not jobs and bool(draft.text))
        self._no_plan.setVisible(not jobs and not draft.text)
        self._content.setVisible(bool(jobs))
        self._list(jobs)
        job = self._job()
        if job is None:
            self.show_command(self._start.command())
            return
        if job is not self._shown:
            self._shown = job
            self.show_command(job.command)
        self._view.show_job(job, self._live(job))
        self._forget.setEnabled(not job.is_alive)

    def _left(self) -> QVBoxLayout:
        self._jobs.setObjectName("run.jobs")
        self._jobs.setAccessibleName(self.tr("Jobs"))
        self._jobs.setFixedWidth(theme().px(LIST))
        self._jobs.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._jobs.setWordWrap(True)
        self._jobs.setSpacing(theme().px(3))
        self._forget = QPushButton(self.tr("Take out of &list"))
        self._forget.setObjectName("run.forget")
        self._forget.setToolTip(self.tr("Its results stay on disk."))
        self._forget.clicked.connect(self._take_out)
        column = QVBoxLayout()
        column.addWidget(heading(self.tr("Jobs")))
        column.addWidget(self._jobs, 1)
        column.addWidget(self._forget)
        return column

    def _list(self, jobs: list[Job]) -> None:
        """Show the jobs; a new one, which comes first, is chosen."""
        chosen, known = self._job(), [self._jobs.item(index).data(Qt.ItemDataRole.UserRole) for index in range(self._jobs.count())]
        self._jobs.blockSignals(True)
        if known != jobs:
            self._jobs.clear()
            for job in jobs:
                item = QListWidgetItem()
                item.setData(Qt.ItemDataRole.UserRole, job)
                self._jobs.addItem(item)
            is_new = bool(jobs) and jobs[0] not in known
            self._jobs.setCurrentRow(0 if is_new or chosen not in jobs else jobs.index(chosen))
        for index, job in enumerate(jobs):
            self._jobs.item(index).setText(f"{SIGNS[job.state][0]} {job.title}\n{self._told(job)}")
        self._jobs.blockSignals(False)

    def _told(self, job: Job) -> str:
        """A job's state in a few words."""
        word = {"running": self.tr("Running"), "paused": self.tr("Paused"), "stopping": self.tr("Stopping"), "stopped": self.tr("Stopped"),
                "failed": self.tr("Failed"), "finished": self.tr("Finished")}[job.state]
        if job.state == "finished" or not (runs := job.live.runs.values()):
            return word
        done, total = sum(run.rounds[-1].round for run in runs if run.rounds), sum(run.num_rounds for run in runs)
        return self.tr("{}, {} of {} rounds").format(word, done, total)

    def _job(self) -> Job | None:
        item = self._jobs.currentItem()
        return None if item is None else item.data(Qt.ItemDataRole.UserRole)  # type: ignore[no-any-return]

    def _live(self, job: Job) -> Live:
        """What is known of a job's runs: its events; of runs that were there before, what their journals tell."""
        if job.live.runs or job.is_alive:
            return job.live
        if job.results not in self._read and job.results.is_dir():
            self._read[job.results] = Live()

            def done(live: Live) -> None:
                self._read[job.results] = live
                self.refresh()

            self.ask(live_of, job.results, done=done, key=f"journals {job.results}")
        return self._read.get(job.results, job.live)

    def _train(self) -> None:
        try:
            if self._start.arm == ALL:
                self.desk.train("compare", seeds=self._start.seeds)
            else:
                self.desk.train("run", arm=self._start.arm, site=self._start.site)
            self.calm()
        except (WardroundError, OSError) as error:
            self.complain(str(error))
            return
        self.refresh()
        job = self._job()
        if job is not None:
            self.show_command(job.command, self.desk.draft.path and self.desk.workspace / f"{self.desk.draft.name}.toml")

    def _demo(self) -> None:
        try:
            self.desk.demo()
        except (WardroundError, OSError) as error:
            self.complain(str(error))

    def _choose(self) -> None:
        self._shown = None
        self.refresh()

    def _take_out(self) -> None:
        job = self._job()
        if job is not None:
            self.desk.jobs.forget(job)
            self.refresh()

    def _show_results(self, run: str) -> None:
        job = self._job()
        if job is not None:
            self.desk.open_run(job.results / run)
            self.desk.go("results")

    def _tick(self) -> None:
        job = self._job()
        if job is not None and job.state == "running" and self.isVisible():
            self._view.show_run()
