"""A site that trains by DP-SGD: what it samples, what it tells, and what it refuses."""

import os
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
import torch

from wardround.attacks.poison import Poison
from wardround.build import initial_params
from wardround.core.exchange import Order
from wardround.errors import PrivacyError, SiteError
from wardround.plan.schema import ModelPlan, Recipe
from wardround.privacy.terms import Terms
from wardround.sites.site import Site
from wardround.sites.units import poisson_steps, units_of
from wardround.strategies.fedavg import FedAvg
from wardround.testing import toy_blueprint

TERMS = Terms(unit="image", noise_multiplier=0.0, sample_rate=1.0, clip_norm=1e6, delta=1e-5, epsilon=8.0, steps_per_round=2,
              physical_batch=4, images_per_patient=2)
PATIENTS = np.array([f"p{row // 3}" for row in range(200)], object)  # three images each


def blueprint():
    toy = toy_blueprint()
    return replace(toy, plan=toy.plan.model_copy(update={"model": ModelPlan(name="wardround.testing:toy_net", norm="group"),
                                                         "augment": toy.plan.augment.model_copy(update={"flip": False})}),
                   feed=replace(toy.feed, augment=type(toy.feed.augment)(toy.plan.augment.model_copy(update={"flip": False}))))


def private_site(toy, name: str = "site-1", patients: np.ndarray | None = None, **changes) -> Site:
    bench = replace(toy.bench(), terms={"site-1": replace(TERMS, **changes)}, patients=patients)
    return Site(rows=toy.rows[name], bench=bench)


def order_of(toy, **recipe) -> Order:
    return Order(round=1, params=initial_params(toy), recipe=Recipe(**{"lr": 0.1, "momentum": 0.0, "batch_size": 100, **recipe}))


def moved(toy, site: Site, **recipe) -> torch.Tensor:
    order = order_of(toy, **recipe)
    model = site.model_with(order.params)
    site.fit(model, order)
    return model.params.flat - order.params.flat


def test_without_noise_clipping_and_sampling_it_is_ordinary_training() -> None:
    toy = blueprint()
    plain = Site(rows=toy.rows["site-1"], bench=toy.bench())
    torch.testing.assert_close(moved(toy, private_site(toy)), moved(toy, plain, local_steps=2), rtol=0, atol=1e-6)


def test_only_sites_with_terms_train_privately() -> None:
    toy = blueprint()
    losses = {}
    for name in ("site-1", "site-2"):
        site, order = private_site(toy, name), order_of(toy)
        losses[name] = FedAvg(recipe=order.recipe).train(site, order).train_loss
    assert losses["site-1"] is None
    assert losses["site-2"] > 0


def test_noise_of_a_round_is_that_of_its_steps() -> None:
    toy = blueprint()
    change = moved(toy, private_site(toy, noise_multiplier=1e4, clip_norm=0.1, steps_per_round=9, sample_rate=0.4), lr=1.0)
    expected = 1e4 * 0.1 / (0.4 * 9) * sqrt(9)  # noise_multiplier * clip_norm / (sample_rate * 9 images), nine times
    assert float(change.std()) == pytest.approx(expected, rel=0.3)  # of 130 numbers
    assert not torch.equal(change, moved(toy, private_site(toy, noise_multiplier=1e4, clip_norm=0.1), lr=1.0))


def test_the_plan_s_seed_repeats_neither_sample_nor_noise_nor_augmentation() -> None:
    toy = toy_blueprint()  # flips images
    rows = units_of("site-1", toy.rows["site-1"].train, "image", None)
    terms = replace(TERMS, steps_per_round=20, physical_batch=100)
    drawn = [[chunk.images for step in poisson_steps(toy.feed, torch.device("cpu"), rows, terms) for chunk in step] for _ in range(2)]
    assert [len(images) for images in drawn[0]] == [9] * 20
    assert not all(torch.equal(a, b) for a, b in zip(*drawn, strict=True))
    sizes = [[sum(len(chunk.images) for chunk in step) for step in
              poisson_steps(toy.feed, torch.device("cpu"), rows, replace(terms, steps_per_round=60, sample_rate=0.5))] for _ in range(2)]
    assert sizes[0] != sizes[1]


