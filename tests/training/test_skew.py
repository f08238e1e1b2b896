"""Logits by a site's class counts, worked by hand."""

import math

import pytest
import torch
from torch.nn import functional

from wardround.errors import PlanError
from wardround.plan.schema import Recipe
from wardround.training.skew import adjustment

COUNTS = torch.tensor([16, 1, 0])
LOGITS = torch.tensor([[1.0, -2.0, 4.0]])


def adjusted(kind: str, strength: float | None = None, counts: torch.Tensor = COUNTS, logits: torch.Tensor = LOGITS) -> torch.Tensor:
    return adjustment(Recipe(label_skew=kind, skew_strength=strength), counts)(logits)


def test_restricted_multiplies_the_logits_of_absent_classes_only() -> None:
    assert adjusted("restricted").tolist() == [[1.0, -2.0, 2.0]]
    assert adjusted("restricted", 0.25).tolist() == [[1.0, -2.0, 1.0]]
    assert torch.equal(adjusted("restricted", 1.0), LOGITS)


def test_restricted_refuses_a_strength_that_would_enlarge() -> None:
    with pytest.raises(PlanError, match=r"skew_strength = 1\.5"):
        adjusted("restricted", 1.5)


def test_calibrated_takes_less_from_frequent_classes() -> None:
    margins = [1 / 2, 1.0, math.sqrt(2)]  # 16^(-1/4), 1^(-1/4), (1/4)^(-1/4)
    assert torch.allclose(LOGITS - adjusted("calibrated"), torch.tensor([margins]))
    assert torch.allclose(LOGITS - adjusted("calibrated", 0.5), torch.tensor([margins]) / 2)


def test_balanced_adds_the_logarithm_of_the_site_s_prior() -> None:
    shifts = (adjusted("balanced") - LOGITS)[0]
    assert torch.allclose(shifts[:2], torch.tensor([math.log(16 / 17), math.log(1 / 17)]))
    assert torch.allclose((adjusted("balanced", 0.5) - LOGITS)[0, :2], shifts[:2] / 2)


def test_balanced_with_equal_counts_changes_no_loss() -> None:
    truth = torch.tensor([1])
    changed = adjusted("balanced", counts=torch.tensor([5, 5, 5]))
    assert torch.allclose(functional.cross_entropy(changed, truth), functional.cross_entropy(LOGITS, truth))


@pytest.mark.parametrize("kind", ["calibrated", "balanced"])
def test_strength_zero_changes_nothing(kind: str) -> None:
    assert torch.equal(adjusted(kind, 0.0), LOGITS)


def gradient(kind: str | None) -> torch.Tensor:
    """Of the loss of one image of class 0, by its logits."""
    logits = LOGITS.clone().requires_grad_()
    changed = logits if kind is None else adjusted(kind, logits=logits)
    functional.cross_entropy(changed, torch.tensor([0])).backward()
    return logits.grad[0]


@pytest.mark.parametrize("kind", ["restricted", "calibrated", "balanced"])
def test_absent_classes_are_pushed_down_less_than_without(kind: str) -> None:
    assert 0 <= gradient(kind)[2] < gradient(None)[2]


def test_balanced_softmax_leaves_absent_classes_where_they_are() -> None:
    assert gradient("balanced")[2] < 1e-20  # a prior of 1e-30 stands for 0
