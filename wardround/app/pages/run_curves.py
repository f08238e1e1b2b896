"""Curves while a run is at work: loss and score on validation images, of all sites together and of each."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from wardround.app.theme import theme
from wardround.app.views.live import Curve, LiveRun
from wardround.app.widgets.plot import Curves

FEW = 6  # sites up to which each is named in the legend
HEIGHT = 220
SEEN_THROUGH = 170  # alpha of the legend: lines may pass below it


class RunCurves(QWidget):
    """Two plots. Of one run: all together thick, each site thin; of several runs: a line each."""

    FIRST_SITE = 2  # number of the series of the first site; 0 is training, 1 validation

    def __init__(self) -> None:
        super().__init__()
        self._drawn: object = None
        self._runs: Sequence[LiveRun] = ()
        self._run: LiveRun | None = None
        self._told: set[Curves] = set()  # plots that show something
        self._loss, self._score = Curves(height=HEIGHT), Curves(height=HEIGHT)
        self._loss.setObjectName("run.loss")
        self._score.setObjectName("run.score")
        self._site, self._label = QComboBox(), QLabel(self.tr("C&urves of"))
        self._label.setBuddy(self._site)
        self._site.setObjectName("run.curves_of")
        self._site.setAccessibleName(self.tr("Site whose curves are drawn"))
        self._site.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._site.currentIndexChanged.connect(self._draw)
        choice = QHBoxLayout()
        choice.addWidget(self._label)
        choice.addWidget(self._site)
        choice.addStretch(1)
        plots = QHBoxLayout()
        plots.setSpacing(theme().px(12))
        for plot in (self._loss, self._score):
            plot.is_integer()
            plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
            plots.addWidget(plot, 1)
        self._score.getPlotItem().legend.anchor(itemPos=(1, 1), parentPos=(1, 1), offset=(-8, -8))  # scores rise, losses fall
        for plot in (self._loss, self._score):
            ground = theme().colour("panel")
            ground.setAlpha(SEEN_THROUGH)
            plot.getPlotItem().legend.setBrush(ground)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(choice)
        column.addLayout(plots, 1)

    def show_runs(self, runs: Sequence[LiveRun], run: LiveRun | None) -> None:
        """Draw one of the runs, or all of them; nothing is drawn twice."""
        self._runs, self._run = runs, run
        for widget in (self._site, self._label):
            widget.setVisible(run is not None and len(run.sites) > 1)
        sites = [] if run is None else run.sites
        if sites != [self._site.itemText(index) for index in range(1, self._site.count())]:
            self._site.blockSignals(True)
            self._site.clear()
            self._site.addItems([self.tr("all sites"), *sites])
            self._site.blockSignals(False)
        self._draw()

    def _draw(self) -> None:
        run, runs, chosen = self._run, self._runs, self._site.currentIndex()
        now = (run and run.name, chosen, [(other.name, len(other.rounds), other.best) for other in runs])
        if now == self._drawn:
            return
        self._drawn = now
        self._told = set()
        for plot in (self._loss, self._score):
            plot.clear()
        if run is None:
            self._draw_all(runs)
        else:
            self._draw_one(run, chosen)

    def _draw_all(self, runs: Sequence[LiveRun]) -> None:
        metric = next((run.metric for run in runs), "")
        for index, run in enumerate(runs):
            self._line(self._loss, run.name, run, "val_loss", None, index)
            self._line(self._score, run.name, run, "metric", None, index)
        self._title(metric, self.tr("Loss on validation images"))

    def _draw_one(self, run: LiveRun, chosen: int) -> None:
        """chosen: 0 for all sites, else the number of one, from 1."""
        for index, site in enumerate(run.sites if len(run.sites) > 1 else ()):
            colour, is_thin = self.FIRST_SITE + index, chosen == 0
            if chosen not in (0, index + 1):
                continue
            name = site if len(run.sites) <= FEW or not is_thin else ""
            trained = name if is_thin else self.tr("{}, training").format(site)
            self._line(self._loss, trained, run, "train_loss", site, colour, is_thin=is_thin)
            self._line(self._loss, "" if is_thin else self.tr("{}, validation").format(site), run, "val_loss", site, colour,
                       is_thin=is_thin, is_dashed=True)
            self._line(self._score, name, run, "metric", site, colour, is_thin=is_thin)
        self._line(self._loss, self.tr("Training"), run, "train_loss", None, 0)
        self._line(self._loss, self.tr("Validation"), run, "val_loss", None, 1, is_dashed=True)
        self._line(self._score, self.tr("All sites"), run, "metric", None, 0)
        if run.best:
            self._score.mark(run.best, self.tr("best"))
        self._title(run.metric, self.tr("Loss"))

    def _line(self, plot: Curves, name: str, run: LiveRun, what: Curve, site: str | None, colour: int, *, is_thin: bool = False,
              is_dashed: bool = False) -> None:
        rounds, values = run.curve(what, site)
        if len(rounds):
            self._told.add(plot)
            plot.line(name, rounds, values, colour, thin=is_thin, dashed=is_dashed)

    def _title(self, metric: str, loss: str) -> None:
        name = metric.replace("_", " ").capitalize()
        score = self.tr("{} on validation images").format(name)
        for plot in (self._loss, self._score):
            plot.getPlotItem().legend.setVisible(plot in self._told)
        self._loss.labels(loss, self.tr("Round"), self.tr("Loss"))
        self._score.labels(score if self._score in self._told else self.tr("{}: not scored yet").format(name), self.tr("Round"),
                           metric.replace("_", " "))
