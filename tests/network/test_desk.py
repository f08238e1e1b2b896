"""A site's work for a study: the local engine's bits, nothing that the approved plan does not ask for, no word too many about a failure."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_network import one_thread
from toy_site import REMEMBERING, SITE, ToySupply, at_home, blueprint_of, first_order, make_site, opened, request

from wardround.build import initial_params
from wardround.core.exchange import EvaluateOrder, SiteFailed, SiteReport, Update
from wardround.core.params import Layout, Params
from wardround.errors import ImageError, PlanError
from wardround.fleet.worker import evaluated
from wardround.network import messages  # pytest would take a TestOrder of this module for a test
from wardround.network.approval import Approvals
from wardround.network.desk import Desk
from wardround.network.messages import Deliver, Delivered, Hello, Ready, SiteSummary
from wardround.plan.load import dump_plan
from wardround.runs.folder import RunFolder
from wardround.session.trained import Trained
from wardround.strategies.fedavg import FedAvg

RECORD = {"temperature": 1.5, "threshold": 0.4, "best_round": 2, "phantom": False}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


class Counter:
    """A desk, the site's folder, and what the coordinator reads of its answers."""

    def __init__(self, path, strategy="fedavg", kind=None, **plan):
        self.blueprint = blueprint_of(strategy, plan.get("recipe", REMEMBERING))
        approved = self.blueprint.plan.model_copy(update=plan)
        self.folder, self.plan = make_site(path / "site", approved)
        self.desk = Desk(self.folder, supply=ToySupply(self.folder, strategy, kind))

    def asks(self, message, **changes):
        return opened(self.desk.answer(request(self.plan, message, **changes)), self.blueprint)

    def is_refused(self, message, **changes):
        """The reason, which says so."""
        _, reply = self.asks(message, **changes)
        assert isinstance(reply, SiteFailed)
        assert reply.reason.startswith("refused: ")
        return reply.reason


@pytest.fixture
def counter(tmp_path):
    return Counter(tmp_path)


def is_same(update: Update, expected: Update) -> bool:
    return torch.equal(update.delta.flat, expected.delta.flat) and (update.train_loss, update.num_steps, update.num_examples) == (
        expected.train_loss, expected.num_steps, expected.num_examples)


def test_an_order_is_trained_to_the_bits_of_the_local_engine(counter) -> None:
    envelope, update = counter.asks(first_order())
    (expected,), _ = at_home([first_order()])
    assert update.site == SITE
    assert is_same(update, expected)
    assert update.seconds > 0
    assert envelope.keep == ""


@pytest.mark.parametrize("strategy", ["fedbn", "scaffold"])
def test_two_rounds_from_memory_have_the_bits_of_the_local_engine(tmp_path, strategy) -> None:
    counter = Counter(tmp_path, strategy)
    first = first_order(counter.blueprint)
    second = replace(first, round=2)
    envelope, one = counter.asks(first, keep="1-1-ab")
    _, two = counter.asks(second, memory=envelope.keep, keep="2-1-ab")
    expected, _ = at_home([first, second], counter.blueprint)
    assert envelope.keep == "1-1-ab"
    assert is_same(one, expected[0])
    assert is_same(two, expected[1])


def test_a_round_that_does_not_count_leaves_no_trace(counter) -> None:
    counter.asks(first_order(), keep="1-1-ab")
    _, again = counter.asks(first_order(), keep="1-2-cd")
    assert is_same(again, at_home([first_order()])[0][0])


def test_memory_that_is_lost_is_said_and_the_site_begins_afresh(counter) -> None:
    envelope, update = counter.asks(replace(first_order(), round=2), memory="1-1-ab", keep="2-1-ab")
    assert envelope.notes == ("its memory of round 1 is lost; it begins afresh",)
    assert is_same(update, at_home([replace(first_order(), round=2)])[0][0])
    assert counter.asks(first_order())[0].notes == ()


def test_a_site_that_lost_its_own_part_of_the_model_begins_from_the_first_one(tmp_path) -> None:
    counter = Counter(tmp_path, "fedbn")
    whole = replace(first_order(counter.blueprint), round=2)
    stays = counter.blueprint.strategy.stays(whole.params.layout)
    told = whole.params.clone()
    told.flat[stays] = 0  # a server does not send what it takes the site to remember
    _, update = counter.asks(replace(whole, params=told), memory="1-1-ab", keep="2-1-ab")
    assert is_same(update, at_home([whole], counter.blueprint)[0][0])


def test_old_versions_go_but_not_the_one_that_the_order_named(counter) -> None:
    for number in range(1, 7):
        counter.asks(first_order(), memory="1-1-ab" if number > 1 else "", keep=f"1-{number}-ab")
    kept = {file.stem for file in (counter.folder.memory / "toy-seed0").iterdir()}
    assert kept == {"1-1-ab", "1-4-ab", "1-5-ab", "1-6-ab"}


