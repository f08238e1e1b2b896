"""Evaluation of segmentations at a site: windows, patients, sums."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from wardround.core.tally import total
from wardround.data.feeds import Case
from wardround.errors import SiteError
from wardround.evaluation.metrics import from_tally
from wardround.evaluation.segmentation import measure_names, measures
from wardround.plan.schema import Recipe
from wardround.sites.segment import examine, segmented
from wardround.training.losses import make_loss

LOSS = make_loss(Recipe(loss="dice_cross_entropy"), None, "segmentation")
SCORED = {"whole": (1, 2), "a": (1,), "b": (2,)}


class Patients:
    """Rows 10 i ... 10 i + 9 are patient i; truth is where the first channel is above 0.5 (class 1) or above 1.5 (class 2)."""

    def __init__(self, *shapes: tuple[int, int, int], is_volume: bool = True) -> None:
        self.is_volume = is_volume
        self.images = [torch.randn((2, *shape), generator=torch.Generator().manual_seed(i)) + 0.4 for i, shape in enumerate(shapes)]

    def batch(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def cases(self, rows: np.ndarray) -> list[np.ndarray]:
        return [rows[rows // 10 == patient] for patient in dict.fromkeys((rows // 10).tolist())]

    def case(self, rows: np.ndarray) -> Case:
        image = self.images[rows[0] // 10]
        truth = (image[0] > 0.5).byte() + (image[0] > 1.5).byte()
        return Case(image=image, truth=truth.numpy(), spacing_mm=(2.0, 1.0, 1.0), is_volume=self.is_volume)


def pointwise(images: Tensor) -> Tensor:
    """Logits of three classes from each voxel alone: nearly right."""
    return torch.stack([0.6 - images[:, 0], images[:, 0] - 0.6, 3 * (images[:, 0] - 1.3)], 1) + 0.1 * images[:, 1:]


def run(feed: Patients, rows: np.ndarray, network: Callable[[Tensor], Tensor] = pointwise, *, detail: bool = True,
        patch: tuple[int, int, int] = (8, 8, 8)) -> tuple[object, np.ndarray, np.ndarray | None]:
    (found,) = examine(network=network, rows=[rows], detail=detail, feed=feed, patch=patch, loss=LOSS, num_classes=3,
                       device=torch.device("cpu"), scored=SCORED, headline=("whole",))
    return found.tally, found.rows, found.values


@pytest.mark.parametrize("shape", [(8, 8, 8), (13, 8, 21), (5, 20, 8), (3, 4, 5), (9, 9, 9)])
@pytest.mark.parametrize("patch", [(8, 8, 8), (1, 8, 8), (1, 6, 32)])
def test_windows_of_a_network_that_looks_at_single_voxels_give_its_direct_answer(shape: tuple[int, int, int],
                                                                                patch: tuple[int, int, int]) -> None:
    image = torch.randn((2, *shape), generator=torch.Generator().manual_seed(0))
    found = segmented(pointwise, image, patch, 3)
    assert found.shape == (3, *shape)
    assert torch.allclose(found, pointwise(image[None])[0], atol=1e-5)


@pytest.mark.parametrize(("patch", "seen"), [((8, 8, 8), (2, 8, 8, 8)), ((1, 8, 8), (2, 8, 8))])
def test_the_network_sees_its_patch_only(patch: tuple[int, int, int], seen: tuple[int, ...]) -> None:
    shapes = set()

    def network(images: Tensor) -> Tensor:
        shapes.add(tuple(images.shape[1:]))
        return pointwise(images)

    segmented(network, torch.zeros(2, 40, 5, 12), patch, 3)
    assert shapes == {seen}


def test_an_image_of_the_patch_s_size_is_answered_exactly() -> None:
    image = torch.randn((2, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    assert torch.equal(segmented(pointwise, image, (8, 8, 8), 3), pointwise(image[None])[0])
    assert torch.equal(segmented(pointwise, image, (1, 8, 8), 3), pointwise(image[None])[0])


def test_the_image_is_not_changed() -> None:
    image = torch.randn((2, 12, 12, 12), generator=torch.Generator().manual_seed(0))
    before = image.clone()
    segmented(pointwise, image, (8, 8, 8), 3)
    assert torch.equal(image, before)


def test_each_patient_has_its_first_row_and_its_measures() -> None:
    feed = Patients((8, 8, 8), (10, 8, 9))
    tally, first_rows, values = run(feed, np.array([12, 15, 3, 4]))
    assert first_rows.tolist() == [12, 3]
    assert values is not None and values.shape == (2, len(measure_names(SCORED)))
    case = feed.case(np.array([12]))
    predicted = pointwise(case.image[None])[0].argmax(0).byte().numpy()
    expected = measures(case.truth, predicted, regions=SCORED, headline=("whole",), spacing_mm=(2.0, 1.0, 1.0), is_volume=True)
    assert values[0].tolist() == pytest.approx([expected[name] for name in measure_names(SCORED)])
    assert 0.5 < expected["dice"] < 1
    assert from_tally(tally)["dice"] == pytest.approx(values[:, 0].mean())


def test_tally_and_values_give_the_same_dice_with_and_without_detail() -> None:
    feed, rows = Patients((8, 8, 8), (10, 8, 9)), np.array([0, 10])
    with_detail, without = run(feed, rows), run(feed, rows, detail=False)
    assert without[2] is None
    assert from_tally(with_detail[0]) == from_tally(without[0])
    assert without[0].names == ("whole",)


@pytest.mark.parametrize("patch", [(8, 8, 8), (1, 8, 8)])
def test_sums_of_two_sites_are_those_of_all_patients(patch: tuple[int, int, int]) -> None:
    feed, rows = Patients((8, 8, 8), (20, 8, 9), (3, 8, 8)), np.array([0, 10, 20])
    whole = run(feed, rows, patch=patch)[0]
    parts = total([run(feed, part, patch=patch)[0] for part in (rows[:1], rows[1:])])
    assert from_tally(parts) == pytest.approx(from_tally(whole))
    assert whole.num_examples == 3


def test_the_loss_is_of_the_volume_for_a_3d_network_and_the_mean_over_slices_for_a_2d_one() -> None:
    feed = Patients((20, 8, 8))
    case = feed.case(np.array([0]))
    truth, logits = torch.from_numpy(case.truth).long(), pointwise(case.image[None])
    assert run(feed, np.array([0]))[0].loss_sum == pytest.approx(float(LOSS(logits, truth[None])), rel=1e-5)
    by_slice = LOSS(logits[0].transpose(0, 1), truth)
    assert run(feed, np.array([0]), patch=(1, 8, 8))[0].loss_sum == pytest.approx(float(by_slice), rel=1e-5)


def test_a_site_without_rows_reports_nothing() -> None:
    tally, first_rows, values = run(Patients((8, 8, 8)), np.zeros(0, np.int64))
    assert (tally.num_examples, len(first_rows)) == (0, 0)
    assert values is not None and values.shape == (0, len(measure_names(SCORED)))


def test_a_model_that_answers_nan_is_a_failure_of_the_site() -> None:
    with pytest.raises(SiteError, match="training diverged"):
        run(Patients((8, 8, 8)), np.array([0]), lambda images: pointwise(images) * float("nan"))


def test_segmentations_are_not_calibrated() -> None:
    with pytest.raises(SiteError, match="labelled images only"):
        examine(network=pointwise, rows=[np.arange(10)], detail=False, temperatures=(1.0,))
