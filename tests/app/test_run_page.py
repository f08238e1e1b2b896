"""Run: training is started, watched, steered and found again, as a person would."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QListWidget, QPlainTextEdit, QPushButton, QTabBar, QWidget
from pytestqt.qtbot import QtBot
from tiny import LONG

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.run import RunPage
from wardround.app.pages.run_curves import RunCurves
from wardround.app.runner import JOBS, Job
from wardround.app.widgets.banner import Banner
from wardround.app.widgets.lanes import Lanes
from wardround.app.widgets.timeline import Timeline
from wardround.core.events import Event, Note, Progress, RoundFinished, RunFinished, RunStarted, SiteStep, to_record

Shown = Callable[[type[Page]], Page]

SITES = ("north", "south", "east")


def rounds(run: str, num: int, sites: Sequence[str] = SITES, failed: Sequence[int] = ()) -> list[Event]:
    """A run's first rounds of ten; east fails in some of them."""
    arm = run.partition("-")[0]
    told: list[Event] = [RunStarted(run=run, arm=arm, num_rounds=10, num_sites=len(sites), num_train=90, num_parameters=1000, phantom=True)]
    for t in range(1, num + 1):
        told += [SiteStep(run=run, round=t, site=site, stage=stage, at=time.time()) for stage in ("training", "done") for site in sites]
        scores = {"loss": 1 / t, "balanced_accuracy": 0.5 + t / 100}
        told.append(RoundFinished(run=run, round=t, lr=0.1, train_loss=1 / t, train_loss_by_site=dict.fromkeys(sites, 1 / t), val=scores,
                                  val_by_site=dict.fromkeys(sites, scores), is_best=True, seconds=30.0,
                                  failed={"east": "ValueError: no images"} if t in failed else {}))
    return told


def left_behind(tmp_path: Path, events: Sequence[Event], output: str = "", name: str = "1", **ended: Any) -> Path:
    """The record of a comparison that an earlier window started; ended: what its compare.json holds, if it came so far."""
    runs = tmp_path / "workspace" / "runs"
    results = runs / f"study-{name}"
    results.mkdir(parents=True)
    folder = runs / JOBS / name
    Job.make(folder, ["compare", "study.toml", "--out", str(runs)], f"study {name}", results)
    (folder / "events.jsonl").write_text("".join(json.dumps(to_record(event)) + "\n" for event in events))
    (folder / "output.txt").write_text(output)
    if ended:
        (results / "compare.json").write_text(json.dumps(ended))
    return results


@contextmanager
def at_work(job: Job) -> Iterator[None]:
    """A job that is at work, as far as anybody knows until the next look at it."""
    job.state = "running"
    try:
        yield
    finally:
        job.state = "failed"


def named(page: QWidget, kind: type, name: str) -> Any:
    found = page.findChild(kind, name)
    assert found is not None, name
    return found


def click(qtbot: QtBot, page: QWidget, name: str) -> None:
    button = named(page, QPushButton, name)
    assert button.isVisible() and button.isEnabled(), name
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def lanes(page: QWidget) -> list[tuple[str, str, str]]:
    return named(page, Lanes, "run.lanes").texts()  # type: ignore[no-any-return]


def text(page: QWidget, name: str) -> str:
    return str(named(page, QLabel, name).text())


def test_without_a_plan_it_is_said_where_to_get_one(desk: Desk, shown: Shown, qtbot: QtBot) -> None:
    page = shown(RunPage)
    assert not named(page, QPushButton, "run.start").isVisible()
    with qtbot.waitSignal(desk.asked_for, check_params_cb=lambda key: key == "start"):
        (button,) = [other for other in page.findChildren(QPushButton, "empty.action") if other.isVisible()]
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_command_follows_what_is_chosen(desk: Desk, shown: Shown, qtbot: QtBot) -> None:
    desk.open_plan("demo")
    page = shown(RunPage)
    command, arm, site = named(page, QLineEdit, "command"), named(page, QComboBox, "run.arm"), named(page, QComboBox, "run.site")
    assert command.text() == "wardround compare demo"
    qtbot.keyClick(arm, Qt.Key.Key_End)
    assert site.isVisible() and command.text() == "wardround run demo --arm local --site north"
    qtbot.keyClick(site, Qt.Key.Key_Down)
    assert command.text() == "wardround run demo --arm local --site south"
    desk.set_text("nonsense")
    assert not named(page, QPushButton, "run.start").isEnabled()


