"""The opposite, enlarged."""

import pytest
import torch
from stacks import X

from wardround.attacks.honest import mean
from wardround.attacks.sign_flip import sign_flip


def test_by_itself_it_is_four_times_as_long() -> None:
    assert sign_flip(torch.tensor([1.0, -2.0])).tolist() == [-4.0, 8.0]


def test_strength_1_on_the_honest_mean_is_the_reference_vector() -> None:
    honest = [torch.tensor(row, dtype=torch.float32) for row in X[:6]]
    assert sign_flip(mean(honest), strength=1.0).tolist() == pytest.approx([-1.0333333, -2.0083333, -3.0083333])
