"""Any two finished runs on the same test patients: a U-Net and an Attention U-Net, the whole network shared and a part of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wardround.evaluation import paired
from wardround.evaluation.scores import Entry
from wardround.runs.folder import RunFolder


def contrast(first: Path | str | RunFolder, second: Path | str | RunFolder) -> dict[str, Entry]:
    """Return {metric: {"ratio", "low", "high", "difference", "difference_low", "difference_high"}} of first against second, with
    paired patient-level intervals; WardroundError unless both runs tested the same cases."""
    runs = [run if isinstance(run, RunFolder) else RunFolder(Path(run)) for run in (first, second)]
    names = ("first", "second")
    thresholds: dict[str, Any] = {name: [[run.scores()["threshold"]]] for name, run in zip(names, runs, strict=True)}
    results = {name: [[run.predictions()]] for name, run in zip(names, runs, strict=True)}
    plan = runs[0].plan()
    return paired.compare(results, thresholds, plan=plan.evaluation, seed=plan.split.seed, pairs=[names])["first/second"]
