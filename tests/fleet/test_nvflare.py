"""The engine of a network: the local engine's bits whatever the strategy, versions of memory, and every reply that is refused."""

import weakref
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_network import ToyFleet

from wardround.build import ArmBlueprint, initial_params
from wardround.core.events import Event, Note, silent
from wardround.core.exchange import EvaluateOrder, SiteFailed, Update
from wardround.core.params import Layout, Params
from wardround.core.tally import ClassTally, FindingTally
from wardround.errors import CheckpointError
from wardround.fleet.nvflare import Lost
from wardround.fleet.wire import decode, encode, kinds_of, peek
from wardround.network.messages import Delivered, LocalOrder, SiteSummary
from wardround.plan.schema import CohortPlan, ExchangePlan, Recipe, RoundsPlan
from wardround.rounds.arrivals import Arrivals
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.session.keeper import pack, unpack
from wardround.strategies import STRATEGIES
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedper import FedPer
from wardround.strategies.finetune import FineTune
from wardround.strategies.scaffold import Scaffold
from wardround.testing import toy_blueprint, toy_run

REMEMBERING = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)
SETTINGS = {"finetune": {"after": 1}, "fednova": {"recipe": Recipe(lr=0.1, batch_size=4)}}  # where the others' do not fit


def of_strategy(name: str) -> ArmBlueprint:
    settings = {"recipe": REMEMBERING, "rounds": RoundsPlan(num=3, metric="loss"), "num_sites": 2} | SETTINGS.get(name, {})
    return toy_blueprint(STRATEGIES.find(name), **settings)


def trained(fleet: ToyFleet, course: Course | None = None, rounds: int | None = None) -> Course:
    blueprint = fleet.blueprint
    start = blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows))
    plan = blueprint.plan
    plan = plan.model_copy(update={"rounds": plan.rounds.model_copy(update={"num": rounds or plan.rounds.num})})
    return run_rounds(plan, blueprint.strategy, fleet, course or Course(state=start, best=start.params), watch=silent, save=lambda _: None)


def assert_equal(found: Course, expected: Course) -> None:
    for name, value in vars(expected.state).items():
        other = getattr(found.state, name)
        assert torch.equal(other.flat, value.flat) if isinstance(value, Params) else other == value
    assert (found.best_score, found.best_round) == (expected.best_score, expected.best_round)
    assert (found.bytes_up, found.bytes_down, found.dropped) == (expected.bytes_up, expected.bytes_down, ())


@pytest.mark.parametrize("name", sorted(STRATEGIES.table))
def test_a_run_over_a_network_is_the_local_one_bit_for_bit_and_so_is_one_resumed(name) -> None:
    blueprint = of_strategy(name)
    expected, memories = toy_run(blueprint)
    fleet = ToyFleet(blueprint)
    half = trained(fleet, rounds=2)
    saved = pack(half, fleet.memories(), 0)
    assert_equal(trained(fleet, half), expected)
    for site, kept in memories.items():
        there = fleet.there[site].kept[bytes(fleet.memories()[site]["version"].tolist()).decode()]
        assert all(torch.equal(there[entry], tensor) for entry, tensor in kept.items())
    again = ToyFleet(blueprint)
    again.there.update(fleet.there)
    again.exchange = fleet.exchange
    course, versions = unpack(saved, blueprint.strategy.begin(initial_params(blueprint), len(blueprint.rows)))
    again.restore(versions)
    assert_equal(trained(again, course), expected)


@pytest.mark.parametrize("updates", ["float16", "int8", "top-k"])
@pytest.mark.parametrize("strategy", [FedAvg, Scaffold, FedPer])
def test_what_was_packed_at_the_site_is_what_travels_and_what_is_counted(strategy, updates) -> None:
    blueprint = toy_blueprint(strategy, exchange=ExchangePlan(updates=updates, top_share=0.1))
    fleet = ToyFleet(blueprint)
    found, bytes_up = trained(fleet, rounds=1), 0
    for _, _, data in fleet.exchange.exchanged("Order", "ScaffoldOrder"):
        arrays = peek(data).arrays.values()
        assert {dtype for dtype, _ in arrays} == {"U8"}
        bytes_up += sum(shape[0] for _, shape in arrays)
    assert found.bytes_up == bytes_up
    assert_equal(trained(fleet, found), toy_run(blueprint)[0])


def test_parts_that_stay_at_the_site_do_not_travel_either_way_once_it_has_them() -> None:
    fleet = ToyFleet(toy_blueprint(FedPer))
    trained(fleet, rounds=2)
    orders, updates = zip(*[[num_numbers(data) for data in both] for _, *both in fleet.exchange.exchanged("Order")], strict=True)
    whole, told = fleet.layout.size, first_order(fleet).num_bytes // 4
    assert orders == (whole - 8,) * 3 + (told,) * 3  # first also what the site's own part begins from; 8 of the numbers are tensors of 0
    assert updates == (told,) * 6


