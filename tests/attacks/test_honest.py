"""What an omniscient attacker knows."""

import pytest
import torch
from stacks import X

from wardround.attacks.honest import mean, spread

ROWS = [torch.tensor(row, dtype=torch.float32) for row in X[:6]]


def test_the_mean_counts_all_sites_alike() -> None:
    assert mean(ROWS).tolist() == pytest.approx([1.03333333, 2.00833333, 3.00833333])


def test_the_spread_has_n_minus_1_below() -> None:
    assert spread([torch.tensor([1.0, 5.0]), torch.tensor([3.0, 5.0])]).tolist() == pytest.approx([2**0.5, 0.0])


def test_a_single_site_has_no_spread() -> None:
    assert spread(ROWS[:1]).tolist() == [0.0, 0.0, 0.0]


def test_rows_are_not_written_to() -> None:
    mean(ROWS).zero_()
    spread(ROWS).zero_()
    assert ROWS[0].tolist() == [1.0, 2.0, 3.0]
