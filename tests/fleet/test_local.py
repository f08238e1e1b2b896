"""The local engine's own promises; what every engine promises is in test_contract.py."""

from dataclasses import replace
from itertools import accumulate

import pytest
import torch

from wardround.build import ArmBlueprint, initial_params
from wardround.core.events import SiteStep
from wardround.core.exchange import EvaluateOrder, SiteFailed, Update
from wardround.fleet.base import MAX_ALONE, neighbours
from wardround.fleet.local import LocalFleet
from wardround.plan.schema import EnginePlan, Recipe, RoundsPlan
from wardround.session.keeper import pack, unpack
from wardround.sites import steps
from wardround.testing import toy_blueprint, toy_run


def fleet_of(blueprint: ArmBlueprint, tmp_path, **settings) -> LocalFleet:
    return LocalFleet(blueprint, initial_params(blueprint).layout, workers=settings.pop("workers", 2), work=tmp_path / "work", **settings)


def first_round(fleet: LocalFleet) -> list[Update | SiteFailed]:
    strategy = fleet.blueprint.strategy
    order = strategy.order(strategy.begin(initial_params(fleet.blueprint), 3))
    return [reply if isinstance(reply, SiteFailed) else (reply.site, reply.delta.clone())
            for reply in fleet.train(order, list(fleet.sites()))]


@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_workers_does_not_change_a_bit(workers: int) -> None:
    recipe = Recipe(lr=0.1, batch_size=4, optimizer="adam", keep_optimizer=True)
    blueprint = toy_blueprint(num_sites=4, recipe=recipe)
    assert torch.equal(toy_run(blueprint)[0].state.params.flat, toy_run(blueprint, workers=workers)[0].state.params.flat)


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_way_to_compute_has_the_same_bits_for_any_number_of_workers_and_after_a_resume(precision: str, layout: str) -> None:
    blueprint = toy_blueprint(num_sites=4, recipe=Recipe(lr=0.1, batch_size=4, keep_optimizer=True))
    engine = EnginePlan.model_validate({"precision": precision, "layout": layout})
    blueprint = replace(blueprint, plan=blueprint.plan.model_copy(update={"engine": engine}))
    whole, _ = toy_run(blueprint)
    for workers in (2, 4):
        assert torch.equal(toy_run(blueprint, workers=workers)[0].state.params.flat, whole.state.params.flat)
    half, memories = toy_run(blueprint, workers=2, stop_after=1)
    loaded, memories = unpack(pack(half, memories, 0), blueprint.strategy.begin(initial_params(blueprint), 4))
    resumed, _ = toy_run(blueprint, course=loaded, memories=memories)
    assert torch.equal(resumed.state.params.flat, whole.state.params.flat)


def test_a_worker_that_cannot_build_its_model_tells_why(tmp_path) -> None:
    blueprint = toy_blueprint()
    fleet = fleet_of(blueprint, tmp_path)
    fleet.blueprint = replace(blueprint, feed=None)  # no images at all
    try:
        replies = first_round(fleet)
    finally:
        fleet.close()
    assert [reply.site for reply in replies] == ["site-1", "site-2", "site-3"]
    assert all(isinstance(reply, SiteFailed) and "AttributeError" in reply.reason for reply in replies)


def test_small_sites_are_evaluated_together_with_the_same_sums(tmp_path) -> None:
    blueprint = toy_blueprint(num_sites=MAX_ALONE + 3)
    order = EvaluateOrder(round=0, params=initial_params(blueprint))
    fleet = fleet_of(blueprint, tmp_path)
    try:
        together = list(fleet.evaluate(order, list(fleet.sites())))
        alone = [report for site in fleet.sites() for report in fleet.evaluate(order, [site])]
    finally:
        fleet.close()
    assert len(neighbours(blueprint.rows, order, list(blueprint.rows))) < MAX_ALONE
    for one, other in zip(together, alone, strict=True):
        assert one.site == other.site
        assert (one.tally.confusion == other.tally.confusion).all()
        assert one.tally.loss_sum == pytest.approx(other.tally.loss_sum, rel=1e-5)