def test_the_number_of_images_in_a_step_is_binomial() -> None:
    toy = blueprint()
    units = [np.array([0])] * 40
    terms = replace(TERMS, sample_rate=0.25, steps_per_round=1500, physical_batch=1000)
    sizes = np.array([sum(chunk.num_units for chunk in step) for step in poisson_steps(toy.feed, torch.device("cpu"), units, terms)])
    assert sizes.mean() == pytest.approx(40 * 0.25, abs=0.4)  # 6 standard errors
    assert sizes.var() == pytest.approx(40 * 0.25 * 0.75, rel=0.25)


def test_a_patient_s_images_are_one_unit_of_at_most_so_many_drawn_anew() -> None:
    toy = blueprint()
    units = units_of("site-1", np.arange(9), "patient", PATIENTS)
    assert [rows.tolist() for rows in units] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    seen = set()
    for step in poisson_steps(toy.feed, torch.device("cpu"), units, replace(TERMS, steps_per_round=40)):
        chunks = list(step)
        assert [chunk.starts for chunk in chunks] == [(0, 2, 4), (0, 2)]  # physical_batch = 4 images: two patients, then one
        seen |= {tuple(image.flatten().tolist()) for chunk in chunks for image in chunk.images}
    assert len(seen) == 9


def test_a_patient_with_more_images_than_fit_is_not_torn_apart() -> None:
    toy = blueprint()
    units = units_of("site-1", np.arange(9), "patient", PATIENTS)
    terms = replace(TERMS, steps_per_round=1, physical_batch=1, images_per_patient=3)
    (step,) = poisson_steps(toy.feed, torch.device("cpu"), units, terms)
    assert [chunk.starts for chunk in step] == [(0, 3)] * 3


def test_a_round_of_empty_samples_moves_by_noise_alone() -> None:
    toy = blueprint()
    change = moved(toy, private_site(toy, sample_rate=1e-12, noise_multiplier=1e-12, clip_norm=1.0))
    assert float(change.std()) == pytest.approx(0.1 * sqrt(2) / 9, rel=0.3)  # lr * sqrt(steps) * 1e-12 * 1 / (1e-12 * 9 images)


def test_patients_that_are_not_known_cannot_be_hidden() -> None:
    toy = blueprint()
    with pytest.raises(SiteError, match=r"'site-1'.*nobody told"):
        moved(toy, private_site(toy, unit="patient"))
    some = PATIENTS.copy()
    some[[1, 4]] = ""
    with pytest.raises(SiteError, match=r"2 of 9 training images have no patient.*Fill"):
        moved(toy, private_site(toy, unit="patient", patients=some))
    assert moved(toy, private_site(toy, unit="patient", patients=PATIENTS)).abs().sum() > 0


def test_losses_and_batches_of_a_strategy_s_own_are_refused() -> None:
    toy = blueprint()
    site, order = private_site(toy), order_of(toy)
    model = site.model_with(order.params)
    for own in ({"objective": lambda images, truth: images.sum()}, {"batches": []}):
        with pytest.raises(PrivacyError, match=r"'site-1'.*of its own.*fedavg"):
            site.fit(model, order, **own)


def test_a_site_without_images_says_so() -> None:
    toy = blueprint()
    site = private_site(toy)
    empty = replace(site, rows=replace(site.rows, train=np.zeros(0, np.int64)))
    with pytest.raises(SiteError, match=r"'site-1' has no training images"):
        moved(toy, empty)


def test_momentum_of_noisy_gradients_may_stay_at_the_site() -> None:
    toy = blueprint()
    site = private_site(toy)
    moved(toy, site, momentum=0.9, keep_optimizer=True)
    assert site.memory.keys() == {"optimizer.velocity"}


def test_malicious_sites_poison_private_training_too() -> None:
    toy = blueprint()
    site = private_site(toy)
    poison = Poison(change=lambda images, truth, rng: (images, 1 - truth), sites=frozenset({"site-1"}))
    poisoned = replace(site, bench=replace(site.bench, poison=poison))
    assert not torch.allclose(moved(toy, poisoned), moved(toy, site), atol=1e-4)


def test_global_random_numbers_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = blueprint()
    before, asked = torch.get_rng_state(), []
    real = os.urandom
    monkeypatch.setattr("wardround.sites.units.os.urandom", lambda num: asked.append(num) or real(num))
    moved(toy, private_site(toy))
    assert torch.equal(torch.get_rng_state(), before)
    assert len(asked) >= 1 + 2 * 3  # dropout, and each chunk's augmentation: 9 images in fours, two steps
