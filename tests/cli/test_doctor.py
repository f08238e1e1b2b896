"""doctor and strategies."""

from collections.abc import Callable

import pytest
import torch

from wardround.cli import console
from wardround.strategies import STRATEGIES
from wardround.strategies.advice import OPTIONS, advice
from wardround.training import probe
from wardround.training.arithmetic import Arithmetic

Run = Callable[..., int]


def test_doctor_shows_versions_machine_and_what_a_small_network_trains_fastest_in(
        wardround: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = {Arithmetic(): [9.0, 60.0], Arithmetic(layout="channels_last"): [9.0, 62.0], Arithmetic(precision="bf16"): [9.0, 40.0],
             Arithmetic(precision="bf16", layout="channels_last"): [9.0, 30.0]}
    monkeypatch.setattr(probe, "timed", lambda trial, allowed, is_thorough: found)
    assert wardround("doctor") == 0
    shown = capsys.readouterr().out
    for part in ("torch", torch.__version__, "cores", "free disk there", "fp32  ", "60.0 ms", "fp32, channels last", "62.0 ms",
                 "bf16, channels last", "30.0 ms", "in bf16, channels last, 2.0 times as fast as fp32;"):
        assert part in shown


def test_every_strategy_and_every_setting_like_one_is_listed_with_its_use_and_its_paper(
        wardround: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "WIDTH", 400)  # no cell is folded
    assert wardround("strategies") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for name in STRATEGIES.known():
        said = advice(name)
        assert f"{name} {said.kind} {said.use_when} {said.costs} {said.source}" in lines
    for setting, said in OPTIONS.items():
        assert f"{setting} {said.use_when} {said.costs} {said.source}" in lines
    assert lines.index(next(line for line in lines if line.startswith("fedavg "))) < lines.index(
        next(line for line in lines if line.startswith("fedprox ")))  # baselines come first
