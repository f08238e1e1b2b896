"""From a plan to an arm; what cannot work is refused."""

import pytest

from wardround.build import build_strategy, lr_factor, plan_of_arm
from wardround.errors import PlanError, UnknownName
from wardround.plan.schema import Plan
from wardround.strategies.fedprox import FedProx


def plan(**sections) -> Plan:
    return Plan.model_validate({"name": "p", **sections})


def test_strategy_settings_come_from_the_plan() -> None:
    strategy = build_strategy(plan(strategy={"name": "fedprox", "mu": 0.3}))
    assert isinstance(strategy, FedProx)
    assert strategy.mu == 0.3


def test_a_setting_that_a_strategy_does_not_have_is_named() -> None:
    with pytest.raises(PlanError, match="'fedprox' has no setting 'mue'"):
        build_strategy(plan(strategy={"name": "fedprox", "mue": 0.3}))


def test_an_unknown_strategy_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'fedavg'"):
        build_strategy(plan(strategy={"name": "fedavgg"}))


def test_the_schedule_scales_the_learning_rate() -> None:
    cosine = plan(recipe={"lr": 0.4, "schedule": "cosine"}, rounds={"num": 4})
    assert [round(lr_factor(cosine, t), 4) for t in (1, 2, 3, 4)] == [1.0, 0.8536, 0.5, 0.1464]


def test_one_site_arms_train_plainly_with_equal_steps_per_image() -> None:
    short = plan(recipe={"local_steps": 2}, strategy={"name": "fedprox", "mu": 1.0}, cohort={"fraction": 0.5})
    assert plan_of_arm(short, "federated", 3) == short
    for arm, steps in (("pooled", 6), ("local", 2)):
        own = plan_of_arm(short, arm, 3)
        assert (own.recipe.local_steps, own.strategy.name, own.cohort.fraction, own.recipe.keep_optimizer) == (steps, "fedavg", 1.0, True)
    assert plan_of_arm(plan(recipe={"local_epochs": 2}), "pooled", 3).recipe.local_epochs == 2
