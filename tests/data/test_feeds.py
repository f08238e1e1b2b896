"""Batches of labelled images."""

import numpy as np
import pytest
import torch

from wardround.data import feeds
from wardround.data.feeds import ImageFeed
from wardround.data.slices import SliceFeed
from wardround.data.transforms import Augment
from wardround.plan.schema import AugmentPlan


def feed(images: np.ndarray, labels: np.ndarray, **augment: object) -> ImageFeed:
    return ImageFeed(images=images, labels=torch.from_numpy(labels), normalisation="fixed",
                     augment=Augment(AugmentPlan.model_validate(augment)))


PICTURES = np.arange(5 * 16, dtype=np.uint8).reshape(5, 1, 4, 4)


def test_a_batch_holds_its_rows_and_their_labels() -> None:
    images, labels = feed(PICTURES, np.arange(5)).batch(np.array([3, 1]), torch.Generator())
    assert images.flatten(1)[:, 0].tolist() == pytest.approx([48 * 4 / 255 - 2, 16 * 4 / 255 - 2])
    assert labels.tolist() == [3, 1]


def test_findings_come_as_a_row_each() -> None:
    table = np.array([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1]])
    _, labels = feed(PICTURES, table).batch(np.array([1, 2]), torch.Generator())
    assert labels.tolist() == [[1, 1], [0, 0]]
    assert labels.dtype == torch.int64


def test_only_training_images_are_changed() -> None:
    own = feed(PICTURES, np.arange(5), intensity=0.5)
    rows = np.arange(5)
    assert not torch.equal(own.batch(rows, torch.Generator().manual_seed(0))[0], own.plain(rows)[0])
    assert torch.equal(own.plain(rows)[0], feed(PICTURES, np.arange(5)).plain(rows)[0])


def test_volumes_are_in_network_units_already() -> None:
    volumes = np.random.default_rng(0).normal(size=(3, 2, 3, 4, 5)).astype(np.float16)
    images, _ = feed(volumes, np.arange(3)).plain(np.array([2, 0]))
    assert images.dtype == torch.float32
    assert np.array_equal(images.numpy(), volumes[[2, 0]].astype(np.float32))


def test_the_cache_stays_as_it_is() -> None:
    before = PICTURES.copy()
    feed(PICTURES, np.arange(5), flip=True, intensity=0.3).batch(np.arange(5), torch.Generator().manual_seed(0))
    assert np.array_equal(PICTURES, before)


# --- on a device

CPU, META = torch.device("cpu"), torch.device("meta")  # a meta tensor has a shape and a device, but no numbers
DRAWS = {"flip": True, "rotate_deg": 20, "intensity": 0.3}


def slice_feed(**augment: object) -> SliceFeed:
    masks = (PICTURES[:, 0] % 3).astype(np.uint8)
    return SliceFeed(images=PICTURES, masks=masks, patients=np.array(["a", "a", "b", "", ""]), normalisation="image",
                     augment=Augment(AugmentPlan.model_validate(augment)))


VOLUMES = PICTURES.astype(np.float16)[:, :, None]


@pytest.mark.parametrize("own", [feed(PICTURES, np.arange(5), **DRAWS), feed(VOLUMES, np.arange(5), **DRAWS), slice_feed(**DRAWS)])
def test_images_that_are_kept_on_the_device_give_the_same_bits(own: ImageFeed | SliceFeed) -> None:
    resident = own.on(CPU, room=10_000)
    assert isinstance(resident.images, torch.Tensor)
    assert isinstance(own.images, np.ndarray)
    rows = np.array([4, 0, 3])
    for kept, mapped in zip(resident.batch(rows, torch.Generator().manual_seed(1)), own.batch(rows, torch.Generator().manual_seed(1)),
                            strict=True):
        assert torch.equal(kept, mapped)


def test_pictures_and_cases_to_evaluate_are_the_same_from_the_device() -> None:
    own, masked = feed(PICTURES, np.arange(5)), slice_feed()
    rows = np.array([1, 0])
    assert torch.equal(own.on(CPU, room=10_000).plain(rows)[0], own.plain(rows)[0])
    case, same = masked.case(rows), masked.on(CPU, room=10_000).case(rows)
    assert torch.equal(case.image, same.image)
    assert np.array_equal(case.truth, same.truth)


@pytest.mark.parametrize(("own", "num_bytes"), [(feed(PICTURES, np.arange(5)), 80), (slice_feed(), 160)])
def test_images_are_kept_only_where_there_is_room_for_all(own: ImageFeed | SliceFeed, num_bytes: int) -> None:
    assert own.on(CPU, room=num_bytes - 1).images is own.images
    assert isinstance(own.on(CPU, room=num_bytes).images, torch.Tensor)


@pytest.mark.parametrize("room", [0, 10_000])
@pytest.mark.parametrize("own", [feed(PICTURES, np.arange(5), **DRAWS), slice_feed(**DRAWS)])
def test_a_batch_is_made_on_the_device(own: ImageFeed | SliceFeed, room: int) -> None:
    there = own.on(META, room=room)
    images, truth = there.batch(np.array([1, 2]), torch.Generator())
    assert (images.device, tuple(images.shape)) == (META, (2, 1, 4, 4))
    assert truth.device == (META if isinstance(own, SliceFeed) else CPU)


def test_moving_piece_by_piece_loses_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "COPIED", 40)  # bytes: two images and a half
    assert np.array_equal(feeds.kept(PICTURES, CPU).numpy(), PICTURES)
    assert feeds.kept(PICTURES[:0], CPU).shape == (0, 1, 4, 4)
