"""Ditto by hand, its global half against FedAvg, its own half against a site alone."""

import pytest
import torch
from at_home import RECIPE, TargetSite, alone, order_of
from regression import TOLERANCE, final_loss

from wardround.core.params import Params
from wardround.plan.schema import Recipe
from wardround.strategies.ditto import Ditto
from wardround.strategies.fedavg import FedAvg
from wardround.testing import check_strategy, toy_blueprint, toy_run

KEEPING = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)


def test_two_rounds_by_hand() -> None:
    """Two steps of 0.25 on 1/2 (w - 4)^2, and on the same + 1/2 (v - w_t)^2, from 0 and then from w = 1.75."""
    strategy, site = Ditto(recipe=RECIPE, pull=1.0), TargetSite("a", 1.0, 4.0)
    update = strategy.train(site, order_of(strategy, 0.0))
    assert update.delta.flat.tolist() == [1.75]  # 0 -> 1 -> 1.75
    assert site.memory["own"].tolist() == [1.5]  # gradients -4 + 0, -3 + 1
    strategy.train(site, order_of(strategy, 1.75, round=2))
    assert site.memory["own"].tolist() == [2.53125]  # -2.5 - 0.25 to 2.1875, -1.8125 + 0.4375
    assert strategy.personal(site, order_of(strategy, 9.0).params).flat.tolist() == [2.53125]


def test_its_global_model_is_fedavg_s_and_so_are_the_bytes() -> None:
    plain, _ = toy_run(toy_blueprint(FedAvg, recipe=KEEPING))
    found, _ = toy_run(toy_blueprint(Ditto, recipe=KEEPING))
    assert torch.equal(plain.state.params.flat, found.state.params.flat)
    assert (plain.bytes_up, plain.bytes_down) == (found.bytes_up, found.bytes_down)


def test_without_a_pull_a_site_s_own_model_is_one_trained_alone() -> None:
    blueprint = toy_blueprint(Ditto, recipe=KEEPING, pull=0.0)
    _, memories = toy_run(blueprint)
    assert torch.allclose(memories["site-2"]["own"], alone(blueprint, "site-2").flat, atol=1e-6)


def test_a_strong_pull_keeps_it_near_the_global_model() -> None:
    distances = []
    for pull in (0.0, 5.0):
        course, memories = toy_run(toy_blueprint(Ditto, recipe=Recipe(lr=0.05, momentum=0.0, batch_size=4), pull=pull))
        distances.append((Params(memories["site-1"]["own"], course.state.params.layout) - course.state.params).norm())
    assert distances[1] < 0.5 * distances[0]


def test_ditto_passes_the_checks_for_strategies() -> None:
    check_strategy(Ditto)


def test_its_result_on_the_skewed_problem_is_the_one_stored() -> None:
    assert final_loss(Ditto) == pytest.approx(1.75793, rel=TOLERANCE)
