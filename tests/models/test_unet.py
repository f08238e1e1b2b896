import pytest
import torch
from torch import nn

from wardround.errors import PlanError
from wardround.models.norms import use_norm
from wardround.models.unet import attention_unet, unet

SMALL = {"in_channels": 1, "num_outputs": 2, "width": 4, "depth": 3}


def spots(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise with a bright box, and the box as mask."""
    images = torch.randn(2, 1, *shape, generator=torch.Generator().manual_seed(0))
    truth = torch.zeros(2, *shape, dtype=torch.long)
    truth[(slice(None), *(slice(2, length // 2) for length in shape))] = 1
    return images + 2.0 * truth[:, None], truth


@pytest.mark.parametrize("builder", [unet, attention_unet])
@pytest.mark.parametrize("shape", [(16, 16), (8, 16, 16)])
@pytest.mark.parametrize("norm", ["batch", "group", "instance"])
def test_learns_to_draw_a_box(builder, shape: tuple[int, ...], norm: str) -> None:
    images, truth = spots(shape)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = use_norm(builder(shape=shape, **SMALL), norm).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), truth)
        loss.backward()
        losses.append(float(loss.detach()))
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("builder", [unet, attention_unet])
def test_levels_begin_at_width_and_double(builder) -> None:
    model = builder(in_channels=3, num_outputs=2, shape=(32, 32))
    widths = {layer.out_channels for layer in model.modules() if isinstance(layer, nn.Conv2d)}
    assert {16, 32, 64, 128} <= widths and max(widths) == 128


def test_residual_units_bring_shortcuts() -> None:
    plain, residual = (unet(shape=(16, 16), num_res_units=units, **SMALL) for units in (0, 2))
    assert not any(name.endswith("residual") for name, _ in plain.named_modules())
    assert any(name.endswith("residual") for name, _ in residual.named_modules())
    assert plain(torch.zeros(1, 1, 16, 16)).shape == residual(torch.zeros(1, 1, 16, 16)).shape == (1, 2, 16, 16)


def test_dropout_acts_in_training_only() -> None:
    model = use_norm(unet(shape=(16, 16), dropout=0.5, **SMALL), "group")
    batch = torch.ones(1, 1, 16, 16)
    assert not torch.equal(model.train()(batch), model(batch))
    assert torch.equal(model.eval()(batch), model(batch))


@pytest.mark.parametrize(("shape", "depth", "said"), [
    ((100, 100), 4, r"data.size = 100, .* halves it 3 times: multiples of 8 fit. Set data.size = 104, or a smaller model.depth"),
    ((20, 64, 60), 4, r"data.patch = \[20, 64, 60\], .* Set data.patch = \[24, 64, 64\] \(or a depth of 1: 2-D slices\)"),
    ((64, 60), 4, r"data.patch = \[1, 64, 60\], .* Set data.patch = \[1, 64, 64\], or"),
])
@pytest.mark.parametrize("builder", [unet, attention_unet])
def test_size_that_cannot_be_halved_names_the_next_that_can(builder, shape: tuple[int, ...], depth: int, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        builder(in_channels=1, num_outputs=2, shape=shape, depth=depth)


@pytest.mark.parametrize("arguments", [{"width": 1}, {"depth": 1}, {"dropout": 1.0}, {"num_res_units": -1}])
def test_impossible_values_name_the_setting(arguments: dict[str, float]) -> None:
    with pytest.raises(PlanError, match=f"model.{next(iter(arguments))}"):
        unet(**({"in_channels": 1, "num_outputs": 2, "shape": (16, 16)} | arguments))
