"""MOON by hand, and where it is FedAvg."""

from dataclasses import replace
from math import exp
from types import SimpleNamespace

import pytest
import torch
from regression import TOLERANCE, final_loss
from torch import nn

from wardround.build import initial_params
from wardround.core.exchange import Order
from wardround.core.params import FlatModel, Layout, Params
from wardround.errors import PlanError, SiteError
from wardround.plan.schema import Recipe, RoundsPlan
from wardround.sites.site import Site
from wardround.strategies.fedavg import FedAvg
from wardround.strategies.moon import Moon, features_of, seen_by
from wardround.testing import check_strategy, toy_blueprint, toy_run
from wardround.training.arithmetic import Arithmetic

RECIPE = Recipe(lr=0.1, batch_size=4)
LONG = RoundsPlan(num=3, metric="loss")


def site_of(**bench: object) -> tuple[Site, Order]:
    """A site that holds no last model yet, and round 1's order."""
    blueprint = toy_blueprint(recipe=RECIPE)
    site = Site(rows=blueprint.rows["site-2"], bench=replace(blueprint.bench(), **bench))
    return site, Order(round=1, params=initial_params(blueprint), recipe=RECIPE)


def features_by(*rows: list[float]) -> Params:
    """Two layers of a network without biases whose first gives these features of the images (1, 0) and (0, 1)."""
    first, last = torch.tensor(rows).T, torch.zeros(2, 2)
    return Params(torch.cat([first.flatten(), last.flatten()]), Layout.of([("0.weight", first, True), ("1.weight", last, True)]))


def test_the_gradient_of_two_images_by_hand() -> None:
    """Image 1: features (1, 0) now, (0, 1) of the global model, (1, 0) of the last. Image 2: (0, 2) now, (0, 5) and (3, 0)."""
    now, globally, before = features_by([1.0, 0.0], [0.0, 2.0]), features_by([0.0, 1.0], [0.0, 5.0]), features_by([1.0, 0.0], [3.0, 0.0])
    model = FlatModel(nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)))
    model.load(now)
    site = SimpleNamespace(bench=SimpleNamespace(model=model, arithmetic=Arithmetic()),
                           objective=lambda order: lambda images, truth: 7 + model.module(images).sum())
    order = Order(round=2, params=globally, recipe=RECIPE)
    with seen_by(model) as seen:
        value = Moon(recipe=RECIPE, mu=3.0, temperature=0.5).contrasted(site, order, before, seen)(torch.eye(2), torch.zeros(2))
    value.backward()
    far, near = 1 / (1 + exp(-2)), 1 / (1 + exp(2))  # sigmoid((cos_last - cos_global) / 0.5): cosines 1 and 0, 0 and 1
    pulled = 3 * far / 0.5 * torch.tensor([0.0, -1.0]) / 2  # d(cos_last - cos_global): (0, 0) - (0, 1); half of the batch's mean
    pushed = 3 * near / 0.5 * torch.tensor([0.5, 0.0]) / 2  # (1, 0) / |z| - (0, 0), |z| = 2
    assert torch.allclose(model.grads[:4].view(2, 2), torch.stack([pulled, pushed], 1), atol=1e-6)  # z = W x
    assert value.item() == 7.0  # what is told is the loss alone


def test_moon_with_mu_zero_is_fedavg() -> None:
    plain, _ = toy_run(toy_blueprint(FedAvg, rounds=LONG))
    moon, memories = toy_run(toy_blueprint(Moon, rounds=LONG, mu=0.0))
    assert torch.equal(plain.state.params.flat, moon.state.params.flat)
    assert not memories


def test_the_first_round_is_fedavg() -> None:
    once = RoundsPlan(num=1, metric="loss")
    plain, _ = toy_run(toy_blueprint(FedAvg, rounds=once))
    moon, _ = toy_run(toy_blueprint(Moon, rounds=once))
    assert torch.equal(plain.state.params.flat, moon.state.params.flat)


