"""FLTrust with a site as the root."""

import numpy as np
import pytest
from stacks import CLOSE, X, numbers, stack

from wardround.aggregation.fltrust import fltrust, trust_weights
from wardround.errors import AggregationError, TooFewSites


def test_the_reference_vector() -> None:
    lengths = np.linalg.norm(X, axis=1)
    trust = trust_weights(stack(X), 0)[1:] * lengths[1:] / lengths[0]
    assert (trust / trust.max()).tolist() == pytest.approx([t / .9999 for t in (.9969, .9984, .9999, .9997, .9998, .6447)], abs=1e-4)
    assert numbers(fltrust(stack(X), root="site-1")) == pytest.approx([1.04299615, 1.63870408, 3.03257593], **CLOSE)


def test_what_goes_the_other_way_counts_nothing_however_many_send_it() -> None:
    found = fltrust(stack([[1.0, 0.0], [-1e9, 0.0], [-1e9, 1.0], [-5.0, 0.0], [7.0, 0.0]]), root="site-1", attackers=3)
    assert numbers(found) == [1.0, 0.0]


def test_where_nobody_goes_its_way_the_roots_change_stands() -> None:
    assert numbers(fltrust(stack([[1.0, 2.0], [-1.0, -2.0], [2.0, -1.0]]), root="site-1")) == [1.0, 2.0]
    assert numbers(fltrust(stack([[0.0], [5.0], [6.0]]), root="site-1")) == [0.0]


def test_statistics_are_the_roots() -> None:
    assert numbers(fltrust(stack([[1.0, 7.0], [1.0, 1e9], [1.0, 1e9]], num_buffers=1), root="site-1")) == [1.0, 7.0]


def test_without_the_roots_update_the_round_waits() -> None:
    with pytest.raises(TooFewSites, match="the root 'north' of fltrust sent no usable update"):
        fltrust(stack(X), root="north")


def test_beside_the_root_one_must_be_honest() -> None:
    with pytest.raises(AggregationError, match=r"n >= f \+ 2 = 8 updates in a round, but n = 7"):
        fltrust(stack(X), root="site-1", attackers=6)