def num_numbers(data: bytes) -> int:
    return sum(shape[0] for _, shape in peek(data).arrays.values())


def test_a_strategy_that_sends_nothing_gets_no_numbers() -> None:
    fleet = ToyFleet(toy_blueprint(FineTune, after=0))
    trained(fleet, rounds=1)
    assert [num_numbers(update) for _, _, update in fleet.exchange.exchanged("Order")] == [0] * 3


def test_a_part_of_the_sites_is_asked_each_round_and_what_the_others_remember_stays_as_it_was() -> None:
    blueprint = toy_blueprint(num_sites=4, recipe=REMEMBERING)
    blueprint = replace(blueprint, plan=blueprint.plan.model_copy(update={"cohort": CohortPlan(fraction=0.5, min_sites=1)}))
    assert_equal(trained(ToyFleet(blueprint)), toy_run(blueprint)[0])


def first_order(fleet: ToyFleet):
    strategy = fleet.blueprint.strategy
    return strategy.order(strategy.begin(initial_params(fleet.blueprint), len(fleet.sites())))


def test_every_request_is_one_of_a_kind_and_says_what_the_work_begins_from() -> None:
    fleet = ToyFleet(toy_blueprint(recipe=REMEMBERING), weights=(1.0, 2.0))
    for _ in range(2):  # the first round is given up
        list(fleet.train(first_order(fleet), ["site-1", "site-2"]))
    fleet.commit()
    list(fleet.train(replace(first_order(fleet), round=2), ["site-1", "site-2"]))
    order = EvaluateOrder(round=2, params=initial_params(fleet.blueprint))
    list(fleet.evaluate(order, ["site-1"]))
    first, again, second, evaluated = fleet.there["site-1"].seen
    assert len({envelope.nonce for site in fleet.there.values() for envelope in site.seen}) == 7
    assert (first.memory, again.memory, second.memory) == ("", "", again.keep)
    assert len({first.keep, again.keep, second.keep}) == 3
    assert (evaluated.memory, evaluated.keep) == ("", "")
    assert (first.cohort, evaluated.cohort, first.weights, first.deadline_s, second.round) == (2, 1, (1.0, 2.0), 30.0, 2)
    assert fleet.there["site-3"].seen == []


def test_a_site_that_has_nothing_to_remember_has_no_version() -> None:
    fleet = ToyFleet(toy_blueprint())
    list(fleet.train(first_order(fleet), list(fleet.sites())))
    fleet.commit()
    assert fleet.memories() == {}


def test_a_server_started_again_gives_no_version_twice() -> None:
    keeps = set()
    for _ in range(3):
        fleet = ToyFleet(toy_blueprint())
        list(fleet.train(first_order(fleet), ["site-1"]))
        keeps.add(fleet.there["site-1"].seen[0].keep)
    assert len(keeps) == 3


def test_a_checkpoint_of_what_sites_remember_is_not_taken_for_one_of_versions() -> None:
    with pytest.raises(CheckpointError, match="a run on one machine"):
        ToyFleet(toy_blueprint()).restore({"site-1": {"own": torch.zeros(2)}})


def test_a_site_may_join() -> None:
    fleet = ToyFleet(toy_blueprint())
    fleet.declare("site-4", 7)
    assert list(fleet.sites().items())[-1] == ("site-4", 7)


def test_replies_come_in_the_order_of_the_sites() -> None:
    fleet = ToyFleet(toy_blueprint())
    assert [reply.site for reply in fleet.train(first_order(fleet), list(fleet.sites()))] == ["site-1", "site-2", "site-3"]
    assert [site for site, _, _ in fleet.exchange.log] == ["site-3", "site-2", "site-1"]


def test_an_update_is_held_until_its_turn_and_no_longer() -> None:
    fleet = ToyFleet(toy_blueprint())
    replies = fleet.train(first_order(fleet), ["site-3", "site-2", "site-1"])  # each answers after its turn has come
    gone = []
    for update in replies:
        gone.append(weakref.ref(update))
        del update
        assert not any(update() for update in gone)


def test_an_exchange_is_closed_when_its_reader_stops() -> None:
    fleet = ToyFleet(toy_blueprint())
    replies = fleet.train(first_order(fleet), ["site-3", "site-1"])
    fleet.exchange.answers["site-1"], fleet.exchange.answers["site-3"] = (lambda data: Lost("late"),) * 2
    next(replies)
    assert not fleet.exchange.is_closed
    replies.close()
    assert fleet.exchange.is_closed


