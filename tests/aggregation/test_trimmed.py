"""The coordinate-wise trimmed mean."""

import numpy as np
import pytest
from stacks import CLOSE, X, numbers, stack, updates

from wardround.aggregation.mean import mean
from wardround.aggregation.trimmed import trimmed_mean
from wardround.errors import AggregationError


def test_the_reference_vector() -> None:
    assert numbers(trimmed_mean(stack(X), attackers=1)) == pytest.approx([1.06, 1.97, 3.05], **CLOSE)


def test_without_attackers_it_is_the_plain_mean() -> None:
    assert numbers(trimmed_mean(stack(X), attackers=0)) == pytest.approx([2.31428571, 0.29285714, 6.86428571], **CLOSE)
    assert numbers(trimmed_mean(stack(X), attackers=0)) == pytest.approx(X.mean(axis=0).tolist(), **CLOSE)


def test_claimed_images_do_not_count() -> None:
    assert numbers(mean(updates(X)))[0] == pytest.approx(9.0, abs=0.5)  # the last site claims 900 000 of a million images
    assert numbers(trimmed_mean(stack(X), attackers=0))[0] == pytest.approx(np.float32(X[:, 0]).mean())


def test_with_all_but_one_dropped_it_is_the_median() -> None:
    assert numbers(trimmed_mean(stack(X), attackers=3)) == pytest.approx([1.05, 2.0, 3.05], **CLOSE)


def test_half_of_the_sites_cannot_be_trimmed() -> None:
    with pytest.raises(AggregationError, match=r"trimmed-mean with f = 2 .* = 5 updates in a round, but n = 4"):
        trimmed_mean(stack(X[:4]), attackers=2)
