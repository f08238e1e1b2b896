"""Mixup within a site: Zhang et al. 2018 (arXiv:1710.09412), equation 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from wardround.training.local import Objective


def mixed(network: Callable[[Tensor], Tensor], loss: Callable[[Tensor, Tensor], Tensor], alpha: float,
          rng: np.random.Generator) -> Objective:
    """The loss on l x_i + (1 - l) x_j: l times that of the truth of i, 1 - l times that of j. One l ~ Beta(alpha, alpha) a batch.

    j is a permutation of the batch, so no image of another site is needed. network: images -> logits. alpha > 0: 0.2 mixes few images
    much, 1 all shares alike. For cross-entropy this is the loss of the mixed one-hot truth.
    """
    def objective(images: Tensor, truth: Tensor) -> Tensor:
        share = float(rng.beta(alpha, alpha))
        partner = torch.from_numpy(rng.permutation(len(truth)))
        logits = network(torch.lerp(images[partner.to(images.device)], images, share))
        return share * loss(logits, truth) + (1 - share) * loss(logits, truth[partner.to(truth.device)])

    return objective
