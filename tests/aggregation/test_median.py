"""The coordinate-wise median."""

import pytest
from stacks import CLOSE, X, numbers, stack

from wardround.aggregation.median import median
from wardround.errors import AggregationError


def test_the_reference_vector() -> None:
    assert numbers(median(stack(X), attackers=1)) == pytest.approx([1.05, 2.0, 3.05], **CLOSE)


def test_of_an_even_number_it_is_the_mean_of_the_two_middle_ones() -> None:
    assert numbers(median(stack([[1.0], [2.0], [4.0], [100.0]]))) == [3.0]


def test_running_statistics_get_their_median_too() -> None:
    assert numbers(median(stack([[1, 5.0], [2, 6.0], [3, 1e9]], num_buffers=1), attackers=1)) == [2.0, 6.0]


def test_it_withstands_fewer_than_half() -> None:
    median(stack(X), attackers=3)
    with pytest.raises(AggregationError, match=r"n >= 2f \+ 1 = 9 updates in a round, but n = 7"):
        median(stack(X), attackers=4)
