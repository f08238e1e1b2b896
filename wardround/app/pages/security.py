"""What protects a run, what it cost, and what attacks on it showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QStackedWidget, QVBoxLayout

from wardround.app.desk import Desk
from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.runner import Job
from wardround.app.theme import theme
from wardround.app.views import security as view
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.picture import Picture
from wardround.app.widgets.plot import Curves
from wardround.app.widgets.scrolled import Inside
from wardround.app.widgets.table import TableView
from wardround.app.widgets.text import Look, heading, label, muted

LOOKS: Mapping[str, Look] = {"leaks": "bad", "resists": "good", "inconclusive": "caution"}  # of verdicts; the words stand beside it
VERDICT = 1  # column of the table of verdicts


class SecurityPage(Page):
    """Privacy, secure sums, who stood apart and the audit of the run that is open."""

    key = "security"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._found: view.Security | None = None
        self._stamp: tuple[object, ...] = ()
        self._empty = Empty(self.tr("No run is open. Open a finished one to see what protects it, what that cost, and what attacks on it "
                                    "show."), self.tr("&Choose a run"), lambda: desk.go("start"))
        self._name = heading("")
        self._protections = Facts()
        self._attack = label("", look="caution")
        self._privacy, self._apart, self._audit = _Privacy(desk), _Apart(), _Audit()
        self._audit.button.clicked.connect(self._begin_audit)
        inside = Inside()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme().px(8), 0)
        column.setSpacing(theme().px(12))
        for part in (self._name, self._protections, self._attack, self._privacy, self._apart, self._audit):
            column.addWidget(part)
        column.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(inside)
        self._stack = QStackedWidget()
        self._reading = Empty("")
        for shown in (self._empty, self._reading, self._scroll):
            self._stack.addWidget(shown)
        self.body.addWidget(self._stack, 1)

    def title(self) -> str:
        return self.tr("Security")

    def purpose(self) -> str:
        return self.tr("What protects the patients in this run, what that cost, and what attacks on it showed.")

    def refresh(self) -> None:
        """Read the run anew when another one is open, or when an audit of it has ended."""
        run = self.desk.run
        if run is None:
            self._found, self._stamp = None, ()
            self._stack.setCurrentWidget(self._empty)
            return self.show_command("")
        if (stamp := (run, _written(run / "audit.json"), _written(run / "privacy.json"), _written(run / "scores.json"))) != self._stamp:
            if self._stamp[:1] != (run,):
                self._reading.set_text(self.reading(run))
                self._stack.setCurrentWidget(self._reading)
            self._stamp = stamp
            self.ask(view.security, run, done=self._show, failed=self._fail, key="security")
        self._audit.show_job(self._job())
        return None

    def _fail(self, problem: str) -> None:
        self._found = None
        self._stack.setCurrentWidget(self._empty)
        self.complain(problem)

    def _show(self, found: view.Security) -> None:
        self.calm()
        self._found = found
        self._name.setText(found.name)
        self._protections.show_facts(found.protections)
        self._attack.setText(found.attack)
        self._attack.setVisible(bool(found.attack))
        self._privacy.show_budget(found.budget)
        self._apart.show_apart(found.apart)
        self._audit.show_audit(found.audit, found.refusal)
        self._audit.show_job(self._job())
        self._stack.setCurrentWidget(self._scroll)
        self.show_command("" if found.refusal else view.command(found.run))
        if found.budget is not None and found.budget.has_ledgers and not found.budget.problem:
            self.ask(view.epsilon_curves, found.run, done=lambda curves: self._privacy.draw(curves, found.budget), key="epsilon")

    def _job(self) -> Job | None:
        """The last audit of this run that was begun here."""
        return next((job for job in self.desk.jobs.all() if self._found is not None and job.kind == "audit" and
                     job.results == self._found.run), None)

    def _begin_audit(self) -> None:
        if self._found is not None and not ((job := self._job()) and job.is_alive):
            self.desk.jobs.start(view.arguments(self._found.run), self.tr("Audit of {}").format(self._found.run.name), self._found.run)
            self._audit.show_job(self._job())


class _Part(QFrame):
    """A panel with a heading; `column` takes what it shows."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("look", "panel")
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(*[theme().px(16)] * 4)
        self.column.setSpacing(theme().px(10))
        self.column.addWidget(heading(title))

    def table(self, name: str, accessible: str) -> TableView:
        """A table that shows all its rows."""
        made = TableView(max_rows=40)
        made.setObjectName(name)
        made.setAccessibleName(accessible)
        return made


