"""FedRep by hand, the split of a round's batches, and what is held still does not move."""

import pytest
import torch
from at_home import RECIPE, TargetSite, TwoLayers, order_of
from regression import TOLERANCE, final_loss

from wardround.build import initial_params
from wardround.core.exchange import Order
from wardround.errors import PlanError
from wardround.plan.schema import Recipe
from wardround.sites.site import Site
from wardround.strategies.fedrep import FedRep
from wardround.testing import check_strategy, toy_blueprint


def test_a_round_by_hand() -> None:
    """Steps of 0.25 on 1/2 (body + head - 4)^2 from 0: the head's sees the body at 0, the body's sees the head at 1."""
    strategy, site = FedRep(recipe=RECIPE), TargetSite("a", 1.0, 4.0, build=TwoLayers)
    update = strategy.train(site, order_of(strategy, 0.0, 0.0))
    assert site.memory["own"].tolist() == [1.0]  # 0.25 * 4
    assert update.delta.flat.tolist() == [0.75, 0.0]  # 0.25 * 3
    assert (update.num_steps, update.num_bytes) == (2, 4)
    assert update.train_loss == (8.0 + 4.5) / 2


def test_weight_decay_acts_on_what_is_trained_and_never_on_what_is_held_still() -> None:
    """From body 2 and head 0, decay 0.125 a step: two steps of the head with the body at 2, two of the body with the head at 0.8125."""
    strategy = FedRep(recipe=RECIPE.model_copy(update={"local_steps": 4, "weight_decay": 0.5}))
    site = TargetSite("a", 1.0, 4.0, build=TwoLayers)
    update = strategy.train(site, order_of(strategy, 2.0, 0.0))
    assert site.memory["own"].tolist() == [0.8125]  # 0.25 * 2, then 0.875 * 0.5 + 0.25 * 1.5
    assert update.delta.flat.tolist() == [0.076171875, 0.0]  # 0.875 * 2 + 0.25 * 1.1875, then 0.875 * 2.046875 + 0.25 * 1.140625


def test_clipping_counts_the_gradient_of_what_is_trained_alone() -> None:
    strategy = FedRep(recipe=RECIPE.model_copy(update={"clip_norm": 1.0}))
    site = TargetSite("a", 1.0, 4.0, build=TwoLayers)
    update = strategy.train(site, order_of(strategy, 0.0, 0.0))
    assert site.memory["own"].tolist() == pytest.approx([0.25])
    assert update.delta.flat.tolist() == pytest.approx([0.25, 0.0])


@pytest.mark.parametrize(("steps", "share", "heads"), [(4, 0.5, [2, 2, 2]), (3, 0.5, [2, 1, 2]), (1, 0.5, [1, 0, 1]), (10, 0.1, [1, 1, 1]),
                                                       (5, 1.0, [5, 5, 5]), (5, 0.0, [0, 0, 0])])
def test_head_and_body_share_a_round_s_batches_and_fractions_are_carried_on(steps: int, share: float, heads: list[int]) -> None:
    found = []
    for t in (1, 2, 3):
        strategy = FedRep(recipe=RECIPE.model_copy(update={"local_steps": steps}), head_share=share)
        site = TargetSite("a", 0.001, 1.0, build=TwoLayers)
        slots: list[tuple[str, int]] = []
        fit = site.fit

        def noted(model, order, *, slot, batches, fit=fit, slots=slots, **seams):
            slots.append((slot, len(batches)))
            return fit(model, order, slot=slot, batches=batches, **seams)

        site.fit = noted
        assert strategy.train(site, order_of(strategy, 0.0, 0.0, round=t)).num_steps == steps
        assert slots == [(slot, num) for slot, num in (("head", heads[t - 1]), ("body", steps - heads[t - 1])) if num]
        found.append(dict(slots).get("head", 0))
    assert found == heads


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_momentum_and_weight_decay_do_not_move_what_is_held_still(optimizer, share) -> None:
    recipe = Recipe(lr=0.01, batch_size=4, optimizer=optimizer, weight_decay=0.1, local_epochs=2)
    blueprint = toy_blueprint(FedRep, recipe=recipe, head_share=share)
    start = initial_params(blueprint)
    site = Site(rows=blueprint.rows["site-1"], bench=blueprint.bench())
    delta = blueprint.strategy.train(site, Order(round=1, params=start, recipe=recipe)).delta
    is_head = blueprint.strategy.stays(start.layout)
    assert delta.flat[is_head].count_nonzero() == 0  # never sent
    body = delta.trainable[~is_head[: start.layout.num_trainable]]
    assert (body.count_nonzero() == 0) == (share == 1.0)
    assert torch.equal(site.memory["own"], start.flat[is_head]) == (share == 0.0)


def test_a_share_beyond_the_round_is_refused() -> None:
    with pytest.raises(PlanError, match=r"strategy\.head_share .* 0 to 1, not 1\.5"):
        FedRep(recipe=Recipe(), head_share=1.5)


def test_fedrep_passes_the_checks_for_strategies() -> None:
    check_strategy(FedRep)


def test_its_result_on_the_skewed_problem_is_the_one_stored() -> None:
    assert final_loss(FedRep) == pytest.approx(1.66831, rel=TOLERANCE)
