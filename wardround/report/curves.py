"""Figures of predictions on the test images: ROC, precision-recall, calibration, confusion. wardround.evaluation counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wardround.core.predictions import Predictions
from wardround.evaluation.calibration import reliability as reliability_bins
from wardround.evaluation.curves import Curve, precision_recall, roc
from wardround.evaluation.metrics import average_precision, ranked_auroc
from wardround.report import words
from wardround.report.canvas import (
    ARM_COLOURS,
    INK,
    PALETTE,
    QUIET,
    WIDTH,
    axes,
    empty,
    figure,
    legend_below,
    panel_title,
    plain,
    thinned,
    tidy,
)
from wardround.report.plots import heat, name_columns

MOST_PANELS = 16  # classes drawn; more would be too small to read
Area = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A model in a figure of curves. kind: its arm, for the colour; several of kind "local" share one legend entry."""

    kind: str
    predictions: Predictions

    def ranked(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Which images are of this class or have this finding, and their probabilities of it."""
        truth = self.predictions.truth
        is_so = truth[:, label] == 1 if self.predictions.is_multilabel else truth == label
        return is_so, self.predictions.probabilities[:, label]


def labels_of(predictions: Predictions) -> list[int]:
    """The classes that have a curve: the second of two, all of more or of several findings, as far as there is room."""
    return [1] if _is_binary(predictions) else list(range(len(predictions.classes)))[:MOST_PANELS]


def _is_binary(predictions: Predictions) -> bool:
    return len(predictions.classes) == 2 and not predictions.is_multilabel


def roc_curves(models: Sequence[Model]) -> Figure:
    """True-positive against false-positive rate: one panel for two classes, one a class against the rest for more."""
    return _curve_figure(models, "ROC: hits against false alarms", roc, ranked_auroc, "AUROC", _draw_roc)


def pr_curves(models: Sequence[Model]) -> Figure:
    """Precision against recall, panels as in `roc_curves`; dotted: the share of images with the class, which guessing reaches."""
    return _curve_figure(models, "Precision against recall", precision_recall, average_precision, "area", _draw_precision_recall)


def _draw_roc(ax: Axes, curve: Curve, style: dict[str, Any]) -> None:
    ax.plot(curve[0], curve[1], **style)
    ax.set_xlabel("false alarms (1 − specificity)")
    ax.set_ylabel("hits (sensitivity)")


def _draw_precision_recall(ax: Axes, curve: Curve, style: dict[str, Any]) -> None:
    ax.plot(curve[1], curve[0], drawstyle="steps-pre", **style)
    ax.set_xlabel("recall (sensitivity)")
    ax.set_ylabel("precision (PPV)")


def _curve_figure(models: Sequence[Model], title: str, curve: Callable[[np.ndarray, np.ndarray], Curve], area: Area, area_name: str,
                  draw: Callable[[Axes, Curve, dict[str, Any]], None]) -> Figure:
    classes = models[0].predictions.classes
    labels = labels_of(models[0].predictions)
    columns = 1 if len(labels) == 1 else 2 if len(labels) <= 4 else 4
    rows = -(-len(labels) // columns)
    if columns == 4 and len(models) > 1:
        title += f" ({area_name} of the {words.arm(models[0].kind).lower()} model)"
    height_of_row = {1: 3.6, 2: 2.9, 4: 2.0}[columns]
    drawing = figure(title, height=0.9 + rows * height_of_row, width={1: WIDTH / 2 - 0.05, 2: 6.8, 4: WIDTH}[columns])
    panels = axes(drawing, rows, columns)
    for ax in panels[len(labels):]:
        ax.set_axis_off()
    for ax, label in zip(panels, labels, strict=False):
        _class_panel(ax, models, label, curve, draw)
        name = classes[label]
        first = float(area(*models[0].ranked(label)))
        note = f"{area_name} {words.number(first)}" if math.isfinite(first) else words.NOT_ESTIMABLE
        if columns == 4:  # too narrow for both in a line
            ax.set_title(f"{plain(name, 20)}\n{note}", loc="left", fontsize=8, color=INK)
            ax.set(xlabel="", ylabel="")
        else:
            panel_title(ax, f"{name}: {note}" if len(models) == 1 else f"{name} ({words.arm(models[0].kind).lower()}: {note})")
    if len(models) > 1:
        legend_below(drawing, panels[0], is_reversed=True)
    return drawing


def _class_panel(ax: Axes, models: Sequence[Model], label: int, curve: Callable[[np.ndarray, np.ndarray], Curve],
                 draw: Callable[[Axes, Curve, dict[str, Any]], None]) -> None:
    tidy(ax, grid="both")
    named: set[str] = set()
    is_drawn = False
    for model in reversed(models):
        is_so, score = model.ranked(label)
        if not is_so.any() or is_so.all():
            continue
        is_crowd = sum(other.kind == model.kind for other in models) > 1
        style: dict[str, Any] = {"color": ARM_COLOURS.get(model.kind, PALETTE[0]), "linewidth": 1.0 if is_crowd else 2.0,
                                    "alpha": 0.6 if is_crowd else 1.0}
        if model.kind not in named:
            style["label"] = words.arm(model.kind) + (" (each hospital's model)" if is_crowd else "")
        named.add(model.kind)
        draw(ax, curve(is_so, score), style)
        is_drawn = True
    if not is_drawn:
        empty(ax, "not estimable: the class is absent or the only one")
        return
    if curve is roc:
        ax.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
    else:
        ax.axhline(float(models[0].ranked(label)[0].mean()), color=QUIET, linewidth=1, linestyle=":")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03), aspect="equal")


def reliability(predictions: Predictions) -> Figure:
    """Stated probability against observed share, in bins of equal mass, over a histogram of the stated probabilities.

    Of several findings an image, all pairs of an image and a finding together."""
    is_binary, counted = _is_binary(predictions), "images"
    if predictions.is_multilabel:
        predictions, is_binary, counted = binary_pairs(predictions), True, "image and finding"
    drawing = figure("Calibration: do stated probabilities come true?", height=5.0, width=5.2)
    upper, lower = axes(drawing, 2, 1, sharex=True, height_ratios=[3.4, 1])
    tidy(upper, grid="both")
    bins = reliability_bins(predictions)
    upper.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":", label="perfect")
    stated, observed = np.array([b.predicted for b in bins]), np.array([b.observed for b in bins])
    reach = np.array([[b.observed - b.low for b in bins], [b.high - b.observed for b in bins]]).clip(0)
    upper.errorbar(stated, observed, yerr=reach, color=PALETTE[0], marker="o", markersize=4, linewidth=0, elinewidth=1.4,
                   label="observed, with 95 % interval")
    far = min(1.0, 1.1 * max([*stated, *(observed + reach[1])])) if counted != "images" else 1.0  # most findings are rare
    upper.set(xlim=(-0.02 * far, 1.02 * far), ylim=(-0.02 * far, 1.03 * far))
    upper.set_ylabel(f"observed share of {plain(predictions.classes[1], 24)}" if is_binary else "share named correctly")
    upper.legend(frameon=False, fontsize=8.5, loc="upper left", labelcolor=INK)
    scores = predictions.probabilities[:, 1] if is_binary else predictions.probabilities.max(1)
    lower.hist(scores, bins=20, range=(0, far), color=PALETTE[0], edgecolor="white", linewidth=0.6)
    lower.set_ylabel(counted)
    lower.set_xlabel("stated probability" if is_binary else "stated probability of the named class")
    return drawing


def binary_pairs(predictions: Predictions) -> Predictions:
    """Each pair of an image and a finding as a row of two classes."""
    num, p = len(predictions.classes), predictions.probabilities.ravel()
    held = {name: np.repeat(getattr(predictions, name), num) for name in ("cases", "groups", "sites", "splits")}
    return Predictions(classes=("absent", "findings"), truth=predictions.truth.ravel(), probabilities=np.stack([1 - p, p], 1), **held)


def confusion(table: np.ndarray, classes: Sequence[str]) -> Figure:
    """Truth by row, shares of the row as shade and per cent, counts beneath. table: (C, C) counts; an empty row stays white."""
    table = np.asarray(table, dtype=float)
    sums = table.sum(1, keepdims=True)
    shares = np.divide(table, sums, out=np.full(table.shape, np.nan), where=sums > 0)
    side = min(2.0 + 0.85 * len(classes), 10)
    drawing = figure("Confusion: what the model calls each class", height=max(side - 0.5, 2.9), width=max(side + 1.0, 4.8))
    (ax,) = axes(drawing)
    texts = [["–" if math.isnan(shares[y, x]) else f"{shares[y, x]:.0%}\n{int(table[y, x])}" for x in range(len(classes))]
             for y in range(len(classes))] if len(classes) <= 12 else None
    heat(ax, shares, texts)
    name_columns(ax, classes)
    ax.set_yticks(range(len(classes)), thinned(classes))
    ax.set_xlabel("called by the model")
    ax.set_ylabel("truth")
    return drawing
