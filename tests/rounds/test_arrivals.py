"""Updates are checked on arrival."""

from dataclasses import replace

import pytest
import torch

from wardround.core.exchange import Order, SiteFailed, Update
from wardround.core.params import Layout, Params
from wardround.errors import TooFewSites
from wardround.plan.schema import Recipe
from wardround.rounds.arrivals import Arrivals, is_finite

LAYOUT = Layout.of([("w", torch.zeros(2), True)])
ORDER = Order(round=3, params=Params(torch.zeros(2), LAYOUT), recipe=Recipe())
GOOD = Update(site="north", num_examples=10, delta=Params(torch.tensor([3.0, 4.0]), LAYOUT), num_steps=1, train_loss=2.0, seconds=1.5)
SOUTH = replace(GOOD, site="south", num_examples=30, train_loss=1.0)
OTHER = Layout.of([("v", torch.zeros(2), True)])


def arrivals(min_sites: int = 1) -> Arrivals:
    return Arrivals(order=ORDER, sites={"north": 10, "south": 30}, min_sites=min_sites)


@pytest.mark.parametrize(("bad", "cause"), [
    (replace(SOUTH, num_examples=3000), "claims 3000 training images, declared 30"),
    (replace(SOUTH, num_examples=-1), "claims -1 training images"),
    (replace(SOUTH, delta=Params(torch.tensor([1.0, float("nan")]), LAYOUT)), "delta holds NaN"),
    (replace(SOUTH, delta=Params(torch.tensor([1.0, float("-inf")]), LAYOUT)), "delta holds NaN or infinite"),
    (replace(SOUTH, delta=Params(torch.ones(2), OTHER)), "other tensors than the model"),
    (replace(SOUTH, train_loss=float("inf")), "training loss is inf"),
    (SiteFailed(site="south", reason="late"), "late"),
])
def test_a_bad_update_is_left_out_and_its_site_named(bad, cause: str) -> None:
    seen = arrivals()
    assert [update.site for update in seen.accepted([GOOD, bad])] == ["north"]
    assert cause in seen.failed["south"]
    assert seen.num_examples == {"north": 10}


def test_an_uninvited_site_is_left_out() -> None:
    seen = arrivals()
    assert list(seen.accepted([replace(GOOD, site="stranger"), GOOD])) == [GOOD]
    assert "not a site" in seen.failed["stranger"]


def test_losses_are_weighted_by_images_and_bytes_counted() -> None:
    seen = arrivals()
    list(seen.accepted([GOOD, SOUTH]))
    assert seen.train_loss == (2.0 * 10 + 1.0 * 30) / 40
    assert seen.bytes_up == 2 * 8
    assert seen.norms == {"north": 5.0, "south": 5.0}
    assert seen.train_seconds == 3.0


def test_too_few_sites_are_an_error_that_names_the_causes() -> None:
    with pytest.raises(TooFewSites, match=r"round 3: 1 of 2 sites.*min_sites = 2. south: late"):
        list(arrivals(min_sites=2).accepted([GOOD, SiteFailed(site="south", reason="late")]))


def test_large_but_finite_numbers_are_finite() -> None:
    large = Params(torch.tensor([3e38, 3e38]), LAYOUT)
    assert is_finite(large, large.norm())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_running_statistic_that_is_not_finite_is_found(value: float) -> None:
    layout = Layout.of([("w", torch.zeros(2), True), ("running_mean", torch.zeros(1), False)])
    params = Params(torch.tensor([1.0, 2.0, value]), layout)
    assert not is_finite(params, params.norm())
