"""Segmentation measures: hand-worked masks, what empty ones mean, and agreement with MONAI."""

import math
from dataclasses import replace

import numpy as np
import pytest

from wardround.core.predictions import Measured
from wardround.core.tally import total
from wardround.evaluation.metrics import from_tally
from wardround.evaluation.segmentation import (
    dice,
    hd95,
    headline_regions,
    measure_names,
    measure_segmentations,
    measures,
    not_estimable,
    scored_regions,
    slice_hd95,
    tally_of,
    volume_error,
)
from wardround.rng import stream

CLASSES = ("background", "oedema", "enhancing", "core")
REGIONS = {"WT": (1, 2, 3), "TC": (2, 3)}
ONE = {"tumour": (1,)}


def volume(*voxels: tuple[int, int, int], shape: tuple[int, int, int] = (3, 5, 7), value: int = 1) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    for voxel in voxels:
        mask[voxel] = value
    return mask


def of(truth: np.ndarray, predicted: np.ndarray, **settings: object) -> dict[str, float]:
    given = {"regions": ONE, "headline": ("tumour",), "spacing_mm": (1.0, 1.0, 1.0), "is_volume": True}
    return measures(truth, predicted, **(given | settings))


def test_dice_by_hand() -> None:
    truth, predicted = volume((0, 0, 0), (0, 0, 1), (0, 0, 2)), volume((0, 0, 2), (0, 0, 3))
    assert of(truth, predicted)["dice_tumour"] == pytest.approx(2 * 1 / (3 + 2))


@pytest.mark.parametrize(("other", "distance"), [((1, 1, 1), 5.0), ((0, 3, 1), 4.0), ((0, 1, 5), 2.0), ((1, 3, 1), math.hypot(5, 4))])
def test_distance_of_two_voxels_is_in_mm_along_each_axis(other: tuple[int, int, int], distance: float) -> None:
    found = of(volume((0, 1, 1)), volume(other), spacing_mm=(5.0, 2.0, 0.5))
    assert found["hd95_tumour"] == pytest.approx(distance)


def test_unknown_spacing_counts_pixels_and_knows_no_volume() -> None:
    found = of(volume((0, 1, 1)), volume((0, 1, 4), (0, 1, 5)), spacing_mm=None)
    assert found["hd95_tumour"] == pytest.approx(0.95 * 4 + 0.05 * 3)  # from the two predicted voxels: 3 and 4
    assert math.isnan(found["volume_error_tumour"])


def test_the_percentile_leaves_a_single_stray_voxel_out() -> None:
    truth = np.zeros((1, 60, 60), np.uint8)
    truth[0, 10:30, 10:30] = 1
    stray = truth.copy()
    stray[0, 59, 59] = 1
    assert hd95(truth[0] > 0, stray[0] > 0, None) == 0
    assert dice(truth > 0, stray > 0) < 1


def test_hd95_is_the_worse_of_the_two_directions() -> None:
    few, many = volume((0, 0, 0)) > 0, volume((0, 0, 0), (0, 0, 6)) > 0  # from few to many the distance is 0
    assert hd95(few, many, None) == hd95(many, few, None) == pytest.approx(0.95 * 6)


def test_volume_error_is_in_ml() -> None:
    assert of(volume((0, 0, 0)), volume((0, 0, 0), (1, 1, 1)), spacing_mm=(5.0, 10.0, 20.0))["volume_error_tumour"] == pytest.approx(1.0)
    assert volume_error(np.ones(3, bool), np.zeros(3, bool), (10.0, 10.0, 10.0)) == pytest.approx(3.0)


@pytest.mark.parametrize("is_volume", [True, False])
def test_nothing_there_and_nothing_called_is_a_success(is_volume: bool) -> None:
    found = of(volume(), volume(), is_volume=is_volume)
    assert found == {"dice_tumour": 1.0, "hd95_tumour": 0.0, "volume_error_tumour": 0.0, "dice": 1.0, "hd95": 0.0}


@pytest.mark.parametrize("is_volume", [True, False])
@pytest.mark.parametrize("is_missed", [True, False])
def test_one_empty_mask_has_dice_zero_and_no_distance(is_volume: bool, is_missed: bool) -> None:
    pair = (volume((1, 2, 3)), volume()) if is_missed else (volume(), volume((1, 2, 3)))
    found = of(*pair, is_volume=is_volume)
    assert (found["dice_tumour"], found["dice"]) == (0.0, 0.0)
    assert math.isnan(found["hd95_tumour"])
    assert math.isnan(found["hd95"])


def test_separate_slices_are_measured_each_for_itself() -> None:
    truth, predicted = volume((0, 0, 0), (1, 0, 0)), volume((0, 0, 2), (1, 4, 0), (2, 4, 6))
    found = of(truth, predicted, is_volume=False, spacing_mm=(50.0, 1.0, 2.0))
    assert found["hd95_tumour"] == pytest.approx((2 * 2.0 + 4.0) / 2)  # slice 2 has no truth


def test_slices_that_never_meet_have_no_distance() -> None:
    assert math.isnan(slice_hd95(volume((0, 0, 0)) > 0, volume((1, 0, 0)) > 0, None))


