"""Centred clipping."""

import numpy as np
import pytest
import torch
from stacks import CLOSE, X, numbers, stack

from wardround.aggregation.clipping import centred_clipping, shrunk
from wardround.errors import AggregationError


@pytest.mark.parametrize(("iterations", "expected"), [(1, [.27827633, .41427638, .81401539]), (10, [1.08173894, 1.94350644, 3.15404504])])
def test_the_reference_vectors_from_zero(iterations: int, expected: list[float]) -> None:
    found = centred_clipping(stack(X), bound=1.0, iterations=iterations, start=torch.zeros(3))
    assert numbers(found) == pytest.approx(expected, **CLOSE)


def test_the_reference_vector_from_the_median() -> None:
    assert numbers(centred_clipping(stack(X), bound=.5)) == pytest.approx([1.05645103, 1.9793394, 3.07672765], **CLOSE)


def test_a_bound_beyond_all_is_the_mean() -> None:
    assert numbers(centred_clipping(stack(X), bound=1e6)) == pytest.approx(X.mean(axis=0).tolist(), abs=1e-5)


def test_one_site_moves_the_result_by_a_share_of_the_bound_at_most() -> None:
    near, far = (numbers(centred_clipping(stack([*X[:6], row]), bound=.1)) for row in ([1, 2, 3], [1e30, 0, 0]))
    assert np.linalg.norm(np.subtract(near, far)) < 4 * .1 / 7  # the median moves a little too


def test_without_a_bound_it_is_the_middle_distance_from_the_median() -> None:
    middle = float(np.median(np.linalg.norm(X - [1.05, 2.0, 3.05], axis=1)))
    assert numbers(centred_clipping(stack(X))) == pytest.approx(numbers(centred_clipping(stack(X), bound=middle)), abs=1e-6)
    assert numbers(centred_clipping(stack([[2.0]] * 3))) == [2.0]


def test_vectors_are_shortened_never_lengthened() -> None:
    assert shrunk(np.array([0.0, 1.0, 2.0, 8.0]), 2.0).tolist() == [1.0, 1.0, 1.0, 0.25]
    assert shrunk(np.array([0.0, 1.0]), 0.0).tolist() == [1.0, 0.0]


def test_it_withstands_fewer_than_half() -> None:
    with pytest.raises(AggregationError, match="centred-clipping with f = 4"):
        centred_clipping(stack(X), attackers=4)
