"""One figure a function: who holds what, how training went, how the arms and hospitals compare, what went wrong.

Curves of predictions (ROC, precision-recall, calibration, confusion) are in `curves.py` beside this file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wardround.core.events import RoundFinished
from wardround.data.catalogue import ALL
from wardround.report import words
from wardround.report.canvas import (
    ARM_COLOURS,
    INK,
    PALETTE,
    QUIET,
    WIDTH,
    Estimate,
    axes,
    colours,
    empty,
    figure,
    legend,
    legend_below,
    panel_title,
    plain,
    thinned,
    tidy,
)

FEW_ROUNDS = 30  # up to here each round has a marker
FEW_SITES = 7  # up to here each site has a colour of its own
MOST_CELLS = 12  # rows of a grid up to which numbers are printed in it


def partition(counts: Mapping[str, Mapping[str, int | None]], *, title: str = "Training images per hospital") -> Figure:
    """Who holds what: stacked bars of the classes, or a grid where an image may have several findings.

    counts: site -> class -> number of images, None of a hidden one; classes in the order of the first site."""
    sites = list(counts)
    classes = list(dict.fromkeys(name for held in counts.values() for name in held))
    if ALL in classes:
        return _finding_grid(counts, [name for name in classes if name != ALL], f"{title} and finding")
    drawing = figure(f"{title} and class" if len(classes) > 1 else title, height=min(1.5 + 0.34 * len(sites), 14))
    (ax,) = axes(drawing)
    tidy(ax, grid="x")
    left = np.zeros(len(sites))
    for name, (colour, hatch) in zip(classes, colours(len(classes)), strict=True):
        held = np.array([counts[site].get(name) or 0 for site in sites], dtype=float)  # None: hidden
        ax.barh(range(len(sites)), held, left=left, height=0.72, color=colour, hatch=hatch, edgecolor="white", linewidth=0.6,
                label=plain(name))
        left += held
    for y, site in enumerate(sites):
        if None in counts[site].values():
            ax.text(left[y], y, "  and hidden ones" if left[y] else "  hidden", va="center", fontsize=8.5, color=QUIET)
    ax.set_yticks(range(len(sites)), thinned(sites))
    ax.set_ylim(len(sites) - 0.4, -0.6)
    ax.set_xlabel("images")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(classes) > 1:
        legend_below(drawing, ax)
    return drawing


def _finding_grid(counts: Mapping[str, Mapping[str, int | None]], findings: Sequence[str], title: str) -> Figure:
    """Bars of the images of each site, and beside them how many have each finding: overlapping parts are not stacked."""
    sites = list(counts)
    drawing = figure(title, height=min(2.5 + 0.34 * len(sites), 14))
    bars, grid = axes(drawing, 1, 2, sharey=True, width_ratios=[1, 4.4])
    tidy(bars, grid="x")
    totals = np.array([counts[site].get(ALL) or 0 for site in sites], dtype=float)
    bars.barh(range(len(sites)), totals, height=0.72, color=PALETTE[0])
    bars.set_yticks(range(len(sites)), thinned(sites))
    bars.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
    panel_title(bars, "All images")
    table = np.array([[counts[site].get(name) or 0 for name in findings] for site in sites], dtype=float)
    shares = np.divide(table, totals[:, None], out=np.zeros(table.shape), where=totals[:, None] > 0)
    shades = np.sqrt(shares)  # a finding of 1 % is to be told from none, beside one of 60 %
    texts = [[words.told(counts[site].get(name, 0)) for name in findings] for site in sites] if len(sites) <= MOST_CELLS else None
    heat(grid, shades, texts, size=7)
    grid.tick_params(labelleft=False, left=False)
    name_columns(grid, findings)
    panel_title(grid, "Images with each finding (darker: a larger share)")
    bars.set_ylim(len(sites) - 0.5, -0.5)
    return drawing


def learning_curves(rounds: Sequence[RoundFinished], metric: str, *, best_round: int | None = None,
                    title: str = "Learning curves") -> Figure:
    """Loss and validation metric by round: all sites together in bold, each site thin, the kept round marked.

    Where a round is a step or two its training loss is one batch's: then it is averaged from one validation to the next.
    """
    loss_only = metric == "loss"
    drawing = figure(title, height=3.4, width=5.2 if loss_only else WIDTH)
    panels = axes(drawing, 1, 1 if loss_only else 2)
    sites = sorted({site for event in rounds for site in event.train_loss_by_site})
    _rounds_axis(panels[0], rounds, best_round)
    parts = stretches(rounds)
    for i, site in enumerate(sites):
        losses = [(part[-1].round, mean_of([e.train_loss_by_site[site] for e in part if site in e.train_loss_by_site]))
                  for part in parts]
        _line(panels[0], losses, **_thin(i, sites))
    losses = [(part[-1].round, mean_of([e.train_loss for e in part])) for part in parts]
    _line(panels[0], losses, color=PALETTE[0], linewidth=2.2, label="training")
    _line(panels[0], [(e.round, e.val.get("loss")) for e in rounds], color=INK, linewidth=2.2, linestyle="--", label="validation")
    panel_title(panels[0], "Loss (lower is better)")
    legend(panels[0])
    if not loss_only:
        _validation_panel(panels[1], rounds, metric, best_round)
    return drawing


def stretches(rounds: Sequence[RoundFinished]) -> list[list[RoundFinished]]:
    """The rounds from each validation (exclusive) to the next; what follows the last one is a stretch of its own."""
    parts: list[list[RoundFinished]] = [[]]
    for event in rounds:
        parts[-1].append(event)
        if event.val:
            parts.append([])
    return [part for part in parts if part]


def mean_of(values: Sequence[float]) -> float | None:
    """The mean, None of nothing."""
    return sum(values) / len(values) if values else None


def _validation_panel(ax: Axes, rounds: Sequence[RoundFinished], metric: str, best_round: int | None) -> None:
    sites = sorted({site for event in rounds for site in event.val_by_site})
    _rounds_axis(ax, rounds, best_round)
    for i, site in enumerate(sites):
        style = _thin(i, sites) | ({"label": plain(site, 20)} if len(sites) <= FEW_SITES else {})
        _line(ax, [(e.round, e.val_by_site.get(site, {}).get(metric)) for e in rounds], **style)
    _line(ax, [(e.round, e.val.get(metric)) for e in rounds], color=INK, linewidth=2.2, linestyle="--", label="all sites")
    panel_title(ax, f"{words.sentence(words.metric(metric))}, validation images")
    ax.set_ylim(top=1.02)
    legend(ax, loc="best")


def _rounds_axis(ax: Axes, rounds: Sequence[RoundFinished], best_round: int | None) -> None:
    ax.set_xlabel("round")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    if not rounds:
        empty(ax, "no rounds in the journal")
    elif best_round is not None:
        ax.axvline(best_round, color="#009E73", linewidth=1.2, linestyle=":", label=f"round kept ({best_round})")
    if len(rounds) == 1:
        ax.set_xlim(rounds[0].round - 1, rounds[0].round + 1)


def _thin(i: int, sites: Sequence[str]) -> dict[str, Any]:
    colour = PALETTE[(i + 1) % FEW_SITES] if len(sites) <= FEW_SITES else QUIET
    return {"color": colour, "linewidth": 0.9, "alpha": 0.85 if len(sites) <= FEW_SITES else 0.35}


def _line(ax: Axes, points: Sequence[tuple[int, float | None]], **style: Any) -> None:
    known = [(x, y) for x, y in points if y is not None and math.isfinite(y)]
    if known:
        marker = "o" if len(known) <= FEW_ROUNDS else ""
        ax.plot([x for x, _ in known], [y for _, y in known], marker=marker, markersize=3, **style)


def arms(estimates: Sequence[Estimate], metric: str, *, title: str = "") -> Figure:
    """Forest plot of the arms' results on the test images, with intervals."""
    return _forest_figure(estimates, title or f"{words.sentence(words.metric(metric))} on the test images",
                          f"{words.metric(metric)} (point: estimate, line: 95 % interval)", metric=metric)


