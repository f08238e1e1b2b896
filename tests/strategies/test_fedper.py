"""FedPer by hand, with everything shared against FedAvg, and from a plan."""

import pytest
import torch
from at_home import RECIPE, START_OF_TWO, TargetSite, TwoLayers
from regression import TOLERANCE, final_loss

from wardround.build import build_strategy
from wardround.core.params import Params
from wardround.plan.schema import Plan
from wardround.strategies.fedper import FedPer
from wardround.testing import check_strategy, toy_blueprint, toy_run


def test_two_rounds_of_two_sites_by_hand() -> None:
    """Steps of 0.25 on 1/2 (body + head)^2 and 1/2 (body + head - 4)^2, one a round, from 0."""
    strategy = FedPer(recipe=RECIPE.model_copy(update={"local_steps": 1}))
    sites = [TargetSite("low", 1.0, 0.0, build=TwoLayers), TargetSite("high", 1.0, 4.0, build=TwoLayers)]
    state = strategy.begin(START_OF_TWO, 2)
    order = strategy.order(state)
    updates = [strategy.train(site, order) for site in sites]
    assert [update.delta.flat.tolist() for update in updates] == [[0.0, 0.0], [1.0, 0.0]]  # the high site's head went to 1 and stays
    assert (order.num_bytes, updates[0].num_bytes) == (4, 4)  # one of two numbers
    state = strategy.aggregate(state, updates)
    assert state.params.flat.tolist() == [0.5, 0.0]
    state = strategy.aggregate(state, [strategy.train(site, strategy.order(state)) for site in sites])
    assert [site.memory["own"].tolist() for site in sites] == [[-0.125], [1.625]]  # gradients 0.5 + 0 and 0.5 + 1 - 4
    assert state.params.flat.tolist() == [0.75, 0.0]  # 0.5 + (-0.125 + 0.625) / 2
    assert [strategy.personal(site, state.params).flat.tolist() for site in sites] == [[0.75, -0.125], [0.75, 1.625]]


def test_a_site_that_has_not_trained_answers_with_the_global_model() -> None:
    params = Params(torch.tensor([2.0, 3.0]), START_OF_TWO.layout)
    assert FedPer(recipe=RECIPE).personal(TargetSite("a", 1.0, 0.0, build=TwoLayers), params) is params


def test_the_heads_of_the_sites_grow_apart_and_the_global_one_stays_as_first_drawn() -> None:
    blueprint = toy_blueprint(FedPer)
    course, memories = toy_run(blueprint)
    first = blueprint.model().params.named()
    assert {name for name, tensor in course.state.params.named().items() if torch.equal(tensor, first[name])} == {"5.weight", "5.bias"}
    assert [kept["own"].numel() for kept in memories.values()] == [16 * 2 + 2] * 3
    assert len({kept["own"].sum().item() for kept in memories.values()}) == 3


def test_a_plan_names_the_head_by_patterns() -> None:
    strategy = build_strategy(Plan.model_validate({"name": "p", "strategy": {"name": "fedper", "head": ["body.*"]}}))
    assert strategy.stays(START_OF_TWO.layout).tolist() == [True, False]


def test_fedper_passes_the_checks_for_strategies() -> None:
    check_strategy(FedPer)


def test_its_result_on_the_skewed_problem_is_the_one_stored() -> None:
    assert final_loss(FedPer) == pytest.approx(1.81186, rel=TOLERANCE)
