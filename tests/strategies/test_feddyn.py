"""FedDyn by hand and in its limit."""

from dataclasses import replace

import pytest
import torch
from quadratic import RECIPE, QuadraticSite, rounds, two_sites
from regression import TOLERANCE, final_loss

from wardround.build import initial_params
from wardround.core.exchange import Update
from wardround.core.params import Layout, Params
from wardround.errors import PlanError
from wardround.plan.schema import Recipe, RoundsPlan
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.feddyn import FedDyn
from wardround.testing import check_strategy, toy_blueprint, toy_run

LAYOUT = Layout.of([("w", torch.zeros(2), True), ("mean", torch.zeros(1), False)])


def params(*numbers: float) -> Params:
    return Params(torch.tensor(numbers, dtype=torch.float32), LAYOUT)


def test_two_rounds_of_two_sites_by_hand() -> None:
    """Steps of 0.25 on losses w^2 / 2 and 3/2 (w - 4)^2, two a round, from 0; alpha = 1."""
    sites = two_sites()
    first = rounds(FedDyn(recipe=RECIPE, alpha=1.0), sites, 1)
    assert [site.memory["gradient"].item() for site in sites] == [0.0, -3.0]  # the second goes 0 -> 3 -> 3, where -3 + 1 * 3 = 0
    assert (first.h.flat.tolist(), first.params.flat.tolist()) == ([-1.5], [3.0])  # h = -(0 + 3) / 2, w = 1.5 + 1.5
    sites = two_sites()
    second = rounds(FedDyn(recipe=RECIPE, alpha=1.0), sites, 2)
    assert [site.memory["gradient"].item() for site in sites] == [1.125, -3.0]  # the first goes 3 -> 2.25 -> 1.875, the second stays
    assert (second.h.flat.tolist(), second.params.flat.tolist()) == ([-0.9375], [3.375])


def test_it_ends_at_the_minimum_of_the_mean_loss_whatever_the_sizes() -> None:
    sites = two_sites()
    sites[1].num_train = 5
    assert rounds(FedDyn(recipe=RECIPE, alpha=1.0), sites, 80).params.flat.tolist() == pytest.approx([3.0], abs=1e-4)
    assert [site.memory["gradient"].item() for site in sites] == pytest.approx([3.0, -3.0], abs=1e-3)  # each site's own gradient there


def test_the_server_s_half_by_hand() -> None:
    strategy = FedDyn(recipe=Recipe(), alpha=0.5)
    state = replace(strategy.begin(params(1, 1, 5), num_sites=4), h=params(0.25, 0, 0))
    updates = [Update(site="a", num_examples=10, delta=params(1, 0, 2), num_steps=1, train_loss=0.0),
               Update(site="b", num_examples=30, delta=params(-3, 4, 6), num_steps=1, train_loss=0.0)]
    after = strategy.aggregate(state, updates)
    assert after.h.flat.tolist() == [0.5, -0.5, 0.0]  # 0.25 - 0.5 * (1 - 3) / 4, -0.5 * 4 / 4
    assert after.params.flat.tolist() == [-1.0, 4.0, 9.0]  # 1 - 1 - 0.5 / 0.5, 1 + 2 + 0.5 / 0.5; the buffer 5 + (2 + 6) / 2
    assert (state.params.flat.tolist(), state.h.flat.tolist()) == ([1, 1, 5], [0.25, 0, 0])


def test_with_a_vanishing_alpha_it_is_fedavg_whose_server_adds_all_steps_so_far() -> None:
    def run(strategy: type[FedAvg], **settings: float) -> Params:
        blueprint = toy_blueprint(strategy, rounds=RoundsPlan(num=1, metric="loss"), **settings)
        rows = {name: replace(site, train=site.train[:9]) for name, site in blueprint.rows.items()}  # equal sizes, equal weights
        return toy_run(replace(blueprint, rows=rows))[0].state.params

    start, plain, dynamic = initial_params(toy_blueprint()), run(FedAvg), run(FedDyn, alpha=1e-6)
    assert torch.allclose(dynamic.trainable, (plain + plain - start).trainable, atol=1e-5)
    assert torch.allclose(dynamic.buffers, plain.buffers, atol=1e-5)


def test_the_sum_of_all_steps_by_hand() -> None:
    """One site, w^2 / 2 from 1: a FedAvg round takes w to (3/4)^2 w, a step of -7/16 w."""
    site, strategy = QuadraticSite("one", 1.0, 0.0), FedDyn(recipe=RECIPE, alpha=1e-6)
    state = replace(strategy.begin(Params(torch.ones(1), Layout.of([("weight", torch.zeros(1, 1), True)])), 1))
    found = []
    for _ in range(2):
        state = strategy.aggregate(state, [strategy.train(site, strategy.order(state))])
        found.append(state.params.flat.item())
    assert found == pytest.approx([1 / 8, 1 / 8 - 2 * 7 / 16 / 8 - 7 / 16], abs=1e-4)  # the last term is round 1's step once more


def test_alpha_zero_is_refused() -> None:
    with pytest.raises(PlanError, match="alpha of feddyn must be above 0"):
        FedDyn(recipe=Recipe(), alpha=0.0)


def test_feddyn_passes_the_checks_for_strategies() -> None:
    check_strategy(FedDyn, alpha=1.0)


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(FedDyn, alpha=1.0) == pytest.approx(0.68932, rel=TOLERANCE)
