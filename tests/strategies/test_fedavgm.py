"""FedAvgM against FedAvg and by hand."""

import pytest
import torch
from byhand import params, update
from regression import TOLERANCE, final_loss

from wardround.errors import PlanError
from wardround.plan.schema import Recipe, RoundsPlan
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedavgm import FedAvgM
from wardround.testing import check_strategy, toy_blueprint, toy_run


def test_two_rounds_by_hand() -> None:
    strategy = FedAvgM(recipe=Recipe(), server_lr=0.5, server_momentum=0.5)
    replies = [update("a", 4.0, 0.0, 1.0, num_examples=1), update("b", 0.0, 4.0, 1.0, num_examples=3)]  # mean: 1, 3, 1
    first = strategy.aggregate(strategy.begin(params(1.0, 1.0, 1.0), num_sites=2), replies)
    assert first.params.flat.tolist() == [1.5, 2.5, 2.0]  # v = 1, 3; the buffer's mean change is not halved
    second = strategy.aggregate(first, replies)
    assert second.velocity.flat.tolist() == [1.5, 4.5, 0.0]  # 0.5 * 1 + 1, 0.5 * 3 + 3
    assert second.params.flat.tolist() == [2.25, 4.75, 3.0]
    assert (first.velocity.flat.tolist(), first.params.flat.tolist()) == ([1.0, 3.0, 0.0], [1.5, 2.5, 2.0])  # as they were


@pytest.mark.parametrize(("rounds", "server_momentum"), [(1, 0.9), (3, 0.0)])
def test_the_first_round_and_every_round_without_momentum_are_fedavg(rounds: int, server_momentum: float) -> None:
    long = RoundsPlan(num=rounds, metric="loss")
    plain, _ = toy_run(toy_blueprint(FedAvg, rounds=long))
    moved, _ = toy_run(toy_blueprint(FedAvgM, rounds=long, server_momentum=server_momentum))
    assert torch.equal(plain.state.params.flat, moved.state.params.flat)


@pytest.mark.parametrize("settings", [{"server_lr": 0.0}, {"server_momentum": 1.0}, {"server_momentum": -0.1}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(PlanError, match=r"server_lr above 0 and server_momentum from 0 to below 1, got"):
        FedAvgM(recipe=Recipe(), **settings)


def test_fedavgm_passes_the_checks_for_strategies() -> None:
    check_strategy(FedAvgM)


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(FedAvgM, server_momentum=0.5) == pytest.approx(0.77771, rel=TOLERANCE)