def test_training_is_started_paused_killed_resumed_and_stopped(desk: Desk, shown: Shown, qtbot: QtBot) -> None:
    desk.set_text(LONG)
    page = shown(RunPage)
    qtbot.keyClick(named(page, QComboBox, "run.arm"), Qt.Key.Key_Down)
    click(qtbot, page, "run.start")
    job = desk.jobs.all()[0]
    assert named(page, QLineEdit, "command").text() == job.command and (desk.workspace / "long.toml").is_file()
    assert text(page, "run.stage") == "Starting"
    qtbot.waitUntil(lambda: "of 5000: loss" in text(page, "run.round"), timeout=60000)
    assert [name for name, _, _ in lanes(page)] == ["north", "south"]

    click(qtbot, page, "run.pause")
    assert "Paused" in text(page, "run.state")
    click(qtbot, page, "run.go_on")
    assert "Running" in text(page, "run.state")

    click(qtbot, page, "run.start")
    assert "being worked on already" in named(page, Banner, "banner").text()

    os.killpg(job.pid, signal.SIGKILL)
    failure = named(page, Banner, "run.failure")
    qtbot.waitUntil(failure.isVisible, timeout=60_000)
    assert "Its last words:\nlong" not in failure.text() and "5000 rounds" in failure.text()
    done = len(next(iter(job.live.runs.values())).rounds)
    qtbot.mouseClick(named(failure, QPushButton, "banner.remedy"), Qt.MouseButton.LeftButton)
    assert not failure.isVisible()
    qtbot.waitUntil(lambda: len(next(iter(job.live.runs.values())).rounds) > done, timeout=60000)

    click(qtbot, page, "run.stop")
    qtbot.waitUntil(lambda: "Stopped" in text(page, "run.state"), timeout=60_000)
    assert named(page, QPushButton, "run.resume").isVisible() and not named(page, QPushButton, "run.stop").isVisible()


