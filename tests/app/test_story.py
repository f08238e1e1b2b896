"""The whole story as a person clicks it: the demo from its button to its report, on fewer images so that it takes seconds."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QTabWidget
from pytestqt.qtbot import QtBot
from tiny import TINY

from wardround.app.desk import Desk
from wardround.app.runner import Job
from wardround.app.window import MainWindow


def click(window: MainWindow, qtbot: QtBot, name: str) -> None:
    button = window.page().findChild(QPushButton, name)
    qtbot.waitUntil(button.isEnabled, timeout=60000)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_demo_is_clicked_watched_judged_and_reported(desk: Desk, qtbot: QtBot) -> None:
    start = desk._start

    def smaller(argv: Sequence[str], title: str, results: Path) -> Job:
        return start(["compare", *argv, *(part for change in TINY for part in ("--set", change))], title, results)

    desk._start = smaller  # type: ignore[method-assign]
    desk.close = lambda: None  # type: ignore[method-assign]  # the second processes belong to all tests
    window = MainWindow(desk)
    qtbot.addWidget(window)
    window.show()
    click(window, qtbot, "start.demo")
    assert window.page().key == "run"
    (job,) = desk.jobs.all()
    assert job.command.startswith("wardround compare demo ")
    qtbot.waitUntil(lambda: job.state == "finished", timeout=90000)
    assert {run.arm for run in job.live.runs.values()} == {"federated", "pooled", "local"}

    click(window, qtbot, "run.results")
    assert window.page().key == "results" and desk.run == job.results
    qtbot.waitUntil(lambda: any(tabs.count() for tabs in window.page().findChildren(QTabWidget)), timeout=60000)
    assert "phantom" in window.page().headline.text().lower()

    window.show_page("report")
    qtbot.waitUntil(lambda: window.page().chosen() is not None, timeout=60000)
    assert window.page().chosen().html == job.results / "report.html"
