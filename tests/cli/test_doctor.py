"""doctor and strategies list."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from wardround.cli import doctor
from wardround.strategies import STRATEGIES

Run = Callable[..., int]


def test_doctor_shows_versions_machine_and_the_faster_precision(wardround: Run, monkeypatch: pytest.MonkeyPatch,
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "step_ms", lambda precision: {"fp32": 60.0, "bf16": 30.0}[precision])
    assert wardround("doctor") == 0
    shown = capsys.readouterr().out
    for part in ("torch", torch.__version__, "cores", "free disk there", "bf16 is 2.0 times as fast", "--set engine.precision=bf16"):
        assert part in shown


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_is_timed_and_leaves_torch_as_it_was(precision: str) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    assert doctor.step_ms(precision, steps=1) > 0
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_a_package_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package",))
    assert doctor.versions()["no-such-package"] == "not installed"


def test_disk_is_measured_where_the_cache_will_be(tmp_path: Path) -> None:
    assert doctor.existing(tmp_path / "a" / "b") == tmp_path


def test_every_strategy_is_listed_with_its_sentence(wardround: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("strategies", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(STRATEGIES.table)
    assert all(len(line.split()) > 3 for line in lines)
