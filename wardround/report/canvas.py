"""The look of every figure: colours that colour-blind readers tell apart, sizes that read at 100 %, no pyplot state."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Okabe and Ito 2008, "Color Universal Design": the order puts the best told apart first; yellow is last, it is pale on white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#4D4D4D", "#F0E442")
HATCHES = ("", "///", "...", "xxx")
ARM_COLOURS = {"federated": "#0072B2", "pooled": "#4D4D4D", "ensemble": "#009E73", "local": "#D55E00"}
INK = "#1F2933"
QUIET = "#6B7785"
HAIR = "#D9DEE4"

WIDTH = 8.2  # inches; the page shows 100 pixels an inch
PIXELS_PER_INCH = 200  # twice that, for sharp screens and print


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A line of a forest plot. low, high: the interval, NaN where there is none. kind: an arm's name, for the colour."""

    label: str
    value: float
    low: float
    high: float
    kind: str = "federated"


def figure(title: str, *, height: float, width: float = WIDTH) -> Figure:
    """An empty figure that keeps its labels apart, with its title at the left edge."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    drawing = Figure(figsize=(width, height), dpi=100, layout=layout, facecolor="white")
    FigureCanvasAgg(drawing)
    drawing.suptitle(plain(title, 200), x=0.012, ha="left", fontsize=11.5, fontweight="bold", color=INK)
    return drawing


def axes(drawing: Figure, rows: int = 1, columns: int = 1, **options: Any) -> list[Axes]:
    """rows x columns of tidy axes, row by row."""
    made = list(drawing.subplots(rows, columns, squeeze=False, **options).flat)
    for ax in made:
        tidy(ax)
    return made


def tidy(ax: Axes, *, grid: Literal["x", "y", "both", "none"] = "y") -> None:
    """Quiet spines, ticks and grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(QUIET)
    ax.tick_params(colors=INK, labelsize=9, length=3, color=QUIET)
    ax.xaxis.label.set(size=9.5, color=INK)
    ax.yaxis.label.set(size=9.5, color=INK)
    ax.set_axisbelow(True)
    ax.grid(visible=False)
    if grid != "none":
        ax.grid(visible=True, axis=grid, color=HAIR, linewidth=0.8)


def panel_title(ax: Axes, text: str) -> None:
    ax.set_title(plain(text, 60), loc="left", fontsize=9.5, color=INK)


def legend(ax: Axes, **options: Any) -> None:
    """A legend without a box, where there is something to explain."""
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize=8.5, labelcolor=INK, **options)


def legend_below(drawing: Figure, ax: Axes, *, is_reversed: bool = False) -> None:
    """The entries of one axes as the whole figure's legend, under it, where it cannot hide a line."""
    handles, labels = ax.get_legend_handles_labels()
    if is_reversed:
        handles, labels = handles[::-1], labels[::-1]
    if labels:
        columns = round(drawing.get_figwidth() / 2)
        drawing.legend(handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize=8.5, labelcolor=INK)


def empty(ax: Axes, why: str) -> None:
    """An axes that says why it holds nothing."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, textwrap.fill(plain(why, 120), 26), ha="center", va="center", fontsize=9.5, color=QUIET, transform=ax.transAxes)


def plain(text: str, width: int = 34) -> str:
    """Text of a user as it is shown in a figure: one line, cut to width, never read as a formula."""
    line = textwrap.shorten("".join(c if c.isprintable() else " " for c in text), width=10**6)
    return (line if len(line) <= width else line[:width - 1] + "…").replace("$", r"\$")


def colours(num: int) -> list[tuple[str, str]]:
    """num pairs (colour, hatch); more classes than colours are told apart by hatching."""
    return [(PALETTE[i % len(PALETTE)], HATCHES[i // len(PALETTE) % len(HATCHES)]) for i in range(num)]


def thinned(labels: Sequence[str], most: int = 40) -> list[str]:
    """Labels with all but every k-th left blank, so that at most `most` are printed."""
    step = -(-len(labels) // most)
    return [plain(label) if i % step == 0 else "" for i, label in enumerate(labels)]


def png(drawing: Figure) -> bytes:
    """The figure as PNG at twice its size on the page. The bytes depend on the figure only."""
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a name in another script; the page has it
        drawing.savefig(target, format="png", dpi=PIXELS_PER_INCH, metadata={"Software": None})
    return target.getvalue()


def save(drawing: Figure, path: Path) -> None:
    """Write the figure as PNG at 2x, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(drawing))
