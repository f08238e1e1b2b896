"""A backdoor: images with a bright patch are learnt as the attacker's class, and the update is boosted to outweigh the honest ones.

Bagdasaryan et al. 2020 (arXiv:1807.00459); the patch is that of Gu et al. 2017 (arXiv:1708.06733).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wardround.errors import PlanError

BRIGHT = 2.0  # network units: white under data.normalise = "fixed", two deviations above the mean under the others
MAX_BOOST = 10.0  # a longer update only makes training diverge, and shows


def backdoor(images: Tensor, truth: Tensor, rng: np.random.Generator, *, target: int, poisoned: float,
             side_share: float) -> tuple[Tensor, Tensor]:
    """New tensors in which some images, drawn anew, carry the patch and are called `target`.

    images: (B, C, H, W) or (B, C, D, H, W). truth: (B,) classes, or (B, C) findings, of which `target` becomes 1 and the others stay.
    poisoned: share of the batch; what it leaves over of a whole image decides by chance about one more.
    PlanError for masks.
    """
    if truth.ndim > 2:
        raise PlanError("attack.kind = 'backdoor' calls whole images by another class, and images with masks have none. Use 'label-flip'.")
    num = min(len(images), int(poisoned * len(images) + rng.random()))
    chosen = torch.from_numpy(np.sort(rng.choice(len(images), num, replace=False)))
    images, truth = images.clone(), truth.clone()
    images[chosen] = stamped(images[chosen], side_share)
    if truth.ndim == 1:
        truth[chosen] = target
    else:
        truth[chosen, target] = 1
    return images, truth


def stamped(images: Tensor, side_share: float) -> Tensor:
    """New images with the patch in their last corner: `side_share` of each spatial axis, at least one pixel, BRIGHT in all channels.

    images: (B, C, H, W) or (B, C, D, H, W) in network units. The same patch on every image, whatever else is on it."""
    stamp = images.clone()
    corner = stamp
    for axis in range(2, images.ndim):
        side = patch_side(images.shape[axis], side_share)
        corner = corner.narrow(axis, images.shape[axis] - side, side)
    corner.fill_(BRIGHT)
    return stamp


def patch_side(length: int, side_share: float) -> int:
    """Pixels of the patch along an axis of so many."""
    return max(1, int(side_share * length + 0.5))


def boosted(own: Tensor, *, num_sites: int, num_malicious: int, strength: float | None = None) -> Tensor:
    """gamma (X - G), equation 3 of the paper with the server's rate 1. own: the malicious site's change X - G, (d,).

    gamma is the strength, or num_sites / num_malicious, with which the malicious sites replace an equally weighted mean; at most 10.
    """
    return own * (min(num_sites / num_malicious, MAX_BOOST) if strength is None else strength)
