"""From single runs to latest.json and latest.md."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from statistics import median
from typing import Any

from page import table, written
from workloads import Workload

YARDSTICK = "bare2p"
LAYOUTS = ("bare2p", "bare2p_channels_last")
MEDIANS = ("wall_s", "cpu_s", "loop_s", "startup_s", "data_s", "train_loss", "val_loss", "val_accuracy")
TEXTS = ("precision", "layout", "steps")


class Results:
    """Collects runs; after each workload latest.json, latest.md and machine.json are written to folder (None: only printed)."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._runs: dict[str, dict[str, dict[int, dict[str, Any]]]] = {}

    def add(self, workload: str, variant: str, repeat: int, facts: dict[str, Any]) -> None:
        """repeat: 1, 2, ... of timed runs; 0, -1, ... of those whose memory was sampled."""
        self._runs.setdefault(workload, {}).setdefault(variant, {})[repeat] = facts

    def close(self, work: Workload) -> None:
        """Check and write a workload whose runs are complete."""
        runs = self._runs[work.name]
        check_same_work(work.name, runs)
        summary = summarised(runs)
        path = self.folder / "latest.json" if self.folder else None
        latest = json.loads(path.read_text()) if path and path.exists() else {}
        latest[work.name] = {**latest.get(work.name, {}), **summary}
        print(table(work.name, latest[work.name]), flush=True)
        if self.folder and path:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(latest, indent=1) + "\n")
            (self.folder / "machine.json").write_text(json.dumps(machine(), indent=1) + "\n")
            written(self.folder)


def check_same_work(workload: str, runs: dict[str, dict[int, dict[str, Any]]]) -> None:
    """ValueError if the variants took different numbers of steps, or learnt something else."""
    steps = {name: of[0]["steps"] for name, of in runs.items() if "steps" in of[0]}
    if len(set(steps.values())) > 1:
        raise ValueError(f"{workload}: not the same work, steps were {steps}")
    losses = {name: of[0]["train_loss"] for name, of in runs.items() if "train_loss" in of[0]}
    if losses and max(losses.values()) > 1.15 * min(losses.values()) + 0.02:
        raise ValueError(f"{workload}: not the same work, the training losses of the last round were {losses}")


def summarised(runs: dict[str, dict[int, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """{variant: figures}: medians over the timed repeats; ratios are pairwise within a repeat."""
    summary = {name: _figures(name, runs) for name in runs}
    if all(name in summary for name in LAYOUTS):
        best = min(LAYOUTS, key=lambda name: summary[name]["wall_s"])
        for name in runs:
            summary[name]["ratio_to_bare2p_best"] = _ratios(runs, name, best, "wall_s")[0]
        by_layout = {name: summary[name]["wall_s"] for name in LAYOUTS}
        summary["bare2p_best"] = {**summary[best], "layout": "contiguous" if best == YARDSTICK else "channels_last", "wall_s_by": by_layout}
        del summary["bare2p_channels_last"]
    return summary


def _figures(name: str, runs: dict[str, dict[int, dict[str, Any]]]) -> dict[str, Any]:
    own = runs[name]
    repeats = [facts for repeat, facts in own.items() if repeat > 0]
    found: dict[str, Any] = {key: median(facts[key] for facts in repeats) if repeats[0].get(key) is not None else None for key in MEDIANS}
    found["pss_mb"] = median(facts["pss_mb"] for repeat, facts in own.items() if repeat < 1)
    ratio, low, high = _ratios(runs, name, YARDSTICK, "wall_s")
    found |= {"ratio_to_bare2p": ratio, "ratio_lowest": low, "ratio_highest": high,
              "loop_ratio_to_bare2p": _ratios(runs, name, YARDSTICK, "loop_s")[0],
              "cpu_ratio_to_bare2p": _ratios(runs, name, YARDSTICK, "cpu_s")[0],
              "memory_ratio_to_bare2p": _ratios(runs, name, YARDSTICK, "pss_mb", is_timed=False)[0],
              "num_repeats": len(repeats), "runs_wall_s": [facts["wall_s"] for facts in repeats]}
    return found | {key: own[0][key] for key in TEXTS if key in own[0]}


def _ratios(runs: dict[str, dict[int, dict[str, Any]]], name: str, other: str, key: str, *,
            is_timed: bool = True) -> tuple[float | None, float | None, float | None]:
    """Median, lowest and highest of the ratio of two runs of the same repeat."""
    if other not in runs or runs[name][0].get(key) is None:
        return None, None, None
    both = [repeat for repeat in runs[name] if repeat in runs[other] and (repeat > 0) == is_timed]
    pairs = [runs[name][repeat][key] / runs[other][repeat][key] for repeat in both]
    return median(pairs), min(pairs), max(pairs)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {"processor": (names or [platform.machine()])[0], "cores": len(os.sched_getaffinity(0)), "python": platform.python_version(),
            "torch": torch.__version__, "bf16_instructions": torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported(),
            "load_average": os.getloadavg()[0], "measured": time.strftime("%Y-%m-%d", time.gmtime())}
