"""What noisy training tells about one unit: epsilon, by two accountants that must agree.

A unit is whatever is clipped: an image, a patient, a site. Two collections are neighbours if one holds one unit more (add or remove one),
and each step draws every unit independently with probability sample_rate (Poisson sampling). Epsilon holds for ideal real numbers; what
floating point adds is not counted (Mironov 2012; Holohan and Braghin 2021, arXiv:2107.10138).
"""

from __future__ import annotations

import logging
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, reduce
from types import ModuleType
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr

from wardround.errors import PrivacyError
from wardround.extras import need

log = logging.getLogger(__name__)

INTERVAL = 1e-4  # of the grid of privacy losses, at most; rounding is pessimistic, so a coarser grid gives a larger epsilon
ROUNDING = 0.003  # what the grid may add to epsilon, as a number or a share, whichever is larger
TOLERANCE = 0.01  # what two accountants may differ by, likewise
MOST_COUNTED = 200.0  # what Renyi accounting puts above is told as inf: e^200 protects nobody, and the grids grow with epsilon
LARGEST_BUDGET = 100.0
LEAST_NOISE = 0.05  # of less, a single draw of a unit tells e^200 and more
LEAST_DELTA = 1e-12  # of less, what the grids cut off at their ends (1e-15 a step) would count
NEAR = 5e-4  # how close to the least noise multiplier is close enough, as a share of it

Spends = tuple["Spend", ...]  # merged: no two with the same noise and rate, in order


@dataclass(frozen=True)
class Spend:
    """Steps of the subsampled Gaussian mechanism: noise_multiplier is the noise's standard deviation by the clip norm."""

    noise_multiplier: float
    sample_rate: float
    steps: int

    def __post_init__(self) -> None:
        if not (0 <= self.noise_multiplier < math.inf and 0 <= self.sample_rate <= 1 and self.steps >= 0):
            raise PrivacyError(f"{self}: a noise multiplier is a number from 0, a sample rate one from 0 to 1, steps are counted from 0")


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What all spendings come to at one delta. epsilon: the number to quote, which is pld. prv: the second opinion. rdp: a looser bound, to
    compare with older papers. inf: without protection worth a number."""

    epsilon: float
    pld: float
    prv: float
    rdp: float
    delta: float


def epsilon(*, noise_multiplier: float, sample_rate: float, steps: int, delta: float) -> float:
    """Return an upper bound of epsilon, from the distribution of the privacy loss: Koskela et al. 2020 (arXiv:1906.03049), its grid by
    Doroshenko et al. 2022 (arXiv:2207.04380). 0 for 0 steps; inf without noise, or with next to none (MOST_COUNTED).

    PrivacyError for numbers out of range; MissingExtra without the extra `privacy`."""
    return _pld(_merged([Spend(noise_multiplier, sample_rate, steps)]), _checked(delta))


def spent(spends: Sequence[Spend], delta: float) -> Spent:
    """Return what all spendings together come to; equal ones are added up first.

    The second opinion is Gopi et al. 2021 (arXiv:2106.02848), or the closed form where every step takes all units. PrivacyError names both
    numbers if they differ by more than TOLERANCE."""
    merged, delta = _merged(spends), _checked(delta)
    pld, rdp = _pld(merged, delta), _rdp(merged, delta)
    second = _second(merged, delta, rdp) if merged and pld < math.inf else pld
    if pld != second and not abs(pld - second) <= max(TOLERANCE, TOLERANCE * pld):
        steps = ", ".join(f"{spend.steps} steps with noise {spend.noise_multiplier:g} and rate {spend.sample_rate:g}" for spend in merged)
        raise PrivacyError(f"two accountants disagree about {steps} at delta {delta:g}: epsilon {pld:.4f} by the privacy loss "
                           f"distribution, {second:.4f} by the second. Quote neither, and please report these numbers.")
    return Spent(epsilon=pld, pld=pld, prv=second, rdp=rdp, delta=delta)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Return epsilon of the Gaussian mechanism without sampling, mu being sensitivity by standard deviation: the root of
    delta = Phi(mu/2 - eps/mu) - e^eps Phi(-mu/2 - eps/mu): Balle and Wang 2018, Theorem 8 (arXiv:1805.06530)."""

    def excess(eps: float) -> float:
        return math.exp(log_ndtr(mu / 2 - eps / mu)) - math.exp(eps + log_ndtr(-mu / 2 - eps / mu)) - delta

    if mu == 0 or excess(0.0) <= 0:
        return 0.0
    return float(brentq(excess, 0.0, mu * mu / 2 + mu * math.sqrt(2 * math.log(1 / delta)), xtol=1e-12))


