"""Updates side by side."""

from dataclasses import replace

import pytest
import torch
from stacks import layout_of, stack, updates

from wardround.aggregation.stack import Stack
from wardround.core.params import Params
from wardround.errors import AggregationError


def test_updates_are_copied_before_the_next_is_asked_for() -> None:
    held = stack([[1.0, 2.0], [3.0, 4.0]])  # both came in the same memory
    assert [row.tolist() for row in held.rows] == [[1.0, 2.0], [3.0, 4.0]]
    assert held.sites == ("site-1", "site-2")
    assert held.num == 2


def test_trained_numbers_and_running_statistics_are_apart() -> None:
    held = stack([[1.0, 2.0, 9.0]], num_buffers=1)
    assert [row.tolist() for row in held.trained] == [[1.0, 2.0]]
    assert [row.tolist() for row in held.buffers] == [[9.0]]
    assert held.params(held.trained[0], held.buffers[0]).flat.tolist() == [1.0, 2.0, 9.0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", [0, 2])
def test_a_site_with_a_number_that_is_not_finite_is_named(bad: float, place: int) -> None:
    row = [1.0, 2.0, 3.0]
    row[place] = bad
    with pytest.raises(AggregationError, match="'site-2' sent NaN or infinite"):
        stack([[1.0, 2.0, 3.0], row], num_buffers=1)


def test_the_largest_float32_is_finite() -> None:
    assert stack([[3.4e38, -3.4e38]]).num == 1


def test_another_model_and_no_update_are_errors() -> None:
    one = next(updates([[1.0]]))
    with pytest.raises(AggregationError, match="'site-1' sent other tensors"):
        Stack.of([one, replace(one, delta=Params(torch.zeros(2), layout_of(2)))])
    with pytest.raises(AggregationError, match="no site sent"):
        Stack.of([])
