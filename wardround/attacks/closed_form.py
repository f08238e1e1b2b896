"""What a gradient tells without any search: the labels, and the image itself where the first layer is fully connected."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def first_layer_images(weight: Tensor, bias: Tensor) -> Tensor:
    """The inputs of a fully-connected layer: x = (dL/dW_i) / (dL/db_i), Phong et al. 2018 (Privacy-preserving deep learning), section 3.

    weight: (O, D), bias: (O,), both gradients. Gives (U, D), the rows of units whose bias gradient is not zero, greatest first. Exact for a
    unit that a single image has switched on, else a mixture of those that have."""
    order = bias.abs().argsort(descending=True)
    order = order[bias[order] != 0]
    return weight[order] / bias[order, None]


def closed_form(model: nn.Module, gradient: Mapping[str, Tensor], shape: tuple[int, ...], num: int) -> Tensor | None:
    """(K, *shape) at most `num` images in network units; None unless the network's first layer with weights reads the whole image.

    gradient: by the parameters' names. shape: (C, H, W)."""
    for name, layer in model.named_modules():
        if next(layer.parameters(recurse=False), None) is None:
            continue
        weight, bias = gradient.get(f"{name}.weight"), gradient.get(f"{name}.bias")
        if not isinstance(layer, nn.Linear) or layer.in_features != torch.Size(shape).numel() or weight is None or bias is None:
            return None
        found = first_layer_images(weight, bias)
        return found[:num].view(-1, *shape) if len(found) else None
    return None


def labels_from(last: Tensor, num: int) -> Tensor:
    """The classes of a batch of num images, (num,) int64, sorted: of one image the class whose gradient is negative, for it is p minus the
    one-hot truth (iDLG: Zhao et al. 2020, arXiv:2001.02610, section 3); of more, again and again the class that lies lowest, to which each
    image of it has brought -1 / num. That is a guess where the network already knows some of the classes.

    last: (C,), the gradient of a mean cross-entropy by the last layer's bias."""
    pull = last.detach().cpu().clone()
    found = []
    for _ in range(num):
        found.append(int(pull.argmin()))
        pull[found[-1]] += 1 / num
    return torch.tensor(sorted(found))
