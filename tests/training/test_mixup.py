"""Mixup within a batch, worked by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from wardround.rng import stream
from wardround.training.mixup import mixed

IMAGES = torch.tensor([[0.0, 8.0], [4.0, 0.0]])
TRUTH = torch.tensor([0, 1])


class Dealt:
    """Shares and partners as told."""

    def __init__(self, share: float, partners: list[int]) -> None:
        self.share, self.partners = share, partners

    def beta(self, a: float, b: float) -> float:
        assert a == b
        return self.share

    def permutation(self, n: int) -> np.ndarray:
        return np.array(self.partners)


def test_images_and_losses_are_mixed_in_the_same_share() -> None:
    seen = []

    def network(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return images

    def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        return truth.float()[0]  # 0 for the truth as it is, 1 for the partners'

    value = mixed(network, loss, 0.4, Dealt(0.75, [1, 0]))(IMAGES, TRUTH)
    assert seen[0].tolist() == [[1.0, 6.0], [3.0, 2.0]]  # 0.75 * (0, 8) + 0.25 * (4, 0), and the other way round
    assert float(value) == 0.25


def test_for_cross_entropy_it_is_the_loss_of_the_mixed_one_hot_truth() -> None:
    value = mixed(lambda images: images, functional.cross_entropy, 1.0, Dealt(0.75, [1, 0]))(IMAGES, TRUTH)
    soft = torch.tensor([[0.75, 0.25], [0.25, 0.75]])
    assert torch.allclose(value, functional.cross_entropy(torch.tensor([[1.0, 6.0], [3.0, 2.0]]), soft))


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_a_share_of_one_or_zero_is_no_mixture(share: float) -> None:
    value = mixed(lambda images: images, functional.cross_entropy, 1.0, Dealt(share, [1, 0]))(IMAGES, TRUTH)
    assert torch.allclose(value, functional.cross_entropy(IMAGES, TRUTH))


@pytest.mark.parametrize(("alpha", "middle"), [(1e-4, 0.0), (100.0, 1.0)])
def test_a_small_alpha_hardly_mixes_and_a_large_one_halves(alpha: float, middle: float) -> None:
    rng, shares = stream("mixup"), []
    objective = mixed(lambda images: shares.append(float(images[0, 0])) or images, functional.cross_entropy, alpha, rng)
    for _ in range(50):
        objective(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), TRUTH)
    in_middle = [0.25 < share < 0.75 for share in shares if share]  # 0 where an image is its own partner
    assert np.mean(in_middle) == middle
    assert len(in_middle) > 10
