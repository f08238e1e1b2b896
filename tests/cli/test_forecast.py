"""forecast."""

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., int]


def test_a_forecast_says_time_memory_and_bytes(wardround: Run, plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("forecast", plan, "--set", "rounds.num=7") == 0
    shown = capsys.readouterr().out
    for part in ("This is an estimate", "7 rounds", "2 of 2 sites", "training images", "Memory: at most about", "decoded images"):
        assert part in shown


def test_a_forecast_trains_nothing_and_leaves_nothing(wardround: Run, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert wardround("forecast", plan) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]


def test_a_plan_that_cannot_be_carried_out_is_refused(wardround: Run, plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("forecast", plan, "--set", "privacy.unit=site") == 2
    assert "aggregation.weights = 'equal'" in capsys.readouterr().err
