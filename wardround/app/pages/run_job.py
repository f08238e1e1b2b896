"""One job: its runs, the rounds of the chosen one, a lane a site, curves, and what the command says."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QProgressBar, QPushButton, QSizePolicy, QTabBar, QVBoxLayout, QWidget

from wardround.app.language import said
from wardround.app.pages.run_curves import RunCurves
from wardround.app.runner import Job
from wardround.app.theme import theme
from wardround.app.views.live import Lane, Live, LiveRun, last_words
from wardround.app.widgets.banner import Banner
from wardround.app.widgets.lanes import SIGNS, LaneRow, Lanes, LanesRoom
from wardround.app.widgets.text import heading, label, muted, set_look
from wardround.app.widgets.timeline import Timeline
from wardround.core.wording import stage

LANES, LOG = 190, 110  # heights at most
SHORTEST_S = 0.1  # that is told of a site


class JobView(QWidget):
    """What a job does, and the buttons that steer it."""

    results_wanted = Signal(str)  # a run's name, or "" for all of the job's results

    def __init__(self) -> None:
        super().__init__()
        self._job: Job | None = None
        self._told_of: Job | None = None  # whose failure is, or was, shown
        self._live = Live()
        self._title, self._state, self._left = heading(""), label("", wraps=False), muted("", wraps=False)
        self._failure, self._stage, self._stage_bar = Banner(), muted("", wraps=False), QProgressBar()
        self._tabs, self._timeline, self._round = QTabBar(), Timeline(), muted("", wraps=False)
        self._lanes, self._curves, self._log = Lanes(), RunCurves(), QPlainTextEdit()
        self._buttons = self._made_buttons()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().px(8))
        column.addLayout(self._head())
        column.addWidget(self._failure)
        column.addLayout(self._preparing())
        column.addWidget(self._tabs)
        column.addWidget(self._rounds())
        column.addWidget(self._curves, 99)
        column.addWidget(self._log)
        column.addStretch(1)

    def show_job(self, job: Job, live: Live) -> None:
        """Show a job as it is now; cheap where little has changed. live: what is known of its runs."""
        if job is not self._job:
            self._job = job
            self._timeline.look_at(0)
        self._live = live
        self._title.setText(job.title)
        sign, look = SIGNS[job.state]
        self._state.setText(f"{sign} {self.state_word(job)}")
        set_look(self._state, look)
        self._show_failure(job)
        self._show_buttons(job)
        self._show_stage(job)
        self._show_tabs()
        self.show_run()
        self._show_log(job)

    def state_word(self, job: Job) -> str:
        return {"running": self.tr("Running"), "paused": self.tr("Paused"), "stopping": self.tr("Stopping after this round is saved"),
                "stopped": self.tr("Stopped, can be resumed"), "failed": self.tr("Failed"), "finished": self.tr("Finished")}[job.state]

    def show_run(self) -> None:
        """Show the chosen run: rounds, lanes, curves."""
        job, run = self._job, self._chosen()
        self._timeline.setVisible(run is not None)
        for widget in (self._round, self._left):
            widget.setVisible(run is not None)
        self._left.setText(self._time_left(run) if job is not None and job.state == "running" else "")
        if job is None:
            return
        if run is not None:
            is_open = job.is_alive and run.finished is None
            done = run.rounds[-1].round if run.rounds else 0
            self._timeline.show_rounds(run.num_rounds, done=done, best=run.best, current=run.round if is_open and run.round > done else 0,
                                       failed=[event.round for event in run.rounds if event.failed])
            self._tell_round(run, self._timeline.seen or done)
            self._lanes.show_rows([self._site_row(site, lane, index, job) for index, (site, lane) in enumerate(run.lanes.items())])
        else:
            self._lanes.show_rows([self._run_row(other, index, job) for index, other in enumerate(self._live.runs.values())])
        self._curves.show_runs(list(self._live.runs.values()), run)
        self._frame.setVisible(bool(self._live.runs))
        self._curves.setVisible(any(other.rounds for other in self._live.runs.values()))

    def _chosen(self) -> LiveRun | None:
        """The run whose tab is chosen; None: all of them."""
        runs = list(self._live.runs.values())
        if len(runs) == 1:
            return runs[0]
        index = self._tabs.currentIndex() - 1
        return runs[index] if 0 <= index < len(runs) else None

    def _site_row(self, site: str, lane: Lane, index: int, job: Job) -> LaneRow:
        state = "paused" if job.state == "paused" and lane.state in ("training", "late") else lane.state
        facts = []
        if lane.total and lane.state in ("training", "late"):
            facts.append(self.tr("{} of {} steps").format(lane.done, lane.total))
        if lane.since_s >= SHORTEST_S and state != "paused":
            facts.append(self.spelt(lane.since_s))
        is_over = not job.is_alive and lane.state in ("training", "late", "sending")
        return LaneRow(name=site, state="stopped" if is_over else state, done=lane.done, total=lane.total, fact=", ".join(facts),
                       cause=lane.cause, colour=RunCurves.FIRST_SITE + index)

    def _run_row(self, run: LiveRun, index: int, job: Job) -> LaneRow:
        state = "finished" if run.finished else job.state if job.state != "finished" else "stopped"
        done = run.rounds[-1].round if run.rounds else 0
        facts = [self.tr("{} of {}").format(done, run.num_rounds)]
        _, scores = run.curve("metric")
        if len(scores):
            facts.append(f"{scores[-1]:.3f}")
        return LaneRow(name=run.name, state=state, done=done, total=run.num_rounds, fact=", ".join(facts), colour=index)

    def _tell_round(self, run: LiveRun, number: int) -> None:
        text = run.in_words(number)
        self._round.setText(self.tr("Round {} of {}: {}").format(number, run.num_rounds, text) if text
                            else self.tr("Round {} of {}").format(run.round, run.num_rounds))
        self._round.setToolTip(self._round.text())

    def _time_left(self, run: LiveRun | None) -> str:
        if run is None or run.left_s is None or run.left_s < 1:
            return ""
        return self.tr("about {} left").format(self.spelt(run.left_s))

    def spelt(self, seconds: float) -> str:
        """A time as one says it."""
        if seconds < 10:
            return self.tr("{} s").format(f"{seconds:.1f}")
        if seconds < 100:
            return self.tr("{} s").format(round(seconds))
        return self.tr("{} min").format(round(seconds / 60)) if seconds < 6000 else self.tr("{} h").format(f"{seconds / 3600:.1f}")

    def _show_buttons(self, job: Job) -> None:
        pause, go_on, stop, resume, results = (self._buttons[key] for key in ("pause", "go_on", "stop", "resume", "results"))
        pause.setVisible(job.state != "paused" and job.is_alive and job.can_pause)
        pause.setEnabled(job.state == "running")
        go_on.setVisible(job.state == "paused")
        stop.setVisible(job.is_alive)
        stop.setEnabled(job.state in ("running", "paused"))
        resume.setVisible(job.state == "stopped" or (job.state == "failed" and self._failure.isHidden()))
        run = self._chosen()
        results.setEnabled(job.state == "finished" or (run is not None and run.finished is not None))

    def _show_failure(self, job: Job) -> None:
        if job.state != "failed":
            self._told_of = None
            self._failure.hide()
        elif self._told_of is not job:  # once: a person may close it
            self._told_of = job
            words = last_words(job.last_words) or self.tr("(none: it was killed, perhaps for want of memory)")
            text = self.tr("Training ended before it was done. Its last words:\n{}\nIf they name a cause, mend that first. Resume goes on "
                           "from the last round that was saved.").format(words)
            self._failure.show_error(text, self.tr("Res&ume"), job.resume)

    def _show_stage(self, job: Job) -> None:
        event = self._live.stage if job.is_alive else None
        is_waiting = job.is_alive and event is None and not self._live.runs
        for widget in (self._stage, self._stage_bar):
            widget.setVisible(event is not None or is_waiting)
        if event is not None:
            self._stage.setText(said(stage(event)))
            self._stage_bar.setRange(0, max(1, event.total))
            self._stage_bar.setValue(event.done)
        elif is_waiting:
            self._stage.setText(self.tr("Starting"))
            self._stage_bar.setRange(0, 0)

    def _show_tabs(self) -> None:
        names = list(self._live.runs)
        self._tabs.setVisible(len(names) > 1)
        if len(names) > 1 and names != [self._tabs.tabText(index) for index in range(1, self._tabs.count())]:
            chosen = self._tabs.tabText(self._tabs.currentIndex())
            self._tabs.blockSignals(True)
            while self._tabs.count():
                self._tabs.removeTab(0)
            for name in (self.tr("All runs"), *names):
                self._tabs.addTab(name)
            self._tabs.setCurrentIndex(names.index(chosen) + 1 if chosen in names else 0)
            self._tabs.blockSignals(False)

    def _show_log(self, job: Job) -> None:
        output = job.last_words
        notes = [note for note in self._live.notes if note not in output]
        text = "\n".join([*notes, output]).strip()
        if text != self._log.toPlainText():
            self._log.setPlainText(text)
            self._log.moveCursor(QTextCursor.MoveOperation.End)

    def _act(self, action: Callable[[Job], object]) -> None:
        if self._job is not None:
            action(self._job)

    def _made_buttons(self) -> dict[str, QPushButton]:
        made: dict[str, QPushButton] = {}
        for key, text, action in (("pause", self.tr("&Pause"), Job.pause), ("go_on", self.tr("&Go on"), Job.go_on),
                                  ("stop", self.tr("St&op"), Job.stop), ("resume", self.tr("Res&ume"), Job.resume)):
            made[key] = QPushButton(text)
            made[key].clicked.connect(lambda _=False, action=action: self._act(action))
        made["results"] = QPushButton(self.tr("Show &results"))
        made["results"].setProperty("look", "main")
        made["results"].clicked.connect(self._want_results)
        for key, button in made.items():
            button.setObjectName(f"run.{key}")
        return made

    def _want_results(self) -> None:
        run = self._chosen()
        is_single = self._job is not None and self._job.state != "finished" and run is not None and len(self._live.runs) > 1
        self.results_wanted.emit(run.name if is_single and run is not None else "")

    def _head(self) -> QHBoxLayout:
        self._state.setObjectName("run.state")
        row = QHBoxLayout()
        row.setSpacing(theme().px(12))
        for widget in (self._title, self._state):
            row.addWidget(widget)
        row.addStretch(1)
        for button in self._buttons.values():
            row.addWidget(button)
        return row

    def _preparing(self) -> QHBoxLayout:
        self._failure.setObjectName("run.failure")
        self._stage.setObjectName("run.stage")
        self._stage_bar.setFormat("%v / %m")
        self._stage_bar.setAccessibleName(self.tr("Progress"))
        row = QHBoxLayout()
        row.addWidget(self._stage)
        row.addWidget(self._stage_bar, 1)
        return row

    def _other_run(self) -> None:
        self._timeline.look_at(0)
        self.show_run()

    def _rounds(self) -> QWidget:
        for widget, key, told in ((self._tabs, "run.runs", self.tr("Runs")), (self._timeline, "run.timeline", ""),
                                  (self._round, "run.round", ""), (self._lanes, "run.lanes", self.tr("Sites")),
                                  (self._log, "run.log", self.tr("Log"))):
            widget.setObjectName(key)
            if told:
                widget.setAccessibleName(told)
        self._tabs.setExpanding(False)
        self._tabs.setDrawBase(False)
        self._tabs.currentChanged.connect(self._other_run)
        self._timeline.looked_at.connect(lambda _: self.show_run())
        self._log.setReadOnly(True)
        self._log.setFixedHeight(theme().px(LOG))
        self._frame = QFrame()
        self._frame.setProperty("look", "panel")
        column = QVBoxLayout(self._frame)
        column.setContentsMargins(theme().px(14), theme().px(6), theme().px(14), theme().px(10))
        line = QHBoxLayout()
        self._round.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # many sites may have failed in it
        line.addWidget(self._round, 1)
        line.addWidget(self._left)
        column.addWidget(self._timeline)
        column.addLayout(line)
        column.addWidget(LanesRoom(self._lanes, LANES))
        return self._frame