def noise_for(*, epsilon: float, delta: float, sample_rate: float, steps: int) -> float:
    """Return the least noise multiplier, to a thousandth and rounded up, with which so many steps stay within epsilon; 0 for 0 steps.

    PrivacyError for a budget above LARGEST_BUDGET, and for numbers out of range."""
    if not 0 < epsilon <= LARGEST_BUDGET:
        raise PrivacyError(f"epsilon {epsilon:g}: noise is found for budgets above 0 and up to {LARGEST_BUDGET:g}, for a larger one "
                           "protects nobody. A test without protection sets privacy.noise_multiplier itself.")
    delta = _checked(delta)
    if not _merged([Spend(1.0, sample_rate, steps)]):
        return 0.0

    def share(noise: float, coarse: int) -> float:
        return _pld((Spend(noise, sample_rate, steps),), delta, coarse) / epsilon

    start = _guess(epsilon, delta, sample_rate, steps)
    return _least(lambda noise: share(noise, 1), _least(lambda noise: share(noise, 8), start))


def _guess(epsilon: float, delta: float, sample_rate: float, steps: int) -> float:
    """Many steps are near a Gaussian mechanism of mu = rate * sqrt(steps * (e^(1/noise^2) - 1)): Bu et al. 2020
    (arXiv:1911.11607); without sampling mu = sqrt(steps) / noise bounds it."""

    def over(log_noise: float) -> float:
        noise = math.exp(log_noise)
        mu = sample_rate * math.sqrt(steps * math.expm1(min(noise**-2, 500.0)))
        return gaussian_epsilon(min(mu, math.sqrt(steps) / noise), delta) - epsilon

    return math.exp(brentq(over, math.log(LEAST_NOISE), math.log(1e3 * math.sqrt(steps) / epsilon / delta), xtol=1e-4))


def _least(share: Callable[[float], float], start: float) -> float:
    """Where share, which falls as noise rises, gets to 1 from above: by secants of logarithms, or halving where those leave the bracket."""
    low, high, slope, last = -math.inf, math.inf, 1.0, (math.nan, math.nan)
    x = math.log(start)
    for _ in range(100):
        noise = _rounded_up(math.exp(x))
        x, value = math.log(noise), share(noise)
        y = math.log(value) if value else -math.inf
        low, high = (low, min(high, x)) if y <= 0 else (max(low, x), high)
        between = (last[1] - y) / (x - last[0]) if x != last[0] else math.nan
        slope = between if 0.1 < between < math.inf else slope
        if y <= 0 and min(-y / slope, x - low) <= NEAR:
            return noise
        last = x, y
        x += min(max(y / slope + NEAR / 4, -1.0), 1.0)
        x = x if low < x < high else (low + high) / 2
    raise PrivacyError("no noise multiplier was found for this budget; please report its numbers, and set privacy.noise_multiplier")


def _rounded_up(noise: float) -> float:
    """To five digits."""
    digits = 4 - math.floor(math.log10(noise))
    return math.ceil(noise * 10**digits) / 10**digits if digits < 300 else noise


def _checked(delta: float) -> float:
    if not LEAST_DELTA <= delta < 1:
        raise PrivacyError(f"delta {delta:g}: it lies between {LEAST_DELTA:g} and 1, and should be far below one unit's share")
    return delta


def _merged(spends: Sequence[Spend]) -> Spends:
    """Spendings with the steps of equal ones added up; those that tell nothing are left out."""
    steps: Counter[tuple[float, float]] = Counter()
    for spend in spends:
        if spend.steps and spend.sample_rate:
            steps[float(spend.noise_multiplier), float(spend.sample_rate)] += spend.steps
    return tuple(Spend(noise, rate, num) for (noise, rate), num in sorted(steps.items()))


@lru_cache(maxsize=4096)
def _pld(spends: Spends, delta: float, coarse: int = 1) -> float:
    """Epsilon by dp_accounting's privacy loss distributions. coarse: times the grid may be wider."""
    if not spends:
        return 0.0
    rough = _rdp(spends, delta)
    if not rough <= MOST_COUNTED:
        return math.inf
    interval = _interval(spends, rough, coarse)
    with _heard("privacy loss distribution"):
        first, *others = (_composed_pld(spend, interval) for spend in spends)
        return float(reduce(lambda total, part: total.compose(part), others, first).get_epsilon_for_delta(delta))


