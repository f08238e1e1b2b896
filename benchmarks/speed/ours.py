"""The same work by wardround's engine: its blueprint straight from arrays, its local fleet, its round loop."""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stamps import first_step, write_result
from torch import Tensor
from workloads import HERE, LR, MOMENTUM, SEED, WORKLOADS, Arrays, Workload, load

from wardround.build import ArmBlueprint, build_strategy, initial_params, trial_of
from wardround.core.events import Event, RoundFinished
from wardround.data.feeds import Feed, ImageFeed
from wardround.data.slices import SliceFeed
from wardround.data.transforms import Augment
from wardround.fleet.local import LocalFleet
from wardround.plan.schema import CohortPlan, DataPlan, EnginePlan, ModelPlan, Plan, Recipe, RoundsPlan, SitesPlan
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.sites.site import SiteRows
from wardround.strategies.base import Strategy
from wardround.strategies.fedavg import FedAvg
from wardround.training.probe import candidates, fastest

MODELS: dict[str, dict[str, Any]] = {"cnn": {"name": f"{HERE / 'networks.py'}:cnn"}, "resnet18": {"name": "resnet18", "stem": "7x7"},
                                     "unet": {"name": "unet"}}


class StampedImages(ImageFeed):
    """Notes when the first training batch is asked for."""

    def batch(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        first_step()
        return super().batch(rows, generator)


class StampedSlices(SliceFeed):
    """Notes when the first training batch is asked for."""

    def batch(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        first_step()
        return super().batch(rows, generator)


def plan_of(work: Workload, *, precision: str, layout: str, workers: int = 2) -> Plan:
    """The workload as a plan."""
    return Plan(name=f"speed-{work.name}", seed=SEED, data=DataPlan(size=work.size, channels=work.channels),
                sites=SitesPlan(num=work.num_sites), model=ModelPlan(norm="batch", **MODELS[work.model]),
                recipe=Recipe(lr=LR, momentum=MOMENTUM, batch_size=work.batch_size), rounds=RoundsPlan(num=work.rounds, metric="loss"),
                cohort=CohortPlan(fraction=work.fraction),
                engine=EnginePlan.model_validate({"workers": workers, "precision": precision, "layout": layout, "device": "cpu"}))


def blueprint_of(work: Workload, arrays: Arrays, plan: Plan, strategy: Strategy | None = None) -> ArmBlueprint:
    """What a worker needs, built from arrays instead of a data set's folder."""
    augment = Augment(plan.augment)
    feed: Feed
    if work.mask_slices:
        patients = np.repeat([f"p{index}" for index in range(len(arrays.images) // work.mask_slices)], work.mask_slices).astype(object)
        feed = StampedSlices(images=arrays.images, masks=arrays.truth, patients=patients, normalisation="fixed", augment=augment)
    else:
        feed = StampedImages(images=arrays.images, labels=torch.from_numpy(arrays.truth), normalisation="fixed", augment=augment)
    nothing = np.empty(0, np.int64)
    rows = {name: SiteRows(name=name, train=train, val=arrays.val[name], test=nothing) for name, train in arrays.train.items()}
    return ArmBlueprint(plan=plan, strategy=strategy or build_strategy(plan), rows=rows, feed=feed,
                        task="segmentation" if work.mask_slices else "binary", classes=tuple(f"class-{i}" for i in range(work.num_classes)))


class CountedFedAvg(FedAvg):
    """FedAvg that counts the steps its sites took, at the server."""

    num_steps = 0

    def aggregate(self, state: Any, updates: Any) -> Any:
        def counted() -> Any:
            for update in updates:
                CountedFedAvg.num_steps += update.num_steps
                yield update

        return super().aggregate(state, counted())


def counted(blueprint: ArmBlueprint) -> ArmBlueprint:
    """The same with a strategy that counts."""
    strategy = blueprint.strategy
    assert isinstance(strategy, FedAvg)
    return replace(blueprint, strategy=CountedFedAvg(recipe=strategy.recipe, lr_factor=strategy.lr_factor))


def chosen(blueprint: ArmBlueprint) -> ArmBlueprint:
    """The same with "auto" replaced by what the probe found on this machine, now or earlier."""
    engine = blueprint.plan.engine
    arithmetic = fastest(trial_of(blueprint), candidates(engine, "cpu"))
    engine = engine.model_copy(update={"precision": arithmetic.precision, "layout": arithmetic.layout})
    return replace(blueprint, plan=blueprint.plan.model_copy(update={"engine": engine}))


def run(blueprint: ArmBlueprint, workers: int = 2) -> tuple[Course, RoundFinished]:
    """All rounds, with evaluation after each; the last round's event."""
    last: list[RoundFinished] = []

    def watch(event: Event) -> None:
        if isinstance(event, RoundFinished):
            last[:] = [event]

    start = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    with tempfile.TemporaryDirectory() as folder:
        fleet = LocalFleet(blueprint, start.params.layout, workers=workers, work=Path(folder) / "work")
        try:
            course = run_rounds(blueprint.plan, blueprint.strategy, fleet, Course(state=start, best=start.params), watch=watch,
                                save=lambda course: None)
        finally:
            fleet.close()
    return course, last[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=list(WORKLOADS))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "auto"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sites", type=int, help="another number of sites, as many in a round as the workload has")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--params", type=Path, help="also write the last global model, a .npy")
    given = parser.parse_args()
    work = WORKLOADS[given.workload].quick() if given.quick else WORKLOADS[given.workload]
    if given.sites:
        work = replace(work, num_sites=given.sites, fraction=work.fraction * work.num_sites / given.sites)
    began = time.time()
    arrays = load(work, given.data)
    data_s = time.time() - began
    layout = "contiguous" if given.precision == "fp32" else "auto"
    blueprint = blueprint_of(work, arrays, plan_of(work, precision=given.precision, layout=layout, workers=given.workers))
    began = time.time()
    blueprint = chosen(blueprint)
    probe_s = time.time() - began
    course, last = run(counted(blueprint), given.workers)
    loop_end = time.time()
    if given.params:
        np.save(given.params, course.state.params.flat.numpy())
    write_result(given.result, data_s=data_s, loop_end=loop_end, steps=CountedFedAvg.num_steps, train_loss=last.train_loss,
                 val_loss=last.val["loss"], val_accuracy=last.val.get("accuracy"), precision=blueprint.plan.engine.precision,
                 layout=blueprint.plan.engine.layout, failed=dict(last.failed), probe_s=probe_s)


if __name__ == "__main__":
    main()
