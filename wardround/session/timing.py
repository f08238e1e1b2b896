"""How long a site's work takes here and what memory it needs: a few steps of an arm's own training, on one site's rows."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean
from typing import Any

import torch

from wardround.build import ArmBlueprint
from wardround.core.exchange import EvaluateOrder, Order, Update
from wardround.core.state import State
from wardround.errors import WardroundError
from wardround.fleet.heap import keep_heap
from wardround.fleet.worker import evaluated, trained
from wardround.session.machine import most_resident
from wardround.sites.site import Bench, Site, SiteRows
from wardround.strategies.base import Personal
from wardround.training.apart import apart, caught, clock
from wardround.training.probe import one_thread

ENOUGH_S, MOST_STEPS = 0.6, 20  # of training that is timed, after a first step
FEW_ROWS = {"segmentation": 16}  # validation rows that are evaluated, of volumes
ROWS = 128  # ... of pictures with labels: a forward pass at sites


@dataclass(frozen=True, kw_only=True)
class Timed:
    """begin_s: until a worker can train. round_s: of a training beside its steps, step_s: of a step. row_s: of a validation row.
    combine_s: of the server. bytes_up, bytes_down: of a site's update and order. grown: bytes of memory that the work took beyond
    what the program had, None where that cannot be seen."""

    begin_s: float
    round_s: float
    step_s: float
    row_s: float
    combine_s: float
    bytes_up: int
    bytes_down: int
    grown: int | None


def timed(blueprint: ArmBlueprint, state: State, asked: Sequence[str], *, at_once: int) -> Timed:
    """Time the work of the largest site, on one thread, as so many workers do it at once: they share memory and caches.

    state: before round 1. asked: sites whose updates the server combines. On a CPU in forked processes, of which nothing is left.
    WardroundError with the cause if the work fails: training would fail in the same way."""
    work = partial(_work, blueprint, state, asked)
    is_forked = blueprint.device == "cpu" and "fork" in multiprocessing.get_all_start_methods()
    with one_thread():
        found = apart(work, at_once) if is_forked else [caught(work)]
    if faults := [one for one in found if isinstance(one, str)]:
        raise WardroundError(f"a step of this plan's training could not be made: {faults[0]}")
    return _together([one for one in found if isinstance(one, Timed)])


def _together(found: Sequence[Timed]) -> Timed:
    seconds = {name: mean(getattr(one, name) for one in found) for name in ("begin_s", "round_s", "step_s", "row_s", "combine_s")}
    grown = [one.grown for one in found if one.grown is not None]
    return replace(found[0], **seconds, grown=max(grown) if grown else None)


def _work(blueprint: ArmBlueprint, state: State, asked: Sequence[str]) -> Timed:
    now, before = clock(blueprint.device), _memory(blueprint.device)
    keep_heap()
    started = now()
    bench = blueprint.bench()
    begin_s = now() - started
    name = max(blueprint.rows, key=lambda site: len(blueprint.rows[site].train))
    rows, order, memory = blueprint.rows[name], blueprint.strategy.order(state), dict[str, torch.Tensor]()

    def training(num_steps: int) -> tuple[float, Update]:
        memory.clear()
        begun = now()
        update = trained(blueprint, Site(rows=rows, bench=_shortened(bench, name, num_steps), memory=memory),
                         replace(order, recipe=order.recipe.model_copy(update={"local_steps": num_steps})))
        return now() - begun, update

    first_s, update = training(1)
    more = max(1, min(MOST_STEPS, int(ENOUGH_S / max(first_s, 1e-4))))
    one_s, many_s = training(1)[0], training(1 + more)[0]
    step_s = max(many_s - one_s, 0.1 * many_s) / more
    row_s = _row_seconds(blueprint, bench, rows, order, memory, now)
    grown = None if before is None else max(0, (_memory(blueprint.device) or 0) - before)
    updates = [replace(update, site=site, num_examples=len(blueprint.rows[site].train)) for site in asked]
    begun = now()
    blueprint.strategy.aggregate(state, iter(updates))
    return Timed(begin_s=begin_s, round_s=max(0.0, one_s - step_s), step_s=step_s, row_s=row_s, combine_s=now() - begun,
                 bytes_up=update.num_bytes, bytes_down=order.num_bytes, grown=grown)


def _shortened(bench: Bench, site: str, num_steps: int) -> Bench:
    """With privacy the site's terms say how many steps a round has."""
    if site not in bench.terms:
        return bench
    return dataclasses.replace(bench, terms={site: replace(bench.terms[site], steps_per_round=num_steps)})


def _row_seconds(blueprint: ArmBlueprint, bench: Bench, rows: SiteRows, order: Order, memory: dict[str, Any],
                 now: Callable[[], float]) -> float:
    """Of a validation row; of training rows where there are none."""
    few = FEW_ROWS.get(blueprint.task, ROWS) if blueprint.plan.data.dims == 2 else 1
    chosen = (rows.val if len(rows.val) else rows.train)[:few]
    small = replace(blueprint, rows={rows.name: replace(rows, val=chosen)})
    evaluation = EvaluateOrder(round=order.round, params=order.params, is_personal=isinstance(blueprint.strategy, Personal))
    begun = now()
    evaluated(small, bench, [rows.name], evaluation, memory)
    return (now() - begun) / max(1, len(chosen))


def _memory(device: str) -> int | None:
    """The most bytes so far: of the GPU's memory, or of this process's; None where the system does not tell."""
    return most_resident() if device == "cpu" else torch.cuda.max_memory_allocated()
