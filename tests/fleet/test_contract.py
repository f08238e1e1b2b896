"""What every engine promises: order, the same bits, memory, and sites or workers that fail."""

import os
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_network import ToyFleet

from wardround.build import ArmBlueprint, initial_params
from wardround.core.events import Event, SiteStep, WorkerRestarted, silent
from wardround.core.exchange import EvaluateOrder, Order, SiteFailed
from wardround.core.params import Layout, Params
from wardround.fleet.base import Fleet
from wardround.fleet.local import LocalFleet
from wardround.fleet.ray import RayFleet
from wardround.plan.schema import ExchangePlan, Recipe
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedbn import FedBN
from wardround.testing import check_fleet, toy_blueprint, toy_run

REMEMBERING = Recipe(lr=0.1, batch_size=4, optimizer="adam", keep_optimizer=True)
Make = Callable[..., Fleet]


class Fragile(FedAvg):
    """Its worker is killed at site-2: every time, or only while the marker file is absent."""

    marker: str = ""

    def train(self, site, order):
        if site.name == "site-2" and not os.path.exists(self.marker):  # noqa: PTH110
            if self.marker:
                open(self.marker, "w").close()  # noqa: PTH123
            os.kill(os.getpid(), signal.SIGKILL)
        return super().train(site, order)


class Troubled(FedAvg):
    """site-1 sends an update of another model, site-2 raises."""

    def train(self, site, order):
        if site.name == "site-2":
            raise RuntimeError("out of film")
        update = super().train(site, order)
        if site.name == "site-1":
            return replace(update, delta=Params(torch.zeros(3), Layout.of([("other", torch.zeros(3), True)])))
        return update


def local(blueprint: ArmBlueprint, **settings) -> LocalFleet:
    work = Path(tempfile.mkdtemp()) / "work"
    return LocalFleet(blueprint, initial_params(blueprint).layout, work=work, **{"workers": 2} | settings)


def opener(name: str, request) -> Make:
    if name == "network":
        return ToyFleet
    if name == "local":
        return local
    request.getfixturevalue("cluster")
    return lambda blueprint, **settings: RayFleet(blueprint, **{"workers": 2} | settings)


@pytest.fixture(params=["local", "ray"], scope="module")
def make(request) -> Make:
    """Opens an engine of this institution's machines, of two workers unless told otherwise."""
    return opener(request.param, request)


@pytest.fixture(params=["local", "ray", "network"], scope="module")
def make_any(request) -> Make:
    """Opens any engine; what sites of a network remember is not the server's to see (tests/fleet/test_nvflare.py)."""
    return opener(request.param, request)


@contextmanager
def opened(make: Make, blueprint: ArmBlueprint, **settings) -> Iterator[Fleet]:
    fleet = make(blueprint, **settings)
    try:
        yield fleet
    finally:
        fleet.close()


def first_order(fleet: Fleet) -> Order:
    strategy = fleet.blueprint.strategy
    return strategy.order(strategy.begin(initial_params(fleet.blueprint), len(fleet.sites())))


def first_round(fleet: Fleet) -> list:
    """(site, delta) of each update, and failures as they are."""
    return [reply if isinstance(reply, SiteFailed) else (reply.site, reply.delta.flat.clone())
            for reply in fleet.train(first_order(fleet), list(fleet.sites()))]


def trained(fleet: Fleet, course: Course | None = None, rounds: int = 3) -> Course:
    blueprint = fleet.blueprint
    start = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    plan = blueprint.plan.model_copy(update={"rounds": blueprint.plan.rounds.model_copy(update={"num": rounds})})
    return run_rounds(plan, blueprint.strategy, fleet, course or Course(state=start, best=start.params), watch=silent, save=lambda _: None)


def assert_same(found: list, expected: list) -> None:
    assert [site for site, _ in found] == [site for site, _ in expected]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))


def test_it_passes_the_checks_for_fleets(make_any) -> None:
    check_fleet(make_any)


@pytest.mark.parametrize("workers", [1, 2])
def test_three_rounds_give_the_bits_of_one_local_worker(make, workers) -> None:
    blueprint = toy_blueprint(num_sites=4, recipe=REMEMBERING)
    expected, memories = toy_run(blueprint)
    with opened(make, blueprint, workers=workers) as fleet:
        found, kept = trained(fleet), fleet.memories()
    assert torch.equal(found.state.params.flat, expected.state.params.flat)
    assert found.best_score == expected.best_score
    assert kept.keys() == memories.keys() == set(blueprint.rows)
    assert all(torch.equal(kept[site][name], memories[site][name]) for site in kept for name in memories[site])


@pytest.mark.parametrize("updates", ["int8", "top-k"])
def test_compressed_updates_have_the_bits_and_bytes_of_one_local_worker(make, updates) -> None:
    blueprint = toy_blueprint(num_sites=4, exchange=ExchangePlan(updates=updates, top_share=0.1))
    expected, memories = toy_run(blueprint)
    with opened(make, blueprint) as fleet:
        found, kept = trained(fleet), fleet.memories()
    assert torch.equal(found.state.params.flat, expected.state.params.flat)
    assert found.bytes_up == expected.bytes_up < 0.4 * expected.bytes_down
    assert all(torch.equal(kept[site][name], memories[site][name]) for site in memories for name in memories[site])


