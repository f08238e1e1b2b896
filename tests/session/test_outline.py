"""What is known of the data before they are decoded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from wardround.data.prepare import prepare
from wardround.plan.schema import Plan
from wardround.session.outline import outlined

PlanWith = Callable[..., Plan]


def test_sites_hold_what_they_will_hold_where_no_images_are_alike(plan_with: PlanWith) -> None:
    plan = plan_with(sites={"partition": "dirichlet", "alpha": 0.5})
    with outlined(plan) as found:
        assert found.prepared.counts() == prepare(plan).counts()


def test_noise_stands_for_all_pictures_in_the_memory_of_one(plan_with: PlanWith) -> None:
    with outlined(plan_with()) as found:
        assert found.prepared.pixels.shape == (90, 1, 16, 16)
        assert found.prepared.pixels.strides[0] == 0
        assert found.disk_bytes == 90 * 16 * 16


def test_a_simulated_scanner_costs_no_memory_either(plan_with: PlanWith) -> None:
    with outlined(plan_with(sites={"partition": "feature-shift"})) as found:
        assert found.prepared.pixels.strides[0] == 0


def test_volumes_are_a_few_real_ones_again_and_again(brains: Path) -> None:
    plan = Plan.model_validate({"name": "brains", "data": {"dataset": "brats2020", "folder": brains, "dims": 3, "channels": 4}})
    with outlined(plan) as found:
        volumes, real = found.prepared.volumes, prepare(plan).volumes
        assert volumes is not None and real is not None
        assert np.array_equal(volumes.image(0), real.image(0)) and np.array_equal(volumes.image(2), real.image(0))
        assert np.array_equal(volumes.mask(1), real.mask(7))
