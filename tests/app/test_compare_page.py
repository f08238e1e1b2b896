"""Runs that are ticked stand side by side; two on the same patients are compared patient by patient."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLabel, QLineEdit, QListWidget, QPushButton
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.compare import ComparePage
from wardround.app.views import compare as view
from wardround.app.widgets.banner import Banner
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.plot import Curves
from wardround.app.widgets.table import TableView
from wardround.errors import WardroundError

Shown = Callable[[type[Page]], Page]
WAIT = 60_000


@pytest.fixture
def page(shown: Shown) -> Page:
    return shown(ComparePage)


def table(page: Page, name: str) -> TableView:
    return page.findChild(TableView, f"compare.{name}")


def runs(page: Page) -> QListWidget:
    return page.findChild(QListWidget, "compare.runs")


def tick(page: Page, number: int) -> None:
    """Tick or untick a run as the keyboard does."""
    item = runs(page).item(number)
    item.setCheckState(Qt.CheckState.Unchecked if item.checkState() is Qt.CheckState.Checked else Qt.CheckState.Checked)


def another(run: Path, folder: Path, *, seed: int = 7, cases: bool = True) -> Path:
    """A copy of a finished run from another seed; cases: tested on the same patients, else without the last."""
    made = folder / "other" / run.name
    shutil.copytree(run, made)
    plan = (made / "plan.toml").read_text()
    (made / "plan.toml").write_text(plan.replace("\nseed = 0\n", f"\nseed = {seed}\n", 1))
    if not cases:
        lines = (made / "predictions.csv").read_text().splitlines(keepends=True)
        (made / "predictions.csv").write_text("".join(lines[:-1]))
    return made


def test_without_runs_the_page_says_what_to_do_and_leads_there(page: Page, desk: Desk, qtbot: QtBot) -> None:
    empty = next(part for part in page.findChildren(Empty) if part.isVisible())
    assert "two finished runs" in empty.text()
    with qtbot.waitSignal(desk.asked_for) as asked:
        qtbot.mouseClick(empty.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert asked.args == ["run"]


def test_an_opened_comparison_shows_two_of_its_runs_side_by_side(page: Page, desk: Desk, comparison: Path, qtbot: QtBot) -> None:
    desk.open_run(comparison)
    qtbot.waitUntil(lambda: table(page, "paired").isVisible(), timeout=WAIT)
    names = [runs(page).item(row).text() for row in range(runs(page).count())]
    assert names[:3] == ["A   demo / federated-seed0", "B   demo / pooled-seed0", "demo / local-seed0-east"]
    results = table(page, "results").grid
    assert results.columns == ("", "A", "B")
    assert all("[" in text or text in ("–", "not estimable") for row in results.rows for text in row[1:])
    assert page.findChild(QLabel, "compare.same").text() == view.SAME_PLAN
    assert table(page, "paired").grid.columns == ("A against B", "Ratio", "Difference", "Verdict")
    command = page.findChild(QLineEdit, "command").text()
    assert command == f"wardround contrast {comparison / 'federated-seed0'} {comparison / 'pooled-seed0'}"
    drawn = [curves for curves in page.findChildren(Curves) if curves.isVisibleTo(page)]
    assert [curves.accessibleName() for curves in drawn] == ["Balanced accuracy on validation images", "Loss on validation images"]
    assert all("A: " in curves.accessibleDescription() and "B: " in curves.accessibleDescription() for curves in drawn)


def test_a_third_run_makes_a_third_column_and_no_pair(page: Page, desk: Desk, comparison: Path, qtbot: QtBot) -> None:
    desk.open_run(comparison)
    tick(page, 2)
    qtbot.waitUntil(lambda: table(page, "results").grid.columns == ("", "A", "B", "C"), timeout=WAIT)
    assert not table(page, "paired").isVisibleTo(page)
    assert not page.findChild(QLineEdit, "command").isVisible()
    tick(page, 0)
    qtbot.waitUntil(lambda: table(page, "results").grid.columns == ("", "A", "B"), timeout=WAIT)
    assert runs(page).item(1).text().startswith("A   ")
    tick(page, 1)
    assert "Tick two or more runs" in next(part for part in page.findChildren(Empty) if part.isVisible()).text()


def test_only_the_keys_that_differ_are_listed_and_other_patients_are_said(page: Page, desk: Desk, finished: Path, tmp_path: Path,
                                                                          qtbot: QtBot) -> None:
    desk.open_run(another(finished, tmp_path, cases=False))
    desk.open_run(finished)
    tick(page, 0)
    note = page.findChild(QLabel, "compare.note")
    qtbot.waitUntil(lambda: "the same test cases" in note.text(), timeout=WAIT)
    assert table(page, "plans").grid.columns == ("Key of the plan", "A", "B")
    assert table(page, "plans").grid.rows == (("seed", "0", "7"),)
    assert not table(page, "paired").isVisibleTo(page)


def test_a_folder_of_runs_made_elsewhere_is_added_and_ticked(page: Page, comparison: Path, qtbot: QtBot,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(comparison))
    qtbot.mouseClick(page.findChild(QPushButton, "compare.add"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: table(page, "results").grid.columns == ("", "A", "B"), timeout=WAIT)
    assert runs(page).count() == len(list(comparison.glob("*/scores.json")))


def test_a_folder_without_runs_is_named_with_what_to_choose(page: Page, tmp_path: Path, qtbot: QtBot,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(tmp_path))
    qtbot.mouseClick(page.findChild(QPushButton, "compare.add"), Qt.MouseButton.LeftButton)
    banner = page.findChild(Banner)
    qtbot.waitUntil(banner.isVisible, timeout=WAIT)
    assert str(tmp_path) in banner.text() and "scores.json" in banner.text()


def test_an_unfinished_run_says_how_to_go_on(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "plan.toml", tmp_path / "plan.toml")
    with pytest.raises(WardroundError, match=r"only finished runs .* wardround run --resume"):
        view.found_in(tmp_path)


def test_runs_of_one_name_are_told_apart_by_their_folders(finished: Path, tmp_path: Path) -> None:
    folders = [another(finished, tmp_path / place) for place in ("east", "west")]
    assert [run.label for run in view.candidates(folders)] == [f"{place} / other / federated-seed0" for place in ("east", "west")]


def test_nothing_differs_between_a_run_and_itself(finished: Path, tmp_path: Path) -> None:
    same = view.contrast(finished, another(finished, tmp_path, seed=0))
    assert {row[2] for row in same.rows if row[2] != "not estimable"} <= {"0.000 [0.000, 0.000]"}
    assert same.rows and {row[3] for row in same.rows} <= {"no difference shown", "not estimable"}


@pytest.mark.parametrize("number", [1, 9])
def test_two_to_eight_runs_can_be_compared(finished: Path, number: int) -> None:
    with pytest.raises(WardroundError, match=f"choose 2 to 8 runs to compare; {number} are chosen"):
        view.compare([finished] * number)
