"""Epsilon is right: shared/reference/security.md, section 1.2, computed by others and once more with these libraries."""

import logging
import math

import pytest

from wardround.errors import MissingExtra, PrivacyError
from wardround.privacy import accountant
from wardround.privacy.accountant import Spend, epsilon, gaussian_epsilon, noise_for, spent

# noise, rate, steps, delta, epsilon by RDP (dp-accounting), PRV (Opacus, or the closed form) and PLD (dp-accounting)
REFERENCE = [
    (1.0, 0.01, 1000, 1e-5, 2.101367, 1.8294, 1.8282),
    (1.1, 256 / 60000, 14062, 1e-5, 2.596556, 2.3827, 2.3817),
    (0.8, 0.05, 200, 1e-5, 8.7432, 7.7037, 7.7022),
    (1.5, 0.1, 500, 1e-5, 9.1010, 8.3730, 8.3716),
    (2.0, 0.25, 100, 1e-5, 7.0398, 6.4505, 6.4492),
    (5.0, 1.0, 50, 1e-5, 7.077392, 6.572970, 6.5730),
    (4.0, 0.001, 10000, 1e-6, 0.1044, 0.0931, 0.0934),
    (0.6, 0.02, 100, 1e-4, 5.8130, 4.6038, 4.6023),
]


@pytest.mark.parametrize(("noise", "rate", "steps", "delta", "rdp", "prv", "pld"), REFERENCE)
def test_epsilon_is_that_of_the_reference(noise: float, rate: float, steps: int, delta: float, rdp: float, prv: float, pld: float) -> None:
    found = epsilon(noise_multiplier=noise, sample_rate=rate, steps=steps, delta=delta)
    assert pld - 1e-3 <= found
    assert found == pytest.approx(pld, abs=0.01)
    assert found == pytest.approx(prv, abs=0.01)
    every = spent([Spend(noise, rate, steps)], delta)
    assert every.epsilon == every.pld == found
    assert every.prv == pytest.approx(prv, abs=0.0025)
    assert every.rdp == pytest.approx(rdp, abs=0.001)


def test_without_sampling_both_accountants_are_the_closed_form() -> None:
    found = spent([Spend(5.0, 1.0, 50)], 1e-5)
    assert found.prv == gaussian_epsilon(math.sqrt(50) / 5, 1e-5) == pytest.approx(6.572970, abs=1e-6)
    assert found.pld == pytest.approx(found.prv, abs=1e-6)


def test_the_closed_form_solves_its_equation() -> None:
    mu, delta = 1.3, 1e-5
    eps = gaussian_epsilon(mu, delta)
    phi = lambda x: math.erfc(-x / math.sqrt(2)) / 2  # noqa: E731
    assert phi(mu / 2 - eps / mu) - math.exp(eps) * phi(-mu / 2 - eps / mu) == pytest.approx(delta, rel=1e-6)
    assert gaussian_epsilon(0.0, delta) == gaussian_epsilon(1e-6, delta) == 0  # delta alone allows so much


def test_equal_spendings_are_added_up_whatever_lies_between_them() -> None:
    parts = [Spend(5.0, 1.0, 20), Spend(10.0, 1.0, 8), Spend(5.0, 1.0, 10), Spend(5.0, 1.0, 0)]
    assert spent(parts, 1e-5) == spent([Spend(10.0, 1.0, 8), Spend(5.0, 1.0, 30)], 1e-5)
    assert spent(parts, 1e-5).pld == pytest.approx(gaussian_epsilon(math.sqrt(30 / 25 + 8 / 100), 1e-5), abs=1e-5)


def test_unequal_spendings_compose() -> None:
    both = spent([Spend(4.0, 0.01, 1000), Spend(3.0, 0.02, 500)], 1e-5)
    alone = [spent([spend], 1e-5).epsilon for spend in (Spend(4.0, 0.01, 1000), Spend(3.0, 0.02, 500))]
    assert max(alone) < both.epsilon < sum(alone)
    assert abs(both.pld - both.prv) < 0.003


def test_steps_without_sampling_and_with_it_compose() -> None:
    both = spent([Spend(8.0, 1.0, 2), Spend(4.0, 0.01, 1000)], 1e-5)
    assert both.pld == pytest.approx(both.prv, abs=0.003)
    assert both.pld > gaussian_epsilon(math.sqrt(2) / 8, 1e-5)


def test_many_tiny_steps_get_a_finer_grid() -> None:
    """On the grid of 1e-4 epsilon would be 0.00275, a sixth of it from rounding."""
    found = spent([Spend(2.0, 0.0001, 100)], 1e-8)
    assert found.pld == pytest.approx(found.prv, abs=2e-4)


def test_nothing_spent_tells_nothing() -> None:
    assert spent([], 1e-5).epsilon == 0
    assert epsilon(noise_multiplier=1.0, sample_rate=0.01, steps=0, delta=1e-5) == 0
    assert epsilon(noise_multiplier=0.0, sample_rate=0.0, steps=10, delta=1e-5) == 0


