"""The right side of the Predict page: what the model says of one image, where it looked, and what the model is."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QVBoxLayout, QWidget

from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.views.model_facts import ModelFacts
from wardround.app.views.predict import Answer, Looked
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.scale import ColourScale
from wardround.app.widgets.shares import Shares
from wardround.app.widgets.shortened import shorten
from wardround.app.widgets.text import heading, label, muted

NAME = 270  # width of an image's name, at text of usual size


class AnswerPanel(QWidget):
    """asked_where: the user wants to see where the model looked (a class's name), or the image itself ("")."""

    asked_where = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._answer: Answer | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().px(12))
        column.addWidget(self._answer_part())
        column.addWidget(self._model_part())
        column.addStretch(1)

    def show_model(self, facts: ModelFacts) -> None:
        """Say what the model is; the last answer goes."""
        self._answer = None
        self._model = facts
        self._answers.hide()
        self._facts.show_facts(dict(facts.facts))
        self._notes.setText("\n".join(map(said, facts.notes)))

    def show_answer(self, answer: Answer) -> None:
        """Say what the model answers for an image."""
        is_new = answer != self._answer
        self._answer = answer
        self._answers.show()
        shorten(self._name, answer.path.name, NAME, tip=str(answer.path))
        self._error.setText(answer.error)
        self._error.setVisible(bool(answer.error))
        threshold = self._model.threshold
        mark = (self._model.classes[1], threshold) if threshold is not None and len(self._model.classes) == 2 else None
        self._shares.show_shares(answer.shares, answer.called, mark=mark)
        self._shares.setVisible(bool(answer.shares))
        self._notes.setVisible(not answer.error)
        self._marked.hide()
        self._where.setVisible(self._model.can_look and bool(answer.shares))
        if is_new:
            self._offer([name for name, _ in answer.shares])

    def show_marked(self, text: str) -> None:
        """How much the mask covers."""
        self._marked.setText(text)
        self._marked.setVisible(bool(text))

    def show_looked(self, looked: Looked) -> None:
        """Say what the heat map does and does not tell."""
        found = self.tr("For {label} (probability {probability:.3f}). At the layer that was looked at, the network tells {fields} fields "
                        "of the image apart.").format(label=looked.label, probability=looked.probability,
                                                      fields="\N{MULTIPLICATION SIGN}".join(map(str, looked.fields)))
        nothing = self.tr("Nothing at the layer that was looked at speaks for {label}.").format(label=looked.label)
        self._heat_said.setText(nothing if looked.is_empty else found)
        self._scale.show_colours(looked.colours)
        self._caution.setText(said(looked.caution))
        self._heat.show()

    @property
    def label(self) -> str:
        """The class whose heat is wanted, "" if none is."""
        return self._of.currentText() if self._look.isChecked() and not self._where.isHidden() else ""

    def _offer(self, names: list[str]) -> None:
        """Classes to look for, the most probable first; the one that was chosen stays."""
        chosen = self._of.currentText() if self._look.isChecked() else ""
        self._of.blockSignals(True)
        self._of.clear()
        self._of.addItems(names)
        self._of.setCurrentIndex(max(names.index(chosen) if chosen in names else 0, 0))
        self._of.blockSignals(False)
        self._heat.hide()

    def _answer_part(self) -> QWidget:
        self._answers, self._name = QFrame(), heading("")
        self._answers.setProperty("look", "panel")
        self._error, self._shares, self._marked, self._notes = label("", look="bad"), Shares(), label(""), muted("")
        self._error.setObjectName("predict.error")
        self._shares.setObjectName("predict.shares")
        self._marked.setObjectName("predict.marked")
        self._notes.setObjectName("predict.notes")
        inner = QVBoxLayout(self._answers)
        inner.setContentsMargins(*[theme().px(14)] * 4)
        inner.setSpacing(theme().px(8))
        for widget in (self._name, self._error, self._shares, self._marked, self._notes, self._where_part()):
            inner.addWidget(widget)
        self._answers.hide()
        return self._answers

    def _where_part(self) -> QWidget:
        self._where, self._look, self._of = QWidget(), QCheckBox(self.tr("&Where did the model look?")), QComboBox()
        self._look.setObjectName("predict.look")
        self._of.setObjectName("predict.look.class")
        self._of.hide()
        self._of.setAccessibleName(self.tr("Class whose score is looked at"))
        self._look.toggled.connect(self._on_look)
        self._of.currentIndexChanged.connect(self._on_look)
        self._heat, self._heat_said, self._caution = QFrame(), label(""), label("")
        self._heat.setProperty("look", "caution_panel")
        self._caution.setObjectName("predict.caution")
        self._scale = ColourScale(self.tr("no heat"), self.tr("most"))
        inside = QVBoxLayout(self._heat)
        inside.addWidget(self._scale)
        inside.addWidget(self._heat_said)
        inside.addWidget(self._caution)
        self._heat.hide()
        column = QVBoxLayout(self._where)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self._look, self._of, self._heat):
            column.addWidget(widget)
        return self._where

    def _model_part(self) -> QWidget:
        panel, self._facts = QFrame(), Facts()
        panel.setProperty("look", "panel")
        self._facts.setObjectName("predict.facts")
        inner = QVBoxLayout(panel)
        inner.setContentsMargins(*[theme().px(14)] * 4)
        inner.setSpacing(theme().px(8))
        inner.addWidget(heading(self.tr("The model")))
        inner.addWidget(self._facts)
        return panel

    def _on_look(self) -> None:
        self._of.setVisible(self._look.isChecked())
        if not self._look.isChecked():
            self._heat.hide()
        self.asked_where.emit(self.label)