def test_a_report_is_of_the_site_alone_and_without_rows(tmp_path) -> None:
    counter = Counter(tmp_path, "fedbn")
    order = EvaluateOrder(round=1, params=initial_params(counter.blueprint), is_personal=True, elsewhere=True, temperatures=(0.5, 1.0))
    counter.asks(first_order(counter.blueprint), keep="1-1-ab")
    _, report = counter.asks(order, memory="1-1-ab")
    _, memory = at_home([first_order(counter.blueprint)], counter.blueprint)
    expected = evaluated(counter.blueprint, counter.blueprint.bench(), [SITE], order, memory)[0]
    assert isinstance(report, SiteReport)
    assert report.tally.loss_sum == expected.tally.loss_sum
    assert (report.loss_sums == expected.loss_sums).all()
    assert (report.rows, report.values, report.elsewhere) == (None, None, None)


def test_hello_tells_what_is_there(counter) -> None:
    _, ready = counter.asks(Hello(plan=dump_plan(counter.blueprint.plan)))
    assert isinstance(ready, Ready)
    assert (ready.site, ready.num_train, ready.num_val, ready.num_test) == (SITE, 13, 4, 6)
    assert (ready.classes, ready.task, ready.phantom, ready.threads) == (("class-0", "class-1"), "binary", True, 1)
    assert ready.counts is None


def test_counts_of_classes_are_told_only_where_the_loss_is_weighted_by_them(tmp_path) -> None:
    counter = Counter(tmp_path, recipe=REMEMBERING.model_copy(update={"class_weights": "balanced"}))
    _, ready = counter.asks(Hello(plan="is not looked at"))
    assert sum(ready.counts.values()) == 13


def test_class_weights_come_with_the_order_and_only_where_the_plan_has_them(tmp_path, counter) -> None:
    weighted = REMEMBERING.model_copy(update={"class_weights": "balanced"})
    balanced = Counter(tmp_path / "balanced", recipe=weighted)
    order = first_order(balanced.blueprint)
    _, update = balanced.asks(order, weights=(0.5, 1.5))
    blueprint = replace(balanced.blueprint, class_weights=np.array([0.5, 1.5]))
    assert is_same(update, at_home([order], blueprint)[0][0])
    assert "class_weights" in balanced.is_refused(order)
    assert "3 class weights for the 2 classes" in balanced.is_refused(order, weights=(1.0, 1.0, 1.0))
    assert "class_weights" in counter.is_refused(first_order(), weights=(0.5, 1.5))


@pytest.mark.parametrize(("change", "named"), [({"batch_size": 2}, "batch_size"), ({"local_epochs": 50.0}, "local_epochs"),
                                               ({"lr": 1.01}, "lr"), ({"optimizer": "adam"}, "optimizer")])
def test_a_recipe_other_than_the_approved_one_is_refused(counter, change, named) -> None:
    order = first_order()
    reason = counter.is_refused(replace(order, recipe=order.recipe.model_copy(update=change)))
    assert f"recipe.{named}" in reason
    assert "approved" in reason


def test_the_schedule_may_change_the_rate(counter) -> None:
    order = first_order()
    _, update = counter.asks(replace(order, recipe=order.recipe.model_copy(update={"lr": 0.05})))
    assert isinstance(update, Update)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(counter, number) -> None:
    order = first_order()
    order.params.flat[3] = number
    assert "Order.params holds a number that is not finite" in counter.is_refused(order)
    assert "not finite" in counter.is_refused(EvaluateOrder(round=1, params=order.params))


def test_a_model_of_another_shape_is_refused(counter) -> None:
    other = Params(torch.zeros(3), Layout.of([("other", torch.zeros(3), True)]))
    assert "has 3 numbers" in counter.is_refused(replace(first_order(), params=other))


@pytest.mark.parametrize(("round", "envelope_round"), [(4, 4), (1, 2)])
def test_a_round_that_the_plan_does_not_have_is_refused(counter, round, envelope_round) -> None:
    assert "rounds 1 to 3" in counter.is_refused(replace(first_order(), round=round), round=envelope_round)


def test_an_order_of_another_strategy_is_refused(counter) -> None:
    assert "its kind is 'ScaffoldOrder'" in counter.is_refused(first_order(blueprint_of("scaffold")))


@pytest.mark.parametrize(("change", "cause"), [({"detail": True}, "single rows"), ({"rows": "test"}, "test rows are read once"),
                                               ({"temperatures": (0.0,)}, "temperatures")])
def test_an_evaluation_that_asks_for_more_than_sums_of_validation_rows_is_refused(counter, change, cause) -> None:
    assert cause in counter.is_refused(EvaluateOrder(round=1, params=first_order().params, **change))


def test_a_plan_that_is_not_approved_or_was_withdrawn_is_refused(counter) -> None:
    assert "is not approved at site-2" in counter.is_refused(first_order(), plan="ab" * 32)
    Approvals(counter.folder.approvals_file).withdraw(counter.plan)
    assert "wardround site approve" in counter.is_refused(first_order())


