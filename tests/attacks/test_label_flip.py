"""Images called by other classes."""

import numpy as np
import torch

from wardround.attacks.label_flip import flipped, label_flip


def test_one_class_is_called_another() -> None:
    assert flipped(torch.tensor([0, 1, 2, 1]), source=1, target=2, num_classes=3).tolist() == [0, 2, 2, 2]


def test_all_classes_are_mirrored_and_the_middle_one_stays() -> None:
    assert flipped(torch.arange(5), source=None, target=0, num_classes=5).tolist() == [4, 3, 2, 1, 0]


def test_findings_are_turned_round() -> None:
    findings = torch.tensor([[0, 1, 1], [1, 0, 0]])
    assert flipped(findings, source=None, target=0, num_classes=3).tolist() == [[1, 0, 0], [0, 1, 1]]
    assert flipped(findings, source=2, target=0, num_classes=3).tolist() == [[0, 1, 0], [1, 0, 1]]


def test_masks_are_flipped_voxel_by_voxel() -> None:
    mask = torch.tensor([[[0, 1], [1, 2]]])
    assert flipped(mask, source=1, target=0, num_classes=3).tolist() == [[[0, 0], [0, 2]]]
    assert flipped(mask, source=None, target=0, num_classes=3).tolist() == [[[2, 1], [1, 0]]]
    assert flipped(mask[:, None], source=2, target=1, num_classes=3).tolist() == [[[[0, 1], [1, 1]]]]


def test_the_feed_s_labels_and_images_are_left_alone() -> None:
    images, truth, rng = torch.ones(2, 1, 2, 2), torch.tensor([0, 1]), np.random.default_rng(0)
    changed, labels = label_flip(images, truth, rng, source=None, target=0, num_classes=2)
    assert (truth.tolist(), labels.tolist()) == ([0, 1], [1, 0])
    assert torch.equal(changed, torch.ones(2, 1, 2, 2))
    assert rng.random() == np.random.default_rng(0).random()
