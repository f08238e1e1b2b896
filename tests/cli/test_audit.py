"""audit: a finished run is opened again, attacked, and its report written anew."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., int]


def test_an_audit_leaves_its_numbers_and_a_section_of_the_report(wardround: Run, plan: Path, tmp_path: Path,
                                                                 capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("run", plan, "--out", tmp_path / "runs") == 0
    run = tmp_path / "runs" / "tiny" / "federated-seed0"
    assert wardround("audit", run, "--attacks", "poisoning") == 0
    record = json.loads((run / "audit.json").read_text())
    assert {finding["verdict"] for finding in record["findings"]} == {"inconclusive"}  # of two hospitals nobody can be outvoted
    assert "nothing can be concluded" in capsys.readouterr().out
    assert "What attacks on this run showed" in (run / "report.html").read_text()


def test_an_unknown_attack_exits_with_2_and_names_the_near_one(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("audit", tmp_path, "--attacks", "inverson") == 2
    assert "Did you mean 'inversion'?" in capsys.readouterr().err


def test_a_run_of_another_arm_has_nothing_to_attack(wardround: Run, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("run", plan, "--arm", "pooled", "--out", tmp_path / "runs") == 0
    assert wardround("audit", tmp_path / "runs" / "tiny" / "pooled-seed0") == 2
    assert "Audit a federated one" in capsys.readouterr().err


def test_a_folder_that_holds_no_run_is_named(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("audit", tmp_path) == 1
    assert f"{tmp_path} is not a run folder" in capsys.readouterr().err
