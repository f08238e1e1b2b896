"""FedProx against FedAvg and by hand."""

import pytest
import torch
from regression import TOLERANCE, final_loss

from wardround.core.exchange import Order
from wardround.core.params import Layout, Params
from wardround.plan.schema import Recipe, RoundsPlan
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedprox import FedProx
from wardround.testing import check_strategy, toy_blueprint, toy_run

LONG = RoundsPlan(num=2, metric="loss")


def test_fedprox_with_mu_zero_is_fedavg() -> None:
    plain, _ = toy_run(toy_blueprint(FedAvg, rounds=LONG))
    prox, _ = toy_run(toy_blueprint(FedProx, rounds=LONG, mu=0.0))
    assert torch.equal(plain.state.params.flat, prox.state.params.flat)


def test_the_pull_is_mu_times_the_distance() -> None:
    layout = Layout.of([("w", torch.zeros(2), True)])
    order = Order(round=1, params=Params(torch.tensor([1.0, 2.0]), layout), recipe=Recipe())
    grads = torch.tensor([0.5, 0.5])
    FedProx(recipe=Recipe(), mu=0.1).penalty(order)(torch.tensor([3.0, 1.0]), grads)
    assert torch.allclose(grads, torch.tensor([0.7, 0.4]))  # 0.5 + 0.1 * (3 - 1), 0.5 + 0.1 * (1 - 2)


def test_a_strong_pull_keeps_sites_near_the_global_parameters() -> None:
    recipe = Recipe(lr=0.05, momentum=0.0, batch_size=4, local_epochs=5)
    free, _ = toy_run(toy_blueprint(FedProx, rounds=RoundsPlan(num=1, metric="loss"), recipe=recipe, mu=0.0))
    bound, _ = toy_run(toy_blueprint(FedProx, rounds=RoundsPlan(num=1, metric="loss"), recipe=recipe, mu=10.0))
    start, _ = toy_run(toy_blueprint(FedProx, rounds=RoundsPlan(num=1, metric="loss"), recipe=recipe.model_copy(update={"lr": 1e-9})))
    assert (bound.state.params - start.state.params).norm() < 0.5 * (free.state.params - start.state.params).norm()


def test_fedprox_passes_the_checks_for_strategies() -> None:
    check_strategy(FedProx, mu=0.1)


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(FedProx, mu=1.0) == pytest.approx(0.99940, rel=TOLERANCE)
