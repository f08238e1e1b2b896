"""Nearest-neighbour mixing before the trimmed mean."""

import numpy as np
import pytest
from stacks import X, numbers, stack

from wardround.aggregation.nnm import mixing_weights, nnm_trimmed
from wardround.aggregation.trimmed import trimmed_mean
from wardround.errors import AggregationError


def test_each_row_averages_its_nearest_and_itself() -> None:
    weights = mixing_weights(np.square(np.subtract.outer([0.0, 1.0, 10.0], [0.0, 1.0, 10.0])), 1)
    assert weights.tolist() == [[.5, .5, 0], [.5, .5, 0], [0, .5, .5]]


def test_a_row_is_its_own_nearest_among_equal_ones() -> None:
    assert mixing_weights(np.zeros((3, 3)), 2).tolist() == np.eye(3).tolist()


def test_by_hand() -> None:
    """0 and 1 both become 0.5, 10 becomes 5.5; the middle of these is 0.5."""
    assert numbers(nnm_trimmed(stack([[0.0], [1.0], [10.0]]), attackers=1)) == [0.5]


def test_it_averages_the_honest_of_the_reference_rows() -> None:
    assert numbers(nnm_trimmed(stack(X), attackers=1)) == pytest.approx(X[:6].mean(axis=0).tolist(), abs=1e-6)


def test_without_attackers_it_is_the_mean() -> None:
    assert numbers(nnm_trimmed(stack(X), attackers=0)) == pytest.approx(numbers(trimmed_mean(stack(X), attackers=0)))


def test_it_withstands_fewer_than_half() -> None:
    with pytest.raises(AggregationError, match="nnm-trimmed with f = 4"):
        nnm_trimmed(stack(X), attackers=4)