def paired(estimates: Sequence[Estimate], *, kind: str, title: str) -> Figure:
    """Forest plot of paired comparisons. kind: "ratio" (no difference at 1) or "difference" (at 0)."""
    reference = {"ratio": 1.0, "difference": 0.0}[kind]
    return _forest_figure(estimates, title, f"{kind} (dashed: no difference)", reference=reference)


def per_site(estimates: Sequence[Estimate], metric: str, *, own: Mapping[str, float] | None = None, title: str = "") -> Figure:
    """One model at each hospital, worst first, with intervals. own: what each hospital's own local model reaches there."""
    ordered = sorted(estimates, key=lambda e: (math.isnan(e.value), -e.value if words.lower_is_better(metric) else e.value))
    title = title or f"{words.sentence(words.metric(metric))} at each hospital, worst first"
    drawing = figure(title, height=1.6 + 0.36 * min(len(ordered), 40))
    (ax,) = axes(drawing)
    _forest(ax, ordered, metric=metric)
    home = [(own or {}).get(e.label, math.nan) for e in ordered]
    if any(map(math.isfinite, home)):
        ax.scatter(home, range(len(home)), s=34, facecolor="white", edgecolor=ARM_COLOURS["local"], linewidth=1.4, zorder=4,
                   label="the hospital's own local model")
        kind = ordered[0].kind
        ax.scatter([], [], s=34, color=ARM_COLOURS.get(kind, PALETTE[0]), label=f"the {words.arm(kind).lower()} model")
        legend_below(drawing, ax, is_reversed=True)
        _limits(ax, [*home, *(v for e in ordered for v in (e.value, e.low, e.high))], metric=metric, reference=None)
    ax.set_xlabel(words.metric(metric))
    return drawing


