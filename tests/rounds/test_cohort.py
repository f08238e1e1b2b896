"""Who takes part."""

import pytest

from wardround.plan.schema import CohortPlan
from wardround.rng import stream
from wardround.rounds.cohort import choose_cohort

SITES = [f"s{i}" for i in range(10)]


@pytest.mark.parametrize(("fraction", "min_sites", "num"),
                         [(1.0, 1, 10), (0.3, 1, 3), (0.31, 1, 4), (0.01, 1, 1), (0.1, 4, 4), (0.7, 1, 7)])
def test_a_cohort_is_the_fraction_rounded_up_and_at_least_min_sites(fraction: float, min_sites: int, num: int) -> None:
    cohort = choose_cohort(SITES, CohortPlan(fraction=fraction, min_sites=min_sites), stream(0))
    assert len(cohort) == len(set(cohort)) == num
    assert cohort == sorted(cohort)


def test_every_site_is_drawn_in_the_long_run() -> None:
    drawn = {site for t in range(60) for site in choose_cohort(SITES, CohortPlan(fraction=0.2), stream(0, t))}
    assert drawn == set(SITES)


def test_the_same_stream_draws_the_same_cohort() -> None:
    plan = CohortPlan(fraction=0.5)
    assert choose_cohort(SITES, plan, stream(1, 2)) == choose_cohort(SITES, plan, stream(1, 2))
