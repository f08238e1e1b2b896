"""Distances that hold where float32 gives none."""

import numpy as np
import pytest
import torch
from stacks import X

from wardround.aggregation.distances import gaps, norms, products_about, squared_distances
from wardround.rng import stream


def rows(numbers) -> list[torch.Tensor]:
    return [torch.tensor(row, dtype=torch.float32) for row in np.asarray(numbers).tolist()]


def test_distances_by_hand() -> None:
    assert squared_distances(rows([[0, 0], [3, 4], [3, 0]])).tolist() == [[0, 25, 9], [25, 0, 16], [9, 16, 0]]


def test_small_differences_of_large_numbers_are_not_lost() -> None:
    """By products in float32, as elsewhere, these three are equal."""
    found = squared_distances(rows([[1000.0] * 4, [1000.001] * 4, [1000.002] * 4]))
    steps = np.float32([1000.0, 1000.001, 1000.002]).astype(np.float64)
    expected = 4 * (steps[:, None] - steps[None]) ** 2
    assert found == pytest.approx(expected, rel=1e-12)
    assert found[0, 1] > 0


def test_a_huge_update_spoils_only_its_own_distances() -> None:
    honest = stream("honest").normal(size=(5, 100))
    alone = squared_distances(rows(honest))
    with_huge = squared_distances(rows([*honest, np.full(100, 3e38)]))
    assert np.array_equal(with_huge[:5, :5], alone)
    assert np.isfinite(with_huge).all()
    about = products_about(rows([*honest, np.full(100, 3e38)]), torch.zeros(100))
    assert np.array_equal(about[:5, :5], products_about(rows(honest), torch.zeros(100)))


def test_gaps_to_a_weighted_point_need_only_the_products() -> None:
    centre, weights = np.array([1.0, 2.0, 3.0]), np.array([.1, .2, 0, 0, .3, 0, .05])
    point = centre + weights @ (X - centre)
    found = gaps(products_about(rows(X), torch.tensor(centre).float()), weights)
    assert found == pytest.approx(np.linalg.norm(X - point, axis=1), rel=1e-6)


def test_norms_are_those_of_the_rows_or_of_their_way_from_a_centre() -> None:
    assert norms(rows([[3, 4], [0, 0]])).tolist() == [5.0, 0.0]
    assert norms(rows([[3, 4], [0, 0]]), torch.tensor([3.0, 0.0])).tolist() == [4.0, 3.0]
