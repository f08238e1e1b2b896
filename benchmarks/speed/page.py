"""latest.md and latest.png from the JSON files beside them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from goals import MEMORY, WALL, goals
from workloads import MAIN, WORKLOADS

SHOWN = {"bare1": "one process by hand", "bare2p": "two processes by hand", "bare2p_best": "by hand, faster layout",
         "wardround_fp32": "wardround, fp32", "wardround_auto": "wardround, auto"}
COLOURS = {"bare1": "#b9bec4", "bare2p": "#7d848c", "bare2p_best": "#4c535b", "wardround_fp32": "#3b78b5", "wardround_auto": "#d1752b"}
HEAD = ["variant", "wall s", "x bare2p", "lowest ... highest", "x bare2p_best", "CPU x", "start-up s", "data s", "loop s", "loop x",
        "peak MB", "MB x", "train loss", "val acc."]
INTRO = """\
# Speed against loops written by hand

Written by `make bench-speed`. Wall time is that of the whole process, from its start to its exit; "x" are ratios to `bare2p` (two
processes, fp32, contiguous) of the same repeat, medians; `bare2p_best` is the faster of contiguous and channels_last. Start-up is from
exec to the first step and holds the reading of data. Peak memory is the proportional set size of the whole tree, of a run of its own.
All variants take the same steps on the same rows from the same first weights.
"""


def written(folder: Path) -> None:
    """Write the page, and the figure if there are workloads to show."""
    latest, machine, micro, decode, growth = (_read(folder / f"{name}.json") for name in ("latest", "machine", "micro", "decode", "growth"))
    facts = ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in machine.items())
    parts = [INTRO, f"Machine: {facts}\n", goal_table(latest, micro, decode)]
    parts += [table(name, of) for name, of in latest.items()]
    if micro:
        parts.append("## The engine's own costs\n\n```json\n" + json.dumps(micro, indent=1) + "\n```\n")
    if growth:
        parts.append("## As work grows\n\n![cost as work grows](growth.png)\n")
    if any(name in latest for name in MAIN):
        draw(latest, folder / "latest.png")
        parts.insert(2, "![ratios to the hand-written loop](latest.png)\n")
    (folder / "latest.md").write_text("\n".join(parts))


def goal_table(latest: dict[str, Any], micro: dict[str, Any], decode: dict[str, Any]) -> str:
    lines = ["## Goals", "", "| goal | at most | measured | |", "|---|---|---|---|"]
    for goal in goals(latest, micro, decode):
        limit = f"at least {goal.limit:g}" if goal.at_least else f"{goal.limit:g}"
        lines.append(f"| {goal.what} | {limit} | {text(goal.value, 3)} | {goal.verdict} |")
    return "\n".join(lines) + "\n"


def table(workload: str, summary: dict[str, dict[str, Any]]) -> str:
    """A workload's figures as Markdown."""
    lines = [f"### {workload}: {WORKLOADS[workload].title}", "", "| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    order = [*SHOWN, "bare2p_channels_last", "wardround_command"]  # the last two are never bars
    for name in sorted(summary, key=order.index):
        of = summary[name]
        chosen = f" ({of.get('precision', 'fp32')}, {of['layout']})" if "layout" in of else ""
        spread = f"{text(of['ratio_lowest'])} ... {text(of['ratio_highest'])}" if of["ratio_lowest"] is not None else ""
        keys = ("cpu_ratio_to_bare2p", "startup_s", "data_s", "loop_s", "loop_ratio_to_bare2p")
        cells = [name + chosen, text(of["wall_s"]), text(of["ratio_to_bare2p"]), spread, text(of.get("ratio_to_bare2p_best")),
                 *(text(of[key]) for key in keys), text(of["pss_mb"], 0), text(of["memory_ratio_to_bare2p"]), text(of["train_loss"], 4),
                 text(of["val_accuracy"], 3)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def text(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def draw(latest: dict[str, Any], path: Path) -> None:
    """Wall time and memory of each variant as ratios to bare2p, with the goals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in MAIN if name in latest]
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 1.4 + 1.35 * len(names)), layout="constrained", sharey=True)
    for axis, key, title in zip(axes, ("ratio_to_bare2p", "memory_ratio_to_bare2p"),
                                ("Wall time of the whole process", "Peak memory of all processes"), strict=True):
        for place, workload in enumerate(names):
            _bars(axis, place, workload, latest[workload], key)
        axis.axvline(1, color="#4c535b", linewidth=1)
        axis.set(title=title, xlabel="ratio to two processes by hand, fp32 (less is better)")
        axis.set_xlim(0, 1.12 * axis.get_xlim()[1])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(names)), names, fontweight="bold")
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=len(unique), frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _bars(axis: Any, place: int, workload: str, summary: dict[str, dict[str, Any]], key: str) -> None:
    shown = [name for name in SHOWN if summary.get(name, {}).get(key) is not None]
    height = 0.8 / max(len(shown), 1)
    for index, name in enumerate(shown):
        value, middle = summary[name][key], place - 0.4 + (index + 0.5) * height
        axis.barh(middle, value, 0.9 * height, color=COLOURS[name], label=SHOWN[name])
        axis.annotate(f"{value:.2f}", (value, middle), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8, zorder=5,
                      bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"})
        precision = name.removeprefix("wardround_")
        limit = WALL.get((workload, precision)) if key == "ratio_to_bare2p" else MEMORY if precision != name else None
        if limit is not None:
            axis.plot([limit, limit], [middle - 0.5 * height, middle + 0.5 * height], color="#111111", linewidth=2.2, label="goal")


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


if __name__ == "__main__":
    written(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
