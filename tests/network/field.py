"""Small studies over TLS for the tests: phantoms dealt to hospitals once, then as many rehearsals as a test file needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from wardround.data.deal import deal
from wardround.network.rehearsal import Rehearsal
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan
from wardround.runs.folder import RunFolder
from wardround.session import run

SETTINGS = ["data.phantoms=96", "data.size=16", "model.width=8", "recipe.single_step=false", "recipe.local_epochs=1.0",
            "strategy.name=fedavg",
            "recipe.warmup=0", "rounds.num=4", "rounds.evaluate_every=2", "engine.precision=fp32", "cohort.deadline_s=60",
            "evaluation.resamples=100"]


def plan_of(*sites: str, settings: tuple[str, ...] = ()) -> Plan:
    """A plan of a second a round, whose images `hospitals` dealt."""
    names = ", ".join(f'"{site}"' for site in sites)
    return load_plan("demo", [*SETTINGS, "sites.partition=iid", f"sites.num={len(sites)}", f"sites.names=[{names}]", *settings])


def hospitals(folder: Path, *sites: str) -> Mapping[str, Path]:
    """Each site's own folder of phantoms."""
    return deal(plan_of(*sites), folder, lambda event: None)


def on_this_machine(field: Rehearsal, folder: Path, out: Path) -> RunFolder:
    """The rehearsal's plan by the local engine over the same folders; `folder` holds one for each site."""
    text = field.study.plan_file
    return RunFolder(run(load_plan(text, [f"data.folder={folder}"]), out=out).path)


def same_bits(first: RunFolder, second: RunFolder) -> bool:
    """Whether two runs ended with the same model."""
    mine, other = (load_file(run.path / "model.safetensors") for run in (first, second))
    return mine.keys() == other.keys() and all(torch.equal(mine[name], other[name]) for name in mine)
