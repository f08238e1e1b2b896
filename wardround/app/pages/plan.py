"""Plan: how it is trained. A form and its text, each of which can be edited; what does not go together; what it will cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QSplitter, QVBoxLayout, QWidget

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.theme import theme
from wardround.app.views.plan import Estimate, Judgement, Problem, chosen, fault_line, forecast_of, judged
from wardround.app.views.plan_settings import groups
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.fitted import Fitted
from wardround.app.widgets.group import GroupPanel
from wardround.app.widgets.text import heading, label, muted
from wardround.app.widgets.toml import TomlEdit
from wardround.errors import WardroundError

FORM_WIDTH = 520


class PlanPage(Page):
    """On the left the settings, on the right the text, what is wrong with it, and the forecast."""

    key = "plan"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._judgement = Judgement(text="")
        self._estimate: Estimate | None = None
        self._empty = Empty(self.tr("No plan is open. A plan says how a network is trained, and by whom."),
                            self.tr("&Choose a plan on the page Start"), lambda: desk.go("start"))
        self._panels = {group.name: GroupPanel(group) for group in groups()}
        self._content = QSplitter(Qt.Orientation.Horizontal)
        self._content.setChildrenCollapsible(False)
        self._content.setHandleWidth(theme().px(14))
        self._content.addWidget(self._left())
        self._content.addWidget(self._right())
        self._content.setSizes([theme().px(FORM_WIDTH), theme().px(FORM_WIDTH)])
        self.body.addWidget(self._empty, 1)
        self.body.addWidget(self._content, 1)

    def title(self) -> str:
        return self.tr("Plan")

    def purpose(self) -> str:
        return self.tr("How the network is trained, by whom, and what protects whom. The text on the right is the plan: edit either side.")

    def refresh(self) -> None:
        draft = self.desk.draft
        self._empty.setVisible(not draft.text)
        self._content.setVisible(bool(draft.text))
        self._show_command()
        if not draft.text:
            return
        self._text.show_text(draft.text)
        self._show_fault()
        if draft.plan is None:
            return
        for panel in self._panels.values():
            panel.show_draft(draft, self._judgement.blocked)
        self._show_estimate()
        if self._judgement.text != draft.text:
            self.ask(judged, draft.text, done=self._judge, key="judged")

    def _left(self) -> QWidget:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, theme().px(6), 0)
        column.setSpacing(theme().px(10))
        for panel in self._panels.values():
            panel.changed.connect(self._change)
            column.addWidget(panel)
        column.addStretch(1)
        self._form = inner
        room = QScrollArea()
        room.setWidgetResizable(True)
        room.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        room.setWidget(inner)
        room.setMinimumWidth(theme().px(420))
        room.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return room

    def _right(self) -> QWidget:
        self._text = TomlEdit()
        self._text.setObjectName("plan.text")
        self._text.setAccessibleName(self.tr("The plan as text (TOML)"))
        self._text.setMinimumHeight(theme().px(180))
        self._text.edited.connect(self._type)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().px(8))
        column.addWidget(self._text, 1)
        below = QWidget()
        told = QVBoxLayout(below)
        told.setContentsMargins(0, 0, 0, 0)
        told.addWidget(self._make_verdict())
        told.addWidget(self._make_forecast())
        column.addWidget(Fitted(below))
        column.addLayout(self._buttons())
        right = QWidget()
        right.setLayout(column)
        right.setMinimumWidth(theme().px(400))
        return right

    def _make_verdict(self) -> QWidget:
        self._verdict = QFrame()
        self._verdict.setObjectName("plan.verdict")
        self._problems = label("")
        self._problems.setObjectName("plan.problems")
        self._cautions = label("", look="caution")
        self._cautions.setObjectName("plan.cautions")
        inner = QVBoxLayout(self._verdict)
        inner.setContentsMargins(*[theme().px(10)] * 4)
        inner.addWidget(self._problems)
        inner.addWidget(self._cautions)
        self._verdict.hide()
        return self._verdict

    def _make_forecast(self) -> QWidget:
        self._forecast = QFrame()
        self._forecast.setProperty("look", "panel")
        self._forecast.setObjectName("plan.forecast")
        self._facts, self._remarks = Facts(), muted("")
        self._remarks.setObjectName("plan.remarks")
        inner = QVBoxLayout(self._forecast)
        inner.setContentsMargins(*[theme().px(12)] * 4)
        inner.addWidget(heading(self.tr("Forecast: an estimate")))
        inner.addWidget(self._facts)
        inner.addWidget(self._remarks)
        self._forecast.hide()
        return self._forecast

    def _buttons(self) -> QHBoxLayout:
        self._ask_forecast, self._save, self._train = (QPushButton(text) for text in (
            self.tr("&Forecast"), self.tr("Sa&ve plan"), self.tr("&Train")))
        self._ask_forecast.setToolTip(self.tr("Time, memory and bytes on this machine, from a few steps of this plan's training on noise"))
        self._train.setProperty("look", "main")
        self._train.setToolTip(self.tr("Save the plan and train its hospitals together"))
        row = QHBoxLayout()
        row.addStretch(1)
        for button, name, do in ((self._ask_forecast, "forecast", self._begin_forecast), (self._save, "save", self._do_save),
                                 (self._train, "train", self._do_train)):
            button.setObjectName(f"plan.{name}.button")
            button.clicked.connect(do)
            row.addWidget(button)
        return row

    def _change(self, key: str, value: Any) -> None:
        """The form was used."""
        try:
            self.desk.set_text(chosen(self.desk.draft, key, value).text)
        except WardroundError as error:
            self.complain(str(error))
        self.refresh()

    def _type(self, text: str) -> None:
        """The text was edited."""
        self.desk.set_text(text)
        self.refresh()

    def _show_fault(self) -> None:
        """The wrong line of the text; until it is mended the form shows what it showed before, and cannot be used."""
        draft = self.desk.draft
        is_read = draft.plan is not None
        self._form.setEnabled(is_read)
        self._text.mark_line(fault_line(draft))
        if not is_read:
            self._forecast.hide()
            self._show_verdict([Problem(draft.problem.removeprefix("plan: "), self.tr("The form waits until the text is mended; nothing "
                                                                                       "of it is lost."))], ())
        self._enable()

    def _judge(self, found: Judgement) -> None:
        if found.text != self.desk.draft.text:
            return  # of an older text; a newer one is asked for
        self._judgement = found
        draft = self.desk.draft
        for name, panel in self._panels.items():
            panel.show_own(found.own.get(name, ()), draft)
            panel.show_draft(draft, found.blocked)
        self._show_verdict(found.problems, found.cautions)
        self._enable()

    def _show_verdict(self, problems: Any, cautions: Any) -> None:
        told = [self.tr("\N{BALLOT X} {} does not go with {}: {}. {}").format(problem.first, problem.second, problem.text, problem.remedy)
                if problem.first else f"\N{BALLOT X} {problem.text} {problem.remedy}".rstrip() for problem in problems]
        self._problems.setText("\n".join(told))
        self._cautions.setText("\n".join(f"\N{WARNING SIGN} {text}" for text in cautions))
        for widget in (self._problems, self._cautions):
            widget.setVisible(bool(widget.text()))
        self._verdict.setProperty("look", "bad_panel" if told else "caution_panel")
        self._verdict.style().unpolish(self._verdict)
        self._verdict.style().polish(self._verdict)
        self._verdict.setVisible(bool(told or cautions))

    def _enable(self) -> None:
        draft = self.desk.draft
        is_well = draft.plan is not None and not (self._judgement.text == draft.text and self._judgement.problems)
        self._save.setEnabled(draft.plan is not None)
        self._train.setEnabled(is_well)
        self._ask_forecast.setEnabled(is_well)

    def _begin_forecast(self) -> None:
        self.calm()
        self.ask(forecast_of, self.desk.draft.text, done=self._foretell, key="forecast", slow=True)

    def _foretell(self, found: Estimate) -> None:
        self._estimate = found
        self._show_estimate()

    def _show_estimate(self) -> None:
        """The forecast, as long as it is of this plan."""
        is_of_this = self._estimate is not None and self._estimate.text == self.desk.draft.text
        self._forecast.setVisible(is_of_this)
        if self._estimate is not None and is_of_this:
            self._facts.show_facts(self._estimate.facts)
            self._remarks.setText(" ".join(self._estimate.remarks))

    def _do_save(self) -> None:
        self._text.settle() if self._text.is_being_typed else None
        try:
            self.desk.save_plan()
        except (WardroundError, OSError) as error:
            self.complain(str(error))
        else:
            self.calm()
        self.refresh()

    def _do_train(self) -> None:
        try:
            self.desk.train("run")
        except (WardroundError, OSError) as error:
            self.complain(str(error))
            return
        self.desk.go("run")

    def _show_command(self) -> None:
        draft = self.desk.draft
        if draft.plan is None:
            self.show_command("")
            return
        path = self.desk.workspace / f"{draft.name}.toml"
        self.show_command(f"wardround run {_quoted(path)} --arm federated", path if _holds(path, draft.text) else None)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except OSError:
        return False


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
