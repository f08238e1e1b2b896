"""The opposite of the honest mean."""

import pytest
import torch
from stacks import X

from wardround.attacks.inner_product import inner_product

HONEST = [torch.tensor(row, dtype=torch.float32) for row in X[:6]]


def test_strength_2_is_the_reference_vector() -> None:
    assert inner_product(HONEST, strength=2.0).tolist() == pytest.approx([-2.0666667, -4.0166667, -6.0166667])


def test_by_itself_it_is_half_as_long_as_the_mean() -> None:
    assert inner_product(HONEST).tolist() == pytest.approx([-0.5166667, -1.0041667, -1.5041667])


def test_honest_sites_by_malicious_ones_is_the_strength_at_which_a_mean_stands_still() -> None:
    rows = [*HONEST, *[inner_product(HONEST, strength=6 / 2)] * 2]
    assert torch.stack(rows).mean(0).tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
