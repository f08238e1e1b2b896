"""What a plan will cost on this machine, before it is trained: an estimate, from counts and a few steps of its own training."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wardround.build import ArmBlueprint, build, check_names, initial_params, num_workers, resolved
from wardround.core.events import Watch, silent
from wardround.core.exchange import EvaluateOrder
from wardround.core.params import Layout
from wardround.core.state import State
from wardround.fleet.arena import params_fields
from wardround.fleet.base import neighbours
from wardround.fleet.local import LARGE
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan, Recipe
from wardround.report.words import duration, listing, plural, size
from wardround.rng import stream
from wardround.rounds.cohort import choose_cohort
from wardround.session.arm import check_rows
from wardround.session.machine import resident
from wardround.session.outline import outlined
from wardround.session.timing import Timed, timed
from wardround.sites.site import steps_per_round
from wardround.strategies.base import Choosing

LOW, HIGH = 0.7, 1.6  # of the time that the probe gives: other programs, slower clocks, images that are not in memory
LOOKED_AT = 20  # rounds whose cohorts are drawn as the run will draw them
NUMBER = 4  # bytes of a float32
MASKED = 4  # bytes of a masked number


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """An estimate. Bytes are those of arrays as they are serialised, a site's in a round. round_s, total_s: from, to; of a round on the
    average, with its part of the evaluations, and of all rounds. memory: what holds how many bytes at most."""

    parameters: int
    bytes_up: int
    bytes_down: int
    sites: int
    asked: int
    workers: int
    train_images: int
    steps: int
    rounds: int
    round_s: tuple[float, float]
    total_s: tuple[float, float]
    memory: Mapping[str, int]
    disk_bytes: int
    device: str
    probe_s: float
    phantom: bool
    is_secure: bool = False

    @property
    def memory_bytes(self) -> int:
        return sum(self.memory.values())

    def sentences(self) -> list[str]:
        """What it says, and what it does not."""
        where = "the GPU" if self.device == "cuda" else "this machine"
        keys = ", and the keys that hide it" if self.is_secure else ""
        more = "masking the updates, " if self.is_secure else ""
        parts = listing([f"{name} {size(held)}" for name, held in self.memory.items() if held])
        return [
            f"This is an estimate, from a probe of {duration(self.probe_s)} on {where}.",
            f"A round takes about {span(self.round_s)}, {plural(self.rounds, 'round')} {span(self.total_s)}, if nothing else computes "
            f"here. On top come {more}reading the images, the test at the end and the report.",
            f"{self.asked} of {plural(self.sites, 'site')} train in a round, {min(self.workers, self.asked)} at a time; the largest has "
            f"{plural(self.train_images, 'training image')} and takes {plural(self.steps, 'step')}.",
            f"The model has {plural(self.parameters, 'parameter')}. In a round a site receives {size(self.bytes_down)} and sends "
            f"{size(self.bytes_up)}{keys}.",
            f"Memory: at most about {size(self.memory_bytes)} ({parts}).",
            f"Disk: {size(self.disk_bytes)} of decoded images.",
            "Counts are those of the table of images: unreadable images and near-duplicates are found when the images are decoded.",
            *(["The images are phantoms: real ones may be more, or fewer."] if self.phantom else [])]


def forecast(plan: Plan | Path | str, *, watch: Watch | None = None) -> Forecast:
    """Say what the federated arm of a plan will take here. The images are not decoded: their table is read, and noise stands for them.

    plan: as in `run`. The errors of `run` before it trains; WardroundError if a step of its training fails."""
    plan = plan if isinstance(plan, Plan) else load_plan(plan)
    told = watch or silent
    check_names(plan)
    with outlined(plan, told) as found:
        started = time.perf_counter()
        blueprint = build(resolved(plan, found.prepared, told), found.prepared, "federated")
        check_rows(blueprint, "federated")
        state = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
        workers = max(1, min(num_workers(blueprint.plan), len(blueprint.rows)))
        asked = cohorts(blueprint, state)
        probe = timed(blueprint, state, asked[0], at_once=workers)
        probe_s = time.perf_counter() - started
    if plan.aggregation.secure:
        probe = replace(probe, bytes_up=MASKED * state.params.layout.size)
    train = {name: len(rows.train) for name, rows in blueprint.rows.items()}
    rounds = seconds(blueprint, state, probe, asked, workers)
    total = rounds * plan.rounds.num + probe.begin_s
    return Forecast(
        parameters=state.params.layout.num_trainable, bytes_up=probe.bytes_up, bytes_down=probe.bytes_down, sites=len(train),
        asked=len(asked[0]), workers=workers, train_images=max(train.values()),
        steps=max(steps_of(blueprint, name) for name in train), rounds=plan.rounds.num, round_s=(LOW * rounds, HIGH * rounds),
        total_s=(LOW * total, HIGH * total), memory=memory(blueprint, state, probe, workers, len(asked[0]), found.disk_bytes),
        disk_bytes=found.disk_bytes, device=blueprint.device, probe_s=probe_s, phantom=found.prepared.catalogue.phantom,
        is_secure=plan.aggregation.secure)


def seconds(blueprint: ArmBlueprint, state: State, probe: Timed, asked: Sequence[Sequence[str]], workers: int) -> float:
    """Of a round on the average: its training by the sites of its cohort, the server's work, and its part of the evaluations."""
    trained = [packed([probe.round_s + probe.step_s * steps_of(blueprint, name) for name in cohort], workers) for cohort in asked]
    order = EvaluateOrder(round=1, params=state.params)
    jobs = neighbours(blueprint.rows, order, list(blueprint.rows))
    evaluated = packed([probe.row_s * sum(len(blueprint.rows[name].val) for name in sites) for sites in jobs], workers)
    num, every = blueprint.plan.rounds.num, blueprint.plan.rounds.evaluate_every
    return sum(trained) / len(trained) + probe.combine_s + evaluated * (-(-num // every)) / num


def packed(times: Iterable[float], workers: int) -> float:
    """Seconds until all jobs are done: each, in their order, goes to the worker that is free first."""
    free = [0.0] * workers
    for taken in times:
        heapq.heappush(free, heapq.heappop(free) + taken)
    return max(free)


def cohorts(blueprint: ArmBlueprint, state: State) -> list[list[str]]:
    """Who is asked in the first rounds, as the run will draw them."""
    plan, strategy = blueprint.plan, blueprint.strategy
    num = min(plan.rounds.num, LOOKED_AT)
    drawn = [choose_cohort(list(blueprint.rows), plan.cohort, stream(plan.seed, "cohort", t)) for t in range(1, num + 1)]
    if isinstance(strategy, Choosing):
        drawn = [list(strategy.asked(replace(state, round=t), cohort)) for t, cohort in enumerate(drawn)]
    return drawn


def steps_of(blueprint: ArmBlueprint, site: str) -> int:
    """Batches of a site's round; with privacy, samples."""
    if site in blueprint.terms:
        return blueprint.terms[site].steps_per_round
    return steps_per_round(blueprint.plan.recipe, len(blueprint.rows[site].train))


def memory(blueprint: ArmBlueprint, state: State, probe: Timed, workers: int, asked: int, images: int) -> dict[str, int]:
    """What holds how many bytes at most. images: bytes of the decoded ones, which the system keeps in memory as far as there is room."""
    layout = state.params.layout
    whole = sum(NUMBER * tensor.numel() for tensor in blueprint.model(is_tried=False).tensors().values())
    model, gradients, remembered = whole, NUMBER * layout.num_trainable, NUMBER * optimizer_numbers(blueprint.plan.recipe, layout)
    work = max(0, (probe.grown or 0) - model - gradients - remembered)
    return {"the program": resident(), "models": workers * model, "gradients": workers * gradients, "optimisers": workers * remembered,
            "activations and work space": workers * work, "exchange and server": exchanged(blueprint, state, workers, asked),
            "images": images}


def optimizer_numbers(recipe: Recipe, layout: Layout) -> int:
    """Numbers that training/optimizers.py keeps: SGD's velocity, or Adam's two moments and a scratch vector."""
    if recipe.optimizer != "sgd":
        return 3 * layout.num_trainable
    return layout.num_trainable if recipe.momentum else 0


def exchanged(blueprint: ArmBlueprint, state: State, workers: int, asked: int) -> int:
    """Bytes of the arena, of the server's state before and after a round with the best round, and of all updates where a rule, or secure
    aggregation, holds them."""
    plan, strategy, layout = blueprint.plan, blueprint.strategy, state.params.layout
    slots = 2 * workers if layout.num_bytes <= LARGE else workers + 1
    arena = len(params_fields(strategy.order_type)) + slots * len(params_fields(strategy.update_type))
    server = 2 * len(params_fields(type(state))) + 1 + (plan.rounds.average != "none")
    held = asked if plan.aggregation.rule != "mean" or plan.aggregation.secure else 0
    return (arena + server + held) * layout.num_bytes


def span(seconds: tuple[float, float]) -> str:
    """ "4.2 to 9.0 s" """
    low, high = map(duration, seconds)
    if low.split()[-1] == high.split()[-1]:
        low = low.split()[0]
    return f"{low} to {high}"
