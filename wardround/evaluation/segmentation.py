"""How well segmentations of patients fit the truth: Dice, HD95 and error in volume, of regions (unions of classes).

dice: 2 |P and T| / (|P| + |T|) over all voxels of a patient. hd95: the larger of the two 95th percentiles of the distances from each
voxel of one mask's surface to the nearest of the other's (Huttenlocher et al. 1993, doi:10.1109/34.232073, with a percentile for the
maximum), in mm, or in pixels where the spacing is unknown; of separate slices, the mean over the slices in which both masks have
something. volume_error: ||P| - |T|| in ml, NaN where the spacing is unknown.

Empty masks: neither predicted nor true is a success: Dice 1, HD95 0. One of them empty: Dice 0, HD95 NaN, since there is no distance
to nothing: such a patient is left out of the mean HD95, which is then too good; read it beside Dice and `not_estimable`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from wardround.core.predictions import Measured
from wardround.core.tally import DiceTally
from wardround.evaluation.metrics import mean_estimable, ratio

Regions = Mapping[str, tuple[int, ...]]  # name -> the classes that are part of it
Spacing = tuple[float, float, float]  # mm along D, H, W

PERCENTILE = 95
MM3_PER_ML = 1000


def scored_regions(classes: Sequence[str], regions: Regions) -> dict[str, tuple[int, ...]]:
    """All regions with measures of their own: those given, then each class but the background, class 0."""
    return dict(regions) | {name: (label,) for label, name in enumerate(classes) if label > 0 and name not in regions}


def headline_regions(classes: Sequence[str], regions: Regions) -> tuple[str, ...]:
    """The regions whose mean is "the" Dice: those given, if any, else the classes but the background."""
    return tuple(regions) or tuple(classes[1:])


def measure_names(scored: Regions) -> tuple[str, ...]:
    """Names of a patient's measures, in the order of `core.predictions.Measured`."""
    return ("dice", "hd95", *(f"{kind}_{name}" for name in scored for kind in ("dice", "hd95", "volume_error")))


def measures(truth: np.ndarray, predicted: np.ndarray, *, regions: Regions, headline: Sequence[str], spacing_mm: Spacing | None,
             is_volume: bool, surface: bool = True) -> dict[str, float]:
    """Return {name: value} of one patient, for the names of `measure_names`; without those of HD95 if not surface.

    truth, predicted: (D, H, W) uint8 classes. "dice" and "hd95" are means over the headline regions, hd95 over those that have one.
    is_volume: whether neighbours along D touch."""
    box = _bounding_box((truth > 0) | (predicted > 0))
    truth, predicted = truth[box], predicted[box]
    found: dict[str, float] = {}
    for name, labels in regions.items():
        is_true, is_called = _member(truth, labels), _member(predicted, labels)
        found[f"dice_{name}"] = dice(is_true, is_called)
        if surface:
            found[f"hd95_{name}"] = hd95(is_true, is_called, spacing_mm) if is_volume else slice_hd95(is_true, is_called, spacing_mm)
        found[f"volume_error_{name}"] = volume_error(is_true, is_called, spacing_mm)
    for kind in ("dice", "hd95") if surface else ("dice",):
        found[kind] = float(mean_estimable(np.array([found[f"{kind}_{name}"] for name in headline])))
    return found


def dice(is_true: np.ndarray, is_called: np.ndarray) -> float:
    """Of two masks of any shape."""
    sizes = np.count_nonzero(is_true) + np.count_nonzero(is_called)
    return float(2 * np.count_nonzero(is_true & is_called) / sizes) if sizes else 1.0


def hd95(is_true: np.ndarray, is_called: np.ndarray, spacing_mm: Sequence[float] | None) -> float:
    """Of two masks (D, H, W) or (H, W), with the spacing along the same axes."""
    from scipy.ndimage import distance_transform_edt  # imported late: most runs classify

    box = _bounding_box(is_true | is_called)
    true_surface, called_surface = _surface(is_true[box]), _surface(is_called[box])
    if not true_surface.any() or not called_surface.any():
        return np.nan if is_true.any() or is_called.any() else 0.0
    missed = distance_transform_edt(~called_surface, sampling=spacing_mm)[true_surface]
    added = distance_transform_edt(~true_surface, sampling=spacing_mm)[called_surface]
    return float(max(np.percentile(missed, PERCENTILE), np.percentile(added, PERCENTILE)))


def slice_hd95(is_true: np.ndarray, is_called: np.ndarray, spacing_mm: Spacing | None) -> float:
    """Mean over the slices of (D, H, W) in which both masks have something; NaN if there are masks, but no such slice."""
    if not is_true.any() and not is_called.any():
        return 0.0
    in_plane = None if spacing_mm is None else spacing_mm[1:]
    values = [hd95(a, b, in_plane) for a, b in zip(is_true, is_called, strict=True) if a.any() and b.any()]
    return float(np.mean(values)) if values else np.nan


def volume_error(is_true: np.ndarray, is_called: np.ndarray, spacing_mm: Spacing | None) -> float:
    """In ml."""
    if spacing_mm is None:
        return np.nan
    voxels = abs(np.count_nonzero(is_called) - np.count_nonzero(is_true))
    return float(voxels * np.prod(spacing_mm) / MM3_PER_ML)


def tally_of(patients: Sequence[Mapping[str, float]], headline: Sequence[str], loss_sum: float) -> DiceTally:
    """The sums over patients, each with its measures; loss_sum: summed mean loss of each."""
    dice_sum = np.array([sum(patient[f"dice_{name}"] for patient in patients) for name in headline], np.float64)
    return DiceTally(loss_sum=loss_sum, num_examples=len(patients), names=tuple(headline), dice_sum=dice_sum)


def measure_segmentations(measured: Measured, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Each measure's mean over the patients that have it, by name; NaN where none has. weights: (..., n), results (...)."""
    weights = np.ones(len(measured)) if weights is None else weights
    is_known = ~np.isnan(measured.values)
    means = ratio(weights @ np.nan_to_num(measured.values), weights @ is_known.astype(np.float64))
    return {name: means[..., place] for place, name in enumerate(measured.names)}


def not_estimable(measured: Measured) -> dict[str, int]:
    """How many patients each mean leaves out, by name of the measure."""
    return dict(zip(measured.names, np.isnan(measured.values).sum(0).tolist(), strict=True))


def _member(classes: np.ndarray, labels: tuple[int, ...]) -> np.ndarray:
    """Where a voxel's class is one of these: a table of 256 answers, several times faster than np.isin."""
    table = np.zeros(256, bool)
    table[list(labels)] = True
    return np.asarray(table[classes])


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds the mask; an empty one of an empty mask."""
    box = []
    for axis in range(mask.ndim):
        places = np.flatnonzero(mask.any(tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0))
    return tuple(box)


def _surface(mask: np.ndarray) -> np.ndarray:
    """The voxels of the mask with a face on its outside, the edge of the array included."""
    inner = mask.copy()
    for axis in range(mask.ndim):
        shrunk, whole = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        shrunk[1:] &= whole[:-1]
        shrunk[:-1] &= whole[1:]
        shrunk[:1] = shrunk[-1:] = False
    return np.asarray(mask & ~inner)
