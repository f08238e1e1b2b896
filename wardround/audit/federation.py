"""The run's own federation once more, in short: another rule, an attack, no protection that would hide what they do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wardround.attacks.backdoor import stamped
from wardround.audit.subject import Subject
from wardround.build import ArmBlueprint, build, initial_params, primary_metric
from wardround.core.events import silent
from wardround.core.exchange import EvaluateOrder
from wardround.core.params import Layout, Params
from wardround.core.tally import total
from wardround.data.feeds import ImageFeed
from wardround.evaluation.metrics import from_tally
from wardround.fleet.choose import open_fleet
from wardround.fleet.wrapped import Watched
from wardround.plan.schema import AggregationPlan, AttackPlan, ExchangePlan, Plan, PrivacyPlan
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds, validate

BATCH = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A federation after its last round. quality: the plan's metric on all sites' validation rows, higher is better."""

    blueprint: ArmBlueprint
    params: Params
    quality: float

    def success(self, subject: Subject, attack: AttackPlan) -> float | None:
        """Share of the validation images of other classes that the model calls by the attack's target: with the patch in them for a
        backdoor, those of its source for a label flip that has one. None for attacks without a target, and where images have no class."""
        if (attack.kind == "label-flip" and not attack.source) or attack.kind not in ("backdoor", "label-flip"):
            return None
        bench = self.blueprint.bench()
        if not isinstance(bench.feed, ImageFeed) or bench.labels is None:
            return None
        rows, classes = subject.rows("val"), self.blueprint.classes
        target = classes.index(attack.target) if attack.target else 0
        truth = bench.labels[rows].numpy()
        wanted = truth == classes.index(attack.source) if attack.source else truth != target
        rows = rows[wanted]
        if not len(rows):
            return None
        bench.model.load(self.params)
        bench.model.eval()
        hits = 0
        with torch.inference_mode():
            for start in range(0, len(rows), BATCH):
                images, _ = bench.feed.plain(rows[start : start + BATCH])
                images = stamped(images, attack.patch) if attack.kind == "backdoor" else images
                hits += int((bench.arithmetic.logits(bench.model, images).argmax(1) == target).sum())
        return hits / len(rows)


@contextmanager
def short_lived(blueprint: ArmBlueprint, layout: Layout) -> Iterator[Watched]:
    """The blueprint's engine, without a run: what its sites remember is gone when it is closed."""
    with tempfile.TemporaryDirectory() as work:
        fleet = open_fleet(blueprint, layout, work=Path(work) / "work")
        try:
            yield fleet
        finally:
            fleet.close()


def retrained(subject: Subject, rule: AggregationPlan, attack: AttackPlan, *, rounds: int) -> Trained:
    """Train for at most `rounds` rounds from the plan's first weights. TooFewSites if the attack left too few usable updates."""
    plan = _short(subject.plan, rule, attack, rounds)
    blueprint = build(plan, subject.prepared, "federated")
    start = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    with short_lived(blueprint, start.params.layout) as fleet:
        course = run_rounds(plan, blueprint.strategy, fleet, Course(state=start, best=start.params), watch=silent,
                            save=lambda course: None)
        params = course.state.params
        tallies, _ = validate(fleet, EvaluateOrder(round=course.state.round, params=params))
    scores = from_tally(total(list(tallies.values())))
    value = scores[primary_metric(plan, blueprint.task)]
    return Trained(blueprint=blueprint, params=params, quality=float(value) if np.isfinite(value) else 0.0)


def _short(plan: Plan, rule: AggregationPlan, attack: AttackPlan, rounds: int) -> Plan:
    """The plan for one cell: fewer rounds, one evaluation at the end, all sites in every round."""
    num = min(plan.rounds.num, rounds)
    return plan.model_copy(update={
        "aggregation": rule, "attack": attack, "privacy": PrivacyPlan(), "exchange": ExchangePlan(),
        "cohort": plan.cohort.model_copy(update={"fraction": 1.0, "min_sites": plan.sites.num}),
        "rounds": plan.rounds.model_copy(update={"num": num, "evaluate_every": num, "patience": None, "average": "none"})})
