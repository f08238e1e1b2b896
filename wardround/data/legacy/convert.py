"""One door for old files: a model if the target is a .safetensors file, else a data set."""

from __future__ import annotations

from pathlib import Path

from wardround.data.legacy import datasets, modules
from wardround.errors import PlanError


def convert(source: Path, target: Path, classes: str = "") -> dict[str, str]:
    """Convert and report, fact by fact. classes: names of the labels 0, 1 ..., separated by commas. Nothing in source is executed."""
    names = [name.strip() for name in classes.split(",")] if classes else []
    if target.suffix != ".safetensors":
        if len(set(names)) != len(names) or "" in names:
            raise PlanError(f"--classes {classes}: a name is empty or occurs twice. Name the labels 0, 1 ... as a,b,...")
        return datasets.convert(source, target, names).facts()
    if names:
        raise PlanError("--classes names the labels of a data set; a model has none. Leave it out, or name a folder.")
    return modules.convert(source, target).facts()