def test_a_last_model_equal_to_the_global_one_pulls_nowhere() -> None:
    plain, order = site_of()
    expected = FedAvg(recipe=RECIPE).train(plain, order).delta
    site, _ = site_of()
    site.memory["previous"] = order.params.flat.clone()
    assert torch.allclose(Moon(recipe=RECIPE, mu=5.0).train(site, order).delta.flat, expected.flat, atol=1e-6)


def test_looking_at_the_other_models_leaves_no_trace() -> None:
    """Buffers, weights, dropout and hooks are as without; only the gradient of the term differs, here next to nothing."""
    plain, order = site_of()
    expected = FedAvg(recipe=RECIPE).train(plain, order)
    site, _ = site_of()
    site.memory["previous"] = order.params.flat + 0.1
    found = Moon(recipe=RECIPE, mu=1e-12).train(site, order)
    assert torch.allclose(found.delta.flat, expected.delta.flat, atol=1e-7)
    assert found.train_loss == pytest.approx(expected.train_loss, abs=1e-6)
    module = site.bench.model.module
    assert module.training
    assert not any(layer._forward_pre_hooks for layer in module.modules())


def test_a_site_remembers_the_model_it_sent() -> None:
    site, order = site_of()
    update = Moon(recipe=RECIPE).train(site, order)
    assert torch.allclose(site.memory["previous"], (order.params + update.delta).flat, atol=1e-6)


def test_the_other_models_see_the_images_as_mixed_and_compute_as_the_engine_does() -> None:
    site, order = site_of(arithmetic=Arithmetic(precision="bf16", layout="channels_last"))
    order = replace(order, recipe=RECIPE.model_copy(update={"mixup": 1.0}))
    images, truth = next(site.batches(order))
    with seen_by(site.bench.model) as seen:
        site.objective(order)(images, truth)
        mixed = seen.images[0]
        features_of(site.bench, seen, [order.params.named()])
    assert not torch.allclose(mixed, images)
    assert torch.equal(seen.images[0], mixed)
    assert seen.images[0].stride()[1] == 1
    assert seen.last[0].dtype == torch.bfloat16


def test_frozen_layers_stay_frozen_after_a_look() -> None:
    module = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2), nn.Linear(2, 2))
    model = FlatModel(module, share=("1.*", "2.*"))
    model.train()
    with seen_by(model) as seen:
        Arithmetic().logits(model, torch.eye(2))
        features_of(SimpleNamespace(model=model, arithmetic=Arithmetic()), seen, [model.params.named()])
    assert [layer.training for layer in module] == [False, True, True]


def test_a_last_layer_that_torch_cannot_watch_is_named() -> None:
    layout = Layout.of([("dense_1.kernel", torch.zeros(2), True)])
    model = SimpleNamespace(module=nn.Sequential(), params=Params(torch.zeros(2), layout))
    with pytest.raises(SiteError, match="'dense_1' is not a torch layer"), seen_by(model):
        pass


def test_hooks_are_gone_after_a_failure() -> None:
    site, order = site_of()
    site.memory["previous"] = order.params.flat.clone()
    broken = replace(order, recipe=RECIPE.model_copy(update={"batch_size": 0}))
    with pytest.raises(ZeroDivisionError):
        Moon(recipe=RECIPE).train(site, broken)
    assert not any(layer._forward_pre_hooks for layer in site.bench.model.module.modules())


@pytest.mark.parametrize("settings", [{"mu": -1.0}, {"temperature": 0.0}])
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(PlanError, match="moon needs"):
        Moon(recipe=RECIPE, **settings)


def test_moon_passes_the_checks_for_strategies() -> None:
    check_strategy(Moon)


def test_the_stored_result_is_found_again() -> None:
    assert final_loss(Moon, mu=5.0) == pytest.approx(0.98975, rel=TOLERANCE)
