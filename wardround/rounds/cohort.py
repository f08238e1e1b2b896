"""Who takes part in a round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wardround.plan.schema import CohortPlan


def choose_cohort(sites: Sequence[str], plan: CohortPlan, rng: np.random.Generator) -> list[str]:
    """Draw ceil(fraction * sites), at least min_sites, without replacement; in the order of `sites`."""
    chosen = set(rng.choice(len(sites), size=plan.asked(len(sites)), replace=False).tolist())
    return [site for index, site in enumerate(sites) if index in chosen]