def test_a_fleet_goes_on_from_the_memories_of_the_local_one(make) -> None:
    blueprint = toy_blueprint(recipe=REMEMBERING)
    course, memories = toy_run(blueprint, stop_after=2)
    with opened(make, blueprint) as fleet:
        fleet.restore(memories)
        resumed = trained(fleet, course)
    assert torch.equal(resumed.state.params.flat, toy_run(blueprint)[0].state.params.flat)


def test_a_round_counts_when_it_is_committed_and_one_given_up_half_way_leaves_no_trace(make_any) -> None:
    with opened(make_any, toy_blueprint(num_sites=6, recipe=REMEMBERING)) as fleet:
        expected = first_round(fleet)
        replies = fleet.train(first_order(fleet), list(fleet.sites()))
        next(replies)
        replies.close()
        assert_same(first_round(fleet), expected)
        assert fleet.memories() == {}
        fleet.commit()
        assert fleet.memories().keys() == set(fleet.sites())


def test_a_killed_worker_is_restarted_and_its_site_s_work_repeated(make, tmp_path) -> None:
    events: list[Event] = []
    once = type("Once", (Fragile,), {"marker": str(tmp_path / "killed")})
    with opened(make, toy_blueprint(once), watch=events.append) as fleet:
        found = first_round(fleet)
        again = first_round(fleet)
    with opened(local, toy_blueprint()) as fleet:
        expected = first_round(fleet)
    assert_same(found, expected)
    assert_same(again, expected)
    (restarted,) = [event for event in events if isinstance(event, WorkerRestarted)]
    assert restarted.site == "site-2"
    assert restarted.cause
    steps = Counter((event.site, event.stage) for event in events if isinstance(event, SiteStep))
    assert steps == {(f"site-{number}", stage): 3 if (number, stage) == (2, "training") else 2
                     for number in (1, 2, 3) for stage in ("training", "done")}


def test_a_site_that_kills_every_worker_fails_alone(make) -> None:
    with opened(make, toy_blueprint(Fragile)) as fleet:
        one, two, three = first_round(fleet)
    assert isinstance(two, SiteFailed)
    assert "died 3 times" in two.reason
    assert (one[0], two.site, three[0]) == ("site-1", "site-2", "site-3")


def test_an_exception_and_an_update_of_another_model_become_named_replies(make_any) -> None:
    with opened(make_any, toy_blueprint(Troubled)) as fleet:
        one, two, three = first_round(fleet)
    assert isinstance(one, SiteFailed)
    assert (one.site, two, three[0]) == ("site-1", SiteFailed(site="site-2", reason="RuntimeError: out of film"), "site-3")


def test_many_sites_own_models_are_those_of_each_site_asked_alone(make_any) -> None:
    with opened(make_any, toy_blueprint(FedBN, num_sites=34)) as fleet:  # more than evaluate one by one
        list(fleet.train(first_order(fleet), list(fleet.sites())))
        fleet.commit()
        order = EvaluateOrder(round=1, params=initial_params(fleet.blueprint), is_personal=True, detail=True)
        every = list(fleet.evaluate(order, list(fleet.sites())))
        alone = [next(fleet.evaluate(order, [site])) for site in ("site-1", "site-20", "site-34")]
        shared = list(fleet.evaluate(replace(order, is_personal=False), ["site-20"]))
    assert [report.site for report in every] == list(fleet.sites())
    for report in alone:
        assert (report.values == every[list(fleet.sites()).index(report.site)].values).all()
    assert (shared[0].values != alone[1].values).all()


def test_a_personal_order_to_a_strategy_without_personal_models_is_a_failure_of_every_site() -> None:
    with opened(local, toy_blueprint()) as fleet:
        order = EvaluateOrder(round=1, params=initial_params(fleet.blueprint), is_personal=True)
        replies = list(fleet.evaluate(order, list(fleet.sites())))
    assert [(reply.site, reply.reason) for reply in replies] == [
        (site, "TypeError: FedAvg leaves sites no models of their own") for site in ("site-1", "site-2", "site-3")]


def test_a_site_that_is_alone_has_no_elsewhere() -> None:
    with opened(local, toy_blueprint(FedBN, num_sites=1)) as fleet:
        order = EvaluateOrder(round=1, params=initial_params(fleet.blueprint), is_personal=True, elsewhere=True)
        (report,) = fleet.evaluate(order, ["site-1"])
    assert report.elsewhere is None
    assert report.tally.num_examples == 4


def test_evaluation_with_detail_names_each_row_and_one_bad_site_fails_alone(make_any) -> None:
    blueprint = toy_blueprint(num_sites=40)  # more than evaluate one by one
    rows = blueprint.rows["site-7"]
    broken = replace(blueprint, rows={**blueprint.rows, "site-7": replace(rows, val=rows.val + 10**6)})
    with opened(make_any, broken) as fleet:
        order = EvaluateOrder(round=0, params=initial_params(blueprint), rows="test", detail=True)
        reports = list(fleet.evaluate(order, list(fleet.sites())))
        failed = [reply for reply in fleet.evaluate(replace(order, rows="val"), list(fleet.sites())) if isinstance(reply, SiteFailed)]
    assert [report.site for report in reports] == list(blueprint.rows)
    for report in reports:
        assert report.rows.tolist() == blueprint.rows[report.site].test.tolist()
        assert report.values.sum(1) == pytest.approx(1)
        assert report.tally.num_examples == len(report.values) == 6
    assert [reply.site for reply in failed] == ["site-7"]
    assert "IndexError" in failed[0].reason