def _forest_figure(estimates: Sequence[Estimate], title: str, label: str, *, reference: float | None = None,
                   metric: str | None = None) -> Figure:
    drawing = figure(title, height=1.35 + 0.36 * min(len(estimates), 40))
    (ax,) = axes(drawing)
    _forest(ax, estimates, metric=metric, reference=reference)
    ax.set_xlabel(label)
    return drawing


def _forest(ax: Axes, estimates: Sequence[Estimate], *, metric: str | None, reference: float | None = None) -> None:
    """Rows from top to bottom, the numbers at the right edge. metric: None for ratios and differences."""
    tidy(ax, grid="x")
    if not estimates:
        empty(ax, "nothing to compare")
        return
    if reference is not None:
        ax.axvline(reference, color=QUIET, linewidth=1.2, linestyle="--")
    show_numbers = len(estimates) <= 40
    for y, e in enumerate(estimates):
        colour = ARM_COLOURS.get(e.kind, ARM_COLOURS["federated"])
        if math.isfinite(e.low) and math.isfinite(e.high):
            ax.plot([e.low, e.high], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt", alpha=0.75)
        if math.isfinite(e.value):
            ax.scatter([e.value], [y], s=34, color=colour, zorder=3)
        if show_numbers:
            _number_at(ax, y, words.interval(e.value, e.low, e.high, words.digits(metric or "")))
    ax.set_yticks(range(len(estimates)), thinned([e.label for e in estimates]))
    ax.set_ylim(len(estimates) - 0.4, -0.6)
    _limits(ax, [v for e in estimates for v in (e.value, e.low, e.high)], metric=metric, reference=reference)


def _limits(ax: Axes, values: Sequence[float], *, metric: str | None, reference: float | None) -> None:
    """Room around the values and the reference, a share's within 0..1."""
    known = [v for v in values if math.isfinite(v)] + ([] if reference is None else [reference])
    if not known:
        ax.set_xlim(0, 1)
        return
    pad = max(0.06 * (max(known) - min(known)), 0.02)
    low, high = min(known) - pad, max(known) + pad
    is_share = metric is not None and words.is_share(metric)
    ax.set_xlim(max(low, -0.01) if is_share else low, min(high, 1.01) if is_share else high)


def grouped(groups: Mapping[str, Sequence[Estimate]], metric: str, *, title: str, lead: str, reference: float | None = None) -> Figure:
    """Forest plot of several arms a row, one above the other.

    groups: row -> an estimate an arm. lead: the arm whose numbers are printed."""
    most = max(map(len, groups.values()), default=0)
    step = 0.2 if most > 1 else 0.0
    drawing = figure(title, height=1.5 + (0.2 + 0.14 * most) * len(groups))
    (ax,) = axes(drawing)
    tidy(ax, grid="x")
    if reference is not None:
        ax.axvline(reference, color=QUIET, linewidth=1.2, linestyle="--")
    for y, estimates in enumerate(groups.values()):
        for place, e in enumerate(estimates):
            _dodged(ax, e, y + step * (place - (len(estimates) - 1) / 2))
            if e.kind == lead:
                _number_at(ax, y, words.interval(e.value, e.low, e.high, words.digits(metric)))
    ax.set_yticks(range(len(groups)), [plain(label, 44) for label in groups])
    ax.set_ylim(len(groups) - 0.4, -0.6)
    _limits(ax, [v for row in groups.values() for e in row for v in (e.value, e.low, e.high)], metric=metric, reference=reference)
    ax.set_xlabel(words.metric(metric))
    if most > 1:
        for kind in dict.fromkeys(e.kind for row in groups.values() for e in row):
            ax.scatter([], [], s=24, color=ARM_COLOURS.get(kind, PALETTE[0]), label=words.arm(kind))
        legend_below(drawing, ax)
    return drawing


def _number_at(ax: Axes, y: float, text: str) -> None:
    """A text right of the axes."""
    ax.annotate(text, (1, y), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8.5,
                color=INK, annotation_clip=False)


def _dodged(ax: Axes, e: Estimate, y: float) -> None:
    """One estimate with its interval, at a height between rows."""
    colour = ARM_COLOURS.get(e.kind, PALETTE[0])
    if math.isfinite(e.low) and math.isfinite(e.high):
        ax.plot([e.low, e.high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt", alpha=0.7)
    if math.isfinite(e.value):
        ax.scatter([e.value], [y], s=22, color=colour, zorder=3)


def site_matrix(values: np.ndarray, sites: Sequence[str], metric: str) -> Figure:
    """Each hospital's own model (rows) on each hospital's test images (columns). values: (k, k), NaN where not estimable."""
    side = min(1.9 + 0.62 * len(sites), 11)
    title = f"{words.sentence(words.metric(metric))} of each local model at each hospital"
    drawing = figure(title, height=side, width=max(side + 1.6, 6.4))
    (ax,) = axes(drawing)
    texts = [["–" if math.isnan(value) else words.number(value, 2) for value in row] for row in values]
    heat(ax, values, texts if len(sites) <= 12 else None)
    name_columns(ax, sites)
    ax.set_yticks(range(len(sites)), thinned(sites))
    ax.set_xlabel("tested at")
    ax.set_ylabel("trained at")
    return drawing


def heat(ax: Axes, values: np.ndarray, texts: Sequence[Sequence[str]] | None, *, size: float = 9) -> None:
    """A grid of shares in 0..1, light to dark blue, with a text in each cell. size: of the texts."""
    tidy(ax, grid="none")
    ax.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    ax.spines[:].set_visible(False)
    for y, line in enumerate(texts or ()):
        for x, text in enumerate(line):
            ax.text(x, y, text, ha="center", va="center", fontsize=size, color="white" if values[y, x] > 0.7 else INK)


def name_columns(ax: Axes, names: Sequence[str]) -> None:
    """Names under the columns of a grid, turned where they would touch."""
    is_turned = len(names) > 5 or max(map(len, names), default=0) > 12
    ax.set_xticks(range(len(names)), thinned(names), rotation=30 if is_turned else 0, ha="right" if is_turned else "center")


def shown_picture(image: np.ndarray, title: str) -> Figure:
    """A picture as it is. image: (C, H, W) uint8."""
    _, height, width = image.shape
    drawing = figure(title, height=0.6 + WIDTH * height / width)
    (ax,) = axes(drawing)
    ax.set_axis_off()
    ax.imshow(image[0] if len(image) == 1 else image.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=255)
    return drawing


def worst_errors(images: np.ndarray, captions: Sequence[str]) -> Figure:
    """Gallery of the surest wrong answers. images: (k, C, H, W) uint8; captions: truth, prediction, probability, site."""
    columns = 4
    shown = min(len(images), 12)
    drawing = figure("Worst errors: wrong answers the model was surest of", height=0.6 + 2.35 * max(1, -(-shown // columns)))
    panels = axes(drawing, max(1, -(-shown // columns)), columns)
    for ax in panels:
        ax.set_axis_off()
    for ax, picture, caption in zip(panels, images[:shown], captions, strict=False):
        ax.imshow(picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=255)
        ax.set_title("\n".join(plain(line, 26) for line in caption.splitlines()), fontsize=8, loc="left", color=INK)
    if not shown:
        empty(panels[0], "no wrong answers")
    return drawing

