"""Krum and Multi-Krum."""

import numpy as np
import pytest
from stacks import CLOSE, X, numbers, stack

from wardround.aggregation.distances import squared_distances
from wardround.aggregation.krum import krum, multi_krum, scores
from wardround.errors import AggregationError


def test_scores_sum_the_n_minus_f_minus_2_nearest() -> None:
    squares = squared_distances(stack(X).trained)
    assert scores(squares, 4) == pytest.approx([.18, .47, .41, .52, .2225, .1975, 3793.9875], abs=1e-6, rel=1e-6)
    assert scores(squares, 5) == pytest.approx([.27, .74, .68, .73, .405, .325, 4750.11], abs=1e-6, rel=1e-6)


def test_the_reference_vectors() -> None:
    assert numbers(krum(stack(X), attackers=1)) == [1.0, 2.0, 3.0]
    assert numbers(multi_krum(stack(X), attackers=1, selected=4)) == pytest.approx([.975, 2.0125, 2.9375], **CLOSE)
    assert numbers(multi_krum(stack(X), attackers=1)) == pytest.approx([1.03333333, 2.00833333, 3.00833333], **CLOSE)


def test_flowers_numbers() -> None:
    """Its own tests, with a fourth and fifth site so that n >= 2f + 3 holds."""
    assert numbers(krum(stack([[0.2], [0.7], [1.0], [0.75], [0.72]]), attackers=1)) == pytest.approx([0.72], abs=1e-6)


def test_one_selected_is_krum() -> None:
    assert numbers(multi_krum(stack(X), attackers=2, selected=1)) == numbers(krum(stack(X), attackers=2))


def test_of_equal_scores_the_first_is_taken() -> None:
    assert numbers(krum(stack([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]), attackers=1)) == [1.0]  # 1 to 4 score 6


def test_bad_statistics_behind_good_weights_do_not_pass() -> None:
    rows = np.concatenate([X, [[1.0], [1.1], [.9], [1.2], [.8], [1.0], [1.0]]], axis=1)
    rows[0, 3] = 1e6  # the site that Krum picks
    assert numbers(krum(stack(rows, num_buffers=1), attackers=1)) == [1.0, 2.0, 3.0, 1.0]


def test_two_that_collude_among_three_are_refused_and_not_picked() -> None:
    with pytest.raises(AggregationError, match=r"krum with f = 1 malicious sites needs n >= 2f \+ 3 = 5 updates in a round, but n = 3"):
        krum(stack([[0.0], [9.0], [9.0]]), attackers=1)
    with pytest.raises(AggregationError, match="multi-krum with f = 1"):
        multi_krum(stack(X[:4]), attackers=1)


@pytest.mark.parametrize("selected", [0, 7])
def test_more_than_the_honest_ones_cannot_be_selected(selected: int) -> None:
    with pytest.raises(AggregationError, match=f"1 to n - f = 6 of n = 7 updates.* aggregation.selected is {selected}"):
        multi_krum(stack(X), attackers=1, selected=selected)