@pytest.mark.parametrize("noise", [0.0, 1e-300, 0.01, 0.06])
def test_without_noise_or_with_next_to_none_nothing_is_promised(noise: float) -> None:
    found = spent([Spend(noise, 0.1, 10), Spend(5.0, 0.1, 10)], 1e-5)
    assert found.epsilon == found.pld == found.prv == math.inf
    assert found.rdp > 200


@pytest.mark.parametrize(("noise", "rate", "steps", "delta"), [
    (-1.0, 0.1, 1, 1e-5), (math.nan, 0.1, 1, 1e-5), (math.inf, 0.1, 1, 1e-5), (1.0, 1.1, 1, 1e-5), (1.0, math.nan, 1, 1e-5),
    (1.0, 0.1, -1, 1e-5), (1.0, 0.1, 1, 0.0), (1.0, 0.1, 1, 1.0), (1.0, 0.1, 1, math.nan)])
def test_numbers_out_of_range_are_refused(noise: float, rate: float, steps: int, delta: float) -> None:
    with pytest.raises(PrivacyError, match=r"from 0|delta"):
        epsilon(noise_multiplier=noise, sample_rate=rate, steps=steps, delta=delta)


def test_accountants_that_disagree_are_named_with_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accountant, "_second", lambda *_: 6.65)
    with pytest.raises(PrivacyError, match=r"disagree about 50 steps with noise 5 and rate 1 .*epsilon 6\.5730 .* 6\.6500"):
        spent([Spend(5.0, 1.0, 50)], 1e-5)
    monkeypatch.setattr(accountant, "_second", lambda *_: 6.63)  # within one hundredth of epsilon
    assert spent([Spend(5.0, 1.0, 50)], 1e-5).prv == 6.63
    monkeypatch.setattr(accountant, "_second", lambda *_: math.nan)
    with pytest.raises(PrivacyError, match="disagree"):
        spent([Spend(5.0, 1.0, 50)], 1e-5)


def test_what_the_libraries_warn_of_is_a_line_of_our_log(caplog: pytest.LogCaptureFixture) -> None:
    accountant._step_rdp.cache_clear()
    handlers = logging.root.handlers[:]
    with caplog.at_level(logging.INFO):
        accountant._rdp((Spend(0.81, 0.05, 1),), 1e-5)
    assert [(record.name, record.levelname) for record in caplog.records] == [("wardround.privacy.accountant", "INFO")]
    assert "the first of 3" in caplog.text and "Excluding this order" in caplog.text
    assert logging.root.handlers == handlers


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dp_accounting", None)
    with pytest.raises(MissingExtra, match=r"wardround\[privacy\]"):
        epsilon(noise_multiplier=1.23, sample_rate=1.0, steps=1, delta=1e-5)


@pytest.mark.parametrize(("budget", "delta", "rate", "steps"), [(2.0, 1e-5, 0.1, 100), (3.0, 1e-5, 1.0, 20)])
def test_noise_is_the_least_that_stays_within_the_budget(budget: float, delta: float, rate: float, steps: int) -> None:
    noise = noise_for(epsilon=budget, delta=delta, sample_rate=rate, steps=steps)
    assert epsilon(noise_multiplier=noise, sample_rate=rate, steps=steps, delta=delta) <= budget
    assert epsilon(noise_multiplier=noise * 0.999, sample_rate=rate, steps=steps, delta=delta) > budget


@pytest.mark.parametrize(("budget", "steps", "noise"), [(1, 50, 26.4), (3, 20, 6.2), (8, 100, 6.0)])
def test_noise_that_hides_sites_is_that_of_the_reference(budget: float, steps: int, noise: float) -> None:
    """security.md, section 1.3."""
    assert noise_for(epsilon=budget, delta=1e-5, sample_rate=1.0, steps=steps) == pytest.approx(noise, abs=0.051)


def test_no_steps_need_no_noise() -> None:
    assert noise_for(epsilon=1.0, delta=1e-5, sample_rate=0.1, steps=0) == 0


@pytest.mark.parametrize("budget", [0.0, -1.0, 101.0, math.inf, math.nan])
def test_budgets_that_protect_nobody_are_refused(budget: float) -> None:
    with pytest.raises(PrivacyError, match=r"up to 100.*privacy\.noise_multiplier"):
        noise_for(epsilon=budget, delta=1e-5, sample_rate=0.1, steps=10)


@pytest.mark.parametrize("start", [1e-3, 2.0, 1e4])
def test_the_search_finds_a_root_from_anywhere(start: float) -> None:
    """Also over a cliff: below 1 there is no number."""
    found = accountant._least(lambda noise: math.inf if noise < 1 else 9 / noise**2, start)
    assert 3 <= found < 3 * 1.0011


def test_the_search_halves_where_secants_lead_nowhere() -> None:
    found = accountant._least(lambda noise: 1.5 if noise < 7 else 0.0, 1.0)
    assert 7 <= found < 7 * 1.001
