"""A training that takes long tells how far it is; a short one tells nothing."""

import pytest

from wardround.build import initial_params
from wardround.core.exchange import Order
from wardround.plan.schema import Recipe
from wardround.sites import steps
from wardround.sites.site import Site
from wardround.sites.steps import counted
from wardround.testing import toy_blueprint


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Its last entry is the time, in seconds."""
    times = [0.0]
    monkeypatch.setattr(steps.time, "monotonic", lambda: times[-1])
    return times


def told(clock: list[float], seconds_a_step: float, num_steps: int) -> list[tuple[int, int]]:
    heard: list[tuple[int, int]] = []
    for index, step in enumerate(counted(range(num_steps), num_steps, lambda done, total: heard.append((done, total)))):
        assert step == index
        clock.append(clock[-1] + seconds_a_step)
    return heard


def test_steps_are_told_every_half_second(clock: list[float]) -> None:
    assert told(clock, 0.25, 8) == [(2, 8), (4, 8), (6, 8)]


def test_slow_steps_are_told_one_by_one(clock: list[float]) -> None:
    assert told(clock, 3.0, 4) == [(1, 4), (2, 4), (3, 4)]


def test_a_short_training_tells_nothing(clock: list[float]) -> None:
    assert told(clock, 0.04, 12) == []


@pytest.mark.parametrize("recipe", [{}, {"local_epochs": 2}, {"local_steps": 5}])
def test_a_site_tells_of_all_its_steps(recipe: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "EVERY_S", 0.0)
    blueprint, heard = toy_blueprint(), list[tuple[int, int]]()
    site = Site(rows=blueprint.rows["site-1"], bench=blueprint.bench(), tell=lambda done, total: heard.append((done, total)))
    order = Order(round=1, params=initial_params(blueprint), recipe=Recipe(**{"lr": 0.1, "batch_size": 4, **recipe}))
    num_steps = len(list(site.batches(order)))
    assert heard == [(done, num_steps) for done in range(1, num_steps)]