def test_runs_of_a_comparison_are_seen_side_by_side_and_one_by_one(tmp_path: Path, qtbot: QtBot, request: pytest.FixtureRequest) -> None:
    finished = RunFinished(run="federated-seed0", rounds=8, best_round=8, stopped_early=True, seconds=240.0)
    left_behind(tmp_path, [*rounds("federated-seed0", 8, failed=[3, 8]), finished, *rounds("pooled-seed0", 4, ["all"])],
                output="error: no space left.\nFree some.")
    page = request.getfixturevalue("shown")(RunPage)
    assert "error: no space left.\nFree some." in named(page, Banner, "run.failure").text()
    assert lanes(page) == [("federated-seed0", "Finished", ""), ("pooled-seed0", "Failed", "")]
    tabs = named(page, QTabBar, "run.runs")
    assert [tabs.tabText(index) for index in range(tabs.count())] == ["All runs", "federated-seed0", "pooled-seed0"]

    qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(1).center())
    assert lanes(page) == [("north", "Done", ""), ("south", "Done", ""), ("east", "Failed", "ValueError: no images")]
    line = named(page, Timeline, "run.timeline")
    assert line.describe() == "8 of 10 rounds done; best so far: round 8; a site failed in: 3, 8"
    qtbot.keyClick(line, Qt.Key.Key_Home)
    assert text(page, "run.round").startswith("Round 1 of 10: loss 1.000, val balanced_accuracy 0.510")
    qtbot.keyClick(line, Qt.Key.Key_Right)
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton, pos=QPoint(round(line.width() * 0.25), line.height() // 2))
    assert text(page, "run.round").startswith("Round 3 of 10") and text(page, "run.round").endswith("without east")
    assert not line.grab().isNull()


def test_curves_are_of_all_sites_or_of_one(tmp_path: Path, qtbot: QtBot, request: pytest.FixtureRequest) -> None:
    left_behind(tmp_path, rounds("federated-seed0", 3))
    page = request.getfixturevalue("shown")(RunPage)
    loss = named(page, QWidget, "run.loss")
    assert "north: 1 \N{RIGHTWARDS ARROW} 0.333; " in loss.accessibleDescription()
    assert "Validation: 1 \N{RIGHTWARDS ARROW} 0.333" in loss.accessibleDescription()
    qtbot.keyClick(named(page, QComboBox, "run.curves_of"), Qt.Key.Key_End)
    assert "east, validation" in loss.accessibleDescription() and "north" not in loss.accessibleDescription()
    assert "All sites: 0.51 \N{RIGHTWARDS ARROW} 0.53" in named(page, QWidget, "run.score").accessibleDescription()
    drawn = page.findChild(RunCurves)
    assert drawn is not None and not drawn.grab().isNull()


def test_what_is_prepared_and_who_is_late_is_told(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    begun = [SiteStep(run="federated-seed0", round=2, site=site, stage="training", at=time.time() - 60) for site in SITES]
    answer = SiteStep(run="federated-seed0", round=2, site="north", stage="done", at=time.time() - 58)
    step = SiteStep(run="federated-seed0", round=2, site="east", stage="training", done=3, total=8, at=time.time() - 1)
    left_behind(tmp_path, [])
    job, page = request.getfixturevalue("desk").jobs.all()[0], request.getfixturevalue("shown")(RunPage)
    with at_work(job):
        page.refresh()
        assert text(page, "run.stage") == "Starting"
        job.live.feed([Progress(stage="decode", done=30, total=40)])
        page.refresh()
        assert text(page, "run.stage") == "Decoding images"
        job.live.feed([*rounds("federated-seed0", 1), Note(text="phantoms are used"), *begun, answer, step])
        page.refresh()
        assert not named(page, QLabel, "run.stage").isVisible()
        assert lanes(page) == [("north", "Done", ""), ("south", "Late", ""), ("east", "Late", "")]
        assert "3 of 8 steps" in " ".join(label.text() for label in named(page, Lanes, "run.lanes").findChildren(QLabel))
        assert "phantoms are used" in named(page, QPlainTextEdit, "run.log").toPlainText()


def test_results_of_a_finished_job_are_opened_and_a_job_is_taken_out_of_the_list(tmp_path: Path, qtbot: QtBot,
                                                                                 request: pytest.FixtureRequest) -> None:
    left_behind(tmp_path, rounds("federated-seed0", 2), name="1")
    results = left_behind(tmp_path, rounds("federated-seed0", 10), name="2", arms={})
    desk, page = request.getfixturevalue("desk"), request.getfixturevalue("shown")(RunPage)
    assert "Finished" in text(page, "run.state")
    with qtbot.waitSignal(desk.asked_for, check_params_cb=lambda key: key == "results"):
        click(qtbot, page, "run.results")
    assert desk.run == results
    jobs = named(page, QListWidget, "run.jobs")
    assert [jobs.item(row).text().splitlines()[0][2:] for row in range(jobs.count())] == ["study 2", "study 1"]
    qtbot.keyClick(jobs, Qt.Key.Key_Down)
    assert "Failed" in text(page, "run.state") and not named(page, QPushButton, "run.results").isEnabled()
    click(qtbot, page, "run.forget")
    assert jobs.count() == 1 and "Finished" in text(page, "run.state")


def test_runs_that_had_finished_before_are_known_by_their_journals(tmp_path: Path, comparison: Path, qtbot: QtBot,
                                                                   request: pytest.FixtureRequest) -> None:
    results = left_behind(tmp_path, [], arms={})
    for run in comparison.glob("*/journal.jsonl"):
        (results / run.parent.name).mkdir()
        (results / run.parent.name / run.name).write_bytes(run.read_bytes())
    page = request.getfixturevalue("shown")(RunPage)
    qtbot.waitUntil(lambda: len(lanes(page)) > 2, timeout=60_000)
    assert {state for _, state, _ in lanes(page)} == {"Finished"}
    assert lanes(page)[0][0] == "federated-seed0"
