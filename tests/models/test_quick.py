import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from wardround.core.params import FlatModel
from wardround.models import quick
from wardround.models.build import build_model
from wardround.models.quick import QuickConv2d, QuickGroupNorm, QuickMaxPool2d, QuickPReLU, quickened
from wardround.plan.schema import ModelPlan
from wardround.training.arithmetic import channels_last

Make = Callable[[], nn.Module]

LAYERS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "prelu": (nn.PReLU, (2, 6, 6, 8)),
    "prelu of a negative slope": (lambda: nn.PReLU(init=-0.5), (2, 6, 6, 8)),
    "prelu of no slope": (lambda: nn.PReLU(init=0.0), (2, 6, 6, 8)),
    "prelu of volumes": (nn.PReLU, (2, 3, 4, 5, 6)),
    "prelu of features": (nn.PReLU, (4, 7)),
    "group norm": (lambda: scaled(nn.GroupNorm(3, 6)), (3, 6, 5, 7)),
    "one group": (lambda: scaled(nn.GroupNorm(1, 6)), (2, 6, 4, 4)),
    "a group for each channel": (lambda: scaled(nn.GroupNorm(6, 6)), (2, 6, 3, 8)),
    "group norm of volumes": (lambda: scaled(nn.GroupNorm(2, 4)), (2, 4, 4, 3, 5)),
    "group norm of more channels than lanes": (lambda: scaled(nn.GroupNorm(4, 264)), (2, 264, 2, 2)),
    "pooling": (lambda: nn.MaxPool2d(2), (2, 6, 6, 8)),
    "pooling of odd sizes": (lambda: nn.MaxPool2d(2), (2, 6, 7, 5)),
    "pooling with overlap and padding": (lambda: nn.MaxPool2d(3, 2, 1), (2, 6, 7, 8)),
    "pooling in ceil mode with dilation": (lambda: nn.MaxPool2d(2, dilation=2, ceil_mode=True), (2, 6, 7, 8)),
    "depthwise of 5x5": (lambda: depthwise(5, padding=2), (2, 6, 6, 5)),
    "depthwise of 7x7 with stride": (lambda: depthwise(7, padding=3, stride=2), (2, 6, 8, 9)),
    "depthwise of 3x5": (lambda: depthwise((3, 5), padding=(1, 2)), (2, 6, 6, 5)),
    "depthwise of 1x5": (lambda: depthwise((1, 5), padding=(0, 2)), (2, 6, 6, 5)),
    "depthwise of 3x3 with stride": (lambda: depthwise(3, stride=2), (2, 6, 7, 7)),
}
ORDERS = {"contiguous": torch.clone, "channels last": lambda x: channels_last(x) if x.ndim > 2 else x.clone()}


def depthwise(kernel: int | tuple[int, int], **settings: object) -> nn.Module:
    return nn.Conv2d(6, 6, kernel, groups=6, bias=False, **settings)


def scaled(norm: nn.GroupNorm) -> nn.GroupNorm:
    """With a scale and shift that differ by channel."""
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-1, 2, norm.num_channels))
        norm.bias.copy_(torch.linspace(1, -1, norm.num_channels))
    return norm


@pytest.fixture(autouse=True)
def every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small layers are quick ones here too, and come in blocks of one image, of a part of a PReLU's numbers."""
    monkeypatch.setattr(quick, "SMALL", 0)
    monkeypatch.setattr(quick, "BLOCK", 100)


@pytest.fixture(params=LAYERS)
def pair(request: pytest.FixtureRequest) -> tuple[nn.Module, nn.Module, Tensor]:
    """torch's layer, ours, and numbers with ties."""
    make, shape = LAYERS[request.param]
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(shape, generator=generator).mul(4).round().div(4)
    layer = make()
    return layer, quickened(copy.deepcopy(layer)), numbers


