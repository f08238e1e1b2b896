"""DP-SGD: what each unit may add to a step, and what noise is added to that."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

from wardround.core.params import FlatModel
from wardround.errors import PlanError, PrivacyError
from wardround.plan.schema import Recipe
from wardround.rng import torch_stream
from wardround.training.dpsgd import dp_sgd, faults, suitable, validated
from wardround.training.local import local_sgd
from wardround.training.optimizers import make_optimizer
from wardround.training.per_unit import Chunk, Unsampled, clipping, is_sampled, norms

WAYS = ("alone", "hooks", "ghost")
NUM = 6  # images


def network(activation: nn.Module | None = None) -> nn.Module:
    """Of all kinds of layers that have samplers, and two that have none: a transposed convolution and PReLU. Smooth, so that rounding
    moves no gradient by a kink."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.GroupNorm(2, 4), activation or nn.Softplus(), nn.PReLU(),
                             nn.ConvTranspose2d(4, 4, 2, stride=2), nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
                             nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LayerNorm(16), nn.Linear(16, 3))


class Scalar(nn.Module):
    """Multiplies by its one number: what is tested by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.0]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.weight


def losses_of(model: FlatModel):
    return lambda images, truth: functional.cross_entropy(model.module(images), truth, reduction="none")


def batch(num: int = NUM) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch_stream("dp-sgd")
    return torch.randn(num, 1, 6, 6, generator=rng), torch.randint(0, 3, (num,), generator=rng)


def chunk(images: torch.Tensor, truth: torch.Tensor, starts: tuple[int, ...] | None = None) -> Chunk:
    return Chunk(images=images, truth=truth, starts=starts or tuple(range(len(images) + 1)))


def terms(**changes):
    return SimpleNamespace(**{"unit": "image", "noise_multiplier": 0.0, "clip_norm": 1.0, "sample_rate": 0.5, "physical_batch": 4,
                              **changes})


def silence(num: int, std: float) -> torch.Tensor:
    return torch.zeros(num)


def summed(model: FlatModel, way: str, clip_norm: float, *chunks: Chunk, losses=None) -> tuple[torch.Tensor, int]:
    """The clipped gradients' sum and how many were lost."""
    total = torch.zeros_like(model.grads)
    with clipping(model, losses or losses_of(model), clip_norm, way) as clip:
        num_lost = sum(clip(some, total) for some in chunks)
    return total, num_lost


