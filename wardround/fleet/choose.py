"""From the engine that a plan names to one that runs, with what the plan wants done on the way."""

from __future__ import annotations

from pathlib import Path

import torch

from wardround.attacks.choose import make_corruption, malicious
from wardround.build import ArmBlueprint, num_workers
from wardround.core.params import Layout
from wardround.fleet.hostile import HostileFleet
from wardround.fleet.local import LocalFleet
from wardround.fleet.ray import RayFleet
from wardround.fleet.wrapped import Watched


def open_fleet(blueprint: ArmBlueprint, layout: Layout, *, work: Path) -> Watched:
    """The engine of the blueprint's plan, with its sites; the caller closes it. work: a folder of the run for what sites remember.

    MissingExtra if the engine is not installed."""
    plan, fleet = blueprint.plan, _engine(blueprint, layout, work)
    if (corruption := make_corruption(plan.attack)) is not None:
        fleet = HostileFleet(fleet, corruption, sites=malicious(plan.attack, list(blueprint.rows), plan.seed),
                             from_round=plan.attack.from_round, seed=plan.seed)
    return fleet


def _engine(blueprint: ArmBlueprint, layout: Layout, work: Path) -> Watched:
    plan = blueprint.plan
    if plan.engine.name == "ray":
        return RayFleet(blueprint, workers=plan.engine.workers, device=blueprint.device)
    is_forked = blueprint.device == "cpu" and "fork" in torch.multiprocessing.get_all_start_methods()
    return LocalFleet(blueprint, layout, workers=num_workers(plan), work=work, is_forked=is_forked)
