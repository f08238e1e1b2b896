"""Layers that PyTorch computes slowly on CPU, computed faster: the same mathematics, names and arguments."""

from __future__ import annotations

from itertools import product
from math import gcd, prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

SMALL = 16_384  # numbers: below, torch's own layer is done before ours has been called
BLOCK = 262_144  # numbers at a time: 1 MB in float32, so that several passes over them stay within a core's cache
LANES = 256  # numbers side by side with which torch's vector loops reach full speed
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}  # by number of dimensions
aten = torch.ops.aten

Pair = tuple[int, int]


def quickened(module: nn.Module) -> nn.Module:
    """Return the module with every layer of the table QUICK turned into its quick kind, in place and at any depth.

    Parameters, buffers, their names, hooks and settings stay as they are; a subclass of such a layer is its author's and stays too.
    Each chooses torch's own computation wherever that is the faster one (small inputs, other devices). On CPU the gradient has no
    gradient: asking for one is a RuntimeError.
    """
    for part in module.modules():
        if type(part) in QUICK:
            part.__class__ = QUICK[type(part)]
    return module


class QuickPReLU(nn.PReLU):
    """torch computes the gradient of a slope number by number."""

    def forward(self, input: Tensor) -> Tensor:
        if not _is_large(input) or self.num_parameters > 1:
            return super().forward(input)
        return _result(_PReLU, _as_autocast(input), self.weight)


