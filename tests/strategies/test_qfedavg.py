"""q-FedAvg by hand, and what it is with q = 0."""

import pytest
import torch
from byhand import equal, params, update
from regression import TOLERANCE, final_loss, skewed_blueprint

from wardround.errors import AggregationError, PlanError
from wardround.plan.schema import Recipe
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.qfedavg import QFedAvg
from wardround.testing import check_strategy, toy_run


def test_a_round_by_hand() -> None:
    strategy = QFedAvg(recipe=Recipe(lr=1.0), lr_factor=lambda t: 0.5, q=1.0)  # L = 2
    replies = [update("a", 1.0, 0.0, 3.0, train_loss=1.0, num_examples=50), update("b", 0.0, 1.0, 0.0, train_loss=2.0)]
    after = strategy.aggregate(strategy.begin(params(0.0, 0.0, 0.0), num_sites=2), replies)
    # h_a = 1 * |2|^2 + 2 * 1 = 6, h_b = 1 * |2|^2 + 2 * 2 = 8; a moves 2 * 1, b 2 * 2; the buffer by (1 * 3 + 2 * 0) / 3
    assert after.params.flat.tolist() == pytest.approx([2 / 14, 4 / 14, 1.0])


def test_q_zero_is_fedavg_with_every_site_counting_the_same() -> None:
    plain, _ = toy_run(skewed_blueprint(FedAvg, rounds=2, combine=equal))
    fair, _ = toy_run(skewed_blueprint(QFedAvg, rounds=2, q=0.0))
    assert torch.allclose(plain.state.params.flat, fair.state.params.flat, atol=1e-6)


def test_a_site_with_no_loss_left_moves_nothing() -> None:
    strategy = QFedAvg(recipe=Recipe(lr=1.0), q=0.5)
    replies = [update("done", 1.0, 0.0, 1.0, train_loss=0.0), update("b", 0.0, 1.0, 0.0, train_loss=4.0)]
    after = strategy.aggregate(strategy.begin(params(0.0, 0.0, 0.0), num_sites=2), replies)
    assert after.params.flat[0].abs() < 1e-4
    assert after.params.flat.isfinite().all()


def test_no_update_is_an_error() -> None:
    strategy = QFedAvg(recipe=Recipe())
    with pytest.raises(AggregationError, match="no site"):
        strategy.aggregate(strategy.begin(params(0.0, 0.0, 0.0), num_sites=1), [])


def test_a_negative_q_and_another_rule_are_refused() -> None:
    with pytest.raises(PlanError, match="q of at least 0"):
        QFedAvg(recipe=Recipe(), q=-1.0)
    with pytest.raises(PlanError, match="its own weights"):
        QFedAvg(recipe=Recipe(), combine=equal)


def test_qfedavg_passes_the_checks_for_strategies() -> None:
    check_strategy(QFedAvg)


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(QFedAvg, q=0.5, recipe={"lr": 0.2, "momentum": 0.0}) == pytest.approx(1.26245, rel=TOLERANCE)
