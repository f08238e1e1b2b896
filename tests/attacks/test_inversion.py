"""Images drawn from gradients: exactly where the first layer is connected, nearly where it is not, not at all from noise."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from wardround.attacks.closed_form import closed_form, first_layer_images, labels_from
from wardround.attacks.inversion import Search, attackable, invert, loss_gradient, total_variation, update_gradient
from wardround.attacks.similarity import Box, compare, psnr
from wardround.core.params import FlatModel, Params
from wardround.models.quick import quickened
from wardround.plan.schema import Recipe
from wardround.rng import global_torch_stream, torch_stream

BOX = Box.of("fixed", 1)
SHAPE = (1, 8, 8)
LABELS = torch.tensor([1])
GUESS = torch.full((1, *SHAPE), 0.5)  # the mean grey of every picture


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    """So small a network is computed slower by several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pictures(num: int = 1) -> Tensor:
    """Smooth ramps, each in another direction, in network units."""
    across = torch.linspace(0.1, 0.9, 8).expand(8, 8)
    return BOX.units(torch.stack([across, across.T, across.flip(1), across.T.flip(0)])[:num, None])


def small_network() -> nn.Module:
    with global_torch_stream(0, "inversion"):
        return nn.Sequential(nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Flatten(),
                             nn.Linear(256, 4))


def connected_network() -> nn.Module:
    with global_torch_stream(1, "inversion"):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))


def drawn(gradient: dict[str, Tensor], *, steps: int = 100, **settings: object) -> Tensor:
    """What the search makes of a gradient of the small network, in 0 ... 1."""
    found = invert(attackable(small_network()), functional.cross_entropy, gradient, LABELS, shape=SHAPE, box=BOX, generator=torch_stream(2),
                   search=Search(num_steps=steps), **settings)  # type: ignore[arg-type]
    return BOX.grey(found.images)


@pytest.fixture(scope="module")
def gradient() -> dict[str, Tensor]:
    return loss_gradient(small_network(), functional.cross_entropy, pictures(), LABELS)


def test_the_input_of_a_layer_is_its_weights_gradient_by_its_biases() -> None:
    weight = torch.tensor([[2.0, 4.0], [0.0, 0.0], [-3.0, -6.0]])  # of units with bias gradients 2, 0 and -3, of the input (1, 2)
    assert torch.equal(first_layer_images(weight, torch.tensor([2.0, 0.0, -3.0])), torch.tensor([[1.0, 2.0], [1.0, 2.0]]))


def test_a_connected_first_layer_gives_its_image_away_exactly() -> None:
    model = connected_network()
    found = closed_form(model, loss_gradient(model, functional.cross_entropy, pictures(), LABELS), SHAPE, 1)
    assert found is not None
    assert float(psnr(BOX.grey(found), BOX.grey(pictures()))) >= 100


def test_a_convolution_first_has_no_closed_form(gradient: dict[str, Tensor]) -> None:
    assert closed_form(small_network(), gradient, SHAPE, 1) is None


def test_a_label_is_the_class_whose_gradient_is_negative() -> None:
    assert labels_from(torch.tensor([0.2, 0.3, -0.6, 0.1]), 1).tolist() == [2]


def test_labels_of_a_batch_are_counted_off_the_lowest_classes() -> None:
    truth = torch.tensor([0, 2, 2, 3])
    logits = torch.zeros(4, 4, requires_grad=True)  # p = 1/4 for each class
    functional.cross_entropy(logits, truth).backward()
    assert labels_from(logits.grad.sum(0), 4).tolist() == [0, 2, 2, 3]


def test_an_image_is_drawn_from_the_direction_of_its_gradient(gradient: dict[str, Tensor]) -> None:
    found = drawn({name: 0.01 * grad for name, grad in gradient.items()})  # clipped, that is
    assert compare(found, BOX.grey(pictures())).psnr > compare(GUESS, BOX.grey(pictures())).psnr + 6


def test_noise_hides_the_image(gradient: dict[str, Tensor]) -> None:
    size = math.sqrt(sum(float(grad.square().sum()) for grad in gradient.values()))
    noisy = {name: grad / size + torch.randn(grad.shape, generator=torch_stream(3, name)) for name, grad in gradient.items()}
    likeness = compare(drawn(noisy), BOX.grey(pictures()))
    assert likeness.psnr < float(psnr(GUESS, BOX.grey(pictures()))) + 1
    assert likeness.ssim < 0.3


def test_numbers_that_were_not_sent_are_not_missed(gradient: dict[str, Tensor]) -> None:
    least = torch.cat([grad.abs().flatten() for grad in gradient.values()]).quantile(0.9)
    found = drawn({name: torch.where(grad.abs() >= least, grad, 0.0) for name, grad in gradient.items()}, is_sparse=True)
    assert compare(found, BOX.grey(pictures())).psnr > float(psnr(GUESS, BOX.grey(pictures()))) + 3


def test_a_search_stops_when_its_time_is_over(gradient: dict[str, Tensor]) -> None:
    found = invert(attackable(small_network()), functional.cross_entropy, gradient, LABELS, shape=SHAPE, box=BOX,
                   search=Search(num_steps=10**9, limit_s=0.0), generator=torch_stream(2))
    assert found.num_steps == 5  # those that are timed


@pytest.mark.parametrize("settings", [{"momentum": 0.0}, {"momentum": 0.9}, {"momentum": 0.5, "weight_decay": 0.1},
                                      {"optimizer": "adamw", "momentum": 0.0, "weight_decay": 0.1}])
def test_a_steady_gradient_is_read_from_three_steps(settings: dict[str, float | str]) -> None:
    from wardround.training.optimizers import make_optimizer

    model, recipe = FlatModel(nn.Linear(2, 1)), Recipe(lr=1e-4, **settings)  # type: ignore[arg-type]
    before, grads = model.params.clone(), torch.tensor([1.0, 1.0, 1.0])
    optimizer = make_optimizer(recipe, 3, "cpu", None)
    for _ in range(3):
        optimizer.step(model.params.trainable, grads, recipe.lr)
    found = update_gradient(model.params - before, before, recipe, 3)
    assert torch.allclose(torch.cat([grad.flatten() for grad in found.values()]), grads, atol=5e-3)


def test_tensors_that_stay_at_the_site_are_left_out() -> None:
    model = FlatModel(nn.Linear(2, 1))
    delta = Params(torch.tensor([1.0, 1.0, 0.0]), model.params.layout)
    assert list(update_gradient(delta, model.params, Recipe(), 1)) == ["weight"]


def test_quick_layers_and_dropout_do_not_hinder_the_attacker() -> None:
    module = quickened(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PReLU(), nn.MaxPool2d(2), nn.Dropout(0.5), nn.Flatten(),
                                     nn.Linear(4 * 64**2, 2)))
    model, images = attackable(module), torch.ones(1, 1, 128, 128, requires_grad=True)
    slopes = loss_gradient(model, functional.cross_entropy, images, LABELS, is_differentiable=True)
    (again,) = torch.autograd.grad(slopes["0.weight"].square().sum(), images)
    assert again.isfinite().all()
    assert torch.equal(model(images), model(images))
    assert type(module[1]).__name__ == "QuickPReLU"  # the site's own network is as it was


def test_batch_norm_of_one_image_uses_the_statistics_it_has() -> None:
    model = attackable(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4)), is_single=True)
    assert model(torch.ones(1, 4)).shape == (1, 4)


def test_total_variation_by_hand() -> None:
    assert float(total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]]))) == (0 + 2) / 2 + (1 + 3) / 2
