"""Quality against rounds and against bytes, a panel a partition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from design import Study
from judge import BASELINE, Group, Judged, words

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito 2008: told apart by the colour-blind
BLACK, GREY = "#111111", "#c8c8c8"
NUM_NAMED = 5  # methods beside FedAvg that have a colour and a name; the others are grey
COLUMNS = 3
KINDS = {"rounds": "rounds (log)", "bytes": "MB that the sites sent (log)"}
Line = list[tuple[float, float]]


def draw(study: Study, partitions: Sequence[Judged], folder: Path) -> list[Path]:
    """Write figures/STUDY-rounds.png and STUDY-bytes.png, of validation curves, and where methods have families also
    STUDY-budget-rounds.png and -bytes.png: the tested quality of runs of so many rounds. Returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    curved = [one for one in partitions if any(curve(group, "rounds") for group in federated(one))]
    related = [one for one in partitions if families(one)]
    for kind in KINDS:
        if curved:
            paths.append(folder / f"{study.name}-{kind}.png")
            _panels(curved, paths[-1], kind, f"validation {words(study.metric)}", _curves)
        if related:
            paths.append(folder / f"{study.name}-budget-{kind}.png")
            _panels(related, paths[-1], kind, f"test {words(study.metric)}", _budgets)
    return paths


def federated(one: Judged) -> list[Group]:
    """Methods that make one model for all: personal ones, judged at home only, would lie above them for no merit."""
    return [group for group in one.groups.values() if group.arm == "federated" and not group.is_personal]


def curve(group: Group, kind: str) -> Line:
    """(rounds or MB, validation metric) of each evaluation that all seeds have, mean over seeds."""
    by_seed = [{point[0]: point for point in record["curve"]} for record in group.records.values()]
    shared = sorted(set.intersection(*(set(points) for points in by_seed)))
    column = 0 if kind == "rounds" else 2
    means = [(mean(points[t][column] for points in by_seed), mean(points[t][3] for points in by_seed)) for t in shared]
    return [(x if kind == "rounds" else x / 1e6, y) for x, y in means if x > 0]


def families(one: Judged) -> dict[str, list[Group]]:
    """Families of at least two methods with results, by their number of rounds."""
    found: dict[str, list[Group]] = {}
    for group in federated(one):
        if group.family and group.values(one.study.metric):
            found.setdefault(group.family, []).append(group)
    return {name: sorted(groups, key=lambda group: group.mean_of("rounds") or 0) for name, groups in found.items() if len(groups) > 1}


def named(one: Judged) -> list[str]:
    """FedAvg and the methods of the best test results."""
    def quality(group: Group) -> float:
        values = group.values(one.study.metric)
        return mean(values) if values else -1.0

    best = sorted((group for group in federated(one) if group.method != BASELINE), key=quality, reverse=True)
    return [BASELINE, *(group.method for group in best[:NUM_NAMED])]


def _panels(partitions: Sequence[Judged], path: Path, kind: str, label: str, fill: Any) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator, NullLocator
    from PIL import Image

    columns = min(COLUMNS, len(partitions))
    rows = -(-len(partitions) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(5.6 * columns, 4.0 * rows), layout="constrained", squeeze=False)
    for axis, one in zip(axes.flat, partitions, strict=False):
        fill(axis, one, kind)
        axis.set_title(one.partition.title, fontsize=11)
        axis.set_xlabel(KINDS[kind])
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel(label)
    for axis in list(axes.flat)[len(partitions):]:
        axis.set_visible(False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(96, dither=Image.Dither.NONE)  # a third of the bytes
    few.save(path, optimize=True)


def _curves(axis: Any, one: Judged, kind: str) -> None:
    shown = named(one)
    colours = dict(zip(shown, (BLACK, *COLOURS), strict=False))
    lines = {group.method: curve(group, kind) for group in federated(one)}
    ends = []
    for name in sorted(lines, key=lambda name: name in shown):
        line = lines[name]
        if line:
            x, y = zip(*line, strict=True)
            axis.plot(x, y, color=colours.get(name, GREY), linewidth=1.8 if name in shown else 0.8, zorder=3 if name in shown else 1,
                      marker="o" if len(line) == 1 else None, markersize=4)
            ends += [(x[-1], y[-1], name, colours[name])] if name in shown else []
    reference = one.groups.get(one.partition.reference or "")
    if reference is not None and curve(reference, "rounds"):
        _across(axis, max(y for _, y in curve(reference, "rounds")), "pooled")
    _focus(axis, [y for name in shown for _, y in lines.get(name, [])])
    axis.set_xscale("log")
    _name(axis, ends)


def _budgets(axis: Any, one: Judged, kind: str) -> None:
    metric, ends = one.study.metric, []
    for (name, groups), colour in zip(families(one).items(), (BLACK, *COLOURS), strict=False):
        x = [group.mean_of("rounds" if kind == "rounds" else "bytes_up") or 0.0 for group in groups]
        x = x if kind == "rounds" else [sent / 1e6 for sent in x]
        values = [group.values(metric) for group in groups]
        y = [mean(each) for each in values]
        axis.plot(x, y, color=colour, marker="o", markersize=4.5, linewidth=1.8)
        for across, each in zip(x, values, strict=True):
            axis.plot([across, across], [min(each), max(each)], color=colour, linewidth=1, alpha=0.6)  # the seeds' range
        ends.append((x[-1], y[-1], name, colour))
    reference = one.groups.get(one.partition.reference or "")
    if reference is not None and reference.values(metric):
        _across(axis, mean(reference.values(metric)), "pooled")
    axis.set_xscale("log")
    _name(axis, ends)


def _across(axis: Any, value: float, name: str) -> None:
    axis.axhline(value, color="#555555", linewidth=1.2, linestyle=(0, (5, 3)), zorder=2)
    axis.annotate(name, (0.01, value), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points", fontsize=9,
                  color="#555555")


def _focus(axis: Any, values: Sequence[float]) -> None:
    """Leave the lowest twentieth of the named points below the picture: a first round by chance would flatten all others."""
    if len(values) > 10:
        ranked = sorted(values)
        low, (_, high) = ranked[len(ranked) // 20], axis.get_ylim()
        axis.set_ylim(low - 0.05 * (high - low), high)


def _name(axis: Any, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each line's name right of the panel at the height of its end, moved apart where names would meet."""
    low, high = axis.get_ylim()
    step, right = 0.062 * (high - low), axis.get_xlim()[1]
    ranked = sorted(((x, min(max(y, low), high), name, colour) for x, y, name, colour in ends), key=lambda end: end[1])
    places: list[float] = []
    for _, y, _, _ in ranked:
        places.append(max(y, places[-1] + step) if places else y)
    excess = max(0.0, places[-1] - high) if places else 0.0
    for (x, y, name, colour), place in zip(ranked, places, strict=True):
        axis.annotate(name, (x, y), xytext=(right * 1.04, place - excess), fontsize=9, color=colour, va="center", annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.6, "shrinkA": 0, "shrinkB": 0})
