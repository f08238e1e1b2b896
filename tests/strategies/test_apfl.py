"""APFL by hand, its global half against FedAvg, and both ends of alpha."""

import pytest
import torch
from at_home import RECIPE, START, TargetSite, alone, order_of
from regression import TOLERANCE, final_loss

from wardround.core.params import Layout, Params
from wardround.errors import PlanError
from wardround.plan.schema import Recipe
from wardround.sites.site import Site
from wardround.strategies.apfl import APFL, mixture
from wardround.strategies.fedavg import FedAvg
from wardround.testing import check_strategy, toy_blueprint, toy_run

KEEPING = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)


def number(value: float) -> Params:
    return Params(torch.tensor([value]), START.layout)


def test_a_round_by_hand() -> None:
    """Two steps of 0.25 on 1/2 (x - 4)^2 from 0: w 0 -> 1 -> 1.75; v by half the gradient at (v + w) / 2."""
    strategy, site = APFL(recipe=RECIPE), TargetSite("a", 1.0, 4.0)
    update = strategy.train(site, order_of(strategy, 0.0))
    assert update.delta.flat.tolist() == [1.75]
    assert site.memory["own"].tolist() == [0.90625]  # 0 + 0.25 * 4 / 2, + 0.25 * 3.25 / 2 at 0.75
    assert strategy.personal(site, number(1.75)).flat.tolist() == [1.328125]


def test_alpha_moves_once_a_round_along_equation_10() -> None:
    """v = 3, w = 1, loss 1/8 (x - 4)^2: at 2 the gradient is -0.5, so alpha goes 0.25 * 2 * 0.5 up from 0.5; v and w use the old one."""
    strategy = APFL(recipe=RECIPE.model_copy(update={"local_steps": 1}), is_adaptive=True)
    site = TargetSite("a", 0.25, 4.0, memory={"own": torch.tensor([3.0])})
    update = strategy.train(site, order_of(strategy, 1.0))
    assert float(site.memory["alpha"]) == 0.75
    assert (site.memory["own"].item(), update.delta.flat.item()) == (3.0625, 0.1875)
    assert strategy.personal(site, number(1.0)).flat.item() == 1.0 + 0.75 * 2.0625
    twice = TargetSite("a", 0.25, 4.0, memory={"own": torch.tensor([3.0])})
    APFL(recipe=RECIPE, is_adaptive=True).train(twice, order_of(strategy, 1.0))
    assert float(twice.memory["alpha"]) == 0.75  # of two batches only the first moves it


@pytest.mark.parametrize(("minimum", "alpha"), [(400.0, 1.0), (-400.0, 0.0)])
def test_alpha_stays_between_0_and_1(minimum: float, alpha: float) -> None:
    strategy, site = APFL(recipe=RECIPE, is_adaptive=True), TargetSite("a", 1.0, minimum, memory={"own": torch.tensor([3.0])})
    strategy.train(site, order_of(strategy, 1.0))
    assert float(site.memory["alpha"]) == alpha


def test_its_global_model_is_fedavg_s() -> None:
    plain, _ = toy_run(toy_blueprint(FedAvg, recipe=KEEPING))
    found, _ = toy_run(toy_blueprint(APFL, recipe=KEEPING))
    assert torch.equal(plain.state.params.flat, found.state.params.flat)


def test_with_alpha_0_a_site_answers_with_the_global_model_and_its_own_statistics() -> None:
    blueprint = toy_blueprint(APFL, alpha=0.0)
    course, memories = toy_run(blueprint)
    site = Site(rows=blueprint.rows["site-1"], bench=blueprint.bench(), memory=memories["site-1"])
    own = blueprint.strategy.personal(site, course.state.params)
    assert torch.equal(own.trainable, course.state.params.trainable)
    assert not torch.equal(own.buffers, course.state.params.buffers)


def test_with_alpha_1_a_site_s_own_model_is_one_trained_alone() -> None:
    blueprint = toy_blueprint(APFL, recipe=KEEPING, alpha=1.0)
    course, memories = toy_run(blueprint)
    site = Site(rows=blueprint.rows["site-2"], bench=blueprint.bench(), memory=memories["site-2"])
    assert torch.allclose(blueprint.strategy.personal(site, course.state.params).flat, alone(blueprint, "site-2").flat, atol=1e-6)


def test_where_the_global_model_takes_one_step_a_round_its_gradients_are_not_disturbed() -> None:
    strategy, site = APFL(recipe=RECIPE.model_copy(update={"single_step": True})), TargetSite("a", 1.0, 4.0)
    update = strategy.train(site, order_of(strategy, 0.0))
    assert update.delta.flat.tolist() == [1.0]  # mean gradient -4
    assert site.memory["own"].tolist() == [0.96875]  # a step a batch: 0.5, + 0.25 * 3.75 / 2


def test_clipping_holds_for_its_own_model_too() -> None:
    strategy, site = APFL(recipe=RECIPE.model_copy(update={"local_steps": 1, "clip_norm": 1.0})), TargetSite("a", 1.0, 4.0)
    strategy.train(site, order_of(strategy, 0.0))
    assert site.memory["own"].tolist() == pytest.approx([0.25])  # half of -4 is clipped to -1


def test_a_mixture_has_the_own_model_s_buffers() -> None:
    layout = Layout.of([("w", torch.zeros(1), True), ("mean", torch.zeros(1), False)])
    v, w = (Params(torch.tensor(numbers), layout) for numbers in ([4.0, 7.0], [0.0, 9.0]))
    assert mixture(v, w, 0.25).flat.tolist() == [1.0, 7.0]


def test_an_alpha_beyond_the_model_is_refused() -> None:
    with pytest.raises(PlanError, match=r"0 to 1, not -0\.1"):
        APFL(recipe=Recipe(), alpha=-0.1)


@pytest.mark.parametrize("is_adaptive", [False, True])
def test_apfl_passes_the_checks_for_strategies(is_adaptive: bool) -> None:
    check_strategy(APFL, is_adaptive=is_adaptive)


@pytest.mark.parametrize(("is_adaptive", "loss"), [(False, 1.23076), (True, 1.26819)])
def test_its_result_on_the_skewed_problem_is_the_one_stored(is_adaptive: bool, loss: float) -> None:
    assert final_loss(APFL, is_adaptive=is_adaptive) == pytest.approx(loss, rel=TOLERANCE)
