import pytest
import torch
from torch import nn

from wardround.errors import PlanError
from wardround.models.cnn import build


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("size", [28, 64, 96, 224])
@pytest.mark.parametrize("channels", [1, 3])
def test_default_width_has_about_0_3_million_parameters_at_any_size(size: int, channels: int) -> None:
    assert num_parameters(build(in_channels=channels, num_outputs=4, size=size)) == pytest.approx(3e5, rel=0.05)


@pytest.mark.parametrize(("size", "left"), [(8, 4), (28, 3), (64, 4), (96, 3), (224, 3), (512, 8)])
def test_last_stage_leaves_about_four_by_four(size: int, left: int) -> None:
    stages = nn.Sequential(*list(build(in_channels=1, num_outputs=2, size=size))[:-4])
    assert stages(torch.zeros(1, 1, size, size)).shape[2:] == (left, left)


def test_any_larger_image_fits_too() -> None:
    assert build(in_channels=3, num_outputs=4, size=64)(torch.zeros(2, 3, 80, 72)).shape == (2, 4)


def test_twice_the_width_has_four_times_the_parameters() -> None:
    narrow, wide = (num_parameters(build(in_channels=1, num_outputs=2, size=64, width=width)) for width in (32, 64))
    assert wide / narrow == pytest.approx(4, rel=0.02)


def test_without_dropout_training_is_deterministic_and_with_dropout_it_is_not() -> None:
    batch = torch.ones(2, 1, 28, 28)
    for dropout, same in ((0.0, True), (0.5, False)):
        features = build(in_channels=1, num_outputs=2, size=28, dropout=dropout).train()
        assert torch.equal(features(batch), features(batch)) is same


def test_learns_to_tell_bright_from_dark_centres() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        images = torch.randn(32, 1, 28, 28)
        truth = torch.arange(32) % 2
        images[:, :, 10:18, 10:18] += 2.0 * truth.view(-1, 1, 1, 1)
        model = build(in_channels=1, num_outputs=2, size=28, width=8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(15):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), truth).backward()
        optimizer.step()
    assert (model(images).argmax(1) == truth).float().mean() > 0.95


@pytest.mark.parametrize("arguments", [{"width": 0}, {"width": 12}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_impossible_values_name_the_setting(arguments: dict[str, float]) -> None:
    with pytest.raises(PlanError, match=f"model.{next(iter(arguments))}"):
        build(in_channels=1, num_outputs=2, size=28, **arguments)  # type: ignore[arg-type]
