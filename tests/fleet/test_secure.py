"""Secure sums on one machine: the plain weighted mean to a rounding step, drop-outs by name, nothing of a single site in what is sent."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from wardround.build import ArmBlueprint, initial_params
from wardround.core.events import Event, RoundFinished, silent
from wardround.core.exchange import Order, SiteFailed, Summed, Update
from wardround.core.params import Layout, Params
from wardround.errors import PlanError, TooFewSites
from wardround.fleet.local import LocalFleet
from wardround.fleet.scripted import ScriptedFleet
from wardround.fleet.secure import SecureFleet, manifest_of, vector_of, weight_of
from wardround.plan.schema import AggregationPlan, CohortPlan, Recipe
from wardround.privacy.secagg.drive import Replies
from wardround.privacy.secagg.faults import SecureError
from wardround.rounds.arrivals import fault
from wardround.rounds.course import Course
from wardround.rounds.loop import run_rounds
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedbn import FedBN
from wardround.strategies.scaffold import Scaffold
from wardround.testing import toy_blueprint, toy_run

EQUAL = AggregationPlan(secure=True, weights="equal")
WEIGHTED = AggregationPlan(secure=True)
LAYOUT = Layout.of([("w", torch.zeros(40), True)])
STEP = 2 / (2**24 - 1)  # of numbers within -1 to 1 in 24 bits


class Scripted(ScriptedFleet):
    """An engine that can be wrapped."""

    watch = staticmethod(silent)


def update(site: str, value: float = 0.5, **changes: object) -> Update:
    return replace(Update(site=site, num_examples=1, delta=Params(torch.full((40,), value), LAYOUT), num_steps=7, train_loss=0.1,
                          seconds=2.0), **changes)


def secure(replies: Mapping[str, Update | SiteFailed], plan: AggregationPlan = EQUAL, **num_train: int) -> SecureFleet:
    return SecureFleet(Scripted(replies=replies, num_train={name.replace("_", "-"): number for name, number in num_train.items()}),
                       plan=plan, layout=LAYOUT, strategy=FedAvg(recipe=Recipe()), fault=fault)


def order(round: int = 1, layout: Layout = LAYOUT) -> Order:
    return Order(round=round, params=Params(torch.zeros(layout.size), layout), recipe=Recipe())


def asked(fleet: SecureFleet, *, round: int = 1) -> tuple[list[SiteFailed], list[Summed]]:
    """Who failed, and the sums that came."""
    replies = list(fleet.train(order(round), list(fleet.sites())))
    return [one for one in replies if isinstance(one, SiteFailed)], [one for one in replies if isinstance(one, Summed)]


@pytest.fixture
def engine() -> Iterator[Callable[[ArmBlueprint], LocalFleet]]:
    with tempfile.TemporaryDirectory() as folder:
        made: list[LocalFleet] = []

        def make(blueprint: ArmBlueprint) -> LocalFleet:
            made.append(LocalFleet(blueprint, initial_params(blueprint).layout, workers=1, work=Path(folder) / str(len(made))))
            return made[-1]

        yield make
        for fleet in made:
            fleet.close()


def test_the_secure_mean_is_the_plain_weighted_mean_to_a_rounding_step(engine) -> None:
    blueprint = toy_blueprint(num_sites=3)
    start = blueprint.strategy.begin(initial_params(blueprint), 3)
    first, inner = blueprint.strategy.order(start), engine(blueprint)
    names = list(inner.sites())  # of 9, 13 and 17 training images
    plain = {reply.site: reply.delta.flat.double().clone() for reply in inner.train(first, names)}
    fleet = SecureFleet(inner, plan=WEIGHTED, layout=start.params.layout, strategy=blueprint.strategy, fault=fault)
    (found,) = fleet.train(first, names)
    weights = {"site-1": 542, "site-2": 782, "site-3": 1023}  # 1023 * 9/17, 1023 * 13/17
    mean = sum(weights[site] * delta for site, delta in plain.items()) / sum(weights.values())
    assert isinstance(found, Summed)
    assert (found.members, found.num_examples, found.train_loss) == (tuple(names), 1, None)
    assert float((found.delta.flat - mean).abs().max()) <= fleet.manifest.step
    exact = sum(len(blueprint.rows[site].train) * delta for site, delta in plain.items()) / (9 + 13 + 17)
    assert float((found.delta.flat - exact).abs().max()) < 1e-3 * float(exact.abs().max())


def test_whole_runs_end_where_plain_ones_do(engine) -> None:
    blueprint = toy_blueprint(num_sites=3)
    start = blueprint.strategy.begin(initial_params(blueprint), 3)
    plan = blueprint.plan.model_copy(update={"cohort": CohortPlan(min_sites=3)})
    fleet = SecureFleet(engine(blueprint), plan=WEIGHTED, layout=start.params.layout, strategy=blueprint.strategy, fault=fault)
    told: list[Event] = []
    course = run_rounds(plan, blueprint.strategy, fleet, Course(state=start, best=start.params), watch=told.append,
                        save=lambda course: None)
    plain, _ = toy_run(blueprint)
    rounds = [event for event in told if isinstance(event, RoundFinished)]
    assert [(event.failed, event.train_loss_by_site, event.update_norms) for event in rounds] == [({}, {}, {})] * 3
    assert torch.allclose(course.state.params.flat, plain.state.params.flat, atol=2e-3)


def test_parts_that_stay_at_the_sites_stay_as_they_were_to_the_bit(engine) -> None:
    blueprint = toy_blueprint(FedBN, num_sites=3)
    start = blueprint.strategy.begin(initial_params(blueprint), 3)
    inner = engine(blueprint)
    fleet = SecureFleet(inner, plan=EQUAL, layout=start.params.layout, strategy=blueprint.strategy, fault=fault)
    first = blueprint.strategy.order(start)
    plain = torch.stack([reply.delta.flat.clone() for reply in inner.train(first, list(inner.sites()))]).mean(0)
    (found,) = fleet.train(first, list(inner.sites()))
    stays = blueprint.strategy.stays(start.params.layout)
    assert stays.any()
    assert not found.delta.flat[stays].any()
    assert torch.allclose(found.delta.flat, plain, atol=fleet.manifest.step)


def test_equal_weights_are_the_unweighted_mean_whoever_has_more_images() -> None:
    fleet = secure({"a": update("a", 0.1), "b": update("b", 0.2, num_examples=90), "c": update("c", 0.6)}, b=90)
    _, (found,) = asked(fleet)
    assert torch.allclose(found.delta.flat, torch.full((40,), 0.3), atol=STEP)
    assert (found.num_steps, found.seconds) == (7, 6.0)


def test_steps_that_differ_are_no_common_number() -> None:
    _, (found,) = asked(secure({"a": update("a"), "b": update("b", num_steps=9), "c": update("c")}))
    assert found.num_steps == 0


@pytest.mark.parametrize(("bad", "reason"), [
    (SiteFailed(site="e", reason="out of film"), "out of film"), (update("e", float("nan")), "NaN or infinite"),
    (update("e", num_examples=2), "claims 2 training images"), (update("e", train_loss=float("inf")), "training loss is inf"),
    (update("e", 3.0), "beyond"),
    (replace(update("e"), delta=Params(torch.zeros(3), Layout.of([("other", torch.zeros(3), True)]))), "other tensors")])
def test_of_five_sites_one_may_drop_out_and_the_sum_is_of_the_rest(bad: Update | SiteFailed, reason: str) -> None:
    good = {name: update(name, value) for name, value in zip("abcd", (0.1, 0.2, 0.3, 0.4), strict=True)}
    (failed,), (found,) = asked(secure({**good, "e": bad}))
    assert failed.site == "e"
    assert reason in failed.reason
    assert found.members == ("a", "b", "c", "d")
    assert torch.allclose(found.delta.flat, torch.full((40,), 0.25), atol=STEP)


def test_when_too_few_are_left_every_site_has_failed_by_its_own_cause_or_with_the_others() -> None:
    lost = SiteFailed(site="d", reason="out of film")
    failed, found = asked(secure({**{name: update(name) for name in "abc"}, "d": lost, "e": replace(lost, site="e")}))
    assert not found
    assert [one.site for one in failed] == list("abcde")
    assert "3 of 5 sites are there, but 4 are needed" in failed[0].reason
    assert [one.reason for one in failed[1:]] == ["the secure sum was not opened: see site a"] * 2 + ["out of film"] * 2


def test_a_round_with_too_few_stops_the_loop() -> None:
    blueprint = toy_blueprint()
    start = blueprint.strategy.begin(Params(torch.zeros(40), LAYOUT), 3)
    fleet = secure({"a": update("a"), "b": update("b"), "c": SiteFailed(site="c", reason="out of film")})
    with pytest.raises(TooFewSites, match=r"0 of 3 sites .*c: out of film"):
        run_rounds(blueprint.plan, blueprint.strategy, fleet, Course(state=start, best=start.params), watch=silent,
                   save=lambda course: None)


def test_a_round_that_is_repeated_is_summed_again() -> None:
    fleet = secure({name: update(name) for name in "abc"})
    assert [len(asked(fleet)[1]) for _ in range(2)] == [1, 1]


def test_two_sites_are_refused() -> None:
    with pytest.raises(SecureError, match="of two sites each would know"):
        secure({name: update(name) for name in "ab"})


def test_a_strategy_that_sends_more_than_the_change_is_refused() -> None:
    with pytest.raises(PlanError, match=r"more than the model's change \(control_delta\)"):
        SecureFleet(Scripted(replies={name: update(name) for name in "abc"}), plan=EQUAL, layout=LAYOUT,
                    strategy=Scaffold(recipe=Recipe()), fault=fault)


class Tapped(SecureFleet):
    """Keeps what the server's half receives."""

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)  # type: ignore[arg-type]
        self.seen: list[tuple[str, str, bytes]] = []

    def ask(self, stage: str, requests: Mapping[str, bytes]) -> Replies:
        yield from self._tapped(stage, super().ask(stage, requests))

    def masked(self, order: Order, requests: Mapping[str, bytes]) -> Replies:
        yield from self._tapped("masked", super().masked(order, requests))

    def _tapped(self, stage: str, replies: Replies) -> Replies:
        for site, reply in replies:
            assert isinstance(reply, bytes)
            self.seen.append((stage, site, reply))
            yield site, reply


