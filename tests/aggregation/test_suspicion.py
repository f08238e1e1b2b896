"""How far sites stand apart."""

import pytest
import torch
from stacks import layout_of, stack

from wardround.aggregation.suspicion import MOST, suspicion
from wardround.core.params import Params


def accepted(*numbers: float, num_buffers: int = 0) -> Params:
    return Params(torch.tensor(numbers), layout_of(len(numbers), num_buffers))


def test_distances_are_told_in_medians_of_them() -> None:
    assert suspicion(stack([[1.0], [-2.0], [8.0]]), accepted(0.0)) == {"site-1": 0.5, "site-2": 1.0, "site-3": 4.0}


def test_running_statistics_do_not_count() -> None:
    assert suspicion(stack([[1.0, 0.0], [1.0, 9e9]], num_buffers=1), accepted(0.0, 0.0, num_buffers=1)) == {"site-1": 1.0, "site-2": 1.0}


def test_what_is_very_far_is_told_as_the_most() -> None:
    assert suspicion(stack([[1.0], [1.0], [3e38]]), accepted(0.0))["site-3"] == MOST


def test_where_most_sites_were_taken_as_they_are_the_others_stand_apart() -> None:
    assert suspicion(stack([[1.0], [1.0], [1.5]]), accepted(1.0)) == {"site-1": 1.0, "site-2": 1.0, "site-3": MOST}


def test_it_does_not_depend_on_the_updates_scale() -> None:
    small = suspicion(stack([[1e-4], [-2e-4], [8e-4]]), accepted(0.0))
    assert small == pytest.approx({"site-1": 0.5, "site-2": 1.0, "site-3": 4.0}, rel=1e-6)
