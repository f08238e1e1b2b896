import numpy as np
import pytest
import torch

from wardround.data.catalogue import text_column
from wardround.data.slices import SliceFeed, by_patient
from wardround.data.transforms import Augment, normalise
from wardround.plan.schema import AugmentPlan
from wardround.rng import stream, torch_stream


@pytest.fixture
def feed() -> SliceFeed:
    """Six slices of patients a, b and two unknown ones."""
    rng = stream(0, "test", "slices")
    return SliceFeed(images=rng.integers(0, 256, (6, 3, 8, 8), dtype=np.uint8), masks=rng.integers(0, 2, (6, 8, 8), dtype=np.uint8),
                     patients=text_column(["b", "a", "", "b", "", "a"]), normalisation="image", augment=Augment(AugmentPlan()))


def test_a_batch_is_images_and_classes_of_their_pixels(feed: SliceFeed) -> None:
    rows = np.array([4, 1, 4])
    images, truth = feed.batch(rows, torch_stream(0, "test"))
    assert torch.equal(images, normalise(torch.from_numpy(feed.images[rows]), "image"))
    assert truth.dtype == torch.int64
    assert np.array_equal(truth.numpy(), feed.masks[rows])


def test_augmentation_moves_image_and_mask_alike(feed: SliceFeed) -> None:
    moving = SliceFeed(images=np.repeat(feed.masks[:, None] * 255, 3, axis=1), masks=feed.masks, patients=feed.patients,
                       normalisation="fixed", augment=Augment(AugmentPlan(flip=True)))
    images, truth = moving.batch(np.arange(6), torch_stream(0, "test"))
    assert torch.equal(images[:, 0] > 0, truth == 1)
    assert not np.array_equal(truth.numpy(), feed.masks)


def test_a_patients_slices_lie_along_depth(feed: SliceFeed) -> None:
    case = feed.case(np.array([3, 0]))
    assert case.image.shape == (3, 2, 8, 8)
    assert torch.equal(case.image[:, 0], normalise(torch.from_numpy(feed.images[[3]]), "image")[0])
    assert np.array_equal(case.truth, feed.masks[[3, 0]])
    assert case.spacing_mm is None
    assert not case.is_volume


def test_cases_are_patients_and_unknown_ones_are_alone(feed: SliceFeed) -> None:
    assert [rows.tolist() for rows in feed.cases(np.array([5, 0, 1, 2, 3, 4]))] == [[5, 1], [0, 3], [2], [4]]


def test_a_patient_named_like_a_row_is_not_that_row() -> None:
    assert [rows.tolist() for rows in by_patient(text_column(["1", ""]), np.array([0, 1]))] == [[0], [1]]


def test_no_rows_are_no_cases(feed: SliceFeed) -> None:
    assert feed.cases(np.zeros(0, np.int64)) == []
