"""AFL against FedAvg and by hand."""

from dataclasses import replace

import pytest
import torch
from byhand import equal, params, update
from regression import TOLERANCE, final_loss, skewed_blueprint

from wardround.errors import AggregationError, PlanError
from wardround.plan.schema import CohortPlan, Recipe
from wardround.strategies.afl import AFL, onto_simplex
from wardround.strategies.fedavg import FedAvg
from wardround.testing import check_strategy, toy_run


def test_two_rounds_by_hand() -> None:
    strategy = AFL(recipe=Recipe(), weight_lr=0.1)
    replies = [update("a", 4.0, 0.0, 4.0, num_examples=10, train_loss=2.0), update("b", 0.0, 4.0, 0.0, num_examples=30, train_loss=1.0)]
    first = strategy.aggregate(strategy.begin(params(0.0, 0.0, 0.0), num_sites=2), replies)
    assert first.params.flat.tolist() == [1.0, 3.0, 1.0]  # shares 1/4, 3/4
    assert first.shares == pytest.approx({"a": 0.3, "b": 0.7})  # 0.25 + 0.2, 0.75 + 0.1, less 0.15 each
    second = strategy.aggregate(first, replies)
    assert second.params.flat.tolist() == pytest.approx([2.2, 5.8, 2.2])
    assert first.shares == pytest.approx({"a": 0.3, "b": 0.7})


def test_a_site_that_fails_keeps_its_place_and_one_that_joins_later_brings_its_images() -> None:
    strategy = AFL(recipe=Recipe(), weight_lr=0.1)
    first = strategy.aggregate(strategy.begin(params(0.0, 0.0, 0.0), num_sites=3), [update("a", 1.0, 0.0, 0.0, num_examples=10),
                                                                                     update("b", 0.0, 1.0, 0.0, num_examples=30)])
    second = strategy.aggregate(first, [update("a", 0.0, 0.0, 3.0, num_examples=10, train_loss=1.5),
                                        update("c", 0.0, 0.0, 0.0, num_examples=20, train_loss=0.5)])
    assert second.params.flat[2] == 1.0  # a has 10 of the 30 images that replied
    assert second.shares == pytest.approx({"a": 1 / 6 + 0.05, "b": 1 / 2, "c": 1 / 3 - 0.05})
    assert second.num_examples == 60


def test_sites_without_a_share_move_nothing() -> None:
    strategy = AFL(recipe=Recipe(), weight_lr=1.0)
    both = [update("a", 1.0, 0.0, 1.0, train_loss=5.0), update("b", 0.0, 1.0, 0.0, train_loss=1.0)]
    first = strategy.aggregate(strategy.begin(params(0.0, 0.0, 0.0), num_sites=2), both)
    assert first.shares == {"a": 1.0, "b": 0.0}
    assert strategy.aggregate(first, both[1:]).params.flat.tolist() == first.params.flat.tolist()


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_weight_lr_zero_is_fedavg(fraction: float) -> None:
    ends = []
    for blueprint in (skewed_blueprint(FedAvg), skewed_blueprint(AFL, weight_lr=0.0)):
        plan = blueprint.plan.model_copy(update={"cohort": CohortPlan(fraction=fraction)})
        ends.append(toy_run(replace(blueprint, plan=plan))[0].state.params.flat)
    assert torch.allclose(*ends, atol=1e-6)


@pytest.mark.parametrize(("values", "nearest"), [
    ([0.2, 0.8], [0.2, 0.8]), ([1.0, 1.0], [0.5, 0.5]), ([0.9, 0.8, -1.0], [0.55, 0.45, 0.0]), ([5.0, 0.0], [1.0, 0.0]),
    ([1e30, 0.0], [1.0, 0.0]), ([-3.0], [1.0])])
def test_the_nearest_point_of_the_simplex(values: list[float], nearest: list[float]) -> None:
    assert onto_simplex(values) == pytest.approx(nearest)


def test_no_update_is_an_error() -> None:
    strategy = AFL(recipe=Recipe())
    with pytest.raises(AggregationError, match="no site"):
        strategy.aggregate(strategy.begin(params(0.0, 0.0, 0.0), num_sites=1), [])


def test_a_negative_rate_and_another_rule_are_refused() -> None:
    with pytest.raises(PlanError, match="weight_lr of at least 0"):
        AFL(recipe=Recipe(), weight_lr=-1.0)
    with pytest.raises(PlanError, match="its own weights"):
        AFL(recipe=Recipe(), combine=equal)


def test_afl_passes_the_checks_for_strategies() -> None:
    check_strategy(AFL)


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(AFL, weight_lr=0.2) == pytest.approx(0.98169, rel=TOLERANCE)
