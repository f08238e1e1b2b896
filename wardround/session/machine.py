"""What this machine offers: versions, cores, memory, disk, and in what a small network trains fastest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wardround.training.probe import Trial

GIB = 1024**3
PACKAGES = ("wardround", "torch", "monai", "numpy", "pydantic", "pillow", "nibabel", "pydicom")


def versions() -> dict[str, str]:
    """Version of Python and of each package that results may depend on; "not installed" where it is missing."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, str]:
    """Cores, memory, disk, cache folder, torch threads, GPU."""
    import torch

    from wardround.data.cache import cores
    from wardround.places import cache_root

    cache = cache_root()
    disk = shutil.disk_usage(existing(cache))
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(cores()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.1f} GiB" if hasattr(os, "sysconf") else "unknown",
        "cache folder": str(cache),
        "free disk there": f"{disk.free / GIB:.1f} of {disk.total / GIB:.1f} GiB",
        "torch threads": str(torch.get_num_threads()),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def resident() -> int:
    """Bytes of memory that this process has now; where the system does not tell, the most it ever had, or 0."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return most_resident() or 0


def most_resident() -> int | None:
    """The most bytes of memory that this process has had; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def trial() -> Trial:
    """A training step of the network `cnn` on 8 grey images of 64 x 64, on the device that plans choose by themselves."""
    import torch

    from wardround.core.params import FlatModel
    from wardround.models.build import build_model
    from wardround.plan.schema import ModelPlan, Recipe
    from wardround.training.probe import Trial

    plan, device = ModelPlan(name="cnn"), "cuda" if torch.cuda.is_available() else "cpu"

    def model() -> FlatModel:
        return FlatModel(build_model(plan, in_channels=1, num_outputs=4, shape=(64, 64), seed=0), device)

    return Trial(model=model, network=plan.model_dump(mode="json"), recipe=Recipe(), task="multiclass", num_classes=4,
                 shape=(8, 1, 64, 64), device=device)


def steps(timed_on: Trial) -> tuple[dict[str, str], str]:
    """Milliseconds of a step in each number format and layout, and a sentence on what plans with "auto" would choose for it."""
    from wardround.plan.schema import EnginePlan
    from wardround.training.probe import candidates, choose, ratio, timed, typical, words

    found = timed(timed_on, candidates(EnginePlan(), timed_on.device), is_thorough=True)
    chosen, plainest = choose(found), next(iter(found))
    shown = {f"training step, {words(one)}": f"{typical(times):.1f} ms" for one, times in found.items()}
    gain = f", {ratio(found, plainest, chosen):.1f} times as fast as {words(plainest)}" if chosen != plainest else ""
    return shown, (f"engine.precision and engine.layout = \"auto\" would compute this small network in {words(chosen)}{gain}; "
                   "each plan's own network is timed when it runs first.")
