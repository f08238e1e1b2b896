"""Predict, as a person uses it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_runs import drawing_run, own_run
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QFileDialog, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.predict import PredictPage
from wardround.app.widgets.banner import Banner
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.shares import Shares
from wardround.app.widgets.slices import SliceViewer
from wardround.app.widgets.table import TableView

LONG = 30_000  # ms; the second process starts, and torch with it


class Predict:
    """The page, by what is seen on it."""

    def __init__(self, page: Page, qtbot: QtBot) -> None:
        self.page, self.qtbot = page, qtbot

    def text(self, name: str) -> str:
        return self.page.findChild(QLabel, name).text()

    def is_shown(self, name: str) -> bool:
        return self.page.findChild(QWidget, name).isVisible()

    def click(self, name: str) -> None:
        widget = self.page.findChild(QPushButton, name)
        assert widget.isEnabled() and widget.isVisible()
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)

    def tick(self, name: str) -> None:
        self.page.findChild(QCheckBox, name).click()

    def until(self, is_so: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(is_so, timeout=LONG)

    def drop(self, *paths: Path) -> None:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        how = Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        entered = QDragEnterEvent(QPoint(50, 50), *how)
        QApplication.sendEvent(self.page, entered)
        assert entered.isAccepted()
        QApplication.sendEvent(self.page, QDropEvent(QPointF(50, 50), *how))

    @property
    def facts(self) -> dict[str, str]:
        return dict(self.page.findChild(Facts, "predict.facts").texts())

    @property
    def shares(self) -> tuple[str, ...]:
        found = self.page.findChild(Shares, "predict.shares")
        return found.texts() if found.isVisible() else ()

    @property
    def table(self) -> TableView:
        return self.page.findChild(TableView, "predict.table")

    @property
    def viewer(self) -> SliceViewer:
        return self.page.findChild(SliceViewer)

    @property
    def command(self) -> str:
        return self.page.findChild(QLineEdit, "command").text()

    @property
    def error(self) -> str:
        banner = self.page.findChild(Banner)
        return banner.text() if banner.isVisible() else ""


@pytest.fixture
def opened(desk: Desk, shown: Callable[[type[Page]], Page], qtbot: QtBot) -> Callable[[Path], Predict]:
    """The page with a run open and its model known."""
    def open_run(run: Path) -> Predict:
        found = Predict(shown(PredictPage), qtbot)
        desk.open_run(run)
        found.until(lambda: found.is_shown("predict.models"))
        return found

    return open_run


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in ("one", "two")]
    for seed, path in enumerate(paths):
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (20, 20), dtype=np.uint8)).save(path)
    return paths


def choosing(monkeypatch: pytest.MonkeyPatch, kind: str, answer: object) -> None:
    monkeypatch.setattr(QFileDialog, kind, lambda *arguments: answer)


def test_without_a_run_it_says_what_to_do_and_a_button_opens_one(
        shown: Callable[[type[Page]], Page], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, finished: Path) -> None:
    page = Predict(shown(PredictPage), qtbot)
    assert "No run is open" in page.page.findChild(Empty).text()
    assert page.is_shown("predict.notice") and "Not for clinical use" in page.text("predict.notice")
    choosing(monkeypatch, "getExistingDirectory", str(finished))
    page.click("empty.action")
    page.until(lambda: page.is_shown("predict.models"))
    assert page.facts["Run"] == str(finished)
    assert page.facts["Tested"].startswith("Balanced accuracy")
    assert page.is_shown("predict.phantom") and "PHANTOMS" in page.text("predict.phantom")
    assert page.command == f"wardround predict {finished} PATH"


def test_dropped_images_are_answered_and_an_unreadable_one_says_why(opened: Callable[[Path], Predict], finished: Path,
                                                                    pictures: list[Path], tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    page, broken = opened(finished), tmp_path / "broken.png"
    broken.write_text("no picture")
    page.drop(*pictures, broken)
    page.until(lambda: len(page.table.grid.rows) == 3 and page.viewer.isVisible() and page.viewer.volume.shape == (1, 1, 20, 20))
    assert page.command == f"wardround predict {finished} {pictures[0]} {pictures[1]} {broken}"
    assert len(page.shares) == 4 and page.shares[0].startswith("\N{CHECK MARK}")
    assert "1 could not be read" in page.text("predict.summary")
    assert "Calibrated" in page.text("predict.notes")
    page.table.selectRow(2)
    page.until(lambda: page.is_shown("predict.error"))
    assert "not an image" in page.text("predict.error") and page.shares == ()
    assert page.is_shown("predict.notice")
    choosing(monkeypatch, "getSaveFileName", (str(tmp_path / "table.csv"), ""))
    page.click("predict.export")
    page.until((tmp_path / "table.csv").exists)
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 4


def test_where_the_model_looked_is_shown_with_its_caution_and_taken_away_again(opened: Callable[[Path], Predict], finished: Path,
                                                                               pictures: list[Path],
                                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(finished)
    choosing(monkeypatch, "getOpenFileNames", ([str(pictures[0])], ""))
    page.click("predict.open")
    page.until(lambda: page.viewer.volume.shape == (1, 1, 20, 20))
    assert not page.is_shown("predict.caution")
    page.tick("predict.look")
    page.until(lambda: page.is_shown("predict.caution"))
    assert "no evidence for a finding" in page.text("predict.caution")
    assert page.viewer.volume.shape == (3, 1, 256, 256)
    assert page.command.startswith(f"wardround explain {finished} {pictures[0]} --out heat --class ")
    page.page.findChild(QComboBox, "predict.look.class").setCurrentIndex(2)
    page.until(lambda: page.command.endswith(page.shares[2].split()[0]))
    page.tick("predict.look")
    page.until(lambda: page.viewer.volume.shape == (1, 1, 20, 20))
    assert not page.is_shown("predict.caution")


def test_masks_lie_over_the_picture_can_be_switched_off_and_saved(opened: Callable[[Path], Predict], pictures: list[Path], tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(drawing_run(tmp_path / "run"))
    assert not page.is_shown("predict.phantom")
    page.drop(pictures[0])
    page.until(lambda: len(page.viewer.mask_boxes()) == 1)
    assert "--out masks" in page.command
    assert page.text("predict.marked")
    assert not page.is_shown("predict.look")
    page.viewer.mask_boxes()[0].click()
    assert not page.viewer.mask_boxes()[0].isChecked()
    choosing(monkeypatch, "getExistingDirectory", str(tmp_path / "kept"))
    page.click("predict.save")
    page.until((tmp_path / "kept" / "one_mask.png").exists)
    page.click("predict.save")
    page.until(lambda: "Choose another folder" in page.error)


def test_a_program_of_somebody_s_own_is_run_only_once_it_is_trusted(opened: Callable[[Path], Predict], pictures: list[Path],
                                                                    tmp_path: Path) -> None:
    page = opened(own_run(tmp_path / "run"))
    assert "own.py:net" in page.text("predict.program")
    assert not page.page.findChild(QPushButton, "predict.open").isEnabled()
    page.drop(pictures[0])
    assert "tick the box" in page.error
    page.tick("predict.trust")
    page.drop(pictures[0])
    page.until(lambda: len(page.shares) == 2)
    assert page.command.endswith("--own-code") and not page.error


def test_another_run_of_the_comparison_can_be_asked(opened: Callable[[Path], Predict], comparison: Path, qtbot: QtBot) -> None:
    page = opened(comparison)
    models = page.page.findChild(QComboBox, "predict.models")
    assert models.currentText() == "demo / federated-seed0"
    models.setFocus()
    qtbot.keyClick(models, Qt.Key.Key_Down)
    page.until(lambda: page.facts["Trained"].startswith("Pooled"))
    assert page.command == f"wardround predict {comparison / 'pooled-seed0'} PATH"


def test_a_run_that_has_not_finished_says_how_to_go_on(desk: Desk, shown: Callable[[type[Page]], Page], qtbot: QtBot, finished: Path,
                                                       tmp_path: Path) -> None:
    page = Predict(shown(PredictPage), qtbot)
    (tmp_path / "begun").mkdir()
    shutil.copy(finished / "plan.toml", tmp_path / "begun")
    desk.open_run(tmp_path / "begun")
    page.until(lambda: "--resume" in page.error)
    assert not page.is_shown("predict.models")
    assert page.is_shown("predict.notice")


def test_a_folder_without_images_is_named(opened: Callable[[Path], Predict], finished: Path, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(finished)
    (tmp_path / "empty").mkdir()
    choosing(monkeypatch, "getExistingDirectory", str(tmp_path / "empty"))
    page.click("predict.folder")
    page.until(lambda: "holds no image" in page.error)
