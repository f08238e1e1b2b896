"""Whole runs in which sites are malicious: the mean breaks, rules hold."""

from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
import torch

from wardround.aggregation.choose import make_combine
from wardround.aggregation.mean import mean
from wardround.attacks.choose import make_corruption
from wardround.build import ArmBlueprint, initial_params
from wardround.core.events import Event, RoundFinished
from wardround.core.exchange import Filter, Update
from wardround.core.params import Params
from wardround.data.transforms import Augment
from wardround.fleet.hostile import HostileFleet
from wardround.fleet.local import LocalFleet
from wardround.plan.schema import AggregationPlan, AttackPlan, AugmentPlan, Recipe, RoundsPlan
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedavgm import FedAvgM
from wardround.testing import check_strategy, toy_blueprint

NUM_SITES, BAD = 7, "site-7"
LEARNT, BROKEN = 0.05, 1.0  # validation loss; 0.69 is guessing
NONE, FLIP = AttackPlan(), AttackPlan(kind="sign-flip", sites=(BAD,))


def not_finite(update: Update, memory, rng) -> Update:
    return replace(update, delta=Params(update.delta.flat * torch.nan, update.delta.layout)) if update.site == BAD else update


class Filtered(ArmBlueprint):
    """What sites send is changed there."""

    harm: Filter | None = None

    @property
    def filter(self) -> Filter | None:
        return self.harm


def trained(rule: str, attack: AttackPlan | Filter, tmp_path, strategy: type[FedAvg] = FedAvg, num_sites: int = NUM_SITES,
            **settings) -> tuple[Course, list[RoundFinished]]:
    plan, harm = (attack, None) if isinstance(attack, AttackPlan) else (NONE, attack)
    combine = make_combine(AggregationPlan(rule=rule, attackers=0 if rule == "mean" else max(1, len(plan.sites))))
    toy = toy_blueprint(strategy, num_sites=num_sites, recipe=Recipe(lr=0.1, batch_size=4, local_epochs=2.0),
                        rounds=RoundsPlan(num=4, metric="loss"), combine=combine, **settings)
    feed = replace(toy.feed, augment=Augment(AugmentPlan()))  # turned left to right, the two classes are the same
    blueprint = Filtered(**{**vars(toy), "feed": feed, "plan": toy.plan.model_copy(update={"attack": plan})})
    object.__setattr__(blueprint, "harm", harm)
    start = toy.strategy.begin(initial_params(toy), num_sites)
    corruption, events = make_corruption(plan), list[Event]()
    with closing(LocalFleet(blueprint, start.params.layout, workers=2, work=tmp_path / "work")) as engine:
        fleet = engine if corruption is None else HostileFleet(engine, corruption, sites=plan.sites)
        course = run_rounds(toy.plan, toy.strategy, fleet, Course(state=start, best=start.params), watch=events.append, save=lambda _: None)
    return course, [event for event in events if isinstance(event, RoundFinished)]


def final_loss(events: list[RoundFinished]) -> float:
    return events[-1].val["loss"]


def test_honest_sites_learn_with_the_mean_which_tells_nothing_of_single_sites(tmp_path) -> None:
    _, events = trained("mean", NONE, tmp_path)
    assert final_loss(events) < LEARNT
    assert all(event.suspicion == {} for event in events)
    assert FedAvg(recipe=Recipe()).combine is mean


def test_a_flipped_site_breaks_the_mean(tmp_path) -> None:
    assert final_loss(trained("mean", FLIP, tmp_path)[1]) > BROKEN


@pytest.mark.parametrize("rule", ["median", "trimmed-mean", "multi-krum", "geometric-median", "centred-clipping", "nnm-trimmed"])
def test_rules_hold_and_the_flipped_site_stands_apart(rule: str, tmp_path) -> None:
    _, events = trained(rule, FLIP, tmp_path)
    assert final_loss(events) < LEARNT
    for event in events:
        assert event.suspicion.keys() == event.update_norms.keys()
        assert max(event.suspicion, key=lambda site: event.suspicion[site]) == BAD
        assert event.suspicion[BAD] > 5


def test_a_site_that_sends_nan_is_left_out_before_any_rule(tmp_path) -> None:
    course, events = trained("nnm-trimmed", not_finite, tmp_path)
    assert "NaN" in events[0].failed[BAD]
    assert BAD not in events[0].suspicion
    assert final_loss(events) < LEARNT
    assert bool(course.state.params.flat.isfinite().all())


def test_a_rule_stands_before_the_servers_optimiser_too(tmp_path) -> None:
    _, events = trained("median", FLIP, tmp_path, FedAvgM, server_momentum=0.5)
    assert final_loss(events) < LEARNT


def test_label_flips_at_two_of_six_sites_break_the_mean_and_not_the_median(tmp_path) -> None:
    attack = AttackPlan(kind="label-flip", sites=("site-5", "site-6"))
    losses = {rule: final_loss(trained(rule, attack, tmp_path / rule, num_sites=6)[1]) for rule in ("mean", "median")}
    assert losses["median"] < LEARNT
    assert losses["mean"] > 5 * LEARNT


@pytest.mark.parametrize("rule", ["median", "krum", "geometric-median", "nnm-trimmed"])
def test_runs_with_a_rule_resume_and_do_not_depend_on_workers(rule: str) -> None:
    combine = make_combine(AggregationPlan(rule=rule, attackers=1))
    check_strategy(partial(FedAvg, combine=combine), num_sites=5)
