"""demo, run, compare: what they ask of the library and what they print."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from wardround import session
from wardround.cli.run import arms_of
from wardround.core.events import RoundFinished, RunFinished, RunStarted, SiteStep, from_record
from wardround.errors import PlanError
from wardround.plan.schema import Plan

Run = Callable[..., int]


@pytest.mark.parametrize(("text", "arms"), [("federated,pooled,local", ("federated", "pooled", "local")),
                                            (" local , pooled", ("local", "pooled"))])
def test_arms_are_a_list_with_commas(text: str, arms: tuple[str, ...]) -> None:
    assert arms_of(text) == arms


def test_an_unknown_arm_names_the_near_one() -> None:
    with pytest.raises(PlanError, match="Did you mean 'pooled'"):
        arms_of("pool")
    with pytest.raises(PlanError, match="Arms: federated, pooled, local"):
        arms_of(",")


def test_run_needs_a_plan_or_a_run(wardround: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("run") == 2
    assert "Name a file or a shipped plan" in capsys.readouterr().err


@pytest.mark.parametrize("extra", [("demo",), ("--set", "seed=1"), ("--data", "x"), ("--workers", "0"), ("--engine", "ray"),
                                   ("--site", "north")])
def test_resume_takes_no_other_settings(extra: tuple[str, ...], wardround: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("run", *extra, "--resume", "runs/x") == 2
    assert "--resume goes on with the run's own plan, so leave out" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("run",), ("compare",)])
def test_a_file_of_events_that_cannot_be_written_is_refused_before_training(command: tuple[str, ...], wardround: Run, plan: Path,
                                                                            tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround(*command, plan, "--out", tmp_path / "runs", "--events", tmp_path) == 2
    assert "--events" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_run_trains_an_arm_and_shows_its_result(wardround: Run, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("run", plan, "--out", tmp_path / "runs", "--set", "rounds.num=2") == 0
    folder = tmp_path / "runs" / "tiny" / "federated-seed0"
    shown = capsys.readouterr()
    assert "north" in shown.out
    assert f"Report: {folder / 'report.html'}" in shown.out
    assert (folder / "report.html").is_file()
    assert json.loads((folder / "scores.json").read_text())["rounds"] == 2
    assert "2 rounds" in shown.err
    assert wardround("run", "--resume", folder) == 0
    assert "has finished already" in capsys.readouterr().err


def test_compare_shows_the_arms_side_by_side_and_writes_every_event(wardround: Run, plan: Path, tmp_path: Path,
                                                                    capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "events.jsonl"
    assert wardround("compare", plan, "--arms", "federated,pooled", "--out", tmp_path / "runs", "--workers", "1", "--events", written) == 0
    events = [from_record(json.loads(line)) for line in written.read_text().splitlines()]
    for run in ("federated-seed0", "pooled-seed0"):
        own = [event for event in events if event.run == run]
        assert [event.round for event in own if isinstance(event, RoundFinished)] == [1, 2, 3]
        assert isinstance(own[0], RunStarted) and isinstance(own[-1], RunFinished)
    steps = [(event.round, event.site, event.stage) for event in events if isinstance(event, SiteStep) and event.run == "federated-seed0"]
    assert steps == [(t, site, stage) for t in (1, 2, 3) for site in ("north", "south") for stage in ("training", "done")]
    shown = capsys.readouterr()
    for part in ("Federated", "Pooled", "Balanced accuracy", "federated-seed0", f"Report: {tmp_path / 'runs' / 'tiny' / 'report.html'}"):
        assert part in shown.out + shown.err
    assert "PHANTOM" not in shown.out


def test_demo_compares_the_demo_plan_on_the_given_images(wardround: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, object] = {}

    def compare(plan: Plan, **options: object) -> Path:
        asked.update(options, plan=plan)
        raise PlanError("far enough")

    monkeypatch.setattr(session, "compare", compare)
    assert wardround("demo", "--data", tmp_path, "--out", tmp_path / "runs") == 2
    plan = asked["plan"]
    assert isinstance(plan, Plan)
    assert (plan.name, plan.data.folder) == ("demo", tmp_path)
    assert (asked["arms"], asked["seeds"], asked["out"]) == (("federated", "pooled", "local"), 1, tmp_path / "runs")


def test_data_and_workers_count_more_than_set(wardround: Run, plan: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Plan] = []

    def run(plan: Plan, **options: object) -> None:
        asked.append(plan)
        raise PlanError("far enough")

    monkeypatch.setattr(session, "run", run)
    wardround("run", plan, "--set", "data.folder=elsewhere", "--set", "engine.workers=3", "--data", tmp_path, "--workers", 2)
    assert (asked[0].data.folder, asked[0].engine.workers) == (tmp_path, 2)


# --- plans that do not fit their data: one line that says what to change

MASKS = ("data.dataset=image-mask", "data.size=32", "model.name=unet", "model.width=4", "model.depth=2", "rounds.metric=dice",
         "recipe.loss=dice_cross_entropy", "split.val=0.2", "split.test=0.3")
BRAINS = (*MASKS, "data.dataset=brats2020", "data.dims=3", "data.channels=4", "data.patch=[8,8,8]", "split.val=0.25", "split.test=0.25")
FINDINGS = ("data.dataset=nih-chestxray14", "rounds.metric=auroc", "recipe.loss=binary_cross_entropy")
LABELS = ()
FOLDERS = {MASKS: "slices", BRAINS: "brains", FINDINGS: "xrays", LABELS: "images"}


@pytest.mark.parametrize(("task", "change", "exit_code", "told"), [
    (MASKS, "rounds.metric=auroc", 2, "does not fit a segmentation task. Choose one of: dice, loss"),
    (FINDINGS, "rounds.metric=dice", 2, "does not fit a multilabel task. Choose one of: auroc, loss"),
    (LABELS, "rounds.metric=dice", 2, "does not fit a binary task"),
    (FINDINGS, "recipe.loss=cross_entropy", 2, "recipe.loss = 'cross_entropy' does not fit several findings an image"),
    (MASKS, "recipe.loss=focal", 2, "recipe.loss = 'focal' does not fit masks"),
    (LABELS, "recipe.loss=dice_cross_entropy", 2, "does not fit images of one class each"),
    (MASKS, "recipe.class_weights=balanced", 2, "recipe.class_weights = 'balanced' counts images"),
    (BRAINS, "sites.partition=feature-shift", 2, "simulates scanners of pictures"),
    (LABELS, "data.channels=4", 2, "pictures are grey (1) or colour (3)"),
    (BRAINS, "data.channels=1", 3, "4 channels, but the plan says 1. data.channels = 4 would fit"),
    (LABELS, "model.name=unet", 2, "this data set has labels"),
    (MASKS, "model.name=cnn", 2, "this data set has masks to draw"),
    (BRAINS, "data.patch=[9,8,8]", 2, "data.patch = [10, 8, 8]"),
    (MASKS, "data.size=33", 2, "data.size = 34"),
    (FINDINGS, 'model.share=["fc.*"]', 2, "model.share: no tensor of the model fits 'fc.*'"),
    (LABELS, "model.weights=nowhere.pth", 3, "model.weights: no file"),
    (MASKS, 'data.classes=["background","foreground"]', 3, "Leave out data.classes"),
    (LABELS, "recipe.label_smoothing=1.5", 2, "label_smoothing"),
    (BRAINS, "data.dims=2", 2, "pictures are grey"),
    (FINDINGS, "sites.num=60", 3, "60 sites cannot share"),
])
def test_what_cannot_work_is_said_in_one_line(task: tuple[str, ...], change: str, exit_code: int, told: str, wardround: Run, plan: Path,
                                              tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [part for setting in (*task, change) for part in ("--set", setting)]
    folder = request.getfixturevalue(FOLDERS[task])
    if "names" not in change:
        settings = ["--set", "sites.names=none", *settings]
    assert wardround("run", plan, "--data", folder, "--out", tmp_path / "runs", *settings) == exit_code
    shown = capsys.readouterr().err.strip()
    assert told in shown.splitlines()[-1]
    assert shown.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in shown
    assert not (tmp_path / "runs").exists()


def test_weights_of_another_network_are_refused(wardround: Run, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    torch.save({"conv.weight": torch.zeros(2, 3)}, tmp_path / "other.pth")
    assert wardround("run", plan, "--out", tmp_path / "runs", "--set", f"model.weights={tmp_path / 'other.pth'}") == 2
    assert "does not hold weights of this model" in capsys.readouterr().err
    (tmp_path / "other.pth").write_bytes(b"x" * 100)
    assert wardround("run", plan, "--out", tmp_path / "runs", "--set", f"model.weights={tmp_path / 'other.pth'}") in (2, 3)
    assert capsys.readouterr().err.startswith("error: ")
