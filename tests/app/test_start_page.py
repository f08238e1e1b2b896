import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.start import StartPage
from wardround.app.runner import Job
from wardround.app.views.start import recent_runs, studies
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.table import TableView
from wardround.plan.starters import starters

Show = Callable[[type[Page]], Page]
WAIT = 60_000


@pytest.fixture
def gone(desk: Desk) -> list[str]:
    """The pages that were asked for."""
    found: list[str] = []
    desk.asked_for.connect(found.append)
    return found


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that were started; none of them runs."""
    found: list[str] = []

    def launch(job: Job) -> None:
        found.append(job.command)
        job._become("running")

    monkeypatch.setattr(Job, "launch", launch)
    monkeypatch.setattr(Job, "resume", launch)
    monkeypatch.setattr(Job, "look", lambda job: None)
    monkeypatch.setattr(Job, "stop", lambda job: None)
    return found


@pytest.fixture
def unfinished(finished: Path, desk: Desk) -> Path:
    """A run that was stopped before its end."""
    folder = desk.runs / "demo" / "federated-seed0"
    shutil.copytree(finished, folder)
    (folder / "scores.json").unlink()
    return folder


def click(page: Page, qtbot: QtBot, name: str) -> None:
    button = page.findChild(QPushButton, f"start.{name}")
    assert button.isVisible() and button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def table(page: Page, qtbot: QtBot, rows: int) -> TableView:
    found = page.findChild(TableView, "start.recent")
    qtbot.waitUntil(lambda: len(found.grid.rows) == rows and found.isVisible(), timeout=WAIT)
    return found


# --- begin


def test_the_demo_is_one_click_and_is_watched_on_the_run_page(desk: Desk, shown: Show, qtbot: QtBot, gone: list[str],
                                                              launched: list[str]) -> None:
    page = shown(StartPage)
    click(page, qtbot, "demo")
    assert launched == [f"wardround demo --out {desk.runs}"] == [page.findChild(QLineEdit, "command").text()]
    assert gone == ["run"]


def test_a_second_demo_is_refused_while_the_first_is_at_work(shown: Show, qtbot: QtBot, gone: list[str], launched: list[str]) -> None:
    page = shown(StartPage)
    click(page, qtbot, "demo")
    click(page, qtbot, "demo")
    assert len(launched) == len(gone) == 1
    assert "is being worked on already" in page._banner.text()


def test_the_demo_takes_a_folder_of_real_images(desk: Desk, shown: Show, qtbot: QtBot, launched: list[str], tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(tmp_path))
    click(shown(StartPage), qtbot, "demo_folder")
    assert launched == [f"wardround demo --data {tmp_path} --out {desk.runs}"]


def test_a_dialog_that_is_cancelled_does_nothing(shown: Show, qtbot: QtBot, gone: list[str], launched: list[str],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: "")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: ("", ""))
    page = shown(StartPage)
    for name in ("demo_folder", "open_plan", "open_run"):
        click(page, qtbot, name)
    assert gone == launched == []


@pytest.mark.parametrize("name", [name for name in starters() if name != "demo"])
def test_a_study_opens_its_plan_and_goes_to_its_images(name: str, desk: Desk, shown: Show, qtbot: QtBot, gone: list[str]) -> None:
    click(shown(StartPage), qtbot, f"study.{name}")
    assert (desk.draft.name, desk.draft.problem, gone) == (name, "", ["data"])


def test_studies_say_what_they_are_about_and_which_folder_they_want() -> None:
    found = {study.name: study for study in studies()}
    assert set(found) == set(starters()) - {"demo"}
    assert found["pneumoniamnist"].layout == "pneumoniamnist.npz"
    assert found["brain-tumour-missing-types"].line == ("Three hospitals, each of which has seen only one type of brain tumour. Can they "
                                                        "learn all three together?")
    assert all(study.title and study.line and study.layout and "#" not in study.line for study in found.values())


# --- open


def dropped(page: Page, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    page.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier))


def test_a_plan_is_opened_by_dialog_or_dropped(desk: Desk, shown: Show, qtbot: QtBot, gone: list[str], tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    plan, page = tmp_path / "mine.toml", shown(StartPage)
    plan.write_text('name = "mine"\n')
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(plan), ""))
    click(page, qtbot, "open_plan")
    assert (desk.draft.name, gone) == ("mine", ["plan"])
    plan.write_text('name = "other"\n')
    dropped(page, plan)
    assert (desk.draft.name, gone) == ("other", ["plan", "plan"])


@pytest.mark.parametrize(("name", "content", "said"), [("scan.png", b"", "is no plan"), ("absent.toml", None, "absent.toml"),
                                                       ("binary.toml", b"\xff\xfe\x00", "UTF-8")])
def test_what_is_no_plan_is_refused_with_a_way_out(name: str, content: bytes | None, said: str, shown: Show, gone: list[str],
                                                   tmp_path: Path) -> None:
    page = shown(StartPage)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    dropped(page, tmp_path / name)
    assert said in page._banner.text() and page._banner.isVisible()
    assert gone == []


# --- recent runs


def test_without_runs_it_is_said_how_to_get_one(shown: Show, qtbot: QtBot) -> None:
    page = shown(StartPage)
    qtbot.waitUntil(lambda: "The demo above makes one" in page.findChild(QLabel, "start.none").text(), timeout=WAIT)
    assert not page.findChild(TableView, "start.recent").isVisible()


def test_recent_runs_are_told_with_result_and_interval_and_opened_by_enter(desk: Desk, shown: Show, qtbot: QtBot, gone: list[str],
                                                                           comparison: Path, finished: Path) -> None:
    desk.settings.remember(finished)
    desk.settings.remember(comparison)
    page = shown(StartPage)
    found = table(page, qtbot, 2)
    (name, kind, state, result, when), second = found.grid.rows
    assert (name, kind, state) == ("demo", "Comparison of 4", "finished")
    assert result.startswith("Federated balanced accuracy 0.") and "[" in result and result.endswith(", on phantoms")
    assert when == time.strftime("%Y-%m-%d %H:%M", time.localtime((comparison / "compare.json").stat().st_mtime))
    assert second[:3] == ("demo / federated-seed0", "Federated", "finished")
    assert not page.findChild(QPushButton, "start.resume").isEnabled()
    found.setCurrentIndex(found.model().index(1, 0))
    qtbot.keyClick(found, Qt.Key.Key_Return)
    assert (desk.run, gone) == (finished, ["results"])


def test_an_unfinished_run_can_be_resumed(desk: Desk, shown: Show, qtbot: QtBot, gone: list[str], launched: list[str],
                                          unfinished: Path) -> None:
    desk.settings.remember(unfinished)
    page = shown(StartPage)
    row = table(page, qtbot, 1).grid.rows[0]
    assert row[2] == "unfinished" and "3 of 3 rounds" in row[3]
    click(page, qtbot, "resume")
    assert launched == [f"wardround run --resume {unfinished}"]
    assert gone == ["run"]
    qtbot.waitUntil(lambda: table(page, qtbot, 1).grid.rows[0][2] == "running now", timeout=WAIT)
    assert not page.findChild(QPushButton, "start.resume").isEnabled()


def test_a_job_that_was_stopped_goes_on_by_its_own_command(desk: Desk, shown: Show, qtbot: QtBot, launched: list[str],
                                                           unfinished: Path) -> None:
    job = desk.jobs.start(["compare", "study.toml"], "study", unfinished.parent)
    job._become("stopped")
    page = shown(StartPage)
    table(page, qtbot, 1)
    click(page, qtbot, "resume")
    assert launched == ["wardround compare study.toml"] * 2
    assert len(desk.jobs.all()) == 1


def test_an_unfinished_comparison_goes_on_with_the_plan_in_it(unfinished: Path) -> None:
    (run,) = recent_runs([unfinished.parent], []).runs
    assert run.resume == ("compare", str(unfinished / "plan.toml"), "--out", str(unfinished.parents[1]))


def test_a_damaged_folder_is_a_row_that_says_so(desk: Desk, shown: Show, qtbot: QtBot, gone: list[str], comparison: Path) -> None:
    bad = desk.runs / "bad"
    bad.mkdir(parents=True)
    (bad / "compare.json").write_text("{}")
    desk.settings.remember(bad)
    desk.settings.remember(comparison)
    page = shown(StartPage)
    found = table(page, qtbot, 2)
    assert [row[2] for row in found.grid.rows] == ["finished", "cannot be read"]
    found.choose([1])
    click(page, qtbot, "look")
    assert "does not hold what a run writes" in page._banner.text()
    assert gone == []


# --- machine


def test_the_machine_is_told_and_a_step_timed_on_request(shown: Show, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    page = shown(StartPage)
    machine, versions, steps = page.findChildren(Facts)
    qtbot.waitUntil(lambda: "cores" in machine.texts(), timeout=WAIT)
    assert {"memory", "GPU", "free disk there"} <= set(machine.texts())
    assert versions.texts()["Python"].startswith("3.")
    assert steps.texts() == {}
    click(page, qtbot, "probe")
    assert not page.findChild(QPushButton, "start.probe").isEnabled()
    qtbot.waitUntil(lambda: "training step, fp32" in steps.texts(), timeout=60000)
    assert steps.texts()["training step, fp32"].endswith(" ms")
    assert "would compute this small network in" in page.findChild(QLabel, "start.sentence").text()


def test_the_page_is_on_screen_before_anything_is_asked(desk: Desk, qtbot: QtBot) -> None:
    QApplication.processEvents()
    began = time.perf_counter()
    page = StartPage(desk)
    qtbot.addWidget(page)
    page.show()
    page.refresh()
    assert time.perf_counter() - began < 0.5
    assert page.findChild(QWidget, "start.demo").isVisible()