def test_a_lost_site_fails_with_the_reason_and_one_that_nothing_was_heard_of_too() -> None:
    fleet = ToyFleet(toy_blueprint())
    del fleet.exchange.answers["site-1"]
    fleet.exchange.answers["site-2"] = lambda data: Lost("no answer within 30 s")
    fleet.exchange.silent.add("site-3")
    assert list(fleet.train(first_order(fleet), list(fleet.sites()))) == [
        SiteFailed(site="site-1", reason="not connected"), SiteFailed(site="site-2", reason="no answer within 30 s"),
        SiteFailed(site="site-3", reason="no answer")]


def test_notes_of_a_site_are_told_as_one_line_each() -> None:
    events: list[Event] = []
    fleet = ToyFleet(toy_blueprint(), watch=events.append)
    fleet.there["site-2"].notes = ("its worker was started again\n\x1b[31m(signal 9)",)
    list(fleet.train(first_order(fleet), list(fleet.sites())))
    assert events == [Note(text="site site-2: its worker was started again  [31m(signal 9)")]


def test_other_messages_are_asked_as_the_caller_says() -> None:
    fleet = ToyFleet(toy_blueprint())
    own = decode(encode({}, SiteSummary(site="site-2", scores={"mean_dice": [0.5, {"n": 3}]})), {"SiteSummary": SiteSummary}, None)[1]
    for site, reply in {"site-1": Delivered(site="site-1"), "site-2": own, "site-3": SiteFailed(site="site-3", reason="no plan")}.items():
        fleet.exchange.answers[site] = lambda data, reply=reply: encode(peek(data).envelope, reply)
    found = dict(fleet.asked({site: LocalOrder() for site in fleet.sites()}, round=0, expects=SiteSummary, deadline_s=5.0))
    assert list(found) == ["site-3", "site-2", "site-1"]  # as they arrive
    assert found["site-2"] == own
    assert found["site-3"].reason == "no plan"
    assert "its kind is 'Delivered', expected SiteFailed or SiteSummary" in found["site-1"].reason


def changed(**fields) -> Callable:
    """A site whose envelope says something else."""
    return lambda fleet, data, honest: encode({**peek(honest).envelope, **fields}, decoded(fleet, honest))


def decoded(fleet: ToyFleet, data: bytes):
    return decode(data, kinds_of(fleet.strategy), fleet.layout)[1]


def of_another_model(fleet, data, honest) -> bytes:
    other = Params(torch.zeros(3), Layout.of([("other", torch.zeros(3), True)]))
    return encode(peek(honest).envelope, replace(decoded(fleet, honest), delta=other))


def claiming(**fields) -> Callable:
    """A site whose update says something else."""
    return lambda fleet, data, honest: encode(peek(honest).envelope, replace(decoded(fleet, honest), **fields))