def computed(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, and the gradients of input and parameters of its weighted sum."""
    x = x.detach().requires_grad_()
    output = layer(x)
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view(output.shape)
    return [output, *torch.autograd.grad(output, [x, *layer.parameters()], weights)]


@pytest.mark.parametrize("order", ORDERS)
def test_output_and_gradients_are_those_of_torch(pair: tuple[nn.Module, nn.Module, Tensor], order: str) -> None:
    layer, ours, numbers = pair
    for expected, found in zip(computed(layer, ORDERS[order](numbers)), computed(ours, ORDERS[order](numbers)), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_in_bfloat16_they_are_those_of_torch_but_for_rounding(pair: tuple[nn.Module, nn.Module, Tensor], order: str) -> None:
    layer, ours, numbers = pair
    with torch.autocast("cpu", torch.bfloat16):
        given = ORDERS[order](numbers).bfloat16()
        for expected, found in zip(computed(layer, given), computed(ours, given), strict=True):
            assert found.dtype == expected.dtype
            assert (found - expected).norm() <= 0.01 * expected.norm()


@pytest.mark.parametrize("order", ORDERS)
def test_gradients_are_the_slopes_of_the_output(pair: tuple[nn.Module, nn.Module, Tensor], order: str) -> None:
    _, ours, numbers = pair
    apart = torch.linspace(-1, 1, numbers.numel(), dtype=torch.float64)  # no ties, where a maximum has no slope
    mixed = apart[torch.randperm(len(apart), generator=torch.Generator().manual_seed(0))].view(numbers.shape)
    ours.double()
    ours.requires_grad_(True)
    names = [name for name, _ in ours.named_parameters()]
    arguments = [ORDERS[order](mixed).requires_grad_(), *(parameter.detach().clone().requires_grad_() for parameter in ours.parameters())]
    assert gradcheck(lambda x, *values: torch.func.functional_call(ours, dict(zip(names, values, strict=True)), (x,)), arguments,
                     fast_mode=True)


@pytest.mark.parametrize("order", ORDERS)
def test_order_in_memory_of_output_and_gradient_is_that_of_torch(pair: tuple[nn.Module, nn.Module, Tensor], order: str) -> None:
    layer, ours, numbers = pair
    given = ORDERS[order](numbers)
    assert ours(given).stride() == layer(given).stride()
    assert computed(ours, given)[1].stride() == computed(layer, given)[1].stride()


@pytest.mark.parametrize("order", ORDERS)
def test_bits_are_the_same_twice_and_without_gradient(pair: tuple[nn.Module, nn.Module, Tensor], order: str) -> None:
    _, ours, numbers = pair
    given = ORDERS[order](numbers)
    once, again = computed(ours, given), computed(ours, given)
    assert all(torch.equal(first, second) for first, second in zip(once, again, strict=True))
    with torch.inference_mode():
        assert torch.equal(ours(given), once[0])
    with torch.no_grad():
        assert torch.equal(ours.eval()(given), once[0])


def test_maxima_that_are_equal_give_their_gradient_to_the_first() -> None:
    x = torch.zeros(1, 3, 2, 4, requires_grad=True)
    quickened(nn.MaxPool2d(2))(x).sum().backward()
    assert x.grad is not None and x.grad[0, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]


def test_group_norm_keeps_its_digits_where_the_mean_is_large() -> None:
    x = channels_last(torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)) + 1000)
    exact = nn.functional.group_norm(x.double(), 2)
    assert (quickened(nn.GroupNorm(2, 4))(x) - exact).abs().max() < 1e-3  # torch's own is off by more than 0.1


def test_gradient_that_comes_in_another_order_is_understood() -> None:
    for make in (nn.PReLU, lambda: scaled(nn.GroupNorm(2, 4))):
        layer = quickened(make())
        x = channels_last(torch.linspace(-1, 1, 72).sin().view(2, 4, 3, 3)).requires_grad_()
        grad = torch.linspace(-1, 2, 72).view(2, 4, 3, 3)
        found, expected = (torch.autograd.grad(layer(x), [x, *layer.parameters()], g) for g in (grad, channels_last(grad)))
        assert all(torch.equal(first, second) for first, second in zip(found, expected, strict=True))


@pytest.mark.parametrize("make", [
    lambda: nn.PReLU(6), lambda: nn.GroupNorm(2, 6, affine=False), lambda: nn.Conv2d(6, 6, 5, groups=6),
    lambda: nn.Conv2d(6, 12, 5, groups=6, bias=False), lambda: nn.Conv2d(6, 6, 5, groups=6, bias=False, padding="same"),
    lambda: nn.Conv2d(6, 6, 5, groups=6, bias=False, padding=1, padding_mode="reflect"),
    lambda: nn.Conv2d(6, 6, 5, groups=6, bias=False, dilation=2, padding=4)])
def test_what_we_do_not_compute_is_torchs_own(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "_result", None)
    layer = make()
    x = channels_last(torch.linspace(-1, 1, 2 * 6 * 64).sin().view(2, 6, 8, 8))
    assert torch.equal(quickened(copy.deepcopy(layer))(x), layer(x))


def test_indices_of_maxima_are_torchs_own() -> None:
    x = torch.linspace(-1, 1, 64).sin().view(1, 4, 4, 4)
    maxima, indices = quickened(nn.MaxPool2d(2, return_indices=True))(x)
    assert torch.equal(maxima, nn.functional.max_pool2d(x, 2)) and indices.shape == maxima.shape


def test_small_layers_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "SMALL", 10_000)
    monkeypatch.setattr(quick, "_result", None)
    x = channels_last(torch.ones(1, 4, 4, 4))
    for layer in (nn.PReLU(), nn.GroupNorm(2, 4), nn.MaxPool2d(2), nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False)):
        assert torch.equal(quickened(copy.deepcopy(layer))(x), layer(x))


def nested() -> nn.Module:
    inner = nn.ModuleDict({"norm": nn.GroupNorm(2, 6), "act": nn.PReLU()})
    return nn.Sequential(nn.Conv2d(6, 6, 5, padding=2, groups=6, bias=False), nn.Sequential(*inner.values()), nn.MaxPool2d(2))


def test_layers_at_any_depth_are_quick_and_still_torchs_kind_with_the_same_tensors() -> None:
    model = nested()
    before, tensors = [type(part) for part in model.modules()], dict(model.state_dict())
    changed = quickened(model)
    assert changed is model
    kinds = [type(part) for part in model.modules()]
    assert [kind for kind in kinds if kind in quick.QUICK.values()] == [QuickConv2d, QuickGroupNorm, QuickPReLU, QuickMaxPool2d]
    assert all(issubclass(kind, old) for kind, old in zip(kinds, before, strict=True))
    assert {name: tensor.data_ptr() for name, tensor in model.state_dict().items()} == {n: t.data_ptr() for n, t in tensors.items()}
    nested().load_state_dict(model.state_dict())


@pytest.mark.parametrize("make", [nn.PReLU, lambda: nn.GroupNorm(2, 6), lambda: depthwise(5, padding=2)])
def test_second_derivative_is_refused_rather_than_wrong(make: Make) -> None:
    x = channels_last(torch.linspace(-1, 1, 6 * 64).sin().view(1, 6, 8, 8)).requires_grad_()
    first, = torch.autograd.grad(quickened(make())(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_a_subclass_is_its_authors() -> None:
    class Own(nn.PReLU):
        pass

    assert type(quickened(nn.Sequential(Own()))[0]) is Own


def test_copies_and_pickles_compute_the_same() -> None:
    model, x = quickened(nested()), torch.linspace(-1, 1, 6 * 64).sin().view(1, 6, 8, 8)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x), model(x))


def test_gradients_arrive_in_a_flat_model() -> None:
    slow, ours = FlatModel(nested()), FlatModel(quickened(nested()))
    ours.load(slow.params)
    x = channels_last(torch.linspace(-1, 1, 6 * 64).sin().view(1, 6, 8, 8))
    for model in (slow, ours):
        model.train()(x).square().sum().backward()
    assert ours.grads.any()
    scale = slow.grads.abs().max().item()  # entries that nearly cancel carry the rounding of the large ones
    torch.testing.assert_close(ours.grads, slow.grads, rtol=1e-4, atol=1e-5 * scale)


def test_frozen_parameters_get_no_gradient(pair: tuple[nn.Module, nn.Module, Tensor]) -> None:
    _, ours, numbers = pair
    expected = computed(ours, numbers)[1]
    x = numbers.clone().requires_grad_()
    output = ours.requires_grad_(False)(x)
    output.backward(torch.linspace(-1, 1, output.numel()).view(output.shape))
    assert x.grad is not None and torch.equal(x.grad, expected)
    assert all(parameter.grad is None for parameter in ours.parameters())


def test_networks_of_a_plan_are_quick() -> None:
    kinds = {type(part) for part in build_model(ModelPlan(name="unet"), in_channels=1, num_outputs=2, shape=(16, 16), dense=True,
                                                seed=0).modules()}
    assert {QuickPReLU, QuickGroupNorm} <= kinds and not {nn.PReLU, nn.GroupNorm} & kinds
