import pytest
import torch
from torch import nn

from wardround.core.params import FlatModel
from wardround.models.norms import num_groups, use_norm


def nested() -> nn.Module:
    """Batch norms at three depths, the inner one with an initial scale of its own."""
    inner = nn.Sequential(nn.Conv2d(8, 12, 1), nn.BatchNorm2d(12, eps=1e-3))
    nn.init.zeros_(inner[1].weight)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ModuleDict({"branch": nn.ModuleList([inner])}))


@pytest.mark.parametrize(("channels", "groups"), [
    (64, 32), (512, 32), (96, 32), (128, 32), (48, 24), (32, 16), (16, 8), (10, 5), (6, 3), (4, 2), (3, 1), (2, 1), (1, 1), (37, 1),
])
def test_groups_divide_the_channels_are_32_at_most_and_hold_two_or_more(channels: int, groups: int) -> None:
    assert num_groups(channels) == groups


def test_batch_norm_stays_as_it_is() -> None:
    model = nested()
    before = {name: type(module) for name, module in model.named_modules()}
    assert {name: type(module) for name, module in use_norm(model, "batch").named_modules()} == before


def test_no_batch_norm_is_left_at_any_depth_and_names_stay() -> None:
    model = nested()
    names, parameters = [name for name, _ in model.named_modules()], [name for name, _ in model.named_parameters()]
    changed = use_norm(model, "group")
    assert [type(module).__name__ for module in changed.modules()].count("GroupNorm") == 2
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in changed.modules())
    assert [name for name, _ in changed.named_modules()] == names
    assert [name for name, _ in changed.named_parameters()] == parameters


def test_scale_shift_and_epsilon_are_kept() -> None:
    inner = use_norm(nested(), "group")[2]["branch"][0][1]
    assert inner.weight.tolist() == [0.0] * 12
    assert inner.bias.tolist() == [0.0] * 12
    assert inner.eps == 1e-3


def test_norm_without_scale_and_shift_has_none_afterwards() -> None:
    norm = use_norm(nn.BatchNorm2d(8, affine=False), "group")
    assert isinstance(norm, nn.GroupNorm) and norm.weight is None


def test_group_norm_model_has_no_buffers_in_its_vector_and_batch_norm_model_has() -> None:
    group, batch = FlatModel(use_norm(nested(), "group")).params.layout, FlatModel(use_norm(nested(), "batch")).params.layout
    assert group.size == group.num_trainable
    assert batch.size == batch.num_trainable + 2 * (8 + 12)
    assert batch.num_trainable == group.num_trainable


def test_an_image_is_judged_alike_in_any_batch() -> None:
    model = use_norm(nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)), "group").train()
    images = torch.arange(2 * 64.0).sin().view(2, 1, 8, 8)
    assert torch.allclose(model(images)[:1], model(images[:1]), atol=1e-6)


def test_behind_a_linear_layer_all_channels_make_one_group() -> None:
    norm = use_norm(nn.BatchNorm1d(8), "group")
    assert isinstance(norm, nn.GroupNorm) and norm.num_groups == 1
    features = torch.arange(8.0).view(1, 8)
    assert torch.allclose(norm(features), nn.functional.layer_norm(features, (8,)))


def test_training_mode_is_kept() -> None:
    assert use_norm(nested().eval(), "group")[1].training is False


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("norm", ["batch", "group", "instance"])
@pytest.mark.parametrize("old", ["BatchNorm", "InstanceNorm"])
def test_any_norm_becomes_any_other_in_the_same_number_of_dimensions(old: str, norm: str, dims: int) -> None:
    new = use_norm(getattr(nn, f"{old}{dims}d")(8, eps=1e-3), norm)
    expected = {"batch": f"BatchNorm{dims}d", "group": "GroupNorm", "instance": f"InstanceNorm{dims}d"}[norm]
    assert type(new).__name__ == expected
    assert new.weight.shape == new.bias.shape == (8,)
    assert new.eps == 1e-3
    assert new(torch.rand(2, 8, *[4] * dims)).shape == (2, 8, *[4] * dims)


def test_instance_norm_has_no_running_statistics() -> None:
    model = use_norm(nested(), "instance")
    assert not list(model.buffers())
    assert model[2]["branch"][0][1].weight.tolist() == [0.0] * 12


def test_instance_norm_behind_a_linear_layer_is_one_group() -> None:
    assert use_norm(nn.BatchNorm1d(8), "instance")(torch.rand(2, 8)).shape == (2, 8)


def test_frozen_norm_keeps_its_statistics_and_trains_its_scale() -> None:
    model = use_norm(nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)), "frozen")
    model[1].running_mean.fill_(0.5)
    model.train()
    images = torch.arange(2 * 64.0).sin().view(2, 1, 8, 8)
    model(images).sum().backward()
    assert model[1].running_mean.tolist() == [0.5] * 8
    assert model[1].weight.grad is not None
    assert torch.allclose(model(images)[0], model(images[:1])[0], atol=1e-6)  # an image is judged alike in any batch


def test_frozen_norm_has_the_tensors_of_batch_norm() -> None:
    assert use_norm(nested(), "frozen").state_dict().keys() == nested().state_dict().keys()