def test_it_is_told_which_sites_train_and_how_far_they_are(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "EVERY_S", 0.0)
    events: list[SiteStep] = []
    fleet = fleet_of(toy_blueprint(), tmp_path, watch=events.append)
    try:
        with_steps = first_round(fleet)
        list(fleet.evaluate(EvaluateOrder(round=1, params=initial_params(fleet.blueprint)), list(fleet.sites())))
    finally:
        fleet.close()
    for site in fleet.sites():
        told = [(event.stage, event.done, event.total) for event in events if event.site == site]
        num_steps = len(told) - 1
        assert num_steps > 1
        assert told == [("training", 0, 0), *(("training", done, num_steps) for done in range(1, num_steps)), ("done", 0, 0)]
    assert {event.round for event in events} == {1}
    monkeypatch.undo()
    fleet = fleet_of(toy_blueprint(), tmp_path)
    try:
        assert all(torch.equal(one[1].flat, other[1].flat) for one, other in zip(with_steps, first_round(fleet), strict=True))
    finally:
        fleet.close()


def test_a_site_that_waits_for_a_free_worker_is_not_said_to_train(tmp_path) -> None:
    events: list[SiteStep] = []
    fleet = fleet_of(toy_blueprint(num_sites=9), tmp_path, watch=events.append)
    try:
        first_round(fleet)
    finally:
        fleet.close()
    num_training = list(accumulate(1 if event.stage == "training" else -1 for event in events))
    assert max(num_training) == 2
    assert num_training[-1] == 0


def test_a_reader_that_stops_early_leaves_no_step_for_the_next_round(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "EVERY_S", 0.0)
    fleet = fleet_of(toy_blueprint(), tmp_path)
    strategy = fleet.blueprint.strategy
    order = strategy.order(strategy.begin(initial_params(fleet.blueprint), 3))
    try:
        replies = fleet.train(order, list(fleet.sites()))
        next(replies)
        replies.close()
        assert [site for site, _ in first_round(fleet)] == list(fleet.sites())
    finally:
        fleet.close()


def test_the_parent_computes_on_one_thread_while_workers_live(tmp_path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        fleet = fleet_of(toy_blueprint(), tmp_path)
        first_round(fleet)
        assert torch.get_num_threads() == 1
        fleet.close()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_updates_and_memory_take_two_slots_a_worker_whatever_the_number_of_sites(tmp_path) -> None:
    fleet = fleet_of(toy_blueprint(num_sites=9), tmp_path)
    assert len(fleet._arena.slots) == 4
    try:
        assert [site for site, _ in first_round(fleet)] == list(fleet.sites())
    finally:
        fleet.close()


def test_closing_leaves_no_process_and_no_file(tmp_path) -> None:
    fleet = fleet_of(toy_blueprint(recipe=Recipe(lr=0.1, batch_size=4, keep_optimizer=True)), tmp_path)
    first_round(fleet)
    processes = [worker.process for worker in fleet._workers]
    fleet.close()
    assert not any(process.is_alive() for process in processes)
    assert not (tmp_path / "work").exists()


def test_memory_that_was_restored_is_what_a_site_starts_from(tmp_path) -> None:
    recipe = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)
    blueprint = toy_blueprint(recipe=recipe, rounds=RoundsPlan(num=1, metric="loss"))
    _, memories = toy_run(blueprint)
    fleet = fleet_of(blueprint, tmp_path)
    try:
        fleet.restore(memories)
        kept = fleet.memories()
        assert kept.keys() == memories.keys() == set(blueprint.rows)
        assert all(torch.equal(kept[site]["optimizer.velocity"], memories[site]["optimizer.velocity"]) for site in kept)
    finally:
        fleet.close()
