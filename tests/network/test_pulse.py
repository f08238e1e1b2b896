"""A site lives while its heartbeats change, by a clock that nobody sets."""

from types import SimpleNamespace

import pytest

from wardround.network import pulse as pulses
from wardround.network.pulse import Pulse
from wardround.network.startup import DEAD_AFTER_S


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The steady clock, in one number."""
    now = [1000.0]
    monkeypatch.setattr(pulses, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_site_that_has_not_beaten_for_a_while_is_gone(clock: list[float]) -> None:
    pulse = Pulse()
    assert pulse.living({"north": 5.0}) == {"north": 5.0}
    clock[0] += DEAD_AFTER_S - 1
    assert pulse.living({"north": 5.0})
    clock[0] += 2
    assert pulse.living({"north": 5.0}) == {}
    assert pulse.living({"north": 6.0})


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_is_set_costs_no_site_its_connection(clock: list[float], jump: float) -> None:
    pulse = Pulse()
    pulse.living({"north": 1e9})
    clock[0] += 4
    assert pulse.living({"north": 1e9 + 4 + jump})
    clock[0] += DEAD_AFTER_S + 1
    assert pulse.living({"north": 1e9 + 4 + jump}) == {}


def test_a_site_that_is_told_of_no_more_is_gone_at_once(clock: list[float]) -> None:
    pulse = Pulse()
    pulse.living({"north": 1.0, "south": 1.0})
    assert pulse.living({"south": 1.0}) == {"south": 1.0}
    clock[0] += 2 * DEAD_AFTER_S
    assert pulse.living({"north": 1.0, "south": 1.0}) == {"north": 1.0}
