"""The geometric median."""

import logging

import numpy as np
import pytest
import torch
from stacks import CLOSE, X, numbers, stack

from wardround.aggregation import geomed
from wardround.aggregation.distances import products_about
from wardround.aggregation.geomed import geometric_median, weiszfeld
from wardround.errors import AggregationError
from wardround.rng import stream


def test_the_reference_vector() -> None:
    assert numbers(geometric_median(stack(X), attackers=1)) == pytest.approx([1.00409307, 1.99960668, 3.00639796], **CLOSE)


@pytest.mark.parametrize(("steps", "expected"), [(3, [1.05590865, 1.97707346, 3.06036391]), (10, [1.00663369, 1.99943177, 3.0105879])])
def test_a_few_steps_from_the_mean_are_rfa(steps: int, expected: list[float]) -> None:
    products, weights = products_about(stack(X).trained, torch.zeros(3)), np.full(7, 1 / 7)
    for _ in range(steps):
        weights = weiszfeld(products, weights, 1e-6)
    assert (weights @ X).tolist() == pytest.approx(expected, **CLOSE)


def test_no_point_nearby_has_a_smaller_sum_of_distances() -> None:
    rows = stream("points").normal(size=(9, 4))
    found = np.array(numbers(geometric_median(stack(rows))))
    least = np.linalg.norm(rows - found, axis=1).sum()
    for step in stream("steps").normal(size=(50, 4)) * 1e-2:
        assert np.linalg.norm(rows - found - step, axis=1).sum() > least


def test_where_more_than_half_agree_it_is_there() -> None:
    assert numbers(geometric_median(stack([[1.0, 2.0]] * 4 + [[9.0, 9.0]] * 3))) == [1.0, 2.0]
    assert numbers(geometric_median(stack([[0.0]] * 3))) == [0.0]


def test_an_update_on_the_median_is_no_division_by_zero() -> None:
    assert numbers(geometric_median(stack([[-1.0], [0.0], [1.0]]))) == pytest.approx([0.0], abs=1e-6)


def test_steps_that_do_not_end_are_told(monkeypatch, caplog) -> None:
    monkeypatch.setattr(geomed, "MAX_STEPS", 1)
    with caplog.at_level(logging.WARNING):
        geometric_median(stack(X))
    assert "still moved after 1 steps" in caplog.text


def test_it_withstands_fewer_than_half() -> None:
    with pytest.raises(AggregationError, match="geometric-median with f = 4"):
        geometric_median(stack(X), attackers=4)
