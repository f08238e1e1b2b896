import pytest
import torch
from torch import Tensor, nn

from wardround.errors import SiteError
from wardround.plan.schema import Recipe
from wardround.training.optimizers import Optimizer, clip_, make_optimizer

NAMES = ["sgd", "adam", "adamw"]
NUM = 257  # not a multiple of a vector register


def ours(name: str, state: dict[str, Tensor] | None = None, num: int = NUM, **settings: float) -> Optimizer:
    return make_optimizer(Recipe.model_validate({"optimizer": name, **settings}), num, "cpu", state)


def gradient(t: int) -> Tensor:
    return torch.sin(torch.arange(float(NUM)) * 0.37 + t)


def start() -> Tensor:
    return torch.cos(torch.arange(float(NUM)))


def rate(t: int) -> float:
    return 0.05 / (1 + t % 3)


def walk(optimizer: Optimizer, params: Tensor, steps: range) -> Tensor:
    for t in steps:
        optimizer.step(params, gradient(t), rate(t))
    return params


def reference(name: str, momentum: float, weight_decay: float, num_steps: int) -> Tensor:
    parameter = nn.Parameter(start())
    if name == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD([parameter], momentum=momentum, weight_decay=weight_decay)
    else:
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
        optimizer = kind([parameter], betas=(momentum, 0.999), weight_decay=weight_decay)
    for t in range(num_steps):
        optimizer.param_groups[0]["lr"] = rate(t)
        parameter.grad = gradient(t)
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("num_steps", [1, 20])
def test_steps_equal_those_of_torch(name: str, momentum: float, weight_decay: float, num_steps: int) -> None:
    found = walk(ours(name, momentum=momentum, weight_decay=weight_decay), start(), range(num_steps))
    assert torch.allclose(found, reference(name, momentum, weight_decay, num_steps), rtol=0, atol=1e-6)


def test_sgd_by_hand() -> None:
    params, optimizer = torch.tensor([1.0]), ours("sgd", num=1, momentum=0.5)
    optimizer.step(params, torch.tensor([2.0]), 0.1)
    assert params.item() == pytest.approx(0.8)  # v = 2
    optimizer.step(params, torch.tensor([1.0]), 0.1)
    assert params.item() == pytest.approx(0.6)  # v = 0.5 * 2 + 1


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_left_as_they_are(name: str) -> None:
    grads = gradient(0)
    optimizer = ours(name, weight_decay=0.1)
    for _ in range(2):
        optimizer.step(start(), grads, 0.1)
    assert torch.equal(grads, gradient(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [0, 1, 7])
def test_going_on_from_a_kept_state_equals_never_having_stopped(name: str, cut: int) -> None:
    whole = walk(ours(name), start(), range(10))
    first = ours(name)
    params = walk(first, start(), range(cut))
    kept = {key: tensor.clone() for key, tensor in first.state().items()}
    assert torch.equal(walk(ours(name, kept), params, range(cut, 10)), whole)


@pytest.mark.parametrize("name", NAMES)
def test_given_state_is_copied_not_changed(name: str) -> None:
    first = ours(name)
    walk(first, start(), range(2))
    kept = {key: tensor.clone() for key, tensor in first.state().items()}
    walk(ours(name, first.state()), start(), range(3))
    assert all(torch.equal(tensor, kept[key]) for key, tensor in first.state().items())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_remembered_before_the_first_step(name: str) -> None:
    assert ours(name).state() == {}


def test_sgd_without_momentum_remembers_nothing() -> None:
    optimizer = ours("sgd", momentum=0)
    walk(optimizer, start(), range(2))
    assert optimizer.state() == {}


@pytest.mark.parametrize(("name", "state"), [
    ("sgd", {"velocity": torch.zeros(NUM + 1)}),
    ("sgd", {"first": torch.zeros(NUM), "second": torch.zeros(NUM), "steps": torch.tensor(3)}),
    ("adam", {"velocity": torch.zeros(NUM)}),
    ("adamw", {"first": torch.zeros(NUM), "second": torch.zeros(3), "steps": torch.tensor(3)}),
])
def test_state_of_another_optimiser_or_model_is_refused(name: str, state: dict[str, Tensor]) -> None:
    with pytest.raises(SiteError, match=f"does not fit optimizer = '{name}' of a model with 257 numbers"):
        ours(name, state)


@pytest.mark.parametrize("max_norm", [0.5, 5.0, 50.0])
def test_clipping_equals_that_of_torch(max_norm: float) -> None:
    grads, parameter = gradient(0), nn.Parameter(start())
    parameter.grad = gradient(0)
    before = float(nn.utils.clip_grad_norm_([parameter], max_norm))
    assert clip_(grads, max_norm) == pytest.approx(before)
    assert torch.allclose(grads, parameter.grad)


def test_clipping_by_hand() -> None:
    grads = torch.tensor([3.0, 4.0])
    assert clip_(grads, 1.0) == pytest.approx(5.0)
    assert grads.tolist() == pytest.approx([0.6, 0.8])


def test_gradients_within_the_bound_keep_their_bits() -> None:
    grads = gradient(0)
    clip_(grads, 1e6)
    assert torch.equal(grads, gradient(0))


def test_a_gradient_that_is_not_a_number_is_not_hidden() -> None:
    grads = torch.tensor([float("nan"), 1.0])
    clip_(grads, 1.0)
    assert grads.isnan().any()
