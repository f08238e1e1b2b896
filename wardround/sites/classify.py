"""Evaluation of labelled images at a site: one class an image, or several findings."""

from __future__ import annotations

import numpy as np
import torch

from wardround.core.tally import ClassTally, FindingTally
from wardround.data.feeds import ImageFeed
from wardround.errors import SiteError
from wardround.sites.examine import Network
from wardround.training.losses import Loss

BATCH = 128


def classify(*, network: Network, rows: np.ndarray, detail: bool, feed: ImageFeed, loss: Loss, num_classes: int,
             device: torch.device) -> tuple[ClassTally | FindingTally, np.ndarray, np.ndarray | None]:
    """The rows' sums, the rows, and with detail their probabilities, (n, num_classes). SiteError if the model answers NaN."""
    probabilities = np.zeros((len(rows), num_classes))
    loss_sum = 0.0
    for start in range(0, len(rows), BATCH):
        images, truth = feed.plain(rows[start : start + BATCH])
        logits = network(images)
        loss_sum += float(loss.per_image(logits, truth.to(device)).double().sum())
        probabilities[start : start + BATCH] = loss.probabilities(logits).double().cpu().numpy()
    if not np.isfinite(probabilities).all():
        raise SiteError("the model answers NaN: training diverged. A lower recipe.lr, or recipe.clip_norm, helps")
    kind = FindingTally if feed.labels.ndim == 2 else ClassTally
    return kind.of(probabilities, feed.labels[rows].numpy(), loss_sum), rows, probabilities if detail else None
