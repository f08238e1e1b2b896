"""Tabs of the Results page that draw lines: ROC and precision-recall of each class or finding, and how training went."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout

from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.pages.results_tab import ARM_COLOURS, Tab, add_grid, tell
from wardround.app.theme import theme
from wardround.app.views import judged
from wardround.app.views.judged import Judged, Learning, Line
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.plot import Curves
from wardround.app.widgets.text import label, muted

HEIGHT = 330
NAMED = 6  # hospitals up to which each has a colour and a name in the legend
GREY = 7  # of the series


class CurvesTab(Tab):
    """ROC and precision-recall, one class or finding at a time, every model of a comparison over each other."""

    key = "curves"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        row = QHBoxLayout()
        name = QLabel(self.tr("C&urves of"))
        self.label = QComboBox()
        self.label.setObjectName("results.label")
        self.label.setAccessibleName(self.tr("Class or finding whose curves are shown"))
        self.label.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.label.currentIndexChanged.connect(self._ask)
        name.setBuddy(self.label)
        row.addWidget(name)
        row.addWidget(self.label)
        row.addStretch(1)
        self.roc, self.precision = Curves(height=HEIGHT), Curves(height=HEIGHT)
        self.roc.setObjectName("results.roc")
        self.precision.setObjectName("results.precision")
        legend_at(self.roc, 1, 1)
        legend_at(self.precision, 0, 1)
        self.why_not = label("", look="caution")
        self.why_not.hide()
        plots = QHBoxLayout()
        plots.addWidget(self.roc)
        plots.addWidget(self.precision)
        self._below = QVBoxLayout()
        self.column.addLayout(row)
        self.column.addWidget(self.why_not)
        self.column.addLayout(plots)
        self.column.addWidget(muted(self.tr("The nearer a ROC curve comes to the upper left corner, and a precision curve to the upper "
                                            "right one, the better. Dashed: guessing.")))
        self.column.addLayout(self._below)
        self.column.addStretch(1)

    def title(self) -> str:
        return self.tr("Curves")

    def load(self) -> None:
        if self.opened is None:
            return
        self.label.blockSignals(True)
        self.label.clear()
        self.label.addItems(self.opened.labels)
        self.label.blockSignals(False)
        self._ask()

    def _ask(self) -> None:
        if self.opened is not None and self.label.currentIndex() >= 0:
            self.page.ask(judged.curves, self.opened.folder, self.label.currentIndex(), done=self._show, key="curves")

    def _show(self, found: Judged) -> None:
        self.why_not.setText(said(found.why_not))
        self.why_not.setVisible(bool(found.why_not))
        self.roc.clear()
        self.roc.setVisible(bool(found.roc))
        self.roc.labels(self.tr("ROC: hits against false alarms"), self.tr("false alarms (1 \N{MINUS SIGN} specificity)"),
                        self.tr("hits (sensitivity)"))
        self.roc.diagonal()
        self._draw(self.roc, found.roc)
        self.precision.clear()
        self.precision.setVisible(bool(found.precision))
        self.precision.labels(self.tr("Precision against recall"), self.tr("recall (sensitivity)"), self.tr("precision (PPV)"))
        if math.isfinite(found.share):
            self.precision.line("", (0, 1), (found.share, found.share), GREY, dashed=True, thin=True)
        self._draw(self.precision, found.precision)
        emptied(self._below)
        add_grid(self._below, found.grid, name="results.areas")

    def _draw(self, plot: Curves, lines: Sequence[Line]) -> None:
        """The shared models last, on top; hospitals alone share a name in the legend."""
        named: set[str] = set()
        for line in sorted(lines, key=lambda line: not line.is_thin):
            name = self.tr("each hospital alone") if line.is_thin else said(line.name)
            plot.line("" if name in named else name, line.x, line.y, ARM_COLOURS.get(line.arm, GREY), thin=line.is_thin)
            named.add(name)
        if plot.plotItem.legend is not None:
            plot.plotItem.legend.setVisible(len(named) > 1)
        plot.limits(x=(0, 1), y=(0, 1))


def legend_at(plot: Curves, right: int, low: int) -> None:
    """Put the legend into the corner that good curves do not come near, below the word at a mark."""
    if (legend := plot.plotItem.legend) is not None:
        legend.anchor(itemPos=(right, low), parentPos=(right, low), offset=(-8 if right else 8, -8 if low else theme().px(40)))


class TrainingTab(Tab):
    """Loss and validation metric by round: all hospitals together, and each."""

    key = "training"
    needs_model = True

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.loss, self.score = Curves(height=HEIGHT), Curves(height=HEIGHT)
        self.loss.setObjectName("results.loss")
        self.score.setObjectName("results.metric")
        legend_at(self.loss, 1, 0)
        legend_at(self.score, 1, 1)
        plots = QHBoxLayout()
        plots.addWidget(self.loss)
        plots.addWidget(self.score)
        self._below = QVBoxLayout()
        self.column.addLayout(plots)
        self.column.addWidget(muted(self.tr("Thick: all hospitals together. Thin: each hospital. The round that was best on validation "
                                            "images was kept; test images had no part in it.")))
        self.column.addLayout(self._below)
        self.column.addStretch(1)

    def title(self) -> str:
        return self.tr("Training")

    def load(self) -> None:
        if self.opened is not None:
            self.page.ask(judged.learning, self.opened.folder, self.model, done=self._show, key="learning")

    def _show(self, found: Learning) -> None:
        for plot, lines, title, y in ((self.loss, found.loss, self.tr("Loss (lower is better)"), self.tr("loss")),
                                      (self.score, found.metric, found.metric_title, self.tr("score"))):
            plot.clear()
            plot.setVisible(bool(lines))
            plot.labels(title, self.tr("round"), y)
            plot.is_integer()
            self._draw(plot, lines)
            if found.best_round is not None and lines:
                plot.mark(found.best_round, self.tr("kept"))
        emptied(self._below)
        tell(self._below, found.told)

    def _draw(self, plot: Curves, lines: Sequence[Line]) -> None:
        thin = [line for line in lines if line.is_thin]
        for place, line in enumerate(thin):
            is_named = len(thin) <= NAMED
            plot.line(line.name if is_named else "", line.x, line.y, place + 1 if is_named else GREY, thin=True)
        for line in (line for line in lines if not line.is_thin):
            plot.line(said(line.name), line.x, line.y, 0, dashed=line.name != judged.TRAINING and plot is self.loss)
