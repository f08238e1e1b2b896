from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from wardround.data.catalogue import text_column
from wardround.data.geometry import Geometry
from wardround.data.patches import VolumeFeed
from wardround.data.transforms import Augment
from wardround.data.volumes import Volumes, _points
from wardround.plan.schema import AugmentPlan
from wardround.rng import torch_stream

SHAPE = (12, 10, 8)


def counted(shape: tuple[int, int, int]) -> np.ndarray:
    """Each voxel its own number from 1, so that a patch tells where it was cut."""
    return np.arange(1, np.prod(shape) + 1, dtype=np.float16).reshape(1, *shape)


def stored(folder: Path, images: list[np.ndarray], masks: list[np.ndarray]) -> Volumes:
    for row, (image, mask) in enumerate(zip(images, masks, strict=True)):
        for kind, array in (("image", image), ("mask", mask), ("points", _points(mask, row))):
            np.save(folder / f"{row:06d}.{kind}.npy", array)
    n, none = len(images), text_column([""] * len(images))
    geometries = tuple(Geometry(full=mask.shape, start=(0, 0, 0), cropped=mask.shape, shape=mask.shape, spacing_mm=(3.0, 1.0, 1.0),
                                orientation="RAS") for mask in masks)
    return Volumes(folder=folder, reasons=none, details=none, digests=none, spacings=np.ones((n, 3)), geometries=geometries, stack=None)


