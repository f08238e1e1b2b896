"""Versions, disk and the timed steps of a small network."""

from pathlib import Path

import pytest

from wardround.session import machine
from wardround.training import probe


def test_every_candidate_of_this_machine_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "precisions", lambda device: ("fp32",))
    shown, sentence = machine.steps(machine.trial())
    assert list(shown) == ["training step, fp32", "training step, fp32, channels last"]
    assert all(float(value.removesuffix(" ms")) > 0 for value in shown.values())
    assert "compute this small network in fp32" in sentence


def test_a_package_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PACKAGES", ("no-such-package",))
    assert machine.versions()["no-such-package"] == "not installed"


def test_disk_is_measured_where_the_cache_will_be(tmp_path: Path) -> None:
    assert machine.existing(tmp_path / "a" / "b") == tmp_path


def test_this_process_takes_some_memory_and_never_more_than_its_most() -> None:
    most = machine.most_resident()
    assert 10e6 < machine.resident() < 1.1 * (most or 0)
