"""From the engine that a plan names to one that runs."""

from __future__ import annotations

from pathlib import Path

import torch

from wardround.build import ArmBlueprint, num_workers
from wardround.core.params import Layout
from wardround.fleet.local import LocalFleet
from wardround.fleet.ray import RayFleet


def open_fleet(blueprint: ArmBlueprint, layout: Layout, *, work: Path) -> LocalFleet | RayFleet:
    """The engine of the blueprint's plan, with its sites; the caller closes it. work: a folder of the run for what sites remember.

    MissingExtra if the engine is not installed."""
    plan = blueprint.plan
    if plan.engine.name == "ray":
        return RayFleet(blueprint, workers=plan.engine.workers, device=blueprint.device)
    is_forked = blueprint.device == "cpu" and "fork" in torch.multiprocessing.get_all_start_methods()
    return LocalFleet(blueprint, layout, workers=num_workers(plan), work=work, is_forked=is_forked)