def test_the_servers_half_sees_no_update_no_loss_and_no_number_of_images() -> None:
    layout = Layout.of([("w", torch.zeros(50_000), True)])
    delta = Params(torch.full((50_000,), 0.25), layout)  # what is the same everywhere would show
    inner = Scripted(replies={name: update(name, num_examples=30, delta=delta) for name in "abc"}, num_train=dict.fromkeys("abc", 30))
    fleet = Tapped(inner, plan=WEIGHTED, layout=layout, strategy=FedAvg(recipe=Recipe()), fault=fault)
    (found,) = fleet.train(order(layout=layout), list("abc"))
    assert torch.allclose(found.delta.flat, delta.flat, atol=fleet.manifest.step)
    assert {stage for stage, _, _ in fleet.seen} == {"advertise", "share", "masked", "consent", "unmask"}
    assert found.sent_bytes == sum(len(reply) for _, _, reply in fleet.seen)
    vectors = [reply for stage, _, reply in fleet.seen if stage == "masked"]
    for reply in vectors:
        counts = np.bincount(np.frombuffer(reply, np.uint8), minlength=256)
        expected = counts.sum() / 256
        assert float(((counts - expected) ** 2 / expected).sum()) < 400  # chi-square of 255 degrees: once in 10^7 tests
        assert delta.flat.numpy().tobytes()[:8] not in reply
    words = [np.frombuffer(reply[-200_000:], np.uint8).astype(float) for reply in vectors]
    assert abs(np.corrcoef(words[0], words[1])[0, 1]) < 6 / np.sqrt(200_000)


def test_a_site_that_is_told_of_another_largest_site_has_another_manifest() -> None:
    """A server could else let one site outweigh all others, and read its update off the mean."""
    keys = {name: bytes([number]) * 32 for number, name in enumerate("abc")}
    told = [manifest_of("study", keys, WEIGHTED, LAYOUT, largest=largest).digest for largest in (17, 10**6)]
    alike = [manifest_of("study", keys, EQUAL, LAYOUT, largest=largest).digest for largest in (17, 10**6)]
    assert told[0] != told[1]
    assert alike[0] == alike[1]


@pytest.mark.parametrize(("num_train", "weight"), [(2000, 1023), (1000, 512), (3, 2), (1, 1), (0, 1)])
def test_weights_are_whole_numbers_up_to_1023(num_train: int, weight: int) -> None:
    manifest = manifest_of("study", {name: name.encode() * 32 for name in "abc"}, WEIGHTED, LAYOUT, largest=2000)
    assert weight_of(num_train, 2000, manifest) == weight


def test_the_vector_is_the_whole_change() -> None:
    assert vector_of(update("a", 0.5)).tolist() == [0.5] * 40
