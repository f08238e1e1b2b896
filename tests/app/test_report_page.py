"""The report is read in the window, written again, exported and printed; the engine that shows it starts when it is needed."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QComboBox, QFileDialog, QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.report import ReportPage
from wardround.app.views import report as view
from wardround.app.widgets.banner import Banner
from wardround.app.widgets.empty import Empty

Shown = Callable[[type[Page]], Page]
WAIT = 60_000
LAZY = """
import sys, tempfile
from pathlib import Path
from PySide6.QtWidgets import QApplication
from wardround.app.desk import Desk
from wardround.app.pages.report import ReportPage
from wardround.app.settings import Settings
app = QApplication([])
settings = Settings(Path(tempfile.mkdtemp()) / "settings.ini")
settings.workspace = Path(tempfile.mkdtemp())
page = ReportPage(Desk(settings))
page.show()
page.refresh()
sys.exit(any("WebEngine" in name for name in sys.modules))
"""


def press(page: Page, name: str, qtbot: QtBot) -> None:
    qtbot.mouseClick(page.findChild(QPushButton, f"report.{name}"), Qt.MouseButton.LeftButton)


def words(page: Page, qtbot: QtBot) -> str:
    """What can be read in the preview, "" without one."""
    found: list[str] = []
    paper = page.findChild(QWebEngineView, "report.preview")
    if paper is None or not paper.isVisibleTo(page):
        return ""
    paper.page().toPlainText(found.append)
    qtbot.waitUntil(lambda: bool(found), timeout=WAIT)
    return found[0]


def previewed(page: Page, qtbot: QtBot, text: str) -> None:
    qtbot.waitUntil(lambda: text in words(page, qtbot), timeout=WAIT)


def said(page: Page) -> str:
    return page.findChild(QLabel, "report.said").text()


@pytest.fixture(scope="module")
def reported(comparison: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a report of its own."""
    made = Path(shutil.copytree(comparison / "federated-seed0", tmp_path_factory.mktemp("reported") / "demo" / "federated-seed0"))
    view.write_again(made)
    return made


@pytest.fixture
def copied(reported: Path, tmp_path: Path) -> Path:
    """The same, for a test that changes it."""
    return Path(shutil.copytree(reported, tmp_path / "demo" / reported.name))


