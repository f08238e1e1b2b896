import pytest
import torch
from torch import nn

from wardround.core.params import FlatModel
from wardround.training.arithmetic import Arithmetic, channels_last


class Witness(nn.Module):
    """Two convolutions; remembers how its input and what is between them lie in memory."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        between = self.first(images)
        self.seen = between.stride(), between.dtype
        return self.second(between).mean((2, 3))


@pytest.mark.parametrize("shape", [(2, 1, 5, 4), (2, 3, 5, 4), (2, 4, 3, 5, 4)])
def test_channels_last_keeps_every_number_and_puts_channels_innermost(shape: tuple[int, ...]) -> None:
    images = torch.arange(float(torch.Size(shape).numel())).view(shape)
    moved = channels_last(images)
    assert torch.equal(moved, images)
    assert moved.stride()[1] == 1
    assert moved.movedim(1, -1).is_contiguous()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_computes_in_the_layout_of_its_images_even_if_they_have_one_channel(channels: int) -> None:
    model = FlatModel(Witness(channels))
    plain = Arithmetic().logits(model, torch.ones(2, channels, 6, 6))
    assert model.module.seen[0][1] == 36
    turned = Arithmetic(layout="channels_last").logits(model, torch.ones(2, channels, 6, 6))
    assert model.module.seen[0][1] == 1
    assert torch.allclose(plain, turned, atol=1e-6)


def test_bf16_computes_in_bfloat16_and_answers_in_float32() -> None:
    model = FlatModel(Witness(1))
    answer = Arithmetic(precision="bf16").logits(model, torch.ones(2, 1, 6, 6))
    assert model.module.seen[1] == torch.bfloat16
    assert answer.dtype == torch.float32