def _composed_pld(spend: Spend, interval: float) -> Any:
    if spend.sample_rate == 1:  # so many steps of all units are one with less noise
        return _step_pld(spend.noise_multiplier / math.sqrt(spend.steps), 1.0, interval)
    return _step_pld(spend.noise_multiplier, spend.sample_rate, interval).self_compose(spend.steps)


@lru_cache(maxsize=8)  # a few MB each
def _step_pld(noise: float, rate: float, interval: float) -> Any:
    relation = _library("dp_accounting").NeighboringRelation.ADD_OR_REMOVE_ONE
    return _library("dp_accounting.pld.privacy_loss_distribution").from_gaussian_mechanism(
        noise, value_discretization_interval=interval, sampling_prob=rate, use_connect_dots=True, neighboring_relation=relation)


def _interval(spends: Spends, rough: float, coarse: int) -> float:
    """INTERVAL, or as much finer (many tiny steps) or wider (a large epsilon) as it needs to be, by powers of two.

    A grid of that width adds up to width^2 / 6 to a step's variance, which is about rate^2 * (e^(1/noise^2) - 1); epsilon grows by half of
    that share."""
    num = sum(spend.steps for spend in spends)
    variance = sum(spend.steps * spend.sample_rate**2 * math.expm1(min(spend.noise_multiplier**-2, 500.0)) for spend in spends) / num
    fine = math.sqrt(12 * variance * max(ROUNDING, ROUNDING / rough if rough else 1.0))
    width = max(min(1.0, fine / INTERVAL), 0.1, rough * 5e-6 / INTERVAL) * coarse
    return float(INTERVAL * 2.0 ** math.floor(math.log2(width)))


def _rdp(spends: Spends, delta: float) -> float:
    """Epsilon by Renyi divergences: Mironov et al. 2019 (arXiv:1908.10530), converted by Canonne et al. 2020, Proposition 12
    (arXiv:2004.00010)."""
    if not spends:
        return 0.0
    if min(spend.noise_multiplier for spend in spends) < LEAST_NOISE:
        return math.inf
    with _heard("Renyi accounting"):
        parts = [(spend.steps, *_step_rdp(spend.noise_multiplier, spend.sample_rate)) for spend in spends]
        found, _ = _library("dp_accounting.rdp").compute_epsilon(parts[0][1], sum(steps * values for steps, _, values in parts), delta)
    return float(found)


@lru_cache(maxsize=256)
def _step_rdp(noise: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Orders, and one step's divergence of each."""
    library, accountant = _library("dp_accounting"), _library("dp_accounting.rdp").RdpAccountant()
    event = library.GaussianDpEvent(noise)
    accountant.compose(event if rate == 1 else library.PoissonSampledDpEvent(rate, event))
    return np.asarray(accountant.orders), np.asarray(accountant.rdp)


@lru_cache(maxsize=1024)
def _second(spends: Spends, delta: float, rough: float) -> float:
    """Epsilon by other means than `_pld`."""
    if all(spend.sample_rate == 1 for spend in spends):
        return gaussian_epsilon(math.sqrt(sum(spend.steps / spend.noise_multiplier**2 for spend in spends)), delta)
    error = max(TOLERANCE, TOLERANCE * rough)  # of the bound; the estimate in its middle is far closer
    with _heard("second accountant"):
        accountant = _library("opacus.accountants").PRVAccountant()
        accountant.history = [(spend.noise_multiplier, spend.sample_rate, spend.steps) for spend in spends]
        try:
            return max(0.0, float(accountant.get_epsilon(delta, eps_error=error)) - error)
        except (RuntimeError, ValueError) as refusal:
            raise PrivacyError(f"the second accountant has no answer at delta {delta:g} ({refusal}). Choose a larger privacy.delta or "
                               "privacy.noise_multiplier.") from refusal


def _library(module: str) -> ModuleType:
    return need(module, extra="privacy", purpose="accounting of differential privacy")


@contextmanager
def _heard(who: str) -> Iterator[None]:
    """Make one line of our log of what the libraries warn of, such as Renyi orders left out, which only loosen the bound. Both set up the
    program's logging by themselves; it is left as it was."""
    handlers, absl, said = logging.root.handlers[:], logging.getLogger("absl"), []

    def keep(record: logging.LogRecord) -> bool:
        said.append(record.getMessage())
        return False

    absl.addFilter(keep)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        absl.removeFilter(keep)
        logging.root.handlers[:] = handlers
    said += [str(warning.message) for warning in caught]
    if said:
        log.info("%s: its library warns (the first of %d): %s", who, len(said), said[0])
