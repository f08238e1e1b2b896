"""Figures of a study's run, drawn of the sums that the hospitals sent: scores.json's "confusion", "roc" and "calibration"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from wardround.evaluation.calibration import wilson
from wardround.report import words
from wardround.report.canvas import ARM_COLOURS, PALETTE, QUIET, axes, figure, panel_title, plain, thinned, tidy
from wardround.report.material import RunMaterial, value_of
from wardround.report.page import Picture
from wardround.report.plots import heat, name_columns

NOTE = "The curves are drawn of sums over all hospitals. There is no precision-recall curve: it would need finer sums."
MOST_PANELS = 16


def confusion(run: RunMaterial) -> Picture:
    """The confusion matrix with its gaps; on the diagonal each class's recall."""
    table, classes = np.array(run.scores["confusion"], dtype=float), list(run.scores["classes"])
    names = ["specificity", "sensitivity"] if len(classes) == 2 else [f"recall_{name}" for name in classes]
    recalls = [value_of(run.scores, name) for name in names]
    alt = "; ".join(f"of {name} {words.percent(recall) if math.isfinite(recall) else 'a hidden share'} was called so"
                    for name, recall in zip(classes, recalls, strict=True))
    return Picture(name="confusion", figure=confusion_figure(table, classes, recalls), alt=f"Confusion matrix: {alt}.",
                   caption=f"{words.arm(run.scores['arm'])} model, test images of all hospitals. Rows: the truth. Hidden: {words.FEW} "
                           "images, or a number that would give such a one away. On the diagonal, where right answers lie: the recall.")


def confusion_figure(table: np.ndarray, classes: Sequence[str], recalls: Sequence[float]) -> Figure:
    """Truth by row. table: (C, C) counts, NaN where hidden."""
    with np.errstate(invalid="ignore"):
        shares = table / table.sum(1, keepdims=True)  # NaN in a row with a gap
    shares[np.diag_indices(len(classes))] = recalls
    side = min(2.0 + 0.85 * len(classes), 10)
    drawing = figure("Confusion: what the model calls each class", height=max(side - 0.5, 2.9), width=max(side + 1.0, 4.8))
    (ax,) = axes(drawing)

    def text(y: int, x: int) -> str:
        share = "" if math.isnan(shares[y, x]) else f"{shares[y, x]:.0%}"
        number = ("" if share else "hidden") if math.isnan(table[y, x]) else str(int(table[y, x]))
        return "\n".join(filter(None, [share, number]))

    places = range(len(classes))
    heat(ax, shares, [[text(y, x) for x in places] for y in places] if len(classes) <= 12 else None)
    name_columns(ax, classes)
    ax.set_yticks(places, thinned(classes))
    ax.set_xlabel("called by the model")
    ax.set_ylabel("truth")
    return drawing


def roc(run: RunMaterial) -> list[Picture]:
    """ROC curves of each class or finding; [] where none is told."""
    curves: Mapping[str, Any] = run.scores.get("roc") or {}
    if not curves:
        return []
    return [Picture(name="roc", figure=roc_figure(curves, run.scores["arm"]), alt="ROC curves of each class over all hospitals.",
                    caption="The nearer a curve comes to the upper left corner, the better. Dotted: guessing. Between two points lie more "
                            f"than {words.SMALL_COUNT} images.")]


def roc_figure(curves: Mapping[str, Mapping[str, Sequence[float]]], arm: str) -> Figure:
    """A panel a class. curves: class -> {"fpr", "tpr"}."""
    shown = dict(list(curves.items())[:MOST_PANELS])
    columns = 1 if len(shown) == 1 else 2 if len(shown) <= 4 else 4
    rows, height, width = -(-len(shown) // columns), {1: 3.6, 2: 2.9, 4: 2.0}[columns], {1: 4.05, 2: 6.8, 4: 8.2}[columns]
    drawing = figure("ROC: hits against false alarms", height=0.9 + rows * height, width=width)
    panels = axes(drawing, rows, columns)
    for ax in panels[len(shown):]:
        ax.set_axis_off()
    for ax, (name, curve) in zip(panels, shown.items(), strict=False):
        tidy(ax, grid="both")
        ax.plot(curve["fpr"], curve["tpr"], color=ARM_COLOURS.get(arm, PALETTE[0]), linewidth=2.0, marker="o", markersize=2.5)
        ax.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03), aspect="equal")
        panel_title(ax, name)
        if columns < 4:
            ax.set_xlabel("false alarms (1 − specificity)")
            ax.set_ylabel("hits (sensitivity)")
    return drawing


def reliability(run: RunMaterial) -> list[Picture]:
    """Stated probability against observed share; [] where no bins are told."""
    bins: Sequence[Mapping[str, Any]] = run.scores.get("calibration") or []
    if not bins:
        return []
    return [Picture(name="reliability", figure=reliability_figure(bins, _observed(run)),
                    alt="Observed share against stated probability over all hospitals.",
                    caption=f"{words.arm(run.scores['arm'])} model, test images of all hospitals. On the dotted line, of images called "
                            "with 80 % probability, 80 % are so. Below it the model is too sure of itself.")]


def reliability_figure(bins: Sequence[Mapping[str, Any]], observed: str) -> Figure:
    """Points with their intervals. bins: {"predicted", "observed", "count"}; no interval where the count is None."""
    drawing = figure("Calibration: do stated probabilities come true?", height=4.6, width=5.2)
    (ax,) = axes(drawing)
    tidy(ax, grid="both")
    ax.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":", label="perfect")
    for part in bins:
        if part["count"] is not None:
            low, high = wilson(round(part["observed"] * part["count"]), part["count"])
            ax.plot([part["predicted"]] * 2, [low, high], color=PALETTE[0], linewidth=1.4)
    has_intervals = any(part["count"] is not None for part in bins)
    ax.scatter([part["predicted"] for part in bins], [part["observed"] for part in bins], s=22, color=PALETTE[0], zorder=3,
               label="observed, with 95 % interval" if has_intervals else "observed")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))
    ax.set_xlabel("stated probability")
    ax.set_ylabel(observed)
    ax.legend(frameon=False, fontsize=8.5, loc="upper left")
    return drawing


def _observed(run: RunMaterial) -> str:
    if run.task == "binary":
        return f"observed share of {plain(run.scores['classes'][1], 24)}"
    return "observed share of findings" if run.task == "multilabel" else "share named correctly"
