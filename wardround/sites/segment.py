"""Evaluation of segmentations at a site, patient by patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wardround.data.feeds import Case, CaseFeed
from wardround.errors import SiteError
from wardround.evaluation.segmentation import measure_names, measures, tally_of
from wardround.models.monai import part
from wardround.sites.examine import Examined, Network
from wardround.training.losses import Loss

SLICES = 16  # that a 2-D network sees at a time
WINDOWS = 2  # that a 3-D network sees at a time: larger ones cost memory, not time
OVERLAP = 0.25  # of neighbouring windows


def examine(*, network: Network, rows: Sequence[np.ndarray], detail: bool, temperatures: Sequence[float] = (),
            **settings: Any) -> list[Examined]:
    """What `examine_site` says of each site. SiteError if temperatures are asked for: voxels are not calibrated."""
    if temperatures:
        raise SiteError("losses at temperatures are summed of labelled images only, not of segmentations")
    return [examine_site(network=network, rows=part, detail=detail, **settings) for part in rows]


def examine_site(*, network: Network, rows: np.ndarray, detail: bool, feed: CaseFeed, patch: tuple[int, int, int], loss: Loss,
                 num_classes: int, device: torch.device, scored: Mapping[str, tuple[int, ...]], headline: Sequence[str]) -> Examined:
    """The patients' sums over the headline regions, each patient's first row, and with detail its measures, (n, M), in the order of
    `measure_names(scored)`. patch: what the network sees, see `segmented`. SiteError if the model answers NaN.

    A patient's loss is that of the whole volume as one image; of a 2-D network (patch depth 1) the mean over slices, as in training."""
    cases = feed.cases(rows)
    regions = scored if detail else {name: scored[name] for name in headline}
    found: list[dict[str, float]] = []
    loss_sum = 0.0
    for of_patient in cases:
        case = feed.case(of_patient)
        logits = segmented(network, case.image.to(device), patch, num_classes)
        if not logits.isfinite().all():
            raise SiteError("the model answers NaN: training diverged. A lower recipe.lr, or recipe.clip_norm, helps")
        loss_sum += _loss(loss, logits, case, by_slice=patch[0] == 1)
        found.append(measures(case.truth, logits.argmax(0).to(torch.uint8).cpu().numpy(), regions=regions, headline=headline,
                              spacing_mm=case.spacing_mm, is_volume=case.is_volume, surface=detail))
    first_rows = np.array([of_patient[0] for of_patient in cases], np.int64)
    tally = tally_of(found, headline, loss_sum)
    if not detail:
        return Examined(tally=tally, rows=first_rows, values=None)
    names = measure_names(scored)
    values = np.array([[one[name] for name in names] for one in found]).reshape(-1, len(names))
    return Examined(tally=tally, rows=first_rows, values=values)


def segmented(network: Network, image: Tensor, patch: tuple[int, int, int], num_classes: int) -> Tensor:
    """Logits (num_classes, D, H, W) of a whole image (C, D, H, W) of any size, on the model's device, as the image.

    patch: depth, height and width of what the network sees; of depth 1 it is a 2-D network, and gets slices. Where the image is larger,
    overlapping windows are blended with Gaussian weights (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z); where it is smaller, 0
    is put around it, the value of what is cropped away."""
    if patch[0] > 1:
        return _windowed(network, image[None], patch, WINDOWS)[0]
    logits = image.new_empty((num_classes, *image.shape[1:]))
    for start in range(0, image.shape[1], SLICES):
        chunk = slice(start, start + SLICES)
        logits[:, chunk] = _windowed(network, image[:, chunk].transpose(0, 1), patch[1:], SLICES).transpose(0, 1)
    return logits


def _windowed(network: Network, batch: Tensor, window: tuple[int, ...], at_a_time: int) -> Tensor:
    if tuple(batch.shape[2:]) == window:
        return network(batch)
    slide = part("inferers.utils", "sliding_window_inference")
    logits: Tensor = slide(batch, window, at_a_time, network, overlap=OVERLAP, mode="gaussian")
    return logits


def _loss(loss: Loss, logits: Tensor, case: Case, *, by_slice: bool) -> float:
    truth = torch.from_numpy(case.truth).to(logits.device)
    if not by_slice:
        return float(loss.per_image(logits[None], truth[None].long()).double().sum())
    slices = [slice(start, start + SLICES) for start in range(0, len(truth), SLICES)]
    return float(torch.cat([loss.per_image(logits[:, some].transpose(0, 1), truth[some].long()) for some in slices]).double().mean())