class _Privacy(_Part):
    """Epsilon by site and round, and what it does and does not promise."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(self.tr("What privacy was spent"))
        self._none = label(self.tr("This run had no privacy budget: its model may remember images. To train with one, set privacy.unit on "
                                   "the page Plan, to hide each image, each patient or each hospital."))
        self._none.setObjectName("security.no_budget")
        self._plan = QPushButton(self.tr("Open the page &Plan"))
        self._plan.setObjectName("security.plan")
        self._plan.clicked.connect(lambda: desk.go("plan"))
        self._spent, self._text, self._caption = label("", look="heading"), label(""), muted("")
        self._spent.setObjectName("security.spent")
        self._text.setObjectName("security.promises")
        self._curves, self._table = Curves(height=280), self.table("security.epsilon", self.tr("Epsilon by hospital"))
        self._curves.is_integer()
        self._curves.setMaximumHeight(theme().px(340))
        self._curves.setObjectName("security.epsilon_curves")
        for part in (self._none, self._spent, self._curves, self._text, self._table, self._caption):
            self.column.addWidget(part)
        self.column.addWidget(self._plan, 0, Qt.AlignmentFlag.AlignLeft)

    def show_budget(self, budget: view.Budget | None) -> None:
        is_known = budget is not None and not budget.problem
        self._none.setVisible(budget is None)
        self._plan.setVisible(budget is None)
        for part in (self._text, self._table, self._caption):
            part.setVisible(is_known)
        self._spent.setVisible(budget is not None)
        self._curves.hide()
        if budget is None:
            return
        self._spent.setText(budget.problem or budget.headline)
        self._text.setText("\n".join([self.tr("What that means:"), *_items(budget.promises), "", self.tr("What it does not cover:"),
                                      *_items(budget.not_covered)]))
        self._table.show_whole(budget.grid)
        self._caption.setText(said(budget.grid.caption))

    def draw(self, curves: Sequence[view.Curve], budget: view.Budget | None) -> None:
        """Epsilon against the budget, which is a dashed line."""
        if budget is None or not curves:
            return
        self._curves.clear()
        is_part = len(curves) < len(budget.grid.rows)
        title = self.tr("Epsilon by round, of the hospitals that spent most") if is_part else self.tr("Epsilon by round")
        self._curves.labels(title, self.tr("round"), self.tr("epsilon"))
        last = max(float(curve.rounds[-1]) for curve in curves)
        self._curves.line(self.tr("budget"), [0, last], [budget.epsilon, budget.epsilon], 7, dashed=True, thin=True)
        for number, curve in enumerate(curves):
            self._curves.line(curve.site, curve.rounds, curve.values, number)
        self._curves.limits(x=(0, 1.2 * last), y=(0, 1.1 * max(budget.epsilon, *(float(np.max(curve.values)) for curve in curves))))
        self._curves.show()


class _Apart(_Part):
    """Whose change lay far from the others'."""

    def __init__(self) -> None:
        super().__init__(self.tr("Who stood apart"))
        self._none = label(self.tr("No hospital's change was compared with the others': the mean takes whatever comes. To have them "
                                   "compared, set aggregation.rule on the page Plan, e.g. to \"median\"; secure aggregation hides what "
                                   "there is to compare."))
        self._none.setObjectName("security.not_compared")
        self._verdict, self._caption = label(""), muted("")
        self._verdict.setObjectName("security.no_verdict")
        self._curves, self._table = Curves(height=280), self.table("security.apart", self.tr("Distance by hospital"))
        self._curves.is_integer()
        self._curves.setMaximumHeight(theme().px(340))
        for part in (self._none, self._verdict, self._curves, self._table, self._caption):
            self.column.addWidget(part)

    def show_apart(self, apart: view.Apart | None) -> None:
        self._none.setVisible(apart is None)
        for part in (self._verdict, self._curves, self._table, self._caption):
            part.setVisible(apart is not None)
        if apart is None:
            return
        self._verdict.setText(said(apart.says))
        self._curves.clear()
        is_part = len(apart.curves) < len(apart.grid.rows)
        title = (self.tr("Distance from what was accepted, by round, of those that stood most apart") if is_part else
                 self.tr("Distance from what was accepted, by round"))
        self._curves.labels(title, self.tr("round"), self.tr("1 is the middle hospital"))
        last = max(float(curve.rounds[-1]) for curve in apart.curves)
        self._curves.limits(x=(0, 1.2 * last))
        self._curves.addItem(pg.InfiniteLine(1, angle=0, pen=pg.mkPen(theme().colour("muted"), style=Qt.PenStyle.DashLine)))
        for number, curve in enumerate(apart.curves):
            self._curves.line(curve.site, curve.rounds, curve.values, number)
        self._table.show_whole(apart.grid)
        self._caption.setText(said(apart.grid.caption))


