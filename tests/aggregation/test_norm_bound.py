"""Norm bounding."""

import numpy as np
import pytest
from stacks import CLOSE, X, numbers, stack

from wardround.aggregation.norm_bound import norm_bound


def test_the_reference_vector() -> None:
    assert numbers(norm_bound(stack(X), bound=5.0)) == pytest.approx([1.10107953, 1.50606333, 3.22466717], **CLOSE)


def test_without_a_bound_it_is_the_middle_norm() -> None:
    middle = float(np.median(np.linalg.norm(X, axis=1)))
    assert numbers(norm_bound(stack(X))) == pytest.approx(numbers(norm_bound(stack(X), bound=middle)), abs=1e-6)
    assert numbers(norm_bound(stack([[0.0, 0.0]] * 3))) == [0.0, 0.0]


def test_one_site_counts_for_a_share_of_the_bound_at_most() -> None:
    assert np.linalg.norm(numbers(norm_bound(stack([[0.0, 0.0], [0.0, 0.0], [3e38, 3e38]]), bound=6.0))) == pytest.approx(2.0)