class _PReLU(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return torch.prelu(x, slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        grad = grad.contiguous(memory_format=_format(x))
        dslope = torch.zeros_like(slope)
        for numbers, grads in zip(torch.split(_flat(x), BLOCK), torch.split(_flat(grad), BLOCK), strict=True):
            dslope += numbers.clamp_max(0).mul_(grads).sum(dtype=slope.dtype)
        return aten.leaky_relu_backward(grad, x, slope.item(), False), dslope


class QuickGroupNorm(nn.GroupNorm):
    """torch computes group norm number by number where the channels of a position lie side by side, and loses digits: its variance is
    the mean square minus the squared mean, ours is about the mean."""

    def forward(self, input: Tensor) -> Tensor:
        is_slow = input.is_cpu and _has_channels_last(input) and input.numel() * self.num_groups > SMALL * self.num_channels
        if not is_slow or not self.affine or self.weight.dtype != torch.promote_types(input.dtype, torch.float32):
            return super().forward(input)
        return _result(_GroupNorm, input, self.weight, self.bias, self.num_groups, self.eps)


class _GroupNorm(Function):
    """Wu & He 2018, section 3.1: x is centred, then multiplied and added to by numbers of each image and channel, in both ways."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        gamma, beta = weight.view(groups, -1), bias.view(groups, -1)
        num = x[0].numel() // groups
        means, rstds = weight.new_empty((2, len(x), groups, 1))
        y = torch.empty_like(x)
        x_rows, y_rows = _rows(x), _rows(y)
        for some in _blocks(x):
            numbers = x_rows[some].to(weight.dtype)
            means[some] = _sums(numbers, gamma).sum(2, keepdim=True) / num
            numbers = numbers - _spread(means[some], gamma, numbers)
            rstds[some] = (_sums(numbers * numbers, gamma).sum(2, keepdim=True) / num + eps).rsqrt()
            torch.addcmul(_spread(beta, gamma, numbers), numbers, _spread(rstds[some] * gamma, gamma, numbers), out=y_rows[some])
        ctx.save_for_backward(x, weight, means, rstds)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, means, rstds = ctx.saved_tensors
        gamma = weight.view(means.shape[1], -1)
        num = x[0].numel() // len(gamma)
        dx, dgamma, dbeta = torch.empty_like(x), torch.zeros_like(gamma), torch.zeros_like(gamma)
        x_rows, grad_rows, dx_rows = _rows(x), _rows(grad.contiguous(memory_format=_format(x))), _rows(dx)
        for some in _blocks(x):
            numbers, grads, rstd = x_rows[some].to(weight.dtype), grad_rows[some].to(weight.dtype), rstds[some]
            numbers = numbers - _spread(means[some], gamma, numbers)
            total, along = _sums(grads, gamma), _sums(grads * numbers, gamma) * rstd
            dgamma += along.sum(0)
            dbeta += total.sum(0)
            pull, pull_along = ((sums * gamma).sum(2, keepdim=True) / num for sums in (total, along))
            pulled = torch.addcmul(_spread(-pull * rstd, gamma, numbers), numbers, _spread(-pull_along * rstd**2, gamma, numbers))
            torch.addcmul(pulled, grads, _spread(rstd * gamma, gamma, numbers), out=dx_rows[some])
        return dx, dgamma.view(-1), dbeta.view(-1), None, None


class QuickMaxPool2d(nn.MaxPool2d):
    """torch computes the maxima number by number where the pixels of a channel lie side by side; moving them twice is quicker."""

    def forward(self, input: Tensor) -> Tensor:
        if not _is_large(input) or input.ndim != 4 or self.return_indices or not input.is_contiguous():
            output: Tensor = super().forward(input)
            return output
        return _result(_Moved, super().forward(_result(_Moved, input, torch.channels_last)), torch.contiguous_format)


class _Moved(Function):
    """The same numbers in another order in memory, and their gradient in the order before."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: torch.memory_format) -> Tensor:
        ctx.before = _format(x)
        return x.contiguous(memory_format=order)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.contiguous(memory_format=ctx.before), None


class QuickConv2d(nn.Conv2d):
    """torch falls back to slow code for two gradients of depthwise convolutions: that of weights of more than 3x3, and in bfloat16
    that of the input where there is a stride."""

    def forward(self, input: Tensor) -> Tensor:
        is_depthwise = self.groups == self.in_channels == self.out_channels and self.dilation == (1, 1) and self.bias is None
        if not _is_large(input) or input.ndim != 4 or not is_depthwise or self.padding_mode != "zeros" or isinstance(self.padding, str):
            return super().forward(input)
        x, weight = _as_autocast(input), _as_autocast(self.weight)
        is_wide, is_strided = max(self.kernel_size) > 3, max(self.stride) > 1
        is_slow = is_wide or is_strided if x.dtype == torch.bfloat16 else is_wide and not is_strided
        return _result(_Depthwise, x, weight, self.stride, self.padding) if is_slow else super().forward(input)


class _Depthwise(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(x, weight, None, stride, padding, 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dx = _input_gradient(grad, x, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[0] else None
        dweight = _weight_gradient(grad, x, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[1] else None
        return dx, dweight, None, None


def _input_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    exact = torch.promote_types(x.dtype, torch.float32) if max(stride) > 1 else x.dtype
    like = torch.empty_like(x, dtype=exact)  # only shape and order are read
    return _gradients(grad.to(exact), like, weight.to(exact), stride, padding, (True, False, False))[0].to(x.dtype)


def _weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """In pieces of 3x3 weights, each of which sees the input so many rows and columns further on."""
    high, wide = weight.shape[2:]
    if min(high, wide) < 3 or high == wide == 3:
        return _gradients(grad, x, weight, stride, padding, (False, True, False))[1]
    x = functional.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    dweight = torch.empty_like(weight)
    for top, left in product(_starts(high), _starts(wide)):
        seen = x[:, :, top : x.shape[2] - (high - 3 - top), left : x.shape[3] - (wide - 3 - left)]
        piece = dweight[:, :, top : top + 3, left : left + 3]
        piece.copy_(_gradients(grad, seen, piece, stride, (0, 0), (False, True, False))[1])
    return dweight


def _starts(length: int) -> list[int]:
    """Where pieces of 3 begin that cover the length; the last two may overlap."""
    return [*range(0, length - 3, 3), length - 3]


def _gradients(grad: Tensor, x: Tensor, weight: Tensor, stride: Pair, padding: Pair, mask: tuple[bool, bool, bool]) -> tuple[Tensor, ...]:
    """torch's own, of those of input, weight and bias that the mask asks for."""
    gradients: tuple[Tensor, ...] = aten.convolution_backward(
        grad, x, weight, None, stride, padding, (1, 1), False, (0, 0), len(weight), mask)
    return gradients


def _result(function: type[Function], *arguments: Any) -> Tensor:
    result: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    return result


def _as_autocast(x: Tensor) -> Tensor:
    """As torch casts what it computes in autocast; a function of our own is handed its tensors as they are."""
    return x.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else x


def _is_large(x: Tensor) -> bool:
    return x.is_cpu and x.numel() >= SMALL


def _has_channels_last(x: Tensor) -> bool:
    """Whether the channels of a position lie side by side, and those of a channel do not."""
    return x.ndim in CHANNELS_LAST and not x.is_contiguous() and x.is_contiguous(memory_format=CHANNELS_LAST[x.ndim])


def _format(x: Tensor) -> torch.memory_format:
    return CHANNELS_LAST[x.ndim] if _has_channels_last(x) else torch.contiguous_format


def _flat(x: Tensor) -> Tensor:
    """The numbers as they lie in memory."""
    return (x.movedim(1, -1) if _has_channels_last(x) else x).reshape(-1)


def _rows(x: Tensor) -> Tensor:
    """(B, C, ...) with the channels innermost -> a view (B, num_rows, positions of a row * C): vector loops over few channels are short."""
    positions, channels = prod(x.shape[2:]), x.shape[1]
    width = channels * gcd(positions, max(LANES // channels, 1))
    return x.movedim(1, -1).view(len(x), -1, width)


def _blocks(x: Tensor) -> list[slice]:
    step = max(BLOCK // x[0].numel(), 1)
    return [slice(start, start + step) for start in range(0, len(x), step)]


def _sums(rows: Tensor, gamma: Tensor) -> Tensor:
    """Of each image and channel: (B, groups, channels of a group)."""
    return rows.sum(1).view(len(rows), -1, *gamma.shape).sum(1)


def _spread(numbers: Tensor, gamma: Tensor, rows: Tensor) -> Tensor:
    """(B, groups, channels of a group), or 1 in their place where they are equal -> (B, 1, width of a row)."""
    by_channel = numbers.expand(len(rows), *gamma.shape).reshape(len(rows), 1, -1)
    return by_channel.expand(-1, rows.shape[2] // gamma.numel(), -1).reshape(len(rows), 1, -1)


QUICK: dict[type[nn.Module], type[nn.Module]] = {nn.PReLU: QuickPReLU, nn.GroupNorm: QuickGroupNorm, nn.MaxPool2d: QuickMaxPool2d,
                                                  nn.Conv2d: QuickConv2d}
