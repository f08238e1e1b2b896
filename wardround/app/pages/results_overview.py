"""The first tabs of the Results page: overview, hospitals, findings. All that they show came with the opened folder."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout

from wardround.app.language import said
from wardround.app.pages.results_tab import Tab, add_grid, forest, tell, terms
from wardround.app.theme import theme
from wardround.app.views.results import Cost, Matrix, Pair
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.plot import Heat
from wardround.app.widgets.text import heading, label, muted

VERDICTS = {"better": ("\N{BLACK UP-POINTING TRIANGLE}", "good"), "worse": ("\N{BLACK DOWN-POINTING TRIANGLE}", "bad")}
MOST_TEXTS = 400  # cells of the matrix up to which each has its number written in it
MOST_NAMES = 8  # models up to which each has its name below its column
LEAST_RANGE = 0.2  # from the lightest shade to the darkest: small differences are to look small
ROW = 30  # height of a row of the matrix


class OverviewTab(Tab):
    """Results with their intervals: the arms, the pairs on the same patients, what the run was."""

    key = "overview"

    def title(self) -> str:
        return self.tr("Overview")

    def load(self) -> None:
        if self.opened is None:
            return
        emptied(self.column)
        self.column.addWidget(label("\n".join(self.opened.remarks)))
        top = QHBoxLayout()
        top.setSpacing(theme().px(24))
        top.addWidget(forest(self.opened.forest, "results.forest"), 1, Qt.AlignmentFlag.AlignTop)
        side = QVBoxLayout()
        side.setAlignment(Qt.AlignmentFlag.AlignTop)
        side.setSpacing(theme().px(6))
        side.addWidget(heading(self.tr("The run")))
        facts = Facts()
        facts.setObjectName("results.facts")
        facts.show_facts(self._facts(self.opened.cost))
        side.addWidget(facts)
        top.addLayout(side, 1)
        self.column.addLayout(top)
        add_grid(self.column, self.opened.summary, name="results.summary")
        if self.opened.pairs:
            self._add_pairs(self.opened.pairs)
        self.column.addWidget(heading(self.tr("What the words mean")))
        self.column.addWidget(terms(self.opened.meanings))
        for text in self.opened.missing:
            self.column.addWidget(label(f"\N{WARNING SIGN} {text}", look="caution"))
        self.column.addStretch(1)

    def _facts(self, cost: Cost) -> dict[str, str]:
        found = {self.tr("Plan"): cost.plan, self.tr("Data set"): cost.data, self.tr("Arm"): cost.arm, self.tr("Rounds"): cost.rounds,
                 self.tr("Round kept"): cost.kept, self.tr("Time"): cost.seconds, self.tr("Training, all hospitals"): cost.train_seconds,
                 self.tr("Sent"): cost.bytes, self.tr("Images"): cost.images, self.tr("Tested on"): cost.tested,
                 self.tr("Left out"): cost.left_out, self.tr("Phantoms"): cost.phantom,
                 self.tr("Started"): cost.started, self.tr("Folder"): str(self.opened.folder if self.opened else "")}
        return {name: value for name, value in found.items() if value}

    def _add_pairs(self, pairs: tuple[Pair, ...]) -> None:
        row = QHBoxLayout()
        row.addWidget(heading(self.tr("Two models on the same patients")))
        row.addSpacing(theme().px(12))
        self._pair = QComboBox()
        self._pair.setObjectName("results.pair")
        self._pair.setAccessibleName(self.tr("Which models are compared"))
        self._pair.addItems([pair.name for pair in pairs])
        row.addWidget(self._pair)
        row.addStretch(1)
        self.column.addLayout(row)
        self._of_pair = QVBoxLayout()
        self.column.addLayout(self._of_pair)
        self._pair.currentIndexChanged.connect(lambda place: self._show_pair(pairs[place]))
        self._show_pair(pairs[0])

    def _show_pair(self, pair: Pair) -> None:
        emptied(self._of_pair)
        sign, look = VERDICTS.get(pair.verdict, ("=", "muted"))
        verdict = label(f"{sign} {pair.name}: {said(pair.verdict)}", look=look)  # type: ignore[arg-type]  # of the looks that there are
        verdict.setObjectName("results.verdict")
        self._of_pair.addWidget(verdict)
        if pair.forest.points:
            self._of_pair.addWidget(forest(pair.forest, "results.pair.forest"))
        add_grid(self._of_pair, pair.grid, name="results.pair.table")


class HospitalsTab(Tab):
    """The model at each hospital, worst first; of a comparison every model at every hospital."""

    key = "hospitals"

    def title(self) -> str:
        return self.tr("Hospitals")

    def load(self) -> None:
        if self.opened is None:
            return
        emptied(self.column)
        for text in self.opened.hospitals.sentences:
            self.column.addWidget(label(text))
        for text in self.opened.hospitals.cautions:
            self.column.addWidget(label(f"\N{WARNING SIGN} {text}", look="caution"))
        if self.opened.by_hospital.points:
            self.column.addWidget(forest(self.opened.by_hospital, "results.by_hospital"))
        for grid in self.opened.hospitals.grids:
            add_grid(self.column, grid, name="results.hospitals.table", max_rows=24)
        if self.opened.matrix is not None:
            self._add_matrix(self.opened.matrix)
        self.column.addStretch(1)

    def _add_matrix(self, matrix: Matrix) -> None:
        """As shades and as a table. Many models have numbers in place of their names, which would touch."""
        self.column.addWidget(heading(matrix.title))
        heat = Heat()
        heat.setObjectName("results.matrix")
        known = matrix.values[np.isfinite(matrix.values)]
        high = max(1.0, float(known.max(initial=1.0)))
        names = matrix.columns if len(matrix.columns) <= MOST_NAMES else [str(number) for number in range(1, len(matrix.columns) + 1)]
        texts = matrix.texts if matrix.values.size <= MOST_TEXTS else [()] * len(matrix.rows)
        heat.show_values(matrix.values, matrix.rows, names, texts, low=float(known.min(initial=high - LEAST_RANGE)), high=high)
        heat.getAxis("left").setWidth(max(map(heat.fontMetrics().horizontalAdvance, matrix.rows)) + theme().px(36))
        heat.labels("", self.tr("model"), self.tr("tested at"))
        heat.setFixedHeight(theme().px(90 + ROW * len(matrix.rows)))
        heat.setAccessibleName(matrix.title)
        heat.setAccessibleDescription("; ".join(": ".join((row[0], ", ".join(row[1:]))) for row in matrix.grid.rows))
        self.column.addWidget(heat)
        if names != matrix.columns:
            numbered = ", ".join(f"{number} {name}" for number, name in zip(names, matrix.columns, strict=True))
            self.column.addWidget(muted(self.tr("Models: {}").format(numbered)))
        add_grid(self.column, matrix.grid, name="results.matrix.table", max_rows=24)


class FindingsTab(Tab):
    """Each finding with the test images that have it."""

    key = "findings"

    def title(self) -> str:
        return self.tr("Findings")

    def load(self) -> None:
        if self.opened is None:
            return
        emptied(self.column)
        if self.opened.by_finding is not None:
            self.column.addWidget(forest(self.opened.by_finding, "results.by_finding"))
        tell(self.column, self.opened.findings, max_rows=24)
        self.column.addStretch(1)


