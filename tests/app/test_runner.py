"""Jobs are commands in processes of their own: they outlive the window, stop with a checkpoint, and go on from it."""

import json
import os
import signal
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from tiny import LONG

from wardround.app.desk import Desk
from wardround.app.runner import Job, Jobs
from wardround.errors import WardroundError


def started(desk: Desk, qtbot: QtBot) -> Job:
    """A long job that has done a round."""
    desk.set_text(LONG)
    job = desk.train("run")
    qtbot.waitUntil(lambda: any(run.rounds for run in job.live.runs.values()), timeout=60000)
    return job


def test_a_job_is_paused_outlives_its_window_and_is_stopped_and_resumed(desk: Desk, qtbot: QtBot) -> None:
    job = started(desk, qtbot)
    assert job.state == "running" and f"wardround run {desk.workspace / 'long.toml'}" in job.command

    job.pause()
    job.look()
    assert job.state == "paused"
    job.go_on()
    assert job.state == "running"

    elsewhere = Jobs(desk.runs)  # another window's
    again = next(other for other in elsewhere.all() if other.folder == job.folder)
    assert again.state == "running" and again.title == job.title
    with pytest.raises(WardroundError, match="being worked on already"):
        desk.train("run")

    again.stop()
    qtbot.waitUntil(lambda: job.state == "stopped", timeout=60_000)
    done = len(next(iter(job.live.runs.values())).rounds)
    assert "stopped" in job.last_words and (job.results / "checkpoints").is_dir()

    job.resume()
    qtbot.waitUntil(lambda: len(next(iter(job.live.runs.values())).rounds) > done, timeout=60000)
    os.killpg(job.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: job.state == "failed", timeout=60_000)


def test_a_job_that_fails_keeps_its_last_words(desk: Desk, qtbot: QtBot) -> None:
    desk.set_text(LONG.replace("phantoms = 60", 'folder = "/no/such/folder"'))
    job = desk.train("run")
    qtbot.waitUntil(lambda: job.state == "failed", timeout=60000)
    assert "/no/such/folder" in job.last_words
    again = desk.train("run")
    assert desk.jobs.all() == [again] and not job.folder.exists()  # the same command again takes its place
    qtbot.waitUntil(lambda: again.state == "failed", timeout=60000)
    desk.jobs.forget(again)
    assert desk.jobs.all() == [] and not again.folder.exists()


def test_a_damaged_record_of_a_job_is_left_out(tmp_path: Path) -> None:
    for name, text in (("one", "{"), ("two", json.dumps({"argv": []}))):
        (tmp_path / ".jobs" / name).mkdir(parents=True)
        (tmp_path / ".jobs" / name / "job.json").write_text(text)
    assert Jobs(tmp_path).all() == []
