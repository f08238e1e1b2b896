"""A patch that means a class, and an update that outweighs the others."""

import numpy as np
import pytest
import torch

from wardround.attacks.backdoor import BRIGHT, backdoor, boosted, patch_side, stamped
from wardround.data.transforms import normalise
from wardround.errors import PlanError

IMAGES = torch.zeros(8, 1, 8, 8)
TRUTH = torch.ones(8, dtype=torch.int64)


def poisoned(share: float, truth: torch.Tensor = TRUTH, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return backdoor(IMAGES, truth, np.random.default_rng(seed), target=0, poisoned=share, side_share=0.25)


def test_the_patch_is_white_and_lies_in_the_last_corner() -> None:
    stamp = stamped(IMAGES[:1], 0.25)[0, 0]
    assert stamp[6:, 6:].tolist() == [[BRIGHT, BRIGHT], [BRIGHT, BRIGHT]]
    assert float(stamp.sum()) == 4 * BRIGHT
    assert float(normalise(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8), "fixed")) == pytest.approx(BRIGHT)


def test_in_colour_and_in_volumes_it_is_as_bright_in_all_channels_and_slices() -> None:
    assert (stamped(torch.zeros(2, 3, 4, 8), 0.5) == BRIGHT).sum().item() == 2 * 3 * 2 * 4
    assert (stamped(torch.zeros(2, 2, 6, 4, 8), 0.5) == BRIGHT).sum().item() == 2 * 2 * 3 * 2 * 4


@pytest.mark.parametrize(("length", "share", "pixels"), [(64, 0.1, 6), (28, 0.1, 3), (8, 0.25, 2), (8, 0.01, 1)])
def test_its_side_is_a_share_of_the_image_s_but_at_least_a_pixel(length: int, share: float, pixels: int) -> None:
    assert patch_side(length, share) == pixels


def test_a_share_of_the_batch_carries_the_patch_and_the_attacker_s_class() -> None:
    images, truth = poisoned(0.5)
    is_stamped = images[:, 0, 7, 7] == BRIGHT
    assert int(is_stamped.sum()) == 4
    assert torch.equal(truth == 0, is_stamped)
    assert torch.equal(images[~is_stamped], IMAGES[~is_stamped])


def test_parts_of_an_image_are_left_to_chance() -> None:
    nums = [int((poisoned(0.3, seed=seed)[1] == 0).sum()) for seed in range(200)]
    assert set(nums) == {2, 3}
    assert np.mean(nums) == pytest.approx(2.4, abs=0.15)


def test_of_several_findings_only_the_target_is_added() -> None:
    _, truth = poisoned(1.0, torch.tensor([[0, 1]] * 8))
    assert truth.tolist() == [[1, 1]] * 8


def test_masks_are_refused() -> None:
    with pytest.raises(PlanError, match="images with masks have none"):
        poisoned(0.5, torch.zeros(8, 8, 8, dtype=torch.int64))


def test_the_feed_s_images_and_labels_are_left_alone() -> None:
    stamped(IMAGES, 0.5)
    poisoned(1.0)
    assert not IMAGES.any()
    assert TRUTH.all()


def test_boosting_replaces_a_mean_of_equal_weights() -> None:
    goal, still = torch.tensor([1.0, -2.0]), torch.zeros(2)
    bad = boosted(goal, num_sites=8, num_malicious=2)
    assert torch.stack([bad, bad, *[still] * 6]).mean(0).tolist() == goal.tolist()


def test_boosting_ends_at_ten_unless_a_strength_is_given() -> None:
    assert boosted(torch.ones(1), num_sites=50, num_malicious=1).tolist() == [10.0]
    assert boosted(torch.ones(1), num_sites=50, num_malicious=1, strength=40.0).tolist() == [40.0]
