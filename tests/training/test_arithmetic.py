import pytest
import torch
from torch import nn

from wardround.core.params import FlatModel
from wardround.training.arithmetic import Arithmetic, channels_last, set_cuda


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


def test_another_model_of_the_network_answers_by_its_tensors_and_the_network_keeps_its_own() -> None:
    model, other = FlatModel(Witness(1)), FlatModel(Witness(1))
    images, own = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0)), model.params.clone()
    assert torch.equal(Arithmetic().logits(model, images, other.params.named()), Arithmetic().logits(other, images))
    assert not torch.equal(Arithmetic().logits(model, images), Arithmetic().logits(other, images))
    assert torch.equal(model.params.flat, own.flat)


def test_bf16_computes_in_bfloat16_and_answers_in_float32() -> None:
    model = FlatModel(Witness(1))
    answer = Arithmetic(precision="bf16").logits(model, torch.ones(2, 1, 6, 6))
    assert model.module.seen[1] == torch.bfloat16
    assert answer.dtype == torch.float32


def test_without_cuda_tf32_is_float32() -> None:
    model, images = FlatModel(Witness(1)), torch.ones(2, 1, 6, 6)
    assert torch.equal(Arithmetic(precision="tf32").logits(model, images), Arithmetic().logits(model, images))


@pytest.mark.parametrize("is_tf32", [True, False])
def test_cuda_shortens_float32_only_where_the_plan_says_so(is_tf32: bool) -> None:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic
    try:
        set_cuda(is_tf32=is_tf32)
        assert (cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic) == (is_tf32, is_tf32, True)
    finally:
        cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic = before


def test_images_of_one_channel_compute_contiguously_whatever_their_strides_say() -> None:
    model = FlatModel(Witness(1))
    images = torch.ones(2, 6, 6)[:, None].as_strided((2, 1, 6, 6), (36, 1, 6, 1))  # as NumPy's fancy indexing may leave them
    Arithmetic().logits(model, images)
    assert model.module.seen[0][1] == 36
