"""Evaluation of labelled images at sites: one class an image, or several findings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from wardround.core.tally import ClassTally, FindingTally, Tally
from wardround.data.feeds import ImageFeed
from wardround.errors import SiteError
from wardround.evaluation.temperature import loss_sums
from wardround.sites.examine import Examined, Network
from wardround.training.losses import Loss

BATCH = 128


def classify(*, network: Network, rows: Sequence[np.ndarray], detail: bool, feed: ImageFeed, loss: Loss, num_classes: int,
             device: torch.device, temperatures: Sequence[float] = ()) -> list[Examined]:
    """Each site's sums, its rows, and with detail their probabilities, (n, num_classes). SiteError if the model answers NaN.

    temperatures: at which losses are summed too (evaluation/temperature.py). Small sites share a forward pass."""
    whole, sizes = np.concatenate(rows), [len(part) for part in rows]
    probabilities, losses = np.zeros((len(whole), num_classes)), np.zeros(len(whole))
    for start in range(0, len(whole), BATCH):
        images, labels = feed.plain(whole[start : start + BATCH])
        logits = network(images)
        losses[start : start + BATCH] = loss.per_image(logits, labels.to(device)).double().cpu().numpy()
        probabilities[start : start + BATCH] = loss.probabilities(logits).double().cpu().numpy()
    if not np.isfinite(probabilities).all():
        raise SiteError("the model answers NaN: training diverged. A lower recipe.lr, or recipe.clip_norm, helps")
    truth = feed.labels[whole].cpu().numpy()
    counted = (probabilities, truth, losses, sizes)
    tallies: Sequence[Tally] = FindingTally.of_parts(*counted) if truth.ndim == 2 else ClassTally.of_parts(*counted)
    values = np.split(probabilities, np.cumsum(sizes)[:-1]) if detail else [None] * len(rows)
    sums = loss_sums(probabilities, truth, sizes, temperatures) if temperatures else [None] * len(rows)
    return [Examined(tally=tally, rows=part, values=value, loss_sums=losses_at)
            for tally, part, value, losses_at in zip(tallies, rows, values, sums, strict=True)]
