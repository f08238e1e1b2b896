"""The round loop on a scripted fleet."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from wardround.aggregation.median import median
from wardround.aggregation.robust import Robust
from wardround.core.events import Event, RoundFinished
from wardround.core.exchange import Order, SiteFailed, SiteReport, Update
from wardround.core.params import Layout, Params
from wardround.core.tally import ClassTally
from wardround.errors import TooFewSites
from wardround.fleet.scripted import ScriptedFleet
from wardround.plan.schema import CohortPlan, Plan, Recipe, RoundsPlan
from wardround.rounds.course import Course, is_due
from wardround.rounds.loop import judge_last, run_rounds
from wardround.strategies.fedavg import FedAvg

LAYOUT = Layout.of([("w", torch.zeros(1), True)])


def step(site: str, number: float):
    return lambda order: Update(site=site, num_examples=1, delta=Params(torch.tensor([number]), LAYOUT), num_steps=1, train_loss=1.0)


def report(site: str, loss: float) -> SiteReport:
    return SiteReport(site=site, tally=ClassTally.of(np.array([[0.8, 0.2], [0.4, 0.6]]), np.array([0, 1]), np.full(2, loss)))


class Sinking(ScriptedFleet):
    """Validation losses by evaluation, the same at both sites."""

    losses: list[float]

    def evaluate(self, order, cohort):
        loss = self.losses.pop(0)
        return iter([report(site, loss) for site in cohort])


def run(fleet: ScriptedFleet, saved: list[Course] | None = None, strategy: type = FedAvg, **rounds) -> tuple[Course, list[RoundFinished]]:
    cohort = CohortPlan(min_sites=rounds.pop("min_sites", 1))
    plan = Plan(name="p", cohort=cohort, rounds=RoundsPlan(**{"num": 4, "metric": "loss", **rounds}))
    algorithm, events = strategy(recipe=Recipe()), list[Event]()
    state = algorithm.begin(Params(torch.zeros(1), LAYOUT), 2)
    course = run_rounds(plan, algorithm, fleet, Course(state=state, best=state.params), watch=events.append,
                        save=(saved if saved is not None else []).append)
    return course, events


def two_sites() -> ScriptedFleet:
    return ScriptedFleet(replies={"a": step("a", 1.0), "b": step("b", 3.0)}, reports={"a": report("a", 1.0), "b": report("b", 2.0)})


def test_rounds_add_up_the_mean_changes() -> None:
    saved: list[Course] = []
    fleet = two_sites()
    course, events = run(fleet, saved)
    assert course.state.params.flat.tolist() == [8.0]  # four rounds of (1 + 3) / 2
    assert [event.round for event in events] == [order.round for order in fleet.orders] == [1, 2, 3, 4]
    assert [course.state.round for course in saved] == [1, 2, 3, 4]
    assert fleet.num_commits == 4
    assert (course.bytes_down, course.bytes_up) == (4 * 2 * 4, 4 * 2 * 4)


def test_a_round_tells_who_stood_apart_where_a_rule_compares_the_sites() -> None:
    fleet = ScriptedFleet(replies={"a": step("a", 1.0), "b": step("b", 3.0), "c": step("c", 9.0)}, reports={"a": report("a", 1.0)})
    course, events = run(fleet, strategy=partial(FedAvg, combine=Robust(rule=median)), num=1)
    assert course.state.params.flat.tolist() == [3.0]
    assert events[0].suspicion == {"a": 1.0, "b": 0.0, "c": 3.0}  # distances 2, 0 and 6 in medians of 2
    assert run(two_sites())[1][0].suspicion == {}


def test_validation_is_the_sum_over_sites() -> None:
    _, events = run(two_sites())
    assert events[0].val["loss"] == 1.5
    assert events[0].val["balanced_accuracy"] == 1.0
    assert events[0].val_by_site["b"]["loss"] == 2.0


def test_the_best_round_is_kept_and_patience_ends_the_run() -> None:
    fleet = Sinking(replies=two_sites().replies)
    fleet.losses = [3.0, 1.0, 2.0, 2.0, 0.0]
    course, events = run(fleet, num=9, patience=2)
    assert [event.is_best for event in events] == [True, True, False, False]
    assert (course.best_round, course.best.flat.tolist(), course.state.round) == (2, [4.0], 4)


def test_evaluations_come_every_so_many_rounds_and_at_the_end() -> None:
    assert [t for t in range(1, 8) if is_due(t, RoundsPlan(num=7, evaluate_every=3))] == [3, 6, 7]
    _, events = run(two_sites(), evaluate_every=3)
    assert [bool(event.val) for event in events] == [False, False, True, True]


def test_a_run_that_ends_early_has_its_last_round_judged_unless_it_was() -> None:
    fleet, strategy = Sinking(replies=two_sites().replies), FedAvg(recipe=Recipe())
    fleet.losses = [3.0, 1.0]
    state = replace(strategy.begin(Params(torch.zeros(1), LAYOUT), 2), round=2)
    course = Course(state=state, best=Params(torch.ones(1), LAYOUT), best_round=1, best_score=-2.0)
    plan = Plan(name="p", rounds=RoundsPlan(num=9, metric="loss", evaluate_every=2))
    assert judge_last(plan, strategy, fleet, course) is course
    plan = Plan(name="p", rounds=RoundsPlan(num=9, metric="loss", evaluate_every=5))
    assert judge_last(plan, strategy, fleet, course).best_round == 1  # the loss of 3 is worse
    judged = judge_last(plan, strategy, fleet, course)
    assert (judged.best_round, judged.best_score, judged.best.flat.tolist()) == (2, -1.0, [0.0])


def test_where_the_metric_cannot_be_estimated_the_latest_round_is_kept() -> None:
    state = FedAvg(recipe=Recipe()).begin(Params(torch.zeros(1), LAYOUT), 1)
    course = Course(state=state, best=state.params)
    later = course.judged(math.nan).judged(math.nan)
    assert later.num_waited == 0
    assert course.judged(0.5).judged(math.nan).best_score == 0.5


def test_a_failing_site_is_named_and_the_run_goes_on() -> None:
    fleet = two_sites()
    fleet.replies = {**fleet.replies, "b": SiteFailed(site="b", reason="no power")}
    course, events = run(fleet)
    assert course.dropped == ("b",)
    assert events[0].failed == {"b": "no power"}
    assert course.state.params.flat.tolist() == [4.0]


def test_too_few_sites_stop_the_run_at_the_last_whole_round() -> None:
    fleet, saved = two_sites(), list[Course]()

    def dies_in_round_three(order: Order):
        return SiteFailed(site="b", reason="no power") if order.round == 3 else step("b", 3.0)(order)

    fleet.replies = {**fleet.replies, "b": dies_in_round_three}
    with pytest.raises(TooFewSites, match="b: no power"):
        run(fleet, saved, min_sites=2)
    assert saved[-1].state.round == fleet.num_commits == 2


def test_no_site_that_can_evaluate_is_an_error() -> None:
    fleet = two_sites()
    fleet.reports = {site: SiteFailed(site=site, reason="no eyes") for site in ("a", "b")}
    with pytest.raises(TooFewSites, match=r"no site could evaluate.*a: evaluation: no eyes"):
        run(fleet)


def test_an_average_is_evaluated_and_kept_while_orders_carry_the_global_model() -> None:
    seen: list[float] = []

    class Watching(ScriptedFleet):
        def evaluate(self, order, cohort):
            seen.append(order.params.flat.item())
            return super().evaluate(order, cohort)

    fleet = Watching(replies={"a": step("a", 2.0)}, reports={"a": report("a", 1.0)})
    course, _ = run(fleet, average="swa", average_from=0.5)
    assert seen == [2.0, 4.0, 6.0, 7.0]  # rounds 3 and 4 end at 6 and 8
    assert [order.params.flat.item() for order in fleet.orders] == [0.0, 2.0, 4.0, 6.0]
    assert course.answer.flat.item() == 7.0


class Own(FedAvg):
    """Sites' own models; what they are, the script decides."""

    def personal(self, site, params):
        return params


def test_a_run_with_personal_models_asks_for_them_and_keeps_the_last_round() -> None:
    fleet, asked = Sinking(replies=two_sites().replies), []
    fleet.losses = [3.0, 1.0, 2.0, 2.0, 0.0]
    evaluate = fleet.evaluate

    def noted(order, cohort):
        asked.append(order.is_personal)
        return evaluate(order, cohort)

    fleet.evaluate = noted
    course, events = run(fleet, strategy=Own, num=9, patience=2)
    assert asked == [True] * 4
    assert [event.is_best for event in events] == [True, True, False, False]  # patience counts as ever
    assert (course.best_round, course.best.flat.tolist(), course.best_score, course.state.round) == (4, [8.0], -1.0, 4)