def test_a_message_for_another_site_is_refused(counter) -> None:
    assert "this is for site 'site-1'" in counter.is_refused(first_order(), site="site-1")


def test_a_site_with_fewer_images_than_it_wants_to_train_on_refuses(tmp_path) -> None:
    counter = Counter(tmp_path)
    counter.folder.limits_file.write_text("min_train = 14\n")
    counter.desk = Desk(counter.folder, supply=ToySupply(counter.folder))
    assert "this site has 13 training images" in counter.is_refused(first_order())


class Failing(FedAvg):
    """Raises what its class is told."""

    error: Exception = RuntimeError()

    def train(self, site, order):
        raise self.error


@pytest.mark.parametrize(("error", "reason"), [
    (RuntimeError("cannot read Smith_John_007.png"), "RuntimeError"), (ImageError("Smith_John_007.png", reason="truncated"), "ImageError"),
    (PlanError("/data/Smith_John is no folder"), "PlanError"), (FileNotFoundError(2, "no file", "Smith_John"), "FileNotFoundError")])
def test_a_failure_names_its_kind_and_nothing_of_the_images(tmp_path, caplog, error, reason) -> None:
    counter = Counter(tmp_path, kind=type("Own", (Failing,), {"error": error}))
    _, reply = counter.asks(first_order())
    assert isinstance(reply, SiteFailed)
    assert reply.reason.startswith(reason)
    assert "Smith" not in reply.reason
    assert "Smith" in caplog.text


def test_a_failure_in_our_own_words_says_them(tmp_path) -> None:
    counter = Counter(tmp_path, kind=type("Own", (Failing,), {"error": PlanError("strategy.mu is too large")}))
    assert counter.asks(first_order())[1].reason == "PlanError: strategy.mu is too large"


def test_the_test_is_summed_up_before_it_leaves(counter) -> None:
    order = messages.TestOrder(round=2, params=initial_params(counter.blueprint), is_personal=False, temperature=1.0, threshold=0.5)
    _, summary = counter.asks(order)
    assert isinstance(summary, SiteSummary)
    assert summary.tally.num_examples == 6
    assert "threshold" in counter.is_refused(replace(order, threshold=2.0))
    assert "temperature" in counter.is_refused(replace(order, temperature=0.0))


def delivered(counter: Counter, **changes) -> Deliver:
    params = initial_params(counter.blueprint)
    params.flat.add_(1)
    return Deliver(**{"round": 2, "params": params, "is_personal": False, "record": RECORD, "card": "# A model\n"} | changes)


def test_the_final_model_can_be_used_at_the_site(counter) -> None:
    message = delivered(counter)
    for _ in range(2):  # a second delivery replaces the first
        assert counter.asks(message)[1] == Delivered(site=SITE)
    folder = counter.folder.models / "toy-seed0"
    assert {file.name for file in folder.iterdir()} == {"model.safetensors", "model.json", "card.md"}
    assert [file.name for file in counter.folder.models.iterdir()] == ["toy-seed0"]
    model = Trained.of(RunFolder(folder))
    assert torch.equal(model.model.params.flat, message.params.flat)
    assert (model.record["temperature"], model.record["threshold"], model.record["best_round"]) == (1.5, 0.4, 2)
    assert model.record["phantom"]  # the site's own images are


def test_a_personal_model_is_delivered_as_the_site_has_it(tmp_path) -> None:
    counter = Counter(tmp_path, "fedbn")
    counter.asks(first_order(counter.blueprint), keep="1-1-ab")
    message = delivered(counter, is_personal=True)
    counter.asks(message, memory="1-1-ab")
    _, memory = at_home([first_order(counter.blueprint)], counter.blueprint)
    found = Trained.of(RunFolder(counter.folder.models / "toy-seed0")).model.params
    stays = counter.blueprint.strategy.stays(found.layout)
    assert torch.equal(found.flat[stays], memory["own"])
    assert torch.equal(found.flat[~stays], message.params.flat[~stays])


def test_a_delivered_record_cannot_name_what_is_imported(counter) -> None:
    counter.asks(delivered(counter, record={**RECORD, "model": {"name": "os:system"}, "loss": "evil.py:loss"}))
    record = RunFolder(counter.folder.models / "toy-seed0").path.joinpath("model.json").read_text()
    assert "os:system" not in record
    assert "evil" not in record


@pytest.mark.parametrize("name", sorted(RECORD))
def test_a_delivered_record_without_sense_is_refused(counter, name) -> None:
    assert name in counter.is_refused(delivered(counter, record={**RECORD, name: "much"}))


def test_a_personal_model_of_a_strategy_that_has_none_is_refused(counter) -> None:
    assert "no models of their own" in counter.is_refused(delivered(counter, is_personal=True))


def test_bytes_that_are_no_message_are_answered_too(counter) -> None:
    envelope, reply = opened(counter.desk.answer(b"\x00" * 40))
    assert envelope.site == reply.site == SITE
    assert reply.reason.startswith("refused: ")
