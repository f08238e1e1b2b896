"""recipe.single_step: a round of FedAvg is one step of large-batch training, whatever the sites hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wardround.build import ArmBlueprint, initial_params
from wardround.core.params import Params
from wardround.plan.schema import AugmentPlan, Recipe, RoundsPlan
from wardround.sites.site import Site, SiteRows
from wardround.testing import toy_blueprint, toy_run

ROUNDS = 2
LR = 0.5


def held(sizes: list[int], **recipe: float) -> ArmBlueprint:
    """Sites of these sizes that hold the classes one after the other; no BatchNorm, whose statistics belong to a batch, no chance."""
    recipe = Recipe(**{"lr": LR, "momentum": 0.0, "batch_size": 4, "single_step": True, **recipe})
    blueprint = toy_blueprint(num_classes=4, recipe=recipe, rounds=RoundsPlan(num=ROUNDS, metric="loss"))
    plan = blueprint.plan.model_copy(update={"model": blueprint.plan.model.model_copy(update={"norm": "group"})})
    labels = blueprint.feed.labels
    everyone = np.concatenate([rows.train for rows in blueprint.rows.values()])
    by_class = everyone[torch.argsort(labels[everyone], stable=True).numpy()][: sum(sizes)]
    first = blueprint.rows["site-1"]
    rows = {f"site-{index}": SiteRows(name=f"site-{index}", train=np.sort(part), val=first.val, test=first.test)
            for index, part in enumerate(np.split(by_class, np.cumsum(sizes)[:-1]))}
    feed = replace(blueprint.feed, augment=type(blueprint.feed.augment)(AugmentPlan()))
    return replace(blueprint, plan=plan, rows=rows, feed=feed)


def pooled_step(blueprint: ArmBlueprint, params: Params, images: torch.Tensor, truth: torch.Tensor) -> Params:
    """One step of plain SGD on these images as one batch."""
    bench = blueprint.bench()
    bench.model.load(params)
    bench.model.train()
    bench.loss(bench.model.module(images), truth).backward()
    moved = params.clone()
    moved.trainable.sub_(bench.model.grads, alpha=LR)
    return moved


@pytest.mark.parametrize("sizes", [[39], [1, 38], [9, 13, 17], [20, 1, 1, 17]])
def test_a_whole_pass_in_a_single_step_is_full_batch_gradient_descent_on_the_pooled_images(sizes: list[int]) -> None:
    blueprint = held(sizes, local_epochs=1.0)
    params = initial_params(blueprint)
    everyone = np.concatenate([rows.train for rows in blueprint.rows.values()])
    for _ in range(ROUNDS):
        params = pooled_step(blueprint, params, *blueprint.feed.plain(everyone))
    federated = toy_run(blueprint)[0].state.params
    assert torch.allclose(federated.flat, params.flat, atol=1e-6)
    assert (federated - initial_params(blueprint)).norm() > 0.1


@pytest.mark.parametrize("sizes", [[8, 24], [8, 8, 16]])
def test_equal_fractions_of_a_pass_make_the_mean_gradient_of_all_sites_batches(sizes: list[int]) -> None:
    blueprint = held(sizes, local_epochs=0.5)
    params, strategy, bench = initial_params(blueprint), blueprint.strategy, blueprint.bench()
    state = strategy.begin(params, len(sizes))
    for t in range(ROUNDS):
        order = strategy.order(replace(state, round=t, params=params))
        batches = [batch for rows in blueprint.rows.values() for batch in Site(rows=rows, bench=bench).batches(order)]
        images, truth = (torch.cat(parts) for parts in zip(*batches, strict=True))
        assert len(truth) == sum(sizes) // 2
        params = pooled_step(blueprint, params, images, truth)
    assert torch.allclose(toy_run(blueprint)[0].state.params.flat, params.flat, atol=1e-6)


def test_without_it_sites_drift_apart_and_the_round_is_no_such_step() -> None:
    blueprint = held([9, 13, 17], local_epochs=1.0, single_step=False)
    everyone = np.concatenate([rows.train for rows in blueprint.rows.values()])
    params = initial_params(blueprint)
    for _ in range(ROUNDS):
        params = pooled_step(blueprint, params, *blueprint.feed.plain(everyone))
    assert not torch.allclose(toy_run(blueprint)[0].state.params.flat, params.flat, atol=1e-2)
