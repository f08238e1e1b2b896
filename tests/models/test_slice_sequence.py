import pytest
import torch
from torch import nn

from wardround.errors import PlanError
from wardround.models.norms import use_norm
from wardround.models.slice_sequence import build

SMALL = {"in_channels": 2, "num_outputs": 2, "width": 8, "hidden": 8}


def test_volumes_of_any_depth_give_one_number_for_each_class() -> None:
    model = build(shape=(6, 16, 16), **SMALL).eval()
    assert {model(torch.zeros(2, 2, depth, 16, 16)).shape for depth in (1, 6, 9)} == {(2, 2)}


def test_every_slice_is_seen_by_the_same_weights() -> None:
    model = build(shape=(3, 16, 16), **SMALL).eval()
    seen = []
    model.slices.register_forward_hook(lambda module, inputs, output: seen.append(output))
    picture = torch.rand(1, 2, 1, 16, 16)
    model(picture.expand(1, 2, 3, 16, 16))
    assert seen[0].shape == (3, 32)
    assert torch.allclose(seen[0][0], seen[0][1]) and torch.allclose(seen[0][0], seen[0][2])


def test_order_of_the_slices_matters() -> None:
    model = build(shape=(4, 16, 16), **SMALL).eval()
    volume = torch.rand(1, 2, 4, 16, 16)
    assert not torch.allclose(model(volume), model(volume[:, :, [2, 0, 3, 1]]), atol=1e-6)


def test_learns_on_which_side_of_the_volume_the_bright_slice_is() -> None:
    volumes = torch.zeros(16, 2, 4, 16, 16)
    truth = torch.arange(16) % 2
    for volume, side in zip(volumes, truth, strict=True):
        volume[:, int(side) * 3, 4:12, 4:12] = 2.0
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = use_norm(build(shape=(4, 16, 16), **SMALL), "group")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(volumes), truth).backward()
        optimizer.step()
    assert (model(volumes).argmax(1) == truth).all()


@pytest.mark.parametrize(("arguments", "said"), [
    ({"shape": (16, 16)}, "data.dims = 3"), ({"hidden": 0}, "model.hidden"), ({"width": 12}, "model.width"),
])
def test_impossible_values_name_the_setting(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        build(**({"in_channels": 1, "num_outputs": 2, "shape": (4, 16, 16)} | arguments))
