"""FedNova against FedAvg and by hand."""

from typing import Any

import pytest
import torch
from byhand import params, update
from regression import TOLERANCE, final_loss

from wardround.errors import AggregationError, PlanError
from wardround.plan.schema import Recipe, RoundsPlan
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fednova import FedNova, travelled
from wardround.testing import check_strategy, toy_blueprint, toy_run
from wardround.training.optimizers import Sgd


def test_a_round_by_hand() -> None:
    strategy = FedNova(recipe=Recipe(momentum=0.0))
    replies = [update("a", 2.0, 0.0, 4.0, num_examples=10, num_steps=2), update("b", 0.0, 8.0, 0.0, num_examples=30, num_steps=8)]
    after = strategy.aggregate(strategy.begin(params(1.0, 1.0, 1.0), num_sites=2), replies)
    # tau_eff = 2/4 + 3 * 8/4 = 6.5; a moves 1 a step with weight 1/4, b 1 a step with weight 3/4; the buffer by the plain mean
    assert after.params.flat.tolist() == [1 + 6.5 / 4, 1 + 6.5 * 3 / 4, 2.0]
    assert replies[0].delta.flat.tolist() == [2.0, 0.0, 4.0]


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("num_steps", [1, 2, 7])
def test_the_length_is_the_way_that_a_gradient_of_one_goes(momentum: float, num_steps: int) -> None:
    place = torch.zeros(1, dtype=torch.float64)
    optimizer = Sgd(momentum=momentum, weight_decay=0.0, velocity=torch.zeros(1, dtype=torch.float64), is_fresh=True)
    for _ in range(num_steps):
        optimizer.step(place, torch.ones(1, dtype=torch.float64), lr=0.1)
    assert travelled(num_steps, momentum) == pytest.approx(-float(place) / 0.1)


def test_two_steps_of_momentum_one_half_go_two_and_a_half_by_hand() -> None:
    assert travelled(2, 0.5) == pytest.approx(2.5)  # 1, then 1/2 + 1


def test_equal_steps_at_all_sites_are_fedavg() -> None:
    recipe, long = Recipe(lr=0.1, batch_size=4, local_steps=3), RoundsPlan(num=3, metric="loss")
    plain, _ = toy_run(toy_blueprint(FedAvg, rounds=long, recipe=recipe))
    nova, _ = toy_run(toy_blueprint(FedNova, rounds=long, recipe=recipe))
    assert torch.allclose(plain.state.params.flat, nova.state.params.flat, atol=1e-5)


@pytest.mark.parametrize(("changes", "found"), [({"optimizer": "adam"}, "optimizer = 'adam'"), ({"optimizer": "adamw"}, "'adamw'"),
                                                ({"keep_optimizer": True}, "keep_optimizer = true")])
def test_a_recipe_whose_weights_of_gradients_are_not_known_is_refused(changes: dict[str, Any], found: str) -> None:
    with pytest.raises(PlanError, match=found):
        FedNova(recipe=Recipe(**changes))


def test_a_change_without_steps_is_refused_with_its_site() -> None:
    strategy = FedNova(recipe=Recipe())
    with pytest.raises(AggregationError, match="site 'a' sent a change of 0 steps"):
        strategy.aggregate(strategy.begin(params(0.0, 0.0, 0.0), num_sites=1), [update("a", 1.0, 1.0, 0.0, num_steps=0)])


def test_fednova_passes_the_checks_for_strategies() -> None:
    check_strategy(lambda recipe: FedNova(recipe=recipe.model_copy(update={"keep_optimizer": False})))


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(FedNova) == pytest.approx(0.93049, rel=TOLERANCE)
