"""The training loop and its seams."""

import pytest
import torch
from torch import nn

from wardround.core.params import FlatModel
from wardround.plan.schema import Recipe
from wardround.training.arithmetic import Arithmetic
from wardround.training.local import local_sgd
from wardround.training.losses import make_loss
from wardround.training.optimizers import make_optimizer

FP32 = Arithmetic()
IMAGES, TRUTH = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])


def linear() -> FlatModel:
    model = FlatModel(nn.Linear(2, 2, bias=False))
    model.params.flat.zero_()
    return model


def train(model: FlatModel, recipe: Recipe, batches=None, arithmetic=FP32, **seams):
    optimizer = make_optimizer(recipe, model.params.layout.num_trainable, "cpu", None)
    loss = make_loss(recipe, None)
    return local_sgd(model, batches or [(IMAGES, TRUTH)], recipe, optimizer=optimizer, **seams,
                     objective=lambda images, truth: loss(arithmetic.logits(model, images), truth))


def test_a_step_by_hand() -> None:
    model = linear()
    fit = train(model, Recipe(lr=1.0, momentum=0.0))
    # softmax is 1/2 everywhere; d loss / d W = mean of (p - y) x^T = ((-.5, .5), (.5, -.5)) / 2
    assert torch.allclose(model.params.flat, torch.tensor([0.25, -0.25, -0.25, 0.25]))
    assert (fit.num_steps, fit.num_images) == (1, 2)
    assert fit.train_loss == pytest.approx(0.6931, abs=1e-4)


def test_drift_joins_the_gradient() -> None:
    plain, drifted = linear(), linear()
    train(plain, Recipe(lr=0.5, momentum=0.0))
    train(drifted, Recipe(lr=0.5, momentum=0.0), drift=torch.tensor([1.0, 0.0, 0.0, -2.0]))
    assert torch.allclose(drifted.params.flat - plain.params.flat, torch.tensor([-0.5, 0.0, 0.0, 1.0]))


def test_a_penalty_adds_its_gradient() -> None:
    plain, held = linear(), linear()
    train(plain, Recipe(lr=0.5, momentum=0.0))
    train(held, Recipe(lr=0.5, momentum=0.0), penalty=lambda trainable, grads: grads.add_(1.0))
    assert torch.allclose(held.params.flat, plain.params.flat - 0.5)


def test_clipping_bounds_the_step() -> None:
    model = linear()
    train(model, Recipe(lr=1.0, momentum=0.0, clip_norm=0.01))
    assert model.params.norm() == pytest.approx(0.01, rel=1e-3)


def test_the_training_loss_is_the_mean_over_images_not_batches() -> None:
    model = linear()
    model.params.flat.copy_(torch.tensor([2.0, 0.0, 0.0, 2.0]))
    recipe = Recipe(lr=1e-9, momentum=0.0)
    easy, hard = (IMAGES[:1], TRUTH[:1]), (IMAGES[[0, 0, 0]], torch.tensor([1, 1, 1]))
    fit = train(model, recipe, [easy, hard])
    with torch.inference_mode():
        losses = [float(make_loss(recipe, None)(model.module(images), truth)) for images, truth in (easy, hard)]
    assert fit.train_loss == pytest.approx((losses[0] + 3 * losses[1]) / 4)


def test_bf16_training_stays_near_fp32_and_keeps_fp32_numbers() -> None:
    exact, rough = linear(), linear()
    train(exact, Recipe(lr=1.0))
    train(rough, Recipe(lr=1.0), arithmetic=Arithmetic(precision="bf16"))
    assert rough.params.flat.dtype == torch.float32
    assert torch.allclose(exact.params.flat, rough.params.flat, atol=2e-2)


def test_a_single_step_takes_the_mean_gradient_of_all_batches() -> None:
    single, whole = linear(), linear()
    uneven = [(IMAGES[:1], TRUTH[:1]), (torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.5, 0.0]]), torch.tensor([1, 1, 0]))]
    fit = train(single, Recipe(lr=0.5, single_step=True), uneven)
    train(whole, Recipe(lr=0.5), [(torch.cat([images for images, _ in uneven]), torch.cat([truth for _, truth in uneven]))])
    assert (fit.num_steps, fit.num_images) == (1, 4)
    assert torch.allclose(single.params.flat, whole.params.flat, atol=1e-7)


def test_the_mean_gradient_is_that_of_the_objective_alone() -> None:
    model, seen = linear(), torch.zeros(4)
    recipe = Recipe(lr=0.5, momentum=0.0)
    fit = train(model, recipe, [(IMAGES, TRUTH)] * 3, drift=torch.ones(4), mean_grad=seen)
    assert fit.num_steps == 3
    moved = -model.params.flat / (3 * recipe.lr)  # (x - y) / (K lr) of plain SGD is the mean of gradient + drift
    assert torch.allclose(seen, moved - 1, atol=1e-6)
