"""Drawings: curves, stacked bars, heat maps, estimates with intervals. Each also tells its values to screen readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from wardround.app.theme import theme

SHAPES = ("o", "s", "t", "d", "+", "x", "star", "p")  # of points, so that lines are told apart without colour
FEW = 30  # points of a line up to which each is drawn
STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)


class Drawing(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """A plot in the theme's colours, without pyqtgraph's own menu; wheel and drag are left to the page unless is_movable."""

    def __init__(self, *, is_movable: bool = False, height: int = 260) -> None:
        super().__init__()
        self.setBackground(theme().colour("panel"))
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(is_movable, is_movable)
        self.setMinimumHeight(theme().px(height))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._font = self.font()
        self._font.setPointSizeF(self._font.pointSizeF() * 0.9)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(theme().colour("line"))
            axis.setTextPen(theme().colour("muted"))
            axis.setTickFont(self._font)
            axis.enableAutoSIPrefix(False)
        self.showGrid(x=True, y=True, alpha=0.15)
        if not is_movable:
            self.wheelEvent = lambda event: event.ignore()  # the page scrolls

    def labels(self, title: str, x: str, y: str) -> None:
        """Name the plot and its axes."""
        size = f"{self._font.pointSizeF():.1f}pt"
        self.setTitle(title or None, color=theme().name("text"), size=f"{self._font.pointSizeF() * 1.15:.1f}pt")
        self.setLabel("bottom", x, color=theme().name("muted"), **{"font-size": size})
        self.setLabel("left", y, color=theme().name("muted"), **{"font-size": size})
        self.setAccessibleName(title or f"{y} / {x}")

    def limits(self, *, x: tuple[float, float] | None = None, y: tuple[float, float] | None = None) -> None:
        """Fix what an axis shows."""
        if x is not None:
            self.setXRange(*x, padding=0.02)
        if y is not None:
            self.setYRange(*y, padding=0.02)

    def names(self, side: str, names: Sequence[str], *, most: int = 24) -> None:
        """Names in place of the numbers 0, 1, ... of an axis ("left", "bottom"), cut where they are long."""
        self.getAxis(side).setTicks([[(i, name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}")
                                      for i, name in enumerate(names)]])

    def is_integer(self, side: str = "bottom") -> None:
        """Let an axis count: no halves of a round."""
        axis = self.getAxis(side)
        spacing = axis.tickSpacing

        def whole(low: float, high: float, size: float) -> list[tuple[float, float]]:
            return [(max(1, round(gap)), shift) for gap, shift in spacing(low, high, size) if gap >= 1] or [(1, 0)]

        axis.tickSpacing = whole


class Curves(Drawing):
    """Lines over a common axis."""

    def __init__(self, *, height: int = 260, has_legend: bool = True) -> None:
        super().__init__(height=height)
        self._legend = None
        if has_legend:
            self._legend = self.addLegend(offset=(-8, 8), labelTextColor=theme().colour("text"), brush=theme().colour("panel"),
                                          pen=theme().colour("line"), labelTextSize=f"{self._font.pointSizeF():.1f}pt")
        self._told: list[str] = []
        self.clear = self._wipe  # PlotWidget gives every instance its plot's own, which would hide a method of that name

    def _wipe(self) -> None:
        self.getPlotItem().clear()
        self._told = []
        self.setAccessibleDescription("")
        if self._legend is not None:
            self._legend.clear()

    def line(self, name: str, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, colour: int, *, dashed: bool = False,
             thin: bool = False) -> None:
        """A line; gaps where y is NaN. name: in the legend, "" for none. colour: number of the series."""
        xs, ys = np.asarray(x, float), np.asarray(y, float)
        pen = pg.mkPen(theme().series(colour), width=theme().px(1 if thin else 2.2), style=STYLES[1] if dashed else STYLES[0])
        shape = SHAPES[colour % len(SHAPES)] if np.isfinite(ys).sum() <= FEW and not thin else None
        self.plot(xs, ys, pen=pen, name=name or None, connect="finite", symbol=shape, symbolSize=theme().px(6),
                  symbolBrush=theme().series(colour), symbolPen=None)
        known = ys[np.isfinite(ys)]
        if name and len(known):
            self._told.append(f"{name}: {known[0]:.3g} \N{RIGHTWARDS ARROW} {known[-1]:.3g}")
            self.setAccessibleDescription("; ".join(self._told))

    def band(self, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: int) -> None:
        """The area between two lines, e.g. an interval."""
        fill = QColor(theme().series(colour))
        fill.setAlpha(48)
        edges = [pg.PlotDataItem(np.asarray(x, float), np.asarray(edge, float), pen=None) for edge in (low, high)]
        for edge in edges:
            self.addItem(edge)
        self.addItem(pg.FillBetweenItem(*edges, brush=fill))

    def mark(self, x: float, text: str) -> None:
        """A vertical line with a text, e.g. the round that was kept."""
        pen = pg.mkPen(theme().colour("good"), width=1.4, style=STYLES[2])
        self.addItem(pg.InfiniteLine(x, pen=pen, label=text, labelOpts={"color": theme().colour("good"), "position": 0.94,
                                                                        "fill": theme().colour("panel")}))

    def diagonal(self) -> None:
        """What guessing, or perfect calibration, would give."""
        self.plot([0, 1], [0, 1], pen=pg.mkPen(theme().colour("muted"), width=1, style=STYLES[1]))


class StackedBars(Drawing):
    """Who holds how much of what: a bar a site, a colour a class."""

    def __init__(self, *, height: int = 280) -> None:
        super().__init__(height=height)
        self._legend = self.addLegend(offset=(-8, 8), labelTextColor=theme().colour("text"), brush=theme().colour("panel"),
                                      pen=theme().colour("line"))

    def show_counts(self, sites: Sequence[str], classes: Sequence[str], counts: np.ndarray) -> None:
        """counts: (S, C) images of each class at each site."""
        self.clear()
        self._legend.clear()
        base = np.zeros(len(sites))
        for i, name in enumerate(classes):
            bar = pg.BarGraphItem(x=np.arange(len(sites)), y0=base, height=counts[:, i], width=0.7, brush=theme().series(i),
                                  pen=theme().colour("panel"), name=name)
            self.addItem(bar)
            base = base + counts[:, i]
        self.names("bottom", sites, most=16)
        room = 0.9 + 0.25 * max(1, len(sites)) if len(sites) < 12 else 2.0
        self.limits(x=(-0.6, len(sites) - 0.4 + room), y=(0, max(1.0, float(base.max(initial=0)) * 1.05)))
        self.setAccessibleDescription("; ".join(f"{site}: " + ", ".join(f"{name} {int(n)}" for name, n in zip(classes, row, strict=True))
                                                for site, row in zip(sites, counts, strict=True)))


class Heat(Drawing):
    """Shares in a grid, light to dark, with their numbers in it."""

    def show_values(self, values: np.ndarray, rows: Sequence[str], columns: Sequence[str], texts: Sequence[Sequence[str]],
                    *, low: float = 0.0, high: float = 1.0) -> None:
        """values: (R, C), NaN for none; texts: what is written into each cell."""
        self.clear()
        shown = np.nan_to_num(np.asarray(values, float), nan=low)
        ground, ink = theme().colour("panel"), theme().series(0)
        levels = np.stack([np.linspace(getattr(ground, part)(), getattr(ink, part)(), 256) for part in ("red", "green", "blue")], 1)
        place = (-0.5, -0.5, len(columns), len(rows))
        self.addItem(pg.ImageItem(shown, axisOrder="row-major", levels=(low, high), lut=levels.astype(np.uint8), rect=place))
        for y, line in enumerate(texts):
            for x, text in enumerate(line):
                share = (shown[y, x] - low) / max(high - low, 1e-9)
                cell = pg.TextItem(text, anchor=(0.5, 0.5), color=theme().colour("panel" if share > 0.6 else "text"))
                cell.setFont(self._font)
                cell.setPos(x, y)
                self.addItem(cell)
        self.invertY(True)
        self.showGrid(x=False, y=False)
        self.names("left", rows)
        self.names("bottom", columns, most=14)
        self.limits(x=(-0.5, len(columns) - 0.5), y=(-0.5, len(rows) - 0.5))
        self.setAccessibleDescription("; ".join(f"{row}: {', '.join(line)}" for row, line in zip(rows, texts, strict=True)))


class Forest(Drawing):
    """Estimates with their intervals, one below the other."""

    def show_rows(self, rows: Sequence[tuple[str, float, float, float, int]], *, reference: float | None = None, x: str = "") -> None:
        """rows: name, value, low, high (NaN where not estimable), number of the colour. reference: what means no difference."""
        self.clear()
        self.setMinimumHeight(theme().px(70 + 34 * len(rows)))
        self.setMaximumHeight(theme().px(90 + 44 * len(rows)))
        self.labels("", x, "")
        if reference is not None:
            self.addItem(pg.InfiniteLine(reference, pen=pg.mkPen(theme().colour("muted"), width=1, style=STYLES[1])))
        for y, (_, value, low, high, colour) in enumerate(rows):
            if np.isfinite(low) and np.isfinite(high):
                self.plot([low, high], [y, y], pen=pg.mkPen(theme().series(colour), width=theme().px(3)))
            if np.isfinite(value):
                self.plot([value], [y], pen=None, symbol=SHAPES[colour % len(SHAPES)], symbolSize=theme().px(11),
                          symbolBrush=theme().series(colour), symbolPen=theme().colour("panel"))
        self.names("left", [name for name, *_ in rows])
        self.invertY(True)
        self.limits(y=(-0.6, len(rows) - 0.4))
        known = [number for _, *numbers, _ in rows for number in numbers if np.isfinite(number)]
        known += [] if reference is None else [reference]
        if known:
            pad = max(0.08 * (max(known) - min(known)), 0.01)
            self.limits(x=(min(known) - pad, max(known) + pad))
        self.setAccessibleDescription("; ".join(f"{name}: {value:.3f} [{low:.3f}, {high:.3f}]" for name, value, low, high, _ in rows))
