"""Fine-tuning: FedAvg before, alone after, and what is sent."""

import pytest
import torch
from at_home import RECIPE, TargetSite, alone, order_of
from regression import TOLERANCE, final_loss

from wardround.errors import PlanError
from wardround.plan.schema import Recipe
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.finetune import FineTune
from wardround.testing import check_strategy, toy_blueprint, toy_run

KEEPING = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)


def test_before_the_sites_part_it_is_fedavg() -> None:
    plain, memories = toy_run(toy_blueprint(FedAvg, recipe=KEEPING))
    found, kept = toy_run(toy_blueprint(FineTune, recipe=KEEPING, after=3))
    assert torch.equal(plain.state.params.flat, found.state.params.flat)
    assert (plain.bytes_up, plain.bytes_down, plain.best_score) == (found.bytes_up, found.bytes_down, found.best_score)
    assert all(kept[site].keys() == memories[site].keys() for site in memories)


def test_a_site_goes_on_from_the_last_global_model_by_hand() -> None:
    """A step of 0.25 on 1/2 (w - 4)^2 a round: together from 0 to 1, alone to 1.75 and 2.3125."""
    strategy, site = FineTune(recipe=RECIPE.model_copy(update={"local_steps": 1}), after=1), TargetSite("a", 1.0, 4.0)
    orders = [order_of(strategy, 0.0), order_of(strategy, 1.0, round=2), order_of(strategy, 1.0, round=3)]
    updates = [strategy.train(site, order) for order in orders]
    assert [update.delta.flat.item() for update in updates] == [1.0, 0.0, 0.0]
    assert site.memory["own"].tolist() == [2.3125]
    assert [order.num_bytes for order in orders] == [4, 4, 0]  # the last global model goes out once
    assert [update.num_bytes for update in updates] == [4, 0, 0]
    assert strategy.personal(site, orders[2].params).flat.tolist() == [2.3125]
    assert strategy.personal(TargetSite("new", 1.0, 4.0), orders[2].params) is orders[2].params


def test_the_global_model_stays_as_it_is_while_sites_go_on() -> None:
    together, _ = toy_run(toy_blueprint(FedAvg, recipe=KEEPING), stop_after=1)
    found, memories = toy_run(toy_blueprint(FineTune, recipe=KEEPING, after=1))
    assert torch.equal(found.state.params.flat, together.state.params.flat)
    assert found.state.round == 3
    assert len({kept["own"].sum().item() for kept in memories.values()}) == 3


def test_without_rounds_together_each_site_is_alone() -> None:
    blueprint = toy_blueprint(FineTune, recipe=KEEPING, after=0)
    _, memories = toy_run(blueprint)
    assert torch.allclose(memories["site-2"]["own"], alone(blueprint, "site-2").flat, atol=1e-6)


def test_a_negative_number_of_rounds_is_refused() -> None:
    with pytest.raises(PlanError, match="0 or more, not -1"):
        FineTune(recipe=Recipe(), after=-1)


def test_fine_tuning_passes_the_checks_for_strategies() -> None:
    check_strategy(FineTune, after=1)


def test_its_result_on_the_skewed_problem_is_the_one_stored() -> None:
    assert final_loss(FineTune, after=2) == pytest.approx(1.20880, rel=TOLERANCE)
