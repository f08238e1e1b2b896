"""Segmentations over the images they belong to: where truth and prediction agree, and where not. Nothing names a patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke

from wardround.report.canvas import INK, axes, empty, figure, plain

# Okabe and Ito's colours (canvas.PALETTE): the light ones for classes, the others for errors, so that no colour means two things.
CLASS_COLOURS = ("#F0E442", "#56B4E9", "#CC79A7", "#E69F00")
MISSED, ADDED, CONFUSED = "#D55E00", "#0072B2", "#009E73"
FILL = 0.55  # opacity: the image stays readable below
EDGE = [Stroke(linewidth=1.9, foreground=INK), Normal()]  # a light line is seen on light tissue
MONTAGE = 12  # slices
COLUMNS = ("image", "truth", "prediction", "difference")


@dataclass(frozen=True, kw_only=True, eq=False)
class OverlayCase:
    """One patient's image, truth and prediction.

    image: (D, H, W) uint8 or float, one channel. truth, predicted: (D, H, W) uint8 classes, 0 the background. dice: as reported.
    label: why this patient is shown, e.g. "worst"; never who it is.
    """

    image: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...]
    dice: float
    label: str

    @property
    def main_slice(self) -> int:
        """The slice with the largest true region; without one, with the largest prediction, else the middle."""
        for mask in (self.truth, self.predicted):
            sizes = np.count_nonzero(mask, axis=(1, 2))
            if sizes.any():
                return int(sizes.argmax())
        return len(self.image) // 2

    @property
    def window(self) -> tuple[float, float]:
        """The grey values shown black and white: nearly the whole range, without the few brightest voxels."""
        low, high = np.percentile(self.image, (0.5, 99.8))
        return float(low), float(high if high > low else low + 1)


def overlay_rows(cases: Sequence[OverlayCase]) -> Figure:
    """A row for each patient: the slice with the largest true region, with truth, prediction and their difference."""
    drawing = figure("Truth and prediction", height=0.95 + 2.25 * max(1, len(cases)))
    panels = axes(drawing, max(1, len(cases)), len(COLUMNS))
    for ax in panels:
        ax.set_axis_off()
    if not cases:
        empty(panels[0], "no patients to show")
        return drawing
    for row, case in enumerate(cases):
        line = panels[row * len(COLUMNS): (row + 1) * len(COLUMNS)]
        truth, predicted = case.truth[case.main_slice], case.predicted[case.main_slice]
        for ax in line:
            _show(ax, case, case.main_slice)
        _fill(line[1], truth, colours_of(case.classes))
        _fill(line[2], predicted, colours_of(case.classes))
        _outline(line[2], truth, case.classes)
        _fill(line[3], difference(truth, predicted), (MISSED, ADDED, CONFUSED))
        title = f"{case.label}: Dice {case.dice:.2f}"
        for ax, column in zip(line, (title, *COLUMNS[1:]) if row == 0 else (title, "", "", ""), strict=True):
            ax.set_title(plain(column, 40), loc="left", fontsize=9.5, color=INK)
    classes = max((case.classes for case in cases), key=len)
    errors = [Patch(color=MISSED, label="missed"), Patch(color=ADDED, label="added")]
    if len(classes) > 2:
        errors.append(Patch(color=CONFUSED, label="another class"))
    _legend(drawing, [*_class_patches(classes), _outline_of_truth(), *errors])
    return drawing


def montage(case: OverlayCase) -> Figure:
    """Slices of one patient, evenly over those with a true or predicted region: prediction filled, truth outlined."""
    shown = montage_slices(case)
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    drawing = figure(f"Slices of one patient ({case.label}): Dice {case.dice:.2f}", height=0.95 + 2.2 * rows)
    panels = axes(drawing, rows, columns)
    for ax in panels:
        ax.set_axis_off()
    for ax, place in zip(panels, shown, strict=False):
        _show(ax, case, place)
        _fill(ax, case.predicted[place], colours_of(case.classes))
        _outline(ax, case.truth[place], case.classes)
        ax.set_title(f"slice {place + 1} of {len(case.image)}", loc="left", fontsize=8.5, color=INK)
    _legend(drawing, [*_class_patches(case.classes), _outline_of_truth()])
    return drawing


def montage_slices(case: OverlayCase) -> list[int]:
    """At most 12 slices, rising: all with a true or predicted region, or evenly among these; the middle one if there is none."""
    marked = np.flatnonzero(((case.truth > 0) | (case.predicted > 0)).any((1, 2)))
    if len(marked) == 0:
        return [case.main_slice]
    return [int(marked[round(place)]) for place in np.linspace(0, len(marked) - 1, min(MONTAGE, len(marked)))]


def difference(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """0 right, 1 missed (background was called), 2 added (background is true), 3 another class; in the shape of the masks."""
    kinds = [(truth > 0) & (predicted == 0), (truth == 0) & (predicted > 0), truth != predicted]
    return np.select(kinds, [1, 2, 3], 0).astype(np.uint8)


def colours_of(classes: Sequence[str]) -> tuple[str, ...]:
    """A colour for each class but the background."""
    return tuple(CLASS_COLOURS[place % len(CLASS_COLOURS)] for place in range(len(classes) - 1))


def _show(ax: Axes, case: OverlayCase, place: int) -> None:
    low, high = case.window
    ax.imshow(case.image[place].astype(np.float32), cmap="gray", vmin=low, vmax=high, interpolation="nearest")


def _fill(ax: Axes, mask: np.ndarray, colours: Sequence[str]) -> None:
    """Colour the pixels of value 1, 2 ... by the first, second ... colour."""
    paint = np.zeros((*mask.shape, 4))
    for value, colour in enumerate(colours, start=1):
        paint[mask == value] = to_rgba(colour, FILL)
    ax.imshow(paint, interpolation="nearest")


def _outline(ax: Axes, mask: np.ndarray, classes: Sequence[str]) -> None:
    """Outline each class in its colour; a single class in white, which is seen best on its own fill."""
    for value, colour in enumerate(colours_of(classes) if len(classes) > 2 else ("white",), start=1):
        is_class = mask == value
        if is_class.any() and not is_class.all():
            ax.contour(is_class.astype(float), levels=[0.5], colors=[colour], linewidths=1.0).set_path_effects(EDGE)


def _class_patches(classes: Sequence[str]) -> list[Patch]:
    return [Patch(color=colour, label=plain(name)) for name, colour in zip(classes[1:], colours_of(classes), strict=True)]


def _outline_of_truth() -> Line2D:
    return Line2D([], [], color="white", linewidth=1.0, path_effects=EDGE, label="outline of the truth")


def _legend(drawing: Figure, handles: Sequence[Patch | Line2D]) -> None:
    drawing.legend(handles=list(handles), loc="outside lower left", ncols=min(len(handles), 5), frameon=False, fontsize=8.5, labelcolor=INK)
