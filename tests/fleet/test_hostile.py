"""An engine some of whose sites are malicious."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from stacks import X, layout_of, numbers

from wardround.aggregation.stack import Stack
from wardround.attacks.choose import Corruption, make_corruption
from wardround.core.events import silent
from wardround.core.exchange import Order, SiteFailed, Update
from wardround.core.params import Params
from wardround.fleet.hostile import HostileFleet
from wardround.fleet.scripted import ScriptedFleet
from wardround.plan.schema import AttackPlan, Recipe
from wardround.strategies.scaffold import ScaffoldUpdate

NAMES = [f"site-{number}" for number in range(1, 8)]
LAYOUT = layout_of(3)


class Slotted(ScriptedFleet):
    """Lends out one piece of memory, as LocalFleet does: an update's arrays are valid until the next reply is asked for."""

    watch = staticmethod(silent)

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        slots = {"delta": torch.zeros(3), "control_delta": torch.zeros(3)}
        for reply in super().train(order, cohort):
            if isinstance(reply, SiteFailed):
                yield reply
                continue
            lent = {name: Params(slots[name].copy_(value.flat), value.layout) for name, value in vars(reply).items()
                    if isinstance(value, Params)}
            yield replace(reply, **lent)


def params(row: Sequence[float]) -> Params:
    return Params(torch.tensor(row, dtype=torch.float32), LAYOUT)


def honest(index: int) -> ScaffoldUpdate:
    return ScaffoldUpdate(site=NAMES[index], num_examples=index + 1, delta=params(X[index]), num_steps=3, train_loss=0.5,
                          control_delta=params([index] * 3), sent_bytes=7)


def hostile(corruption: Corruption, sites: Sequence[str], from_round: int = 1, seed: int = 0,
            **replies: Update | SiteFailed) -> HostileFleet:
    script = {name: honest(index) for index, name in enumerate(NAMES)}
    inner = Slotted(replies={**script, **{name.replace("_", "-"): reply for name, reply in replies.items()}})
    return HostileFleet(inner, corruption, sites=sites, from_round=from_round, seed=seed)


def corruption(kind: str, **settings: float) -> Corruption:
    found = make_corruption(AttackPlan(kind=kind, **settings))
    assert found is not None
    return found


def asked(fleet: HostileFleet, number: int = 1, cohort: Sequence[str] = NAMES) -> list[Update | SiteFailed]:
    """Each reply's arrays copied as it comes."""
    order = Order(round=number, params=params([0, 0, 0]), recipe=Recipe())
    return [reply if isinstance(reply, SiteFailed) else replace(reply, delta=reply.delta.clone(), control_delta=reply.control_delta.clone())
            for reply in fleet.train(order, cohort)]


def deltas(replies: Sequence[Update | SiteFailed]) -> list[list[float]]:
    return [numbers(reply.delta) for reply in replies if isinstance(reply, Update)]


def test_only_the_delta_of_malicious_sites_is_replaced() -> None:
    replies = asked(hostile(corruption("sign-flip"), ["site-2", "site-7"]))
    assert [reply.site for reply in replies] == NAMES
    for index, reply in enumerate(replies):
        assert isinstance(reply, ScaffoldUpdate)
        assert numbers(reply.delta) == pytest.approx(list(X[index] * (-4 if index in (1, 6) else 1)))
        assert numbers(reply.control_delta) == [index] * 3
        assert (reply.num_examples, reply.num_steps, reply.train_loss, reply.sent_bytes) == (index + 1, 3, 0.5, 7)


def test_an_attack_sees_all_updates_of_the_round_though_the_engine_lends_them_one_by_one() -> None:
    replies = asked(hostile(corruption("inner-product", strength=2.0), ["site-7"]))
    assert deltas(replies)[6] == pytest.approx([-2.0666667, -4.0166667, -6.0166667])


def test_before_from_round_the_engine_s_replies_pass_one_by_one() -> None:
    fleet = hostile(corruption("sign-flip"), ["site-7"], from_round=3)
    assert deltas(asked(fleet, 2)) == deltas([honest(index) for index in range(7)])
    assert deltas(asked(fleet, 3))[6] == [-40.0, 40.0, -120.0]
    replies = fleet.train(Order(round=2, params=params([0, 0, 0]), recipe=Recipe()), NAMES)
    first, second = next(replies), next(replies)
    assert isinstance(first, Update) and isinstance(second, Update)
    assert first.delta.flat is second.delta.flat


def test_a_cohort_without_malicious_sites_is_untouched() -> None:
    def never(stack: Stack, rows: Sequence[int], rng: torch.Generator) -> list[torch.Tensor]:
        raise AssertionError("no malicious site answered")

    assert deltas(asked(hostile(never, ["site-7"]), cohort=NAMES[:3])) == deltas([honest(index) for index in range(3)])
    failed = SiteFailed(site="site-7", reason="timeout")
    assert asked(hostile(never, ["site-7"], site_7=failed))[6] == failed


def test_failures_and_what_is_not_finite_pass_in_their_place() -> None:
    failed, broken = SiteFailed(site="site-1", reason="timeout"), replace(honest(2), delta=params([torch.nan, 0, 0]))
    replies = asked(hostile(corruption("inner-product", strength=1.0), ["site-3", "site-7"], site_1=failed, site_3=broken))
    assert replies[0] == failed
    assert bool(replies[2].delta.flat.isnan().any())
    assert deltas(replies)[5] == pytest.approx(list(-X[[1, 3, 4, 5]].mean(0)))


def test_noise_is_drawn_by_seed_and_round() -> None:
    def noise(number: int, seed: int) -> list[float]:
        return deltas(asked(hostile(corruption("gaussian"), ["site-7"], seed=seed), number))[6]

    assert noise(1, 0) == noise(1, 0)
    assert noise(1, 0) != noise(2, 0)
    assert noise(1, 0) != noise(1, 1)


def test_the_rest_is_the_engine_s_own() -> None:
    fleet = hostile(corruption("alie"), ["site-7"])
    fleet.commit()
    assert list(fleet.sites()) == NAMES
    assert fleet.inner.num_commits == 1
