"""As far as the honest sites are from each other, and no further."""

import pytest
import torch
from stacks import X

from wardround.attacks.honest import mean
from wardround.attacks.min_max import min_max

HONEST = [torch.tensor(row, dtype=torch.float32) for row in X[:6]]


def farthest(row: torch.Tensor) -> float:
    return max(float((row - other).norm()) for other in HONEST)


def test_on_a_line_it_can_go_to_an_end() -> None:
    assert min_max([torch.tensor([0.0]), torch.tensor([4.0])]).tolist() == pytest.approx([0.0], abs=1e-6)


def test_across_it_is_worked_by_hand() -> None:
    """p = -(1, 1) / sqrt 2 from the middle (0, 0) of a square of diagonal 4: on to a corner."""
    corners = [torch.tensor(corner) for corner in ([2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0])]
    along = min_max(corners)
    assert along[0] == along[1] < 0
    # (g / sqrt 2 + 2)^2 + g^2 / 2 = 16, so g = -sqrt 2 + sqrt 14
    assert float(along.norm()) == pytest.approx(14**0.5 - 2**0.5)


def test_the_largest_distance_to_an_honest_site_is_that_of_two_honest_sites() -> None:
    widest = max(farthest(row) for row in HONEST)
    assert farthest(min_max(HONEST)) == pytest.approx(widest, rel=1e-5)
    assert farthest(min_max(HONEST, strength=1.01)) > widest * 1.001


def test_every_number_goes_down_by_its_spread() -> None:
    moved = min_max(HONEST) - mean(HONEST)
    spread = torch.stack(HONEST).std(0)
    assert (moved / spread).tolist() == pytest.approx([float(moved[0] / spread[0])] * 3, rel=1e-4)


def test_strength_is_a_factor_of_the_way() -> None:
    middle = mean(HONEST)
    assert torch.allclose(min_max(HONEST, strength=0.5) - middle, 0.5 * (min_max(HONEST) - middle), atol=1e-6)


def test_honest_sites_that_agree_leave_no_room() -> None:
    assert min_max([HONEST[0]] * 3).tolist() == [1.0, 2.0, 3.0]
    assert min_max([HONEST[0]]).tolist() == [1.0, 2.0, 3.0]