REFUSED = {
    "another site's name in the envelope": (changed(site="site-1"), "says site 'site-1', asked was 'site-2'"),
    "another site's name in the update": (claiming(site="site-1"), "it speaks for site 'site-1'"),
    "another plan": (changed(plan="cd" * 32), "says plan 'cdcd"),
    "another run": (changed(run="federated-seed1"), "says run 'federated-seed1'"),
    "another round": (changed(round=2), "says round 2, asked was 1"),
    "a round that only equals": (changed(round=True), "says round True, asked was 1"),
    "the reply to another request": (changed(nonce="0" * 32), "says nonce '0000"),
    "a version nobody gave": (changed(keep="9-9-ff"), "a version of its memory that nobody gave it"),
    "notes that are none": (changed(notes=[3]), "its notes are no texts"),
    "more than an envelope": (changed(admin=True), "has not the fields of one"),
    "another model": (of_another_model, "'delta' has 3 numbers, the model has"),
    "another kind": (lambda fleet, data, honest: encode(peek(honest).envelope, Delivered(site="site-2")), "its kind is 'Delivered'"),
    "the order itself": (lambda fleet, data, honest: data, "its kind is 'Order'"),
    "garbage": (lambda fleet, data, honest: b"\x80\x04\x95cos\nsystem\n" * 10, "not safetensors"),
    "nothing": (lambda fleet, data, honest: b"", "not safetensors"),
    "half a reply": (lambda fleet, data, honest: honest[: len(honest) // 2], "cut off"),
    "too much": (lambda fleet, data, honest: honest + bytes(fleet.max_bytes), "are allowed"),
    "an impossible count of bytes": (claiming(sent_bytes=-1), "claims to have sent -1 bytes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_reply_that_does_not_fit_is_a_named_failure_audited_and_never_used(case) -> None:
    forge, why = REFUSED[case]
    audit: list[tuple[str, dict]] = []
    fleet = ToyFleet(toy_blueprint(recipe=REMEMBERING), audit=lambda kind, **facts: audit.append((kind, facts)))
    honest = fleet.exchange.answers["site-2"]
    fleet.exchange.answers["site-2"] = lambda data: forge(fleet, data, honest(data))
    one, two, three = fleet.train(first_order(fleet), list(fleet.sites()))
    assert (one.site, three.site) == ("site-1", "site-3")
    assert isinstance(two, SiteFailed)
    assert two.reason.startswith("reply refused: ")
    assert why in two.reason
    assert audit == [("refused", {"site": "site-2", "round": 1, "reason": two.reason})]
    fleet.commit()
    assert fleet.memories().keys() == {"site-1", "site-3"}


def test_numbers_that_are_not_finite_are_refused_on_arrival() -> None:
    fleet = ToyFleet(toy_blueprint())
    honest = fleet.exchange.answers["site-2"]
    nan = Params(torch.full((fleet.layout.size,), torch.nan), fleet.layout)
    fleet.exchange.answers["site-2"] = lambda data: claiming(delta=nan)(fleet, data, honest(data))
    order = first_order(fleet)
    arrivals = Arrivals(order=order, sites=fleet.sites(), min_sites=2)
    assert [update.site for update in arrivals.accepted(fleet.train(order, list(fleet.sites())))] == ["site-1", "site-3"]
    assert "NaN" in arrivals.failed["site-2"]


def test_a_replayed_reply_is_refused() -> None:
    fleet = ToyFleet(toy_blueprint())
    list(fleet.train(first_order(fleet), list(fleet.sites())))
    (old,) = [answer for site, _, answer in fleet.exchange.log if site == "site-1"]
    fleet.exchange.answers["site-1"] = lambda data: old
    assert "nonce" in next(fleet.train(first_order(fleet), ["site-1"])).reason


def test_a_second_answer_and_one_of_a_site_that_was_not_asked_are_audited_and_never_used() -> None:
    audit: list[dict] = []
    fleet = ToyFleet(toy_blueprint(), audit=lambda kind, **facts: audit.append(facts))
    first = list(fleet.train(first_order(fleet), ["site-1", "site-2"]))
    deltas = [update.delta.flat.clone() for update in first]
    stale = {site: answer for site, _, answer in fleet.exchange.log}
    fleet.exchange.more = [("site-1", stale["site-1"]), ("site-3", stale["site-2"]), ("nobody", b"")]
    again = list(fleet.train(first_order(fleet), ["site-1", "site-2"]))
    assert all(isinstance(update, Update) and torch.equal(update.delta.flat, delta) for update, delta in zip(again, deltas, strict=True))
    second, unasked = "reply refused: a second answer to the same request", "reply refused: an answer of a site that was not asked"
    assert [(facts["site"], facts["reason"]) for facts in audit] == [("site-1", second), ("site-3", unasked), ("nobody", unasked)]


COUNTED = ClassTally.of(np.array([[0.2, 0.8]]), np.array([1]), np.array([0.1]))
REPORTS = {
    "rows": ({"rows": np.arange(2), "values": np.zeros((2, 2))}, "single rows"),
    "elsewhere": ({"elsewhere": COUNTED}, "other sites' rows"),
    "temperatures": ({"loss_sums": np.zeros(3)}, "of 0 temperatures"),
    "classes": ({"tally": ClassTally.of(np.array([[0.2, 0.2, 0.6]]), np.array([1]), np.array([0.1]))}, "of other classes than the plan's"),
    "kind": ({"tally": FindingTally.of(np.array([[0.2, 0.8]]), np.array([[0, 1]]), np.array([0.1]))}, "of other classes than the plan's"),
}


@pytest.mark.parametrize("case", REPORTS)
@pytest.mark.parametrize("is_told", [True, False])
def test_a_report_holds_what_was_asked_for_and_adds_up_with_the_others(case, is_told) -> None:
    fields, why = REPORTS[case]
    fleet = ToyFleet(toy_blueprint(), tally=(ClassTally, 2) if is_told else None)
    honest = fleet.exchange.answers["site-2"]
    fleet.exchange.answers["site-2"] = lambda data: claiming(**fields)(fleet, data, honest(data))
    order = EvaluateOrder(round=1, params=initial_params(fleet.blueprint))
    one, two, three = fleet.evaluate(order, list(fleet.sites()))
    assert (one.site, three.site) == ("site-1", "site-3")
    assert why in two.reason