def test_headline_means_are_over_the_named_regions() -> None:
    truth, predicted = volume((0, 0, 0), value=1) + volume((0, 0, 4), value=2), volume((0, 0, 0), value=1) + volume((0, 0, 5), value=2)
    scored, headline = scored_regions(CLASSES, REGIONS), headline_regions(CLASSES, REGIONS)
    found = of(truth, predicted, regions=scored, headline=headline)
    assert (found["dice_WT"], found["dice_TC"], found["dice_oedema"], found["dice_core"]) == (0.5, 0.0, 1.0, 1.0)
    assert found["dice"] == 0.25
    assert found["hd95"] == pytest.approx((found["hd95_WT"] + found["hd95_TC"]) / 2)


def test_headline_distance_is_of_the_regions_that_have_one() -> None:
    found = of(volume((0, 0, 0), value=1), volume((0, 0, 2), value=1) + volume((2, 2, 2), value=2),
               regions={"a": (1,), "b": (2,)}, headline=("a", "b"))
    assert math.isnan(found["hd95_b"])
    assert found["hd95"] == found["hd95_a"] == 2.0


def test_regions_come_first_then_the_classes_but_the_background() -> None:
    assert list(scored_regions(CLASSES, REGIONS)) == ["WT", "TC", "oedema", "enhancing", "core"]
    assert headline_regions(CLASSES, REGIONS) == ("WT", "TC")
    assert headline_regions(CLASSES, {}) == ("oedema", "enhancing", "core")
    assert scored_regions(CLASSES, {})["core"] == (3,)


def test_names_are_those_of_the_measures() -> None:
    scored = scored_regions(CLASSES, REGIONS)
    found = of(volume(), volume(), regions=scored, headline=("WT", "TC"))
    assert set(measure_names(scored)) == set(found)
    assert measure_names(ONE) == ("dice", "hd95", "dice_tumour", "hd95_tumour", "volume_error_tumour")
    assert not any("hd95" in name for name in of(volume(), volume(), surface=False))


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")  # MONAI 1.6 calls itself so
@pytest.mark.parametrize("shape", [(1, 14, 9), (6, 14, 9)])
def test_agrees_with_monai(shape: tuple[int, int, int]) -> None:
    import torch
    from monai.metrics import compute_hausdorff_distance

    spacing = (3.0, 1.0, 0.7)
    for seed in range(5):
        rng = stream(seed, "masks")
        truth, predicted = (rng.random(shape) < share for share in (0.3, 0.1))
        given = {"y_pred": torch.tensor(predicted)[None, None], "y": torch.tensor(truth)[None, None]}
        expected = compute_hausdorff_distance(**given, include_background=True, percentile=95, spacing=spacing)
        assert hd95(truth, predicted, spacing) == pytest.approx(float(expected), rel=1e-6)


def test_cropping_to_the_masks_changes_nothing() -> None:
    truth, predicted = volume((1, 1, 2), (1, 1, 3)), volume((1, 2, 3))
    wide = [np.pad(mask, 4) for mask in (truth, predicted)]
    assert of(*wide) == of(truth, predicted)


def test_tallies_of_sites_add_up_to_the_tally_of_all() -> None:
    patients = [of(volume((0, 0, 0)), volume((0, 0, place), (0, 0, 3))) for place in range(3)]
    whole = from_tally(tally_of(patients, ("tumour",), 6.0))
    parts = from_tally(total([tally_of(patients[:1], ("tumour",), 1.0), tally_of(patients[1:], ("tumour",), 5.0)]))
    assert whole == parts == {"loss": 2.0, "dice": pytest.approx(2 / 9), "dice_tumour": pytest.approx(2 / 9)}  # 2/3, 0, 0


def test_a_site_without_patients_has_no_dice() -> None:
    assert all(math.isnan(value) for value in from_tally(tally_of([], ("a", "b"), 0.0)).values())


def measured() -> Measured:
    text = np.array(["a", "b", "c"], object)
    return Measured(cases=text, groups=text, sites=text, splits=text, names=("dice", "hd95"),
                    values=np.array([[1.0, 4.0], [0.5, np.nan], [0.0, 8.0]]))


def test_means_are_over_the_patients_that_have_the_measure() -> None:
    found = measure_segmentations(measured())
    assert (float(found["dice"]), float(found["hd95"])) == (0.5, 6.0)
    assert not_estimable(measured()) == {"dice": 0, "hd95": 1}


def test_weights_equal_repeated_patients() -> None:
    weights = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0], [1.0, 0.0, 3.0]])
    found = measure_segmentations(measured(), weights)
    for row, weight in enumerate(weights.astype(int)):
        again = measure_segmentations(replace(measured(), cases=np.repeat(measured().cases, weight),
                                              values=np.repeat(measured().values, weight, axis=0)))
        for name in ("dice", "hd95"):
            assert found[name][row] == pytest.approx(float(again[name]), nan_ok=True)
    assert np.isnan(found["hd95"][1])  # the only patient drawn has no distance
