"""Can whoever sees an update tell which hospital has sent it, although no name is on it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from wardround.attacks.membership import clopper_pearson
from wardround.attacks.tellsite import Sketch, last_layer, told
from wardround.audit.federation import short_lived
from wardround.audit.finding import Finding, Measure, verdict
from wardround.audit.subject import Subject
from wardround.build import ArmBlueprint, build_strategy
from wardround.core.events import Progress
from wardround.core.exchange import SiteFailed
from wardround.errors import SiteError
from wardround.plan.schema import AggregationPlan, AttackPlan, ExchangePlan, PrivacyPlan, StrategyPlan
from wardround.rng import stream
from wardround.sites.site import SiteRows, steps_per_round

TESTS, QUICK_TESTS, LEAST_ROUNDS = 32, 16, 6  # updates to be told, those of the second half of the rounds; those of the first are known
MOST_SITES, MOST_STEPS, PLANTED_STEPS = 8, 40, 10
MOST_PLANTED, LEAST_OF_CLASS, MOST_OF_CLASS = 4, 20, 200  # planted sites; rows of one
MARGIN = 0.10  # above chance: what the interval's low end must pass
LEVEL = 0.975  # of each of two intervals: together they hold with 95 %
NAME = "updates whose hospital was told"
QUESTION = "Can whoever sees the updates without names tell which hospital has sent one?"
SAYS_NOT = ("The attacker knew updates of every hospital from earlier rounds, and all of them began with the same model. With updates of "
            "other origin, e.g. of similar public images, or by other features, fewer or more may be told.")
SECURE = "The plan asks for secure aggregation: the server sees a sum of at least three hospitals, and there is no single update to tell. "


@dataclass(frozen=True, kw_only=True)
class Told:
    """Share of the unknown updates whose site was told, from one part of the model, with an interval of LEVEL. chance: of guessing."""

    part: str
    share: float
    low: float
    high: float
    num: int
    chance: float

    def row(self, victim: str) -> dict[str, Any]:
        return {"victim": victim, "seen": self.part, "told": self.share, "low": self.low, "high": self.high, "chance": self.chance,
                "updates": self.num}


def audit_hospitals(subject: Subject) -> list[Finding]:
    """Train sites again for some rounds from the kept model, each round on other batches, and tell the later updates from the earlier.

    The planted victim: sites of one class each, plain FedAvg. Training rows only."""
    sites, planted = list(subject.blueprint.rows)[:MOST_SITES], planted_blueprint(subject)
    victims = {"planted, hospitals of one kind each": attacked(subject, planted)} if planted is not None else {}
    canary = _measure(*victims.values())
    settings: dict[str, Any] = {"seed": subject.seed, "hospitals": len(sites), "rounds": _rounds(subject, len(sites)),
                                "margin_above_chance": MARGIN}
    result, remark = _measure(), ""
    if len(sites) < 2:
        remark = "There is one hospital only, and nothing to tell. "
    elif subject.plan.aggregation.secure:
        result, remark = Measure(name=NAME, value=1 / len(sites), threshold=1 / len(sites) + MARGIN, count=0), SECURE
    else:
        blueprint = _shortened(subject.blueprint, sites)
        victims["the run's hospitals"] = attacked(subject, blueprint)
        result = _measure(victims["the run's hospitals"])
        settings["local_steps"] = max(steps_per_round(blueprint.plan.recipe, len(held.train)) for held in blueprint.rows.values())
    answer = verdict(is_canary_broken=_is_broken(canary), is_broken=_is_broken(result))
    return [Finding(attack="hospital inference", question=QUESTION, settings=settings, canary=canary, result=result,
                    verdict="inconclusive" if result.value is None else answer, says_not=remark + SAYS_NOT,
                    rows=[entry.row(victim) for victim, found in victims.items() for entry in found])]


def attacked(subject: Subject, blueprint: ArmBlueprint) -> list[Told]:
    """What the attacker tells of the later half of the rounds, by each part of the model."""
    updates, sites = _updates(subject, blueprint)
    names = np.unique(sites)
    early = np.concatenate([np.flatnonzero(sites == name)[: (sites == name).sum() // 2] for name in names])
    is_known = np.isin(np.arange(len(sites)), early)
    answers = {part: told(vectors[is_known], sites[is_known], vectors[~is_known]) == sites[~is_known] for part, vectors in updates.items()}
    found = []
    for part, is_right in answers.items():
        low, high = clopper_pearson(int(is_right.sum()), len(is_right), LEVEL)
        found.append(Told(part=part, share=float(is_right.mean()), low=low, high=high, num=len(is_right),
                          chance=1 / len(names)))
    return found


def planted_blueprint(subject: Subject) -> ArmBlueprint | None:
    """Plain FedAvg of sites that must be told: of one class each, or where images have no class, of dark and of bright images.

    None for volumes without classes."""
    rows, labels = subject.rows("train"), subject.prepared.catalogue.labels
    rng = stream(subject.seed, "audit", "planted sites")
    if subject.blueprint.task in ("binary", "multiclass"):
        parts = [rows[labels[rows] == label] for label in range(len(subject.blueprint.classes))]
        parts = sorted((part for part in parts if len(part) >= LEAST_OF_CLASS), key=len, reverse=True)[:MOST_PLANTED]
    elif subject.prepared.volumes is None:
        parts = np.array_split(rows[np.argsort(subject.prepared.pixels[rows].mean((1, 2, 3)), kind="stable")], 2)
    else:
        parts = []
    if len(parts) < 2:
        return None
    none = np.zeros(0, np.int64)
    held = {f"planted-{index + 1}": SiteRows(name=f"planted-{index + 1}", train=np.sort(rng.permutation(part)[:MOST_OF_CLASS]), val=none,
                                             test=none) for index, part in enumerate(parts)}
    plan = subject.plan
    recipe = plan.recipe.model_copy(update={"local_steps": PLANTED_STEPS, "label_skew": "none", "mixup": 0.0})
    plan = plan.model_copy(update={"recipe": recipe, "privacy": PrivacyPlan(), "exchange": ExchangePlan(), "attack": AttackPlan(),
                                   "aggregation": AggregationPlan(), "strategy": StrategyPlan()})
    return replace(subject.blueprint, plan=plan, strategy=build_strategy(plan), rows=held)


def _shortened(blueprint: ArmBlueprint, sites: list[str]) -> ArmBlueprint:
    """At most so many sites and steps. Where noise is fitted to the number of steps, it stays."""
    held = {name: blueprint.rows[name] for name in sites}
    longest = max(steps_per_round(blueprint.plan.recipe, len(rows.train)) for rows in held.values())
    if longest <= MOST_STEPS or blueprint.plan.privacy.unit != "none":
        return replace(blueprint, rows=held)
    plan = blueprint.plan.model_copy(update={"recipe": blueprint.plan.recipe.model_copy(update={"local_steps": MOST_STEPS})})
    return replace(blueprint, plan=plan, strategy=build_strategy(plan), rows=held)


def _updates(subject: Subject, blueprint: ArmBlueprint) -> tuple[Mapping[str, np.ndarray], np.ndarray]:
    """Sketches of every site's update in every round, by part of the model, (n, d) each, and whose they are, (n,) int, in order of rounds.

    Every round begins with the kept model and the learning rate of the plan's middle; batches go on from round to round."""
    layout, strategy, names = subject.params.layout, blueprint.strategy, list(blueprint.rows)
    whole, last = Sketch(layout.size, subject.seed), list[np.ndarray]()
    rounds = _rounds(subject, len(names))
    middle = strategy.order(replace(strategy.begin(subject.params, len(names)), round=blueprint.plan.rounds.num // 2))
    sketches, sites = list[np.ndarray](), list[int]()
    with short_lived(blueprint, layout) as fleet:
        for number in range(1, rounds + 1):
            for reply in fleet.train(replace(middle, round=number), names):
                if isinstance(reply, SiteFailed):
                    raise SiteError(f"site '{reply.site}' could not train for the audit: {reply.reason}")
                flat = reply.delta.flat.cpu()
                sites.append(names.index(reply.site))
                sketches.append(whole(flat))
                last.append(last_layer(flat, layout).double().numpy())
            fleet.commit()
            subject.watch(Progress(stage="audit", done=number, total=rounds))
    return {"last layer": np.stack(last), "all layers": np.stack(sketches)}, np.array(sites)


def _rounds(subject: Subject, num_sites: int) -> int:
    """Enough for that many tests, which few sites reach in more rounds."""
    return max(LEAST_ROUNDS, 2 * ceil((QUICK_TESTS if subject.is_quick else TESTS) / num_sites))


def _measure(found: Sequence[Told] = ()) -> Measure:
    """The part of the model by which most is told: the intervals of both hold together."""
    if not found:
        return Measure(name=NAME, value=None)
    best = max(found, key=lambda entry: entry.low)
    return Measure(name=NAME, value=best.share, low=best.low, high=best.high, threshold=best.chance + MARGIN, count=best.num)


def _is_broken(measure: Measure) -> bool:
    return measure.low is not None and measure.threshold is not None and measure.low > measure.threshold
