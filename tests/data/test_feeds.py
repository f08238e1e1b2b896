"""Batches of labelled images."""

import numpy as np
import pytest
import torch

from wardround.data.feeds import ImageFeed
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
