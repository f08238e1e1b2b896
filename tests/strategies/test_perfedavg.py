"""Per-FedAvg by hand: steps on pairs of batches, and the step that makes a site's own model."""

from dataclasses import replace

import numpy as np
import pytest
from at_home import RECIPE, TargetSite, order_of
from regression import TOLERANCE, final_loss

from wardround.build import initial_params
from wardround.errors import PlanError
from wardround.plan.schema import Recipe
from wardround.sites.site import Site
from wardround.strategies.perfedavg import PerFedAvg
from wardround.testing import check_strategy, toy_blueprint


def trained(*targets: float, alpha: float = 0.5, **recipe: object) -> float:
    """Where a round on batches of these targets leads from 0; loss 1/2 (w - target)^2, steps of 0.25."""
    strategy = PerFedAvg(recipe=RECIPE.model_copy(update={"local_steps": len(targets), **recipe}), alpha=alpha)
    update = strategy.train(TargetSite("a", 1.0, 0.0, targets=targets), order_of(strategy, 0.0))
    assert update.num_steps == (1 if recipe.get("single_step") else -(-len(targets) // 2))
    return update.delta.flat.item()


def test_a_step_is_the_gradient_of_the_second_batch_after_a_step_on_the_first() -> None:
    assert trained(4.0, 8.0) == 1.5  # u = 0.5 * 4; 0.25 * (8 - 2)


def test_a_last_batch_without_a_partner_is_both() -> None:
    assert trained(4.0, 8.0, 2.0) == 1.5625  # from 1.5: u = 1.5 + 0.5 * 0.5; + 0.25 * 0.25


def test_alpha_0_is_fedavg_on_every_second_batch() -> None:
    assert trained(4.0, 8.0, 5.0, 4.0, alpha=0.0) == 2.5  # 0.25 * 8, then 0.25 * (4 - 2)


def test_a_round_of_one_step_takes_the_mean_over_its_pairs_all_from_w() -> None:
    assert trained(4.0, 8.0, 0.0, 4.0, single_step=True) == 1.25  # gradients 2 - 8 and 0 - 4


def test_momentum_and_decay_act_on_w_not_on_u() -> None:
    found = trained(4.0, 8.0, 4.0, 8.0, momentum=0.5, weight_decay=0.1)
    first = 0.25 * 6
    u = first + 0.5 * (4 - first)
    assert found == pytest.approx(first + 0.25 * (0.5 * 6 + 8 - u - 0.1 * first))


def test_a_site_s_own_model_takes_plain_steps_on_its_first_batches() -> None:
    recipe = RECIPE.model_copy(update={"momentum": 0.9, "weight_decay": 0.5, "keep_optimizer": True, "clip_norm": 1e-3})
    site = TargetSite("a", 1.0, 0.0, targets=(4.0, 8.0))
    params = order_of(PerFedAvg(recipe=recipe), 1.5).params
    assert PerFedAvg(recipe=recipe, alpha=0.5).personal(site, params).flat.tolist() == [2.75]  # 1.5 + 0.5 * 2.5
    assert PerFedAvg(recipe=recipe, alpha=0.5, num_own=2).personal(site, params).flat.tolist() == [5.375]  # + 0.5 * 5.25
    assert PerFedAvg(recipe=recipe, alpha=0.0).personal(site, params) is params
    assert (params.flat.tolist(), site.memory) == ([1.5], {})


def test_a_site_without_training_images_answers_with_the_global_model() -> None:
    blueprint = toy_blueprint(PerFedAvg)
    rows = replace(blueprint.rows["site-1"], train=np.zeros(0, np.int64))
    params = initial_params(blueprint)
    assert blueprint.strategy.personal(Site(rows=rows, bench=blueprint.bench()), params) is params


@pytest.mark.parametrize("settings", [{"alpha": -1.0}, {"num_own": 0}])
def test_steps_that_cannot_be_taken_are_refused(settings: dict) -> None:
    with pytest.raises(PlanError, match=r"strategy\.alpha is the length of a site's own steps"):
        PerFedAvg(recipe=Recipe(), **settings)


def test_per_fedavg_passes_the_checks_for_strategies() -> None:
    check_strategy(PerFedAvg, alpha=0.05, num_own=2)


def test_its_result_on_the_skewed_problem_is_the_one_stored() -> None:
    assert final_loss(PerFedAvg, alpha=0.05, num_own=2) == pytest.approx(1.27339, rel=TOLERANCE)
