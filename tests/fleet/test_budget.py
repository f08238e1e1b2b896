"""Sites pay before they are asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
import torch

from wardround.core.events import Watch, silent
from wardround.core.exchange import Order, SiteFailed, Summed, Update
from wardround.core.params import Layout, Params
from wardround.errors import PrivacyError
from wardround.fleet.budget import BudgetedFleet, BudgetSpent, is_central, spend_of, with_refusals
from wardround.fleet.scripted import ScriptedFleet
from wardround.plan.schema import Recipe
from wardround.privacy.accountant import Spend
from wardround.privacy.terms import Terms

LAYOUT = Layout.of([("w", torch.zeros(1), True)])


def update(site: str) -> Update:
    return Update(site=site, num_examples=1, delta=Params(torch.zeros(1), LAYOUT), num_steps=1, train_loss=None)


def order(round: int) -> Order:
    return Order(round=round, params=Params(torch.zeros(1), LAYOUT), recipe=Recipe())


def terms(unit: str = "image") -> Terms:
    return Terms(unit=unit, noise_multiplier=2.0, sample_rate=0.5, clip_norm=1.0, delta=1e-5, epsilon=9.0, steps_per_round=4,
                 physical_batch=8, images_per_patient=4)


@dataclass
class Purse:
    """A ledger that pays so many rounds."""

    num: int
    paid: list[tuple[Spend, int, str]] = field(default_factory=list)

    def allow(self, spend: Spend) -> bool:
        return len(self.paid) < self.num

    def spend(self, spend: Spend, *, round: int, run: str) -> None:
        assert self.allow(spend)
        self.paid.append((spend, round, run))

    def refusal(self, spend: Spend, round: int) -> str:
        return f"privacy budget: {len(self.paid)} of {self.num} spent, round {round}"


class Watched(ScriptedFleet):
    """asked: the sites of each round, and what each had paid by then."""

    watch: Watch = staticmethod(silent)
    purses: dict[str, Purse]
    asked: list[dict[str, int]]

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        self.asked.append({site: len(self.purses.get(site, self.purses.get("server", Purse(0))).paid) for site in cohort})
        return super().train(order, cohort)


def fleet(min_sites: int = 1, unit: str = "image", **nums: int) -> BudgetedFleet:
    inner = Watched(replies={site: update(site) for site in ("a", "b", "c")})
    inner.purses, inner.asked = {name: Purse(num) for name, num in nums.items()}, []
    return BudgetedFleet(inner, inner.purses, {name: terms(unit) for name in nums}, "r", min_sites=min_sites)


def test_each_asked_site_pays_before_the_order_leaves() -> None:
    budgeted = fleet(a=2, b=2, c=2)
    replies = budgeted.train(order(7), ["a", "c"])
    assert [purse.paid for purse in budgeted.ledgers.values()] == [[(Spend(2.0, 0.5, 4), 7, "r")], [], [(Spend(2.0, 0.5, 4), 7, "r")]]
    assert [reply.site for reply in replies] == ["a", "c"]
    assert budgeted.inner.asked == [{"a": 1, "c": 1}]


def test_a_site_without_budget_is_not_asked_and_fails_in_its_place() -> None:
    budgeted = fleet(a=1, b=0, c=1)
    replies = list(budgeted.train(order(1), ["a", "b", "c"]))
    assert [(reply.site, type(reply)) for reply in replies] == [("a", Update), ("b", SiteFailed), ("c", Update)]
    assert replies[1].reason == "privacy budget: 0 of 0 spent, round 1"
    assert budgeted.inner.asked == [{"a": 1, "c": 1}]


def test_a_round_that_is_repeated_is_paid_for_again() -> None:
    budgeted = fleet(a=3, b=3, c=3)
    for _ in range(2):
        list(budgeted.train(order(1), ["a"]))
    assert [t for _, t, _ in budgeted.ledgers["a"].paid] == [1, 1]


def test_fewer_than_min_sites_end_the_training_with_nothing_spent() -> None:
    budgeted = fleet(min_sites=2, a=1, b=0, c=0)
    with pytest.raises(BudgetSpent, match=r"round 3: 1 of 3 sites have privacy budget.*min_sites = 2\. b: privacy budget: 0 of 0") as told:
        budgeted.train(order(3), ["a", "b", "c"])
    assert told.value.exit_code == PrivacyError.exit_code == 5
    assert budgeted.inner.asked == []
    assert budgeted.ledgers["a"].paid == []


def test_no_site_that_can_pay_ends_the_training_whatever_min_sites_says() -> None:
    with pytest.raises(BudgetSpent, match="0 of 1 sites"):
        fleet(a=0, b=1).train(order(1), ["a"])


def test_where_whole_sites_are_hidden_the_server_pays_once_a_round_for_all() -> None:
    budgeted = fleet(unit="site", server=1)
    assert len(list(budgeted.train(order(1), ["a", "b"]))) == 2
    assert len(budgeted.ledgers["server"].paid) == 1
    with pytest.raises(BudgetSpent, match=r"0 of 2 sites.*a: privacy budget"):
        budgeted.train(order(2), ["a", "b"])
    assert len(budgeted.inner.asked) == 1


def test_a_hospital_named_server_pays_for_itself() -> None:
    assert not is_central({"server": terms("image")})
    assert not is_central({"server": terms("image"), "a": terms("image")})
    assert is_central({"server": terms("site")})


def test_ledgers_and_terms_are_of_the_same_sites() -> None:
    with pytest.raises(PrivacyError, match="do not fit the terms"):
        BudgetedFleet(fleet(a=1).inner, {"a": Purse(1)}, {"b": terms()}, "r")


def test_a_secure_sum_stands_among_the_refusals() -> None:
    summed = Summed(site="sum", members=("a", "c"), num_examples=1, delta=Params(torch.zeros(1), LAYOUT), num_steps=1, train_loss=None)
    replies = iter([summed, SiteFailed(site="c", reason="no power")])
    found = list(with_refusals(replies, {"b": "spent", "d": "spent"}, ["a", "b", "c", "d"]))
    assert [reply.site for reply in found] == ["sum", "b", "c", "d"]


def test_a_rounds_spending_is_that_of_its_terms() -> None:
    assert spend_of(terms()) == Spend(noise_multiplier=2.0, sample_rate=0.5, steps=4)
