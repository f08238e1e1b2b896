"""A site's batches, training and evaluation."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from wardround.build import initial_params
from wardround.core.exchange import EvaluateOrder, Order
from wardround.errors import SiteError
from wardround.plan.schema import Recipe
from wardround.sites.site import Site, steps_per_round, together
from wardround.testing import toy_blueprint
from wardround.training.skew import adjustment


def site_of(blueprint, name="site-1", **memory) -> Site:
    return Site(rows=blueprint.rows[name], bench=blueprint.bench(), memory=memory)


def rows_in(site: Site, order: Order) -> list[list[int]]:
    """The rows of each batch of a round."""
    return [rows.tolist() for _, rows in site._dealt(order)]


def order_of(blueprint, round: int = 1, **recipe) -> Order:
    return Order(round=round, params=initial_params(blueprint), recipe=Recipe(**{"lr": 0.1, "batch_size": 4, **recipe}))


def test_an_epoch_visits_every_image_once_in_batches_of_nearly_equal_size() -> None:
    site = site_of(toy_blueprint())  # 9 training images
    batches = rows_in(site, order_of(toy_blueprint()))
    assert sorted(row for batch in batches for row in batch) == site.rows.train.tolist()
    assert [len(batch) for batch in batches] == [3, 3, 3]


def test_short_rounds_run_through_the_same_epochs_as_long_ones() -> None:
    blueprint = toy_blueprint()
    site = site_of(blueprint)
    long = rows_in(site, order_of(blueprint, 1)) + rows_in(site, order_of(blueprint, 2))
    short = [batch for t in range(1, 7) for batch in rows_in(site, order_of(blueprint, t, local_steps=1))]
    assert long == short
    assert long[:3] != long[3:]


@pytest.mark.parametrize(("recipe", "steps"), [({}, 3), ({"local_epochs": 2}, 6), ({"local_epochs": 0.34}, 1), ({"local_epochs": 0.01}, 1),
                                               ({"local_steps": 7}, 7), ({"batch_size": 100}, 1)])
def test_steps_of_a_round(recipe: dict, steps: int) -> None:
    assert steps_per_round(Recipe(**{"batch_size": 4, **recipe}), 9) == steps


def test_batches_do_not_depend_on_who_draws_them() -> None:
    blueprint = toy_blueprint()
    first, again = (list(site_of(blueprint).batches(order_of(blueprint))) for _ in range(2))
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    other = list(site_of(blueprint, "site-2").batches(order_of(blueprint)))
    assert not torch.equal(first[0][0][:3], other[0][0][:3])


def test_a_round_may_be_trained_in_parts_each_with_a_momentum_of_its_own() -> None:
    blueprint = toy_blueprint()
    site, order = site_of(blueprint), order_of(blueprint, keep_optimizer=True)
    batches, model = site.batches(order), site.model_with(order.params)
    first = site.fit(model, order, batches=islice(batches, 1), slot="first")
    second = site.fit(model, order, batches=batches, slot="second")
    assert (first.num_steps, second.num_steps, first.num_images + second.num_images) == (1, 2, site.num_train)
    assert site.memory.keys() == {"first.velocity", "second.velocity"}


def test_sites_together_hold_all_their_rows_in_order() -> None:
    rows = toy_blueprint().rows
    both = together("both", [rows["site-3"], rows["site-1"]])
    assert both.name == "both"
    for kind in ("train", "val", "test"):
        assert both.of(kind).tolist() == [*rows["site-1"].of(kind), *rows["site-3"].of(kind)]


def test_momentum_stays_at_the_site_only_if_the_recipe_says_so() -> None:
    blueprint = toy_blueprint()
    for keeps in (True, False):
        site = site_of(blueprint)
        order = order_of(blueprint, keep_optimizer=keeps)
        site.fit(site.model_with(order.params), order)
        assert bool(site.memory) is keeps


def test_evaluation_counts_every_row_once_and_changes_nothing() -> None:
    blueprint = toy_blueprint()
    site, params = site_of(blueprint), initial_params(blueprint)
    report = site.evaluate(EvaluateOrder(round=0, params=params, rows="val"))
    assert report.tally.num_examples == 4
    assert (report.values, report.loss_sums) == (None, None)
    assert torch.equal(site.bench.model.params.flat, params.flat)


def test_losses_at_temperatures_are_told_with_the_tally() -> None:
    blueprint = toy_blueprint()
    report = site_of(blueprint).evaluate(EvaluateOrder(round=0, params=initial_params(blueprint), temperatures=(0.5, 1.0)))
    assert report.loss_sums.shape == (2,)
    assert report.loss_sums[1] == pytest.approx(report.tally.loss_sum, rel=1e-5)


def test_a_model_that_answers_nan_is_an_error_of_the_site() -> None:
    blueprint = toy_blueprint()
    params = initial_params(blueprint)
    params.flat.fill_(float("nan"))
    with pytest.raises(SiteError, match="diverged"):
        site_of(blueprint).evaluate(EvaluateOrder(round=0, params=params))


def test_a_site_without_images_says_so() -> None:
    blueprint = toy_blueprint()
    empty = Site(rows=replace(blueprint.rows["site-1"], train=np.zeros(0, np.int64)), bench=blueprint.bench())
    with pytest.raises(SiteError, match="'site-1' has no training images"):
        list(empty.batches(order_of(blueprint)))


def test_global_random_numbers_are_left_alone() -> None:
    blueprint = toy_blueprint()
    site, order = site_of(blueprint), order_of(blueprint)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    site.fit(site.model_with(order.params), order)
    assert torch.equal(torch.rand(3), expected)


def test_what_is_not_shared_stays_at_a_site_and_its_optimizer_knows_nothing_of_it() -> None:
    blueprint = toy_blueprint(recipe=Recipe(lr=0.1, batch_size=4, keep_optimizer=True))
    own = blueprint.plan.model_copy(update={"model": blueprint.plan.model.model_copy(update={"share": ("5.*",)})})
    site = site_of(replace(blueprint, plan=own))
    model = site.bench.model
    before = {name: tensor.clone() for name, tensor in model.tensors().items()}
    order = Order(round=1, params=model.params.clone(), recipe=own.recipe)
    site.fit(site.model_with(order.params), order)
    assert {name for name, tensor in model.tensors().items() if not torch.equal(tensor, before[name])} == {"5.weight", "5.bias"}
    assert site.memory["optimizer.velocity"].numel() == 16 * 2 + 2


def test_class_counts_are_of_the_site_s_training_images() -> None:
    blueprint = toy_blueprint(num_classes=4)
    site = site_of(blueprint)
    labels = blueprint.feed.labels[site.rows.train].tolist()
    assert site.class_counts.tolist() == [labels.count(label) for label in range(4)]
    assert site.class_counts.sum() == 9


def test_class_counts_need_one_class_an_image() -> None:
    site = site_of(toy_blueprint())
    unlabelled = Site(rows=site.rows, bench=replace(site.bench, labels=None))
    with pytest.raises(SiteError, match=r"recipe\.label_skew does not fit this task"):
        unlabelled.objective(order_of(toy_blueprint(), label_skew="balanced"))


@pytest.mark.parametrize("kind", ["restricted", "calibrated", "balanced"])
def test_label_skew_changes_the_logits_of_training_by_the_site_s_counts(kind: str) -> None:
    blueprint = toy_blueprint(num_classes=4)
    site = site_of(blueprint)
    site = Site(rows=replace(site.rows, train=site.rows.train[blueprint.feed.labels[site.rows.train] < 3]), bench=site.bench)
    order = order_of(blueprint, label_skew=kind)
    images, truth = next(site.batches(order))
    site.model_with(order.params).train()
    expected = site.bench.loss(adjustment(order.recipe, site.class_counts)(site.logits(images)), truth)
    assert site.class_counts[3] == 0
    assert torch.equal(site.objective(order)(images, truth), expected)
    assert not torch.allclose(site.objective(order_of(blueprint))(images, truth), expected, atol=1e-4)


def test_images_are_mixed_alike_whoever_asks_and_anew_each_round() -> None:
    blueprint = toy_blueprint()
    order = order_of(blueprint, mixup=1.0)
    losses = []
    for t in (1, 1, 2):
        site = site_of(blueprint)
        images, truth = next(site.batches(order))
        site.model_with(order.params).eval()
        losses.append(site.objective(replace(order, round=t))(images, truth).item())
    assert losses[0] == losses[1] != losses[2]


def test_a_single_step_takes_all_of_a_round_s_batches_and_moves_once() -> None:
    blueprint = toy_blueprint()
    site, order = site_of(blueprint), order_of(blueprint, local_epochs=2, single_step=True)
    fit = site.fit(site.model_with(order.params), order)
    assert (fit.num_steps, fit.num_images) == (1, 18)
