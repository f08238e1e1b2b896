"""Within the spread of the honest sites."""

import pytest
import torch
from stacks import X

from wardround.attacks.alie import alie, deviations
from wardround.attacks.honest import mean

HONEST = [torch.tensor(row, dtype=torch.float32) for row in X[:6]]


def test_it_is_the_mirror_image_of_byzfl_s_which_adds_what_we_subtract() -> None:
    byzfl = torch.tensor([1.19535185, 2.22266369, 3.22266369])
    expected = 2 * mean(HONEST) - byzfl
    assert alie(HONEST, num_malicious=1, strength=1.5).tolist() == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize(("num_sites", "num_malicious", "expected"), [(20, 4, 0.16), (50, 12, 0.34), (50, 24, 1.43)])
def test_deviations_are_those_of_the_formula(num_sites: int, num_malicious: int, expected: float) -> None:
    assert deviations(num_sites, num_malicious) == pytest.approx(expected, abs=0.005)


def test_ten_sites_with_two_malicious_ones_leave_no_room() -> None:
    honest = [torch.tensor([float(index)]) for index in range(8)]
    assert deviations(10, 2) == 0
    assert alie(honest, num_malicious=2).tolist() == [3.5]


@pytest.mark.parametrize(("num_sites", "num_malicious"), [(2, 1), (4, 1), (4, 3), (10, 1), (5, 4)])
def test_deviations_are_finite_and_never_below_zero(num_sites: int, num_malicious: int) -> None:
    assert deviations(num_sites, num_malicious) == 0


def test_malicious_sites_in_the_majority_go_as_far_as_all_but_one_honest_site() -> None:
    assert deviations(20, 12) == pytest.approx(1.1503, abs=1e-3)  # Phi^-1(7/8)
