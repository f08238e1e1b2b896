"""What partial strategies share: nothing stays by default, what stays is neither sent nor counted, and a gradient on the side."""

import pytest
import torch
from at_home import RECIPE, START_OF_TWO, TargetSite, TwoLayers, order_of

from wardround.core.params import FlatModel
from wardround.errors import PlanError
from wardround.plan.schema import Recipe, RoundsPlan
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.fedper import FedPer
from wardround.strategies.personal import Partial, gradient, in_head
from wardround.testing import toy_blueprint, toy_run


def test_where_nothing_stays_it_is_fedavg_to_the_byte() -> None:
    plain, _ = toy_run(toy_blueprint(FedAvg, rounds=RoundsPlan(num=2, metric="loss")))
    partial, memories = toy_run(toy_blueprint(Partial, rounds=RoundsPlan(num=2, metric="loss")))
    assert torch.equal(plain.state.params.flat, partial.state.params.flat)
    assert (plain.bytes_up, plain.bytes_down, plain.best_score) == (partial.bytes_up, partial.bytes_down, partial.best_score)
    assert memories == {}


def test_the_head_is_what_patterns_name_or_the_last_layer() -> None:
    layout = START_OF_TWO.layout
    assert in_head(layout, ()).tolist() == [False, True]
    assert in_head(layout, ("body.*",)).tolist() == [True, False]
    assert in_head(layout, ("body.*", "head.*")).tolist() == [True, True]


def test_a_pattern_that_fits_nothing_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(PlanError, match=r"strategy\.head: no tensor that is exchanged fits 'fc\.\*'\. Names begin with: body, head"):
        FedPer(recipe=Recipe(), head=("fc.*",)).begin(START_OF_TWO, 2)


def test_a_model_of_which_nothing_is_shared_is_refused() -> None:
    with pytest.raises(PlanError, match="nothing would be learnt together"):
        FedPer(recipe=Recipe(), head=("*",)).begin(START_OF_TWO, 2)


def test_the_order_is_left_as_it_was() -> None:
    strategy = FedPer(recipe=RECIPE)
    order = order_of(strategy, 2.0, 3.0)
    site = TargetSite("a", 1.0, 4.0, build=TwoLayers, memory={"own": torch.tensor([1.0])})
    strategy.train(site, order)
    assert order.params.flat.tolist() == [2.0, 3.0]


def test_a_gradient_on_the_side_leaves_the_gradients_that_were_there() -> None:
    model = FlatModel(TwoLayers())
    model.grads.fill_(7.0)
    found = gradient(model, 3 * model.module.body.weight.sum() - model.module.head.weight.sum())
    assert found.tolist() == [3.0, -1.0]
    assert model.grads.tolist() == [7.0, 7.0]