@pytest.fixture
def feed(tmp_path: Path) -> VolumeFeed:
    """Two volumes; the first has one voxel of class 1 and a slab of class 2, the second no label."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[11] = 2
    mask[1, 2, 3] = 1
    volumes = stored(tmp_path, [counted(SHAPE)] * 2, [mask, np.zeros(SHAPE, np.uint8)])
    return VolumeFeed(volumes=volumes, patients=text_column(["a", "b"]), patch=(4, 4, 4), foreground=0, augment=Augment(AugmentPlan()))


def rows(row: int, num: int = 200) -> np.ndarray:
    return np.full(num, row)


def test_a_patch_is_a_box_of_the_volume_with_its_mask(feed: VolumeFeed) -> None:
    images, truth = feed.batch(rows(0, 50), torch_stream(0, "test"))
    assert images.shape == (50, 1, 4, 4, 4)
    assert images.dtype == torch.float32
    assert truth.shape == (50, 4, 4, 4)
    assert truth.dtype == torch.int64
    whole, mask = feed.volumes.image(0)[0], feed.volumes.mask(0)
    for image, labels in zip(images[:, 0].numpy(), truth.numpy(), strict=True):
        d, h, w = np.unravel_index(int(image[0, 0, 0]) - 1, SHAPE)
        assert np.array_equal(image, whole[d : d + 4, h : h + 4, w : w + 4])
        assert np.array_equal(labels, mask[d : d + 4, h : h + 4, w : w + 4])


def test_without_foreground_every_place_is_equally_likely(feed: VolumeFeed) -> None:
    images, _ = feed.batch(rows(0, 1500), torch_stream(0, "test"))
    starts = np.stack(np.unravel_index(images[:, 0, 0, 0, 0].numpy().astype(int) - 1, SHAPE), axis=1)
    for axis, num in enumerate((9, 7, 5)):  # 12 - 4 + 1, 10 - 4 + 1, 8 - 4 + 1
        counts = np.bincount(starts[:, axis], minlength=num)
        assert len(counts) == num
        assert counts / 1500 == pytest.approx([1 / num] * num, abs=0.05)


def test_foreground_patches_hold_small_classes_as_often_as_large_ones(feed: VolumeFeed) -> None:
    _, truth = replace(feed, foreground=1.0).batch(rows(0, 500), torch_stream(0, "test"))
    small, large = (truth == 1).flatten(1).any(1), (truth == 2).flatten(1).any(1)
    assert (small ^ large).all()  # too far apart for one patch
    assert float(small.float().mean()) == pytest.approx(0.5, abs=0.07)


def test_a_foreground_voxel_lies_in_the_middle_where_there_is_room(tmp_path: Path) -> None:
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[9, 10, 11] = 1
    feed = VolumeFeed(volumes=stored(tmp_path, [np.zeros((1, 20, 20, 20), np.float16)], [mask]), patients=text_column(["a"]),
                      patch=(4, 6, 8), foreground=1, augment=Augment(AugmentPlan()))
    _, truth = feed.batch(rows(0, 3), torch_stream(0, "test"))
    assert (truth[:, 2, 3, 4] == 1).all()


def test_the_share_of_foreground_patches_is_the_one_asked_for(feed: VolumeFeed) -> None:
    batches = [replace(feed, foreground=share).batch(rows(0, 600), torch_stream(0, "test"))[1] for share in (0.0, 0.6)]
    by_chance, shown = (float((truth == 1).flatten(1).any(1).float().mean()) for truth in batches)
    assert shown == pytest.approx(0.6 / 2 + 0.4 * by_chance, abs=0.05)  # half of the foreground patches are around class 1


def test_a_volume_without_label_is_cut_anywhere(feed: VolumeFeed) -> None:
    one = replace(feed, foreground=1.0).batch(rows(1), torch_stream(0, "test"))[0]
    assert torch.equal(one, feed.batch(rows(1), torch_stream(0, "test"))[0])
    assert len(one.flatten(1).unique(dim=0)) > 50


def test_a_volume_smaller_than_the_patch_lies_in_the_middle_of_zeros(feed: VolumeFeed) -> None:
    images, truth = replace(feed, patch=(16, 10, 9), foreground=0.5).batch(rows(0, 3), torch_stream(0, "test"))
    assert images.shape == (3, 1, 16, 10, 9)
    inside = images[:, 0, 2:14, :, 1:]
    assert torch.equal(inside, torch.from_numpy(counted(SHAPE)).float().expand(3, -1, -1, -1))
    assert (images != 0).sum() == 3 * np.prod(SHAPE)
    assert torch.equal(truth[0, 2:14, :, 1:], torch.from_numpy(np.array(feed.volumes.mask(0))).long())


def test_a_patch_of_depth_one_is_a_slice(feed: VolumeFeed) -> None:
    images, truth = replace(feed, patch=(1, 10, 8), foreground=1.0).batch(rows(0, 40), torch_stream(0, "test"))
    assert images.shape == (40, 1, 10, 8)
    assert truth.shape == (40, 10, 8)
    assert set(truth.flatten(1).amax(1).tolist()) == {1, 2}


def test_the_generator_decides_everything(feed: VolumeFeed) -> None:
    moving = replace(feed, foreground=0.5, augment=Augment(AugmentPlan(flip=True, rotate_deg=10, intensity=0.2)))
    first, again, other = (moving.batch(rows(0, 8), torch_stream(seed, "test"))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_augmentation_moves_image_and_mask_alike(feed: VolumeFeed) -> None:
    mask = np.array(feed.volumes.mask(0))
    still = replace(feed, volumes=stored(feed.volumes.folder, [mask[None].astype(np.float16)], [mask]), foreground=1.0)
    images, truth = replace(still, augment=Augment(AugmentPlan(flip=True))).batch(rows(0), torch_stream(0, "test"))
    assert torch.equal(images[:, 0], truth.float())
    assert not torch.equal(truth, still.batch(rows(0), torch_stream(0, "test"))[1])


def test_a_case_is_a_whole_volume(feed: VolumeFeed) -> None:
    case = feed.case(np.array([0]))
    assert case.image.shape == (1, *SHAPE)
    assert case.image.dtype == torch.float32
    assert np.array_equal(case.truth, feed.volumes.mask(0))
    assert case.truth.flags.writeable  # torch warns of arrays that are not
    assert case.spacing_mm == (3.0, 1.0, 1.0)
    assert case.is_volume


def test_volumes_of_a_patient_are_cases_of_their_own_in_a_row(feed: VolumeFeed) -> None:
    many = replace(feed, patients=text_column(["a", "b", "a", ""]))
    assert [case.tolist() for case in many.cases(np.array([0, 1, 2, 3]))] == [[0], [2], [1], [3]]


def test_patches_are_changed_on_the_device(feed: VolumeFeed) -> None:
    there = replace(feed, augment=Augment(AugmentPlan(flip=True, intensity=0.1))).on(torch.device("meta"), room=10**9)
    images, truth = there.batch(rows(0, 2), torch_stream(0, "test"))
    assert images.device == truth.device == torch.device("meta")
    assert images.dtype == torch.float32
