"""Tabs of the Results page on a model's answers: what was called what, and whether stated probabilities come true."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout

from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.pages.results_tab import Tab, add_grid, tell
from wardround.app.theme import theme
from wardround.app.views import judged
from wardround.app.views.judged import Calibration, Confusion
from wardround.app.widgets.confusion import ConfusionMatrix
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.reliability import Reliability
from wardround.app.widgets.text import label, muted

WIDE = 7  # classes from which the words stand below the matrix
HEIGHT = 430  # pixels of the plot


class ConfusionTab(Tab):
    """What the model calls each class."""

    key = "confusion"
    needs_model = True

    def title(self) -> str:
        return self.tr("Confusion")

    def load(self) -> None:
        if self.opened is not None:
            self.page.ask(judged.confusion, self.opened.folder, self.model, done=self._show, key="confusion")

    def _show(self, found: Confusion) -> None:
        emptied(self.column)
        matrix = ConfusionMatrix()
        matrix.setObjectName("results.confusion")
        matrix.show_confusion(found.shares, found.classes, found.texts)
        row, side = QHBoxLayout(), QVBoxLayout()
        row.addWidget(matrix, 2, Qt.AlignmentFlag.AlignTop)
        self.column.addLayout(row)
        if len(found.classes) < WIDE:
            row.addLayout(side, 1)
        else:
            self.column.addLayout(side)
        side.addWidget(label(found.note))
        side.addStretch(1)
        add_grid(self.column, found.grid, name="results.confusion.table", max_rows=20)
        tell(self.column, found.predictive)
        self.column.addStretch(1)


class CalibrationTab(Tab):
    """Whether stated probabilities come true, of all answers or of one class or finding."""

    key = "calibration"
    needs_model = True

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.label = QComboBox()
        self.label.setObjectName("results.calibration.label")
        self.label.setAccessibleName(self.tr("Class or finding whose probabilities are shown"))
        self.label.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.label.currentIndexChanged.connect(self._ask)
        self._said = QLabel(self.tr("Pro&babilities of"))
        self._said.setBuddy(self.label)
        choice = QHBoxLayout()
        choice.addWidget(self._said)
        choice.addWidget(self.label)
        choice.addStretch(1)
        self.why_not = label("", look="caution")
        self.why_not.hide()
        self.plot = Reliability()
        self.plot.setObjectName("results.reliability")
        self._side = QVBoxLayout()
        row = QHBoxLayout()
        self.plot.setFixedHeight(theme().px(HEIGHT))
        row.addWidget(self.plot, 3, Qt.AlignmentFlag.AlignTop)
        row.addLayout(self._side, 2)
        self.column.addLayout(choice)
        self.column.addWidget(self.why_not)
        self._below = QVBoxLayout()
        self.column.addLayout(row)
        self.column.addLayout(self._below)
        self.column.addStretch(1)

    def title(self) -> str:
        return self.tr("Calibration")

    def load(self) -> None:
        if self.opened is None:
            return
        several = len(self.opened.labels) > 1
        self.label.blockSignals(True)
        self.label.clear()
        if several:
            self.label.addItem(self.tr("all findings") if self.opened.task == "multilabel" else self.tr("the named class"))
        self.label.addItems(self.opened.labels)
        self.label.blockSignals(False)
        for widget in (self.label, self._said):
            widget.setVisible(several)
        self._ask()

    def _ask(self) -> None:
        if self.opened is not None:
            self.page.ask(judged.calibration, self.opened.folder, self.model, self.label.currentIndex() - 1, done=self._show,
                          key="calibration")

    def _show(self, found: Calibration) -> None:
        self.why_not.setText(said(found.why_not))
        self.why_not.setVisible(bool(found.why_not))
        self.plot.setVisible(bool(found.bins))
        emptied(self._side)
        if found.bins:
            self.plot.show_bins([part.stated for part in found.bins], [part.observed for part in found.bins],
                                [part.low for part in found.bins], [part.high for part in found.bins], heights=found.heights.tolist(),
                                far=found.far, title=said(found.title))
            self._side.addWidget(muted(self.tr("On the dashed line, of images called with 80 % probability, 80 % are so. Below it the "
                                               "model is too sure of itself. Lines: 95 % intervals.")))
        tell(self._side, found.told)
        self._side.addStretch(1)
        emptied(self._below)
        if found.bins:
            add_grid(self._below, found.grid, name="results.bins", max_rows=16)