def by_torch_func(model: FlatModel, images: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """(B, num_trainable)."""
    tensors = {name: tensor.detach() for name, tensor in model.module.named_parameters()}

    def loss(tensors, image, label):
        return functional.cross_entropy(torch.func.functional_call(model.module, tensors, (image[None],)), label[None])

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(tensors, images, truth)
    return torch.cat([found[entry.name].flatten(1) for entry in model.params.layout.entries], 1)


def train(model: FlatModel, steps, *, noise=silence, recipe: Recipe | None = None, num_units: int = NUM, way=None, **settings):
    recipe = recipe or Recipe(lr=0.5, momentum=0.0)
    optimizer = make_optimizer(recipe, model.params.layout.num_trainable, "cpu", None)
    names = ("penalty", "drift", "mean_grad", "losses")
    seams = {name: settings.pop(name) for name in names if name in settings}
    return dp_sgd(model, steps, recipe, terms(**settings), optimizer=optimizer, noise=noise, num_units=num_units, way=way,
                  **{"losses": losses_of(model), **seams})


@pytest.mark.parametrize("way", WAYS)
def test_each_way_gives_the_gradients_of_torch_func(way: str) -> None:
    model = FlatModel(network())
    images, truth = batch()
    gradients = by_torch_func(model, images, truth)
    norms = gradients.norm(dim=1)
    clip_norm = float(norms.median())  # some are clipped, some are not
    expected = (gradients * (clip_norm / norms).clamp_max(1)[:, None]).sum(0)
    total, num_lost = summed(model, way, clip_norm, chunk(images, truth))
    assert num_lost == 0
    assert (total - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("way", WAYS)
def test_no_image_adds_more_than_the_clip_norm(way: str) -> None:
    model = FlatModel(network())
    images, truth = batch()
    for index in range(NUM):
        total, _ = summed(model, way, 0.01, chunk(images[index : index + 1] * 1000, truth[index : index + 1]))
        assert 0.009 <= float(total.double().norm()) <= 0.01 * (1 + 1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_the_bound_holds_for_millions_of_numbers(way: str) -> None:
    model = FlatModel(nn.Linear(2000, 1001, bias=False))  # torch's own norm of such a gradient is 1e-5 too small
    images = torch.rand(1, 2000, generator=torch_stream("long")) + 0.5
    total, _ = summed(model, way, 1.0, chunk(images, images), losses=lambda images, _: model.module(images).sum(1))
    assert float(total.double().norm()) == pytest.approx(1, abs=1e-6)


def test_norms_of_rows_of_any_length() -> None:
    for length in (1, 1023, 1024, 3000):
        rows = torch.randn(2, length, generator=torch_stream(length))
        torch.testing.assert_close(norms(rows), rows.double().norm(dim=1), rtol=1e-6, atol=0)
    assert norms(torch.tensor([[1.0, float("nan")]])).isnan().all()
    assert norms(torch.tensor([[1.0, float("inf")]])).isinf().all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_in_order", [True, False])
def test_layers_in_place_and_channels_side_by_side_change_nothing(way: str, is_in_order: bool) -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 1)
            self.norm = nn.GroupNorm(1, 2)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            out = self.norm(self.second(torch.tanh_(self.first(images))))
            out += images
            return functional.silu(out, inplace=True).mean((2, 3))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = FlatModel(Residual())
    images = torch.randn(3, 2, 5, 5, generator=torch_stream("in place"))
    truth = torch.tensor([0, 1, 1])
    expected, _ = summed(model, "alone", 0.1, chunk(images, truth))
    order = images if is_in_order else images.contiguous(memory_format=torch.channels_last)
    total, _ = summed(model, way, 0.1, chunk(order, truth))
    torch.testing.assert_close(total, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_a_layer_used_twice_has_one_gradient(way: str) -> None:
    layer = nn.Linear(4, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(4) * 0.5 + 0.1)
    model = FlatModel(nn.Sequential(layer, nn.Tanh(), layer))
    images, truth = torch.rand(3, 4, generator=torch_stream("twice")), torch.tensor([0, 1, 2])
    expected, _ = summed(model, "alone", 0.2, chunk(images, truth))
    total, _ = summed(model, way, 0.2, chunk(images, truth))
    torch.testing.assert_close(total, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_adds_nothing_and_is_counted(way: str, value: float) -> None:
    model = FlatModel(network())
    images, truth = batch()
    spoilt = images.clone()
    spoilt[2] = value
    expected, _ = summed(model, way, 1.0, chunk(images[[0, 1, 3, 4, 5]], truth[[0, 1, 3, 4, 5]]))
    total, num_lost = summed(model, way, 1.0, chunk(spoilt, truth))
    assert num_lost == 1
    torch.testing.assert_close(total, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("way", ["alone", "hooks"])
def test_a_patient_s_mean_gradient_is_clipped_as_one(way: str) -> None:
    # d(w x)/dw = x; patients (2, 4), (-9) and (0.5, 0.5, 0.2): means 3, -9 and 0.4, clipped to 1, -1 and 0.4
    model = FlatModel(Scalar())
    images = torch.tensor([[2.0], [4.0], [-9.0], [0.5], [0.5], [0.2]])
    total, _ = summed(model, way, 1.0, chunk(images, images, (0, 2, 3, 6)), losses=lambda images, _: model.module(images)[:, 0])
    assert total.tolist() == pytest.approx([0.4])


def test_ghost_clipping_knows_no_norm_of_several_images() -> None:
    model = FlatModel(network())
    with pytest.raises(Unsampled, match="several images"):
        summed(model, "ghost", 1.0, chunk(*batch(), (0, 2, 6)))


def test_without_noise_and_clipping_a_step_is_an_ordinary_one() -> None:
    images, truth = batch()
    recipe = Recipe(lr=0.1, momentum=0.9, weight_decay=0.01, clip_norm=0.5)
    plain, private = FlatModel(network()), FlatModel(network())
    drift = torch.full_like(plain.grads, 0.01)

    def penalty(params: torch.Tensor, grads: torch.Tensor) -> None:
        grads.add_(params, alpha=0.1)

    means = [torch.zeros_like(plain.grads) for _ in range(2)]
    optimizer = make_optimizer(recipe, plain.params.layout.num_trainable, "cpu", None)
    local_sgd(plain, [(images, truth)] * 2, recipe, optimizer=optimizer, penalty=penalty, drift=drift, mean_grad=means[0],
              objective=lambda images, truth: losses_of(plain)(images, truth).mean())
    fit = train(private, [[chunk(images, truth)]] * 2, recipe=recipe, clip_norm=1e6, sample_rate=1.0, penalty=penalty, drift=drift,
                mean_grad=means[1])
    assert (fit.num_steps, fit.num_images, fit.train_loss) == (2, 2 * NUM, None)
    torch.testing.assert_close(private.params.flat, plain.params.flat, rtol=0, atol=1e-6)
    torch.testing.assert_close(*means, rtol=1e-5, atol=1e-6)


def test_the_expected_number_of_units_divides_and_not_the_sampled_one() -> None:
    # one unit of 4 with clipped gradient -1; sample_rate * num_units = 0.5 * 8: w = 0 + lr * 1 / 4
    model = FlatModel(Scalar())
    image = torch.tensor([[-3.0]])
    train(model, [[chunk(image, image)]], num_units=8, losses=lambda images, _: model.module(images)[:, 0],
          recipe=Recipe(lr=1.0, momentum=0.0))
    assert model.params.flat.tolist() == [0.25]


def test_noise_has_the_deviation_of_the_multiplier_times_the_clip_norm() -> None:
    model = FlatModel(nn.Linear(200, 500, bias=False))
    before, rng = model.params.flat.clone(), torch_stream("noise")
    train(model, [[]], num_units=20, noise_multiplier=3.0, clip_norm=0.5, recipe=Recipe(lr=1.0, momentum=0.0),
          noise=lambda num, std: torch.randn(num, generator=rng) * std)
    moved = model.params.flat - before  # lr * noise / (0.5 * 20)
    assert float(moved.std()) == pytest.approx(3.0 * 0.5 / 10, rel=0.01)


def test_noise_is_added_once_a_step_in_empty_ones_too() -> None:
    model, asked = FlatModel(network()), []

    def noise(num: int, std: float) -> torch.Tensor:
        asked.append((num, std))
        return torch.full((num,), 0.5)

    images, truth = batch()
    before = model.params.flat.clone()
    fit = train(model, [[], []], noise=noise, noise_multiplier=2.0, clip_norm=0.25)
    assert (fit.num_steps, fit.num_images) == (2, 0)
    torch.testing.assert_close(model.params.flat, before - 2 * 0.5 * 0.5 / 3)
    train(model, [[chunk(images[:4], truth[:4]), chunk(images[4:], truth[4:])]], noise=noise, noise_multiplier=2.0, clip_norm=0.25)
    assert asked == [(len(model.grads), 0.5)] * 3


@pytest.mark.parametrize("way", WAYS)
def test_how_many_images_are_held_at_once_does_not_change_the_result(way: str) -> None:
    images, truth = batch()
    results = []
    for size in (NUM, 1, 4):
        model = FlatModel(network())
        chunks = [chunk(images[i : i + size], truth[i : i + size]) for i in range(0, NUM, size)]
        train(model, [chunks], way=way, clip_norm=0.1)
        results.append(model.params.flat.clone())
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_stays_on_the_model(way: str) -> None:
    model = FlatModel(network())
    layers = list(model.module.modules())

    def marks() -> list[set[str]]:
        return [set(vars(thing)) for thing in (*layers, *model.module.parameters())]

    before, kinds = marks(), [type(layer) for layer in layers]
    with pytest.raises(ZeroDivisionError):  # not if training fails, either
        train(model, failing(batch()), way=way)
    assert (marks(), [type(layer) for layer in layers]) == (before, kinds)
    assert not any(layer._forward_hooks or layer._backward_hooks for layer in layers)
    for entry in model.params.layout.entries:  # gradients are still views of the flat vector
        parameter = model.module.get_parameter(entry.name)
        assert parameter.grad.data_ptr() == model.grads[entry.offset :].data_ptr()
        assert parameter.data_ptr() == model.params.flat[entry.offset :].data_ptr()


def failing(some):
    yield [chunk(*some)]
    raise ZeroDivisionError


@pytest.mark.parametrize("way", WAYS)
def test_frozen_parameters_are_left_out(way: str) -> None:
    model = FlatModel(network(), share=["9.*"])
    before = model.tensors()["0.weight"].clone()
    images, truth = batch()
    total, _ = summed(model, way, 1e6, chunk(images, truth))
    whole = FlatModel(network())
    assert len(total) == 51
    torch.testing.assert_close(total, by_torch_func(whole, images, truth)[:, -51:].sum(0), rtol=0, atol=1e-5)
    train(model, [[chunk(images, truth)]], way=way)
    assert torch.equal(model.tensors()["0.weight"], before)


def test_buffers_that_images_would_change_stay_as_they_were() -> None:
    model = FlatModel(nn.Sequential(network(), nn.BatchNorm1d(3)))
    before = model.params.buffers.clone()
    train(model, [[chunk(*batch(), (0, 3, 6))]])
    assert torch.equal(model.params.buffers, before)


@pytest.mark.parametrize("recipe", [{"mixup": 0.2}, {"single_step": True}, {"label_skew": "calibrated"}])
def test_recipes_that_join_images_are_refused(recipe: dict) -> None:
    with pytest.raises(PrivacyError, match=f"recipe.{next(iter(recipe))} "):
        train(FlatModel(network()), [], recipe=Recipe(**recipe))


def test_batch_norm_is_refused_by_name_with_the_remedy() -> None:
    model = FlatModel(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, affine=False), nn.InstanceNorm2d(2, track_running_stats=True)))
    assert [fault.split(" ")[0] for fault in faults(model, (1, 6, 6))] == ["1", "2"]
    with pytest.raises(PlanError, match=r"1 \(BatchNorm2d\) makes every.*2 \(InstanceNorm2d\) keeps.*Set model.norm = \"group\""):
        validated(model, (1, 6, 6))
    validated(FlatModel(network()), (1, 6, 6))


def test_batch_norm_that_is_not_trained_may_stay() -> None:
    validated(FlatModel(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)), share=["1.*"]), (4,))


class Centred(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images - images.mean(0)


class Remembering(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.add_(images.detach().sum(0))
        return images


@pytest.mark.parametrize(("layer", "fault"), [(Centred, "answer depends on the others"), (Remembering, "keeps statistics")])
def test_layers_that_nobody_knows_are_tried(layer: type[nn.Module], fault: str) -> None:
    model = FlatModel(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), layer(), nn.Linear(4, 2)))
    before = model.params.flat.clone()
    with pytest.raises(PlanError, match=fault):
        validated(model, (4,))
    assert torch.equal(model.params.flat, before)
    validated(FlatModel(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))), (4,))


class Constant(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * 0


def test_a_network_whose_images_cannot_be_told_apart_by_layer_takes_them_alone() -> None:
    class Mixing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.fc(images.flatten(1).flip(0)).flip(0)  # the layer sees the images in another order

    assert is_sampled(network().train(), (1, 6, 6))
    assert is_sampled(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 2)), (4,))
    assert not is_sampled(Mixing(), (1, 2, 2))
    assert not is_sampled(nn.Sequential(nn.Linear(4, 2), Constant()), (4,))  # nothing was compared
    assert not is_sampled(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), (4,))
    assert suitable(FlatModel(network()), terms(), (1, 6, 6)) == "alone"  # on a CPU it is the fastest