def test_without_a_run_the_page_leads_to_one(shown: Shown, desk: Desk, qtbot: QtBot) -> None:
    page = shown(ReportPage)
    empty = next(part for part in page.findChildren(Empty) if part.isVisible())
    assert "No run is open" in empty.text()
    with qtbot.waitSignal(desk.asked_for) as asked:
        qtbot.mouseClick(empty.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert asked.args == ["start"]


def test_the_engine_waits_until_there_is_a_report() -> None:
    assert subprocess.run([sys.executable, "-c", LAZY], check=False).returncode == 0


def test_of_a_comparison_its_report_and_that_of_each_run_can_be_chosen(shown: Shown, desk: Desk, comparison: Path, qtbot: QtBot) -> None:
    page = shown(ReportPage)
    desk.open_run(comparison)
    previewed(page, qtbot, "Comparison over 1 seed")
    assert page.findChild(QLineEdit, "command").text() == f"wardround report {comparison}"
    which = page.findChild(QComboBox, "report.which")
    assert which.itemText(0) == "demo (comparison)"
    qtbot.keyClicks(which, "federated")
    assert page.findChild(QLineEdit, "command").text() == f"wardround report {comparison / 'federated-seed0'}"
    qtbot.waitUntil(lambda: words(page, qtbot) == "", timeout=WAIT)  # a comparison writes one report, and none for each of its runs
    assert "no report yet" in next(part for part in page.findChildren(Empty) if part.isVisible()).text()
    qtbot.keyClick(which, Qt.Key.Key_Home)
    previewed(page, qtbot, "Comparison over 1 seed")


def test_the_preview_grows_and_shrinks(shown: Shown, desk: Desk, reported: Path, qtbot: QtBot) -> None:
    page = shown(ReportPage)
    desk.open_run(reported)
    previewed(page, qtbot, "Federated run")
    sizes = []
    for button in ("larger", "smaller", "smaller"):
        press(page, button, qtbot)
        sizes.append(page.findChild(QLabel, "report.zoom").text())
    assert sizes == ["110%", "100%", "90%"]
    assert page.findChild(QWebEngineView).zoomFactor() == pytest.approx(0.9)


def test_a_report_that_is_not_there_is_written_and_shown_and_an_old_one_again(shown: Shown, desk: Desk, copied: Path,
                                                                               qtbot: QtBot) -> None:
    (copied / "report.html").unlink()
    page = shown(ReportPage)
    desk.open_run(copied)
    qtbot.waitUntil(lambda: any("no report yet" in part.text() for part in page.findChildren(Empty) if part.isVisible()), timeout=WAIT)
    assert not page.findChild(QPushButton, "report.pdf").isEnabled()
    empty = next(part for part in page.findChildren(Empty) if part.isVisible())
    qtbot.mouseClick(empty.findChild(QPushButton), Qt.MouseButton.LeftButton)
    previewed(page, qtbot, "Federated run federated-seed0")
    (copied / "report.html").write_text("<p>of another version</p>")
    page.refresh()
    previewed(page, qtbot, "of another version")
    press(page, "again", qtbot)
    previewed(page, qtbot, "Federated run federated-seed0")


def test_html_and_pdf_are_exported_where_one_says(shown: Shown, desk: Desk, copied: Path, tmp_path: Path, qtbot: QtBot,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    proposed: list[str] = []

    def choose(parent: object, title: str, path: str, kinds: str) -> tuple[str, str]:
        proposed.append(path)
        return str(tmp_path / Path(path).name), kinds

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    page = shown(ReportPage)
    desk.open_run(copied)
    previewed(page, qtbot, "Federated run")
    press(page, "html", qtbot)
    qtbot.waitUntil(lambda: "Saved: " in said(page), timeout=WAIT)
    assert (tmp_path / "demo-federated-seed0.html").read_bytes() == (copied / "report.html").read_bytes()
    press(page, "pdf", qtbot)
    assert said(page).startswith("Printing") and not page.findChild(QPushButton, "report.pdf").isEnabled()
    qtbot.waitUntil(lambda: said(page) == f"Saved: {tmp_path / 'demo-federated-seed0.pdf'}", timeout=WAIT)
    assert (tmp_path / "demo-federated-seed0.pdf").read_bytes().startswith(b"%PDF-")
    assert [Path(path).parent for path in proposed] == [desk.workspace, desk.workspace]


@pytest.mark.parametrize("kind", ["html", "pdf"])
def test_a_file_that_cannot_be_written_is_named(shown: Shown, desk: Desk, reported: Path, tmp_path: Path, qtbot: QtBot, kind: str,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (str(tmp_path / "none" / f"a.{kind}"), ""))
    page = shown(ReportPage)
    desk.open_run(reported)
    previewed(page, qtbot, "Federated run")
    press(page, kind, qtbot)
    banner = page.findChild(Banner)
    qtbot.waitUntil(banner.isVisible, timeout=WAIT)
    assert f"a.{kind} was not written: No such file or directory" in banner.text()
    assert page.findChild(QPushButton, "report.pdf").isEnabled()


def test_a_browser_is_handed_the_file(shown: Shown, desk: Desk, reported: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", handed.append)
    page = shown(ReportPage)
    desk.open_run(reported)
    previewed(page, qtbot, "Federated run")
    press(page, "browser", qtbot)
    assert [url.toLocalFile() for url in handed] == [str(reported / "report.html")]


def test_an_unfinished_run_says_how_to_go_on(shown: Shown, desk: Desk, finished: Path, tmp_path: Path, qtbot: QtBot) -> None:
    shutil.copy(finished / "plan.toml", tmp_path / "plan.toml")
    page = shown(ReportPage)
    desk.open_run(tmp_path)
    command = f"wardround run --resume {tmp_path}"
    qtbot.waitUntil(lambda: any(command in part.text() for part in page.findChildren(Empty) if part.isVisible()), timeout=WAIT)


def test_of_an_unfinished_comparison_the_finished_runs_have_reports(comparison: Path, tmp_path: Path) -> None:
    shutil.copytree(comparison / "federated-seed0", tmp_path / "federated-seed0")
    (tmp_path / "pooled-seed0").mkdir()
    shutil.copy(comparison / "pooled-seed0" / "plan.toml", tmp_path / "pooled-seed0" / "plan.toml")
    found = view.reports(tmp_path)
    assert [written.label for written in found.written] == ["federated-seed0"]
    assert "This comparison has not finished" in found.problem and "Continue it: wardround " in found.problem
