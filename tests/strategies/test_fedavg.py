"""FedAvg against hand-computed rounds and its degenerate cases."""

import pytest
import torch
from regression import TOLERANCE, final_loss

from wardround.build import initial_params
from wardround.core.exchange import Update
from wardround.core.params import FlatModel, Layout, Params
from wardround.plan.schema import Recipe, RoundsPlan
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg
from wardround.testing import check_strategy, toy_blueprint, toy_run

LAYOUT = Layout.of([("w", torch.zeros(2), True)])


def test_a_round_by_hand() -> None:
    strategy = FedAvg(recipe=Recipe())
    state = strategy.begin(Params(torch.tensor([1.0, 1.0]), LAYOUT), num_sites=2)
    updates = [Update(site="a", num_examples=10, delta=Params(torch.tensor([1.0, 0.0]), LAYOUT), num_steps=1, train_loss=0.0),
               Update(site="b", num_examples=30, delta=Params(torch.tensor([-1.0, 4.0]), LAYOUT), num_steps=1, train_loss=0.0)]
    after = strategy.aggregate(state, updates)
    assert after.params.flat.tolist() == [0.5, 4.0]  # 1 + (10 * 1 - 30 * 1) / 40, 1 + 30 * 4 / 40
    assert (after.round, state.round) == (1, 0)
    assert state.params.flat.tolist() == [1.0, 1.0]


def test_the_order_carries_this_round_s_learning_rate() -> None:
    strategy = FedAvg(recipe=Recipe(lr=0.1), lr_factor=lambda t: 1 / t)
    state = strategy.begin(Params(torch.zeros(2), LAYOUT), num_sites=1)
    assert strategy.order(state).recipe.lr == 0.1
    assert strategy.order(strategy.aggregate(state, [Update(site="a", num_examples=1, delta=Params(torch.zeros(2), LAYOUT), num_steps=1,
                                                            train_loss=0.0)])).recipe.lr == 0.05


def test_one_site_holding_all_data_is_central_training() -> None:
    recipe = Recipe(lr=0.1, batch_size=4, keep_optimizer=True)
    blueprint = toy_blueprint(num_sites=1, rounds=RoundsPlan(num=3, metric="loss"), recipe=recipe)
    federated, _ = toy_run(blueprint)
    model, bench = FlatModel(blueprint.model().module), blueprint.bench()
    model.load(initial_params(blueprint))
    site = Site(rows=blueprint.rows["site-1"], bench=bench)
    strategy, momentum = blueprint.strategy, None
    state = strategy.begin(initial_params(blueprint), 1)
    model.module.train()
    for _ in range(3):  # plain training: no federation, momentum kept, the same batches
        order = strategy.order(state)
        for images, truth in site.batches(order):
            model.grads.zero_()
            bench.loss(model.module(images), truth).backward()
            momentum = model.grads.clone() if momentum is None else 0.9 * momentum + model.grads
            model.params.trainable.sub_(0.1 * momentum)
        state = state.__class__(round=state.round + 1, params=state.params, num_sites=1)
    assert torch.allclose(federated.state.params.flat, model.params.flat, atol=1e-5)


def test_one_step_rounds_with_kept_momentum_are_large_batch_sgd() -> None:
    """With one local step a round and equal sites, the mean of the sites' momenta is the momentum of the mean gradient."""
    recipe = Recipe(lr=0.1, batch_size=5, local_steps=1, keep_optimizer=True)
    blueprint = toy_blueprint(num_sites=2, rounds=RoundsPlan(num=4, metric="loss"), recipe=recipe)
    rows = {name: type(site)(name=name, train=site.train[:5], val=site.val, test=site.test) for name, site in blueprint.rows.items()}
    blueprint = type(blueprint)(**{**vars(blueprint), "rows": rows})
    federated, _ = toy_run(blueprint)
    bench = blueprint.bench()
    params, momentum = initial_params(blueprint), torch.zeros(bench.model.params.layout.num_trainable)
    strategy, buffers = blueprint.strategy, bench.model.params.layout.num_trainable
    state = strategy.begin(params, 2)
    for t in range(4):
        order = strategy.order(state.__class__(round=t, params=params, num_sites=2))
        gradients, statistics = [], []
        for site in (Site(rows=rows[name], bench=bench) for name in rows):
            model = site.model_with(params)
            model.module.train()
            for images, truth in site.batches(order):
                model.grads.zero_()
                bench.loss(model.module(images), truth).backward()
            gradients.append(model.grads.clone())
            statistics.append(model.params.flat[buffers:].clone())
        momentum = 0.9 * momentum + (gradients[0] + gradients[1]) / 2
        params = params.clone()
        params.trainable.sub_(0.1 * momentum)
        params.flat[buffers:] = (statistics[0] + statistics[1]) / 2
    assert torch.allclose(federated.state.params.flat, params.flat, atol=1e-5)


def test_fedavg_passes_the_checks_for_strategies() -> None:
    check_strategy(FedAvg)


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(FedAvg) == pytest.approx(0.95985, rel=TOLERANCE)
