"""Whether stated probabilities come true: a point a bin with its interval, over how often each probability was stated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QVBoxLayout, QWidget

from wardround.app.theme import theme
from wardround.app.widgets.plot import Drawing

AXIS = 62  # pixels of the left axes, so that both plots begin at the same place


class Reliability(QWidget):
    """Observed share against stated probability; on the dashed line they are equal."""

    def __init__(self) -> None:
        super().__init__()
        self._upper, self._lower = Drawing(height=300), Drawing(height=110)
        self._lower.setMaximumHeight(theme().px(140))
        self._lower.setXLink(self._upper)
        for plot in (self._upper, self._lower):
            plot.getAxis("left").setWidth(theme().px(AXIS))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().px(4))
        column.addWidget(self._upper, 3)
        column.addWidget(self._lower, 1)

    def show_bins(self, stated: Sequence[float], observed: Sequence[float], low: Sequence[float], high: Sequence[float], *,
                  heights: Sequence[int] = (), far: float = 1.0, title: str = "") -> None:
        """Bins by rising probability; low, high: NaN where there is no interval. heights: bars of the histogram up to far. title: of
        what is observed."""
        self._upper.clear()
        self._lower.clear()
        x, y, below, above = (np.asarray(part, float) for part in (stated, observed, low, high))
        self._upper.plot([0, far], [0, far], pen=pg.mkPen(theme().colour("muted"), width=1.2, style=pg.QtCore.Qt.PenStyle.DashLine))
        known = np.isfinite(below) & np.isfinite(above)
        if known.any():
            self._upper.addItem(pg.ErrorBarItem(x=x[known], y=y[known], top=(above - y)[known].clip(0), bottom=(y - below)[known].clip(0),
                                                pen=pg.mkPen(theme().series(0), width=theme().px(2))))
        self._upper.plot(x, y, pen=None, symbol="o", symbolSize=theme().px(8), symbolBrush=theme().series(0), symbolPen=None)
        self._upper.labels(title, "" if len(heights) else self.tr("stated probability"), self.tr("observed share"))
        self._upper.limits(x=(0, far), y=(0, far))
        self._lower.setVisible(len(heights) > 0)
        if len(heights):
            width = far / len(heights)
            self._lower.addItem(pg.BarGraphItem(x=(np.arange(len(heights)) + 0.5) * width, height=np.asarray(heights, float),
                                                width=0.92 * width, brush=theme().series(0), pen=None))
            self._lower.labels("", self.tr("stated probability"), self.tr("number"))
            self._lower.limits(y=(0, max(1.0, float(max(heights)))))
        self._upper.setAccessibleName(self.tr("Calibration: do stated probabilities come true?"))
        self._upper.setAccessibleDescription("; ".join(f"{a:.3f}: {b:.3f}" for a, b in zip(x, y, strict=True)))
        self._lower.setAccessibleName(self.tr("How often each probability was stated"))
        self._lower.setAccessibleDescription(", ".join(map(str, heights)))
