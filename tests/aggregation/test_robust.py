"""Rules in a strategy's place for an aggregator, and what all of them have in common."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from stacks import X, numbers, stack, updates

from wardround.aggregation.bulyan import bulyan
from wardround.aggregation.clipping import centred_clipping
from wardround.aggregation.fltrust import fltrust
from wardround.aggregation.geomed import geometric_median
from wardround.aggregation.krum import krum, multi_krum
from wardround.aggregation.median import median
from wardround.aggregation.nnm import nnm_trimmed
from wardround.aggregation.norm_bound import norm_bound
from wardround.aggregation.robust import Robust, Rule
from wardround.aggregation.trimmed import trimmed_mean
from wardround.errors import AggregationError
from wardround.rng import stream

NUM, BAD, SIZE = 11, 2, 1000  # sites, malicious ones among them, numbers of an update

RULES: dict[str, Rule] = {
    "median": partial(median, attackers=BAD), "trimmed": partial(trimmed_mean, attackers=BAD), "krum": partial(krum, attackers=BAD),
    "multi-krum": partial(multi_krum, attackers=BAD), "bulyan": partial(bulyan, attackers=BAD),
    "geomed": partial(geometric_median, attackers=BAD), "clipping": partial(centred_clipping, attackers=BAD, iterations=3),
    "nnm": partial(nnm_trimmed, attackers=BAD), "norm-bound": norm_bound, "fltrust": partial(fltrust, root="site-1", attackers=BAD)}
HONEST = stream("honest").normal(0.3, 1, size=(NUM - BAD, SIZE)).astype(np.float32)
CENTRED = [name for name in RULES if name not in ("norm-bound", "fltrust")]  # 0 means something to these two

every_rule = pytest.mark.parametrize("name", RULES)


def result(name: str, rows: np.ndarray) -> np.ndarray:
    return np.array(numbers(RULES[name](stack(rows))))


def attacked(*bad: np.ndarray | float) -> np.ndarray:
    return np.concatenate([HONEST, [np.full(SIZE, row) if np.isscalar(row) else row for row in bad]]).astype(np.float32)


def test_an_aggregator_reads_once_and_tells_who_stood_apart() -> None:
    combine = Robust(rule=partial(median, attackers=1))
    assert combine.suspicion == {}
    assert numbers(combine(updates(X))) == pytest.approx([1.05, 2.0, 3.05])
    assert max(combine.suspicion, key=combine.suspicion.__getitem__) == "site-7"
    with pytest.raises(AggregationError):
        combine(updates(X[:2]))
    assert combine.suspicion == {}  # nothing of the round before


@every_rule
def test_the_order_of_the_sites_does_not_matter(name: str) -> None:
    rows = attacked(-4 * HONEST.mean(axis=0), 50.0)
    order = [0, *(stream("order").permutation(NUM - 1) + 1)]  # the root stays the first site
    assert result(name, rows[order]) == pytest.approx(result(name, rows), abs=1e-5)


@every_rule
@pytest.mark.parametrize("scale", [1e-4, 1e4, -1.0])
def test_updates_of_another_scale_give_a_result_of_that_scale(name: str, scale: float) -> None:
    rows = attacked(-4 * HONEST.mean(axis=0), 50.0)
    assert result(name, rows * np.float32(scale)) / scale == pytest.approx(result(name, rows), abs=1e-5)


@pytest.mark.parametrize("name", CENTRED)
def test_updates_moved_by_a_vector_give_a_result_moved_by_it(name: str) -> None:
    rows, shift = attacked(-4 * HONEST.mean(axis=0), 50.0), stream("shift").normal(size=SIZE).astype(np.float32)
    assert result(name, rows + shift) - shift == pytest.approx(result(name, rows), abs=1e-5)


@every_rule
def test_equal_updates_are_the_result(name: str) -> None:
    assert result(name, np.tile(HONEST[0], (NUM, 1))) == pytest.approx(HONEST[0], abs=1e-6)
    assert result(name, np.zeros((NUM, SIZE))).tolist() == [0.0] * SIZE


@every_rule
@pytest.mark.parametrize("huge", [1e6, 3.4e38, -3.4e38])
def test_a_huge_update_does_not_reach_the_model(name: str, huge: float) -> None:
    found = result(name, attacked(huge, huge))
    honest = HONEST.mean(axis=0)
    assert np.linalg.norm(found - honest) < 1.2 * np.linalg.norm(HONEST - honest, axis=1).max()


@every_rule
def test_an_update_that_is_not_finite_stops_the_rule_and_names_its_site(name: str) -> None:
    with pytest.raises(AggregationError, match="site-11"):
        Robust(rule=RULES[name])(updates(attacked(0.0, np.nan)))


# --- kappa: |result - mean of the honest|^2 in mean squared distances of the honest from their mean: Allouah et al. 2023, Definition 2


def sign_flip(honest: np.ndarray) -> np.ndarray:
    return -4 * honest.mean(axis=0)


def inner_product(honest: np.ndarray) -> np.ndarray:
    return -0.5 * honest.mean(axis=0)


def a_little_is_enough(honest: np.ndarray) -> np.ndarray:
    return honest.mean(axis=0) - 1.5 * honest.std(axis=0)


def min_max(honest: np.ndarray) -> np.ndarray:
    """As far from the mean against the deviation as any two honest ones are from each other: Shejwalkar & Houmansadr 2021."""
    centre, way = honest.mean(axis=0), -honest.std(axis=0)
    farthest = max(np.linalg.norm(a - b) for a in honest for b in honest)
    low, high = 0.0, 100.0
    for _ in range(50):
        middle = (low + high) / 2
        fits = max(np.linalg.norm(honest - centre - middle * way, axis=1)) <= farthest
        low, high = (middle, high) if fits else (low, middle)
    return centre + low * way


def outlier(honest: np.ndarray) -> np.ndarray:
    return np.full(SIZE, 1e6)


SHARE = BAD / (NUM - 2 * BAD)
BOUNDS = {"median": 4 * (1 + SHARE) ** 2, "trimmed": 6 * SHARE * (1 + SHARE), "krum": 6 * (1 + SHARE), "geomed": 4 * (1 + SHARE) ** 2,
          "nnm": 8 * BAD / (NUM - BAD) * (1 + 6 * SHARE * (1 + SHARE)), "multi-krum": 6 * (1 + SHARE)}


def kappa(found: np.ndarray) -> float:
    centre = HONEST.mean(axis=0)
    return float(((found - centre) ** 2).sum() / ((HONEST - centre) ** 2).sum(axis=1).mean())


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("attack", [sign_flip, inner_product, a_little_is_enough, min_max, outlier])
def test_no_attack_moves_a_rule_beyond_its_bound(name: str, attack: Callable[[np.ndarray], np.ndarray]) -> None:
    assert kappa(result(name, attacked(*[attack(HONEST)] * BAD))) <= BOUNDS[name]


def test_the_plain_mean_is_moved_by_an_outlier_beyond_all_bounds() -> None:
    assert kappa(np.array(numbers(trimmed_mean(stack(attacked(1e6, 1e6)), attackers=0)))) > 1e9