class _Audit(_Part):
    """What attacks showed, each beside the planted victim that it must break first."""

    def __init__(self) -> None:
        super().__init__(self.tr("What attacks on this run showed"))
        self.button = QPushButton(self.tr("Run &quick audit"))
        self.button.setObjectName("security.audit")
        self.button.setAccessibleDescription(self.tr("Attacks this run on this machine, as a job of its own"))
        self._none = label(self.tr("This run has not been attacked yet. An audit tries to draw its images from what was sent, to tell who "
                                   "was in training, to tell which hospital sent what, and to poison the model; each attack must first "
                                   "succeed on a planted victim."))
        self._cost = muted(self.tr("Expect minutes: ten for 4,010 chest X-rays of 48 x 48 pixels at five hospitals on 2 cores, longer for "
                                   "larger images and models. It trains on the run's own images, which must still be where they were."))
        self._never, self._took, self._job = label(""), muted(""), label("")
        self._job.setObjectName("security.job")
        self._took.setObjectName("security.took")
        self._table, self._how = self.table("security.verdicts", self.tr("What each attack showed")), muted("")
        self._findings, self._shown = QVBoxLayout(), list[_Finding]()
        self._findings.setSpacing(theme().px(10))
        for part in (self._none, self._never, self._table, self._took, self._how):
            self.column.addWidget(part)
        self.column.addLayout(self._findings)
        for part in (self._cost, self._job):
            self.column.addWidget(part)
        self.column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)

    def show_audit(self, audit: view.Audit | None, refusal: str) -> None:
        """Show what was found; refusal: why this run cannot be attacked here."""
        for finding in self._shown:
            finding.deleteLater()
        self._shown = []
        is_known = audit is not None and not audit.problem
        for part in (self._never, self._table, self._took, self._how):
            part.setVisible(is_known)
        self._none.setVisible(not is_known)
        self._none.setText(refusal or (said(audit.problem) if audit is not None and audit.problem else self._none.text()))
        self._cost.setVisible(not refusal)
        self.button.setVisible(not refusal)
        if audit is None or audit.problem:
            return
        self._never.setText(said(audit.never))
        self._took.setText(audit.cost)
        self._table.show_whole(audit.verdicts, {(row, VERDICT): LOOKS[kind] for row, kind in enumerate(audit.kinds) if kind in LOOKS})
        self._how.setText(said(audit.how))
        self._shown = [_Finding(finding) for finding in audit.findings]
        for shown in self._shown:
            self._findings.addWidget(shown)

    def show_job(self, job: Job | None) -> None:
        """An audit that is at work, or that has failed with these last words."""
        is_alive = job is not None and job.is_alive
        self.button.setEnabled(not is_alive)
        self._job.setVisible(job is not None and job.state != "finished")
        if job is not None and is_alive:
            self._job.setText(self.tr("The audit is at work. It can be watched and stopped on the page Run."))
        elif job is not None:
            self._job.setText(self.tr("The last audit ended without a result: {}").format(job.last_words or job.state))


class _Finding(QFrame):
    """One attack: its question, its verdict in words, what may not be concluded, and what it drew."""

    def __init__(self, finding: view.Finding) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme().px(6), 0, 0)
        column.addWidget(heading(said(finding.attack)))
        column.addWidget(label(said(finding.question)))
        column.addWidget(label(self.tr("Verdict: {}.").format(said(finding.in_words)), look=LOOKS.get(finding.verdict, "")))
        measured = Facts()
        measured.show_facts({self.tr("Planted victim"): finding.planted, self.tr("This run"): finding.result})
        column.addWidget(measured)
        column.addWidget(muted(said(finding.says_not)))
        for array in finding.pictures:
            picture = Picture()
            picture.show_array(array)
            picture.setAccessibleName(self.tr("What was true, and what {} drew of it").format(finding.attack))
            picture.setFixedHeight(theme().px(420))
            row = QHBoxLayout()
            row.addWidget(picture)
            column.addLayout(row)
            column.addWidget(label(said(view.PATIENTS), look="caution"))


def _items(sentences: Sequence[str]) -> list[str]:
    return [f"\N{BULLET} {sentence}" for sentence in sentences]


def _written(path: Path) -> int:
    """When a file was written, 0 if there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0
