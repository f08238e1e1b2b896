import warnings
from collections.abc import Iterator

import pytest
import torch

from wardround.errors import PlanError
from wardround.models.resnet import resnet18, resnet34, resnet50

BASIC, BOTTLENECK = ("conv1", "bn1", "conv2", "bn2"), ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3")


def torchvision_names(layers: tuple[int, ...], parts: tuple[str, ...]) -> Iterator[str]:
    """The state-dict keys of torchvision's ResNets, in their order."""
    def tensors(part: str, is_norm: bool) -> list[str]:
        statistics = ("bias", "running_mean", "running_var", "num_batches_tracked")
        return [f"{part}.{leaf}" for leaf in ("weight", *(statistics if is_norm else ()))]

    yield from tensors("conv1", False) + tensors("bn1", True)
    for layer, blocks in enumerate(layers, start=1):
        for block in range(blocks):
            for part in parts:
                yield from tensors(f"layer{layer}.{block}.{part}", part.startswith("bn"))
            if block == 0 and (layer > 1 or parts is BOTTLENECK):
                yield from tensors(f"layer{layer}.0.downsample.0", False) + tensors(f"layer{layer}.0.downsample.1", True)
    yield from ("fc.weight", "fc.bias")


@pytest.mark.parametrize(("builder", "layers", "parts", "num_parameters"), [
    (resnet18, (2, 2, 2, 2), BASIC, 11_689_512),
    (resnet34, (3, 4, 6, 3), BASIC, 21_797_672),
    (resnet50, (3, 4, 6, 3), BOTTLENECK, 25_557_032),
])
def test_seven_by_seven_stem_has_the_names_and_the_size_of_torchvision(builder, layers, parts, num_parameters) -> None:
    with torch.device("meta"):
        model = builder(in_channels=3, num_outputs=1000, size=224, stem="7x7")
    assert list(model.state_dict()) == list(torchvision_names(layers, parts))
    assert sum(parameter.numel() for parameter in model.parameters()) == num_parameters


def test_seven_by_seven_stem_has_the_shapes_of_torchvision() -> None:
    with torch.device("meta"):
        model = resnet50(in_channels=3, num_outputs=1000, size=224, stem="7x7")
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert shapes["layer4.2.conv2.weight"] == (512, 512, 3, 3)
    assert shapes["fc.weight"] == (1000, 2048)


@pytest.mark.parametrize(("arguments", "size_of_layer1"), [
    ({}, 32), ({"stem_stride": 1}, 64), ({"stem": "7x7"}, 16),
])
def test_stem_divides_the_image(arguments: dict[str, object], size_of_layer1: int) -> None:
    model = resnet18(in_channels=1, num_outputs=4, size=64, width=0.125, **arguments)
    sizes = []
    model.layer1.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[-1]))
    assert model(torch.zeros(2, 1, 64, 64)).shape == (2, 4)
    assert sizes == [size_of_layer1]


def test_half_the_width_has_a_quarter_of_the_parameters() -> None:
    with torch.device("meta"):
        full, half = (sum(p.numel() for p in resnet18(in_channels=1, num_outputs=4, size=64, width=width).parameters())
                      for width in (1.0, 0.5))
    assert full / half == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize("arguments", [{"stem": "5x5"}, {"stem_stride": 3}, {"stem": "7x7", "stem_stride": 1}, {"width": 0.01}])
def test_impossible_values_name_the_setting(arguments: dict[str, object]) -> None:
    with pytest.raises(PlanError, match=rf"model\.{list(arguments)[-1]}"):
        resnet18(in_channels=1, num_outputs=2, size=64, **arguments)


def test_monai_leaves_the_warnings_of_others_alone() -> None:
    shown = warnings.showwarning
    resnet18(in_channels=1, num_outputs=2, size=64, width=0.125)
    assert warnings.showwarning is shown
