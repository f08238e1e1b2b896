"""Bulyan."""

import numpy as np
import pytest
from stacks import CLOSE, X, numbers, stack

from wardround.aggregation.bulyan import bulyan, nearest_to_median, picked
from wardround.aggregation.distances import squared_distances
from wardround.errors import AggregationError


def test_the_reference_vector() -> None:
    assert picked(squared_distances(stack(X).trained), 1) == [0, 5, 4, 1, 2]
    assert numbers(bulyan(stack(X), attackers=1)) == pytest.approx([1.0, 1.98333333, 2.98333333], **CLOSE)


def test_values_near_the_median_are_averaged_by_hand() -> None:
    rows = stack([[0.0, -9.0], [1.0, 5.0], [2.0, 5.0], [5.0, 5.5], [9.0, 100.0]]).trained
    assert nearest_to_median(rows, 3).tolist() == pytest.approx([1.0, 15.5 / 3])  # 0 1 2 around 2; 5 5 5.5 around 5
    assert nearest_to_median(rows, 1).tolist() == [2.0, 5.0]


def test_of_two_equally_near_on_both_sides_the_lower_is_taken() -> None:
    assert nearest_to_median(stack([[1.9], [2.0], [2.1]]).trained, 2).tolist() == pytest.approx([1.95])


def test_one_number_far_off_in_a_near_update_does_not_pass() -> None:
    """What Krum lets through: near in all but one of many numbers."""
    rows = np.tile(np.linspace(-1, 1, 11)[:, None], (1, 50))
    rows[5, 7] = 3.0  # the middle site
    assert abs(numbers(bulyan(stack(rows), attackers=2))[7]) < 0.5


def test_it_needs_four_times_as_many_and_three() -> None:
    with pytest.raises(AggregationError, match=r"bulyan with f = 2 malicious sites needs n >= 4f \+ 3 = 11 updates in a round, but n = 7"):
        bulyan(stack(X), attackers=2)
