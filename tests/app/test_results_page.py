"""The Results page, used as a person would: open a folder, go through the tabs, ask where the model looked."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.results import ResultsPage
from wardround.app.views import results
from wardround.app.widgets.confusion import ConfusionMatrix
from wardround.app.widgets.facts import Facts
from wardround.app.widgets.plot import Curves, Forest, Heat
from wardround.app.widgets.table import TableView

Show = Callable[[type[Page]], Any]
WAIT_MS = 60_000  # the second process may be starting


@pytest.fixture
def page(desk: Desk, shown: Show, comparison: Path, qtbot: QtBot) -> ResultsPage:
    """The page with a comparison open."""
    made: ResultsPage = shown(ResultsPage)
    desk.open_run(comparison)
    qtbot.waitUntil(lambda: bool(made.headline.text()), timeout=WAIT_MS)
    return made


def part(page: QWidget, kind: type[Any], name: str) -> Any:
    """The widget of a name, None if there is none."""
    return page.findChild(kind, name)


def go(page: ResultsPage, key: str) -> Any:
    """Click a tab."""
    index = next(place for place in range(page.tabs.count()) if page.tabs.widget(place).objectName() == f"results.{key}")
    page.tabs.setCurrentIndex(index)
    return page.tabs.widget(index)


def choose_model(page: ResultsPage, qtbot: QtBot, words: str) -> None:
    """Type the first letters into the choice of models."""
    page.model.setFocus()
    qtbot.keyClicks(page.model, words)


def has_colour(picture: QWidget) -> bool:
    """Whether a pixel in the middle of a picture is not grey."""
    image = picture.grab().toImage()
    middle = [image.pixelColor(image.width() // 2 + across, image.height() // 2 + down) for across in range(-60, 60, 4)
              for down in range(-60, 60, 4)]
    return any(max(colour.getRgb()[:3]) - min(colour.getRgb()[:3]) > 8 for colour in middle)


def test_numbers_never_stand_under_the_name_of_another_run(page: ResultsPage, desk: Desk, finished: Path, qtbot: QtBot) -> None:
    assert page.headline.isVisible()
    desk.open_run(finished)
    assert not page.headline.isVisible()  # the federated run has not been read yet
    qtbot.waitUntil(page.headline.isVisible, timeout=WAIT_MS)


def test_an_empty_page_says_what_to_do(desk: Desk, shown: Show, comparison: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    page = shown(ResultsPage)
    button = part(page, QPushButton, "empty.action")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(comparison))
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert desk.run == comparison
    qtbot.waitUntil(lambda: page.tabs.isVisible(), timeout=WAIT_MS)


def test_a_comparison_opens_with_headline_forest_and_tables(page: ResultsPage, comparison: Path) -> None:
    found = results.opened(comparison)
    assert isinstance(found, results.Opened)
    assert page.headline.text() == found.headline
    assert page.phantom.isVisible()
    assert "PHANTOMS" in page.phantom.findChild(QLabel).text()
    forest = part(page, Forest, "results.forest")
    assert all(point.label in forest.accessibleDescription() for point in found.forest.points)
    assert part(page, TableView, "results.summary").grid == found.summary
    assert part(page, Facts, "results.facts").texts()["Phantoms"] == "yes"
    assert page.findChild(QWidget, "command").text() == found.command


def test_pairs_are_chosen_and_have_a_verdict_in_words_and_sign(page: ResultsPage) -> None:
    choice = part(page, QComboBox, "results.pair")
    choice.setCurrentIndex(choice.count() - 1)
    verdict = part(page, QLabel, "results.verdict").text()
    assert choice.currentText() == "Federated against local"
    assert choice.currentText() in verdict
    assert verdict[0] in "\N{BLACK UP-POINTING TRIANGLE}\N{BLACK DOWN-POINTING TRIANGLE}="
    assert part(page, TableView, "results.pair.table").grid.columns[0] == "Federated against local"


def test_hospitals_have_a_matrix_and_the_same_as_a_table(page: ResultsPage) -> None:
    tab = go(page, "hospitals")
    matrix = part(tab, TableView, "results.matrix.table").grid
    assert len(matrix.rows) == 3
    heat = part(tab, Heat, "results.matrix")
    assert all(row[0] in heat.accessibleDescription() for row in matrix.rows)
    assert sum(cell.endswith("*") for row in matrix.rows for cell in row) == 3


def test_curves_follow_the_chosen_class(page: ResultsPage, qtbot: QtBot) -> None:
    tab = go(page, "curves")
    qtbot.waitUntil(lambda: "Federated" in tab.roc.accessibleDescription(), timeout=WAIT_MS)
    first = part(tab, TableView, "results.areas").grid
    assert [row[0] for row in first.rows][:2] == ["Federated", "Pooled"]
    tab.label.setFocus()
    qtbot.keyClick(tab.label, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: part(tab, TableView, "results.areas").grid != first, timeout=WAIT_MS)


def test_confusion_is_of_the_chosen_model(page: ResultsPage, qtbot: QtBot) -> None:
    tab = go(page, "confusion")
    qtbot.waitUntil(lambda: part(tab, ConfusionMatrix, "results.confusion") is not None, timeout=WAIT_MS)
    of_federated = part(tab, TableView, "results.confusion.table").grid
    assert "glioma" in part(tab, ConfusionMatrix, "results.confusion").accessibleDescription()
    choose_model(page, qtbot, "Only n")
    qtbot.waitUntil(lambda: part(tab, TableView, "results.confusion.table").grid != of_federated, timeout=WAIT_MS)
    assert any(label.text().startswith("Only north model") for label in tab.findChildren(QLabel))


def test_the_choice_of_a_model_is_there_only_where_it_matters(page: ResultsPage) -> None:
    assert not page.model.isVisible()
    go(page, "confusion")
    assert page.model.isVisible()
    go(page, "curves")
    assert not page.model.isVisible()


def test_calibration_tells_its_bins(page: ResultsPage, qtbot: QtBot) -> None:
    tab = go(page, "calibration")
    qtbot.waitUntil(lambda: part(tab, TableView, "results.bins") is not None, timeout=WAIT_MS)
    assert part(tab, TableView, "results.bins").grid.columns[1] == "Share named correctly"
    tab.label.setCurrentIndex(1)
    qtbot.waitUntil(lambda: part(tab, TableView, "results.bins").grid.columns[1] == "Observed share of glioma", timeout=WAIT_MS)


def test_training_has_lines_of_loss_and_score(page: ResultsPage, qtbot: QtBot) -> None:
    tab = go(page, "training")
    qtbot.waitUntil(lambda: "all hospitals" in part(tab, Curves, "results.metric").accessibleDescription(), timeout=WAIT_MS)
    assert "validation" in part(tab, Curves, "results.loss").accessibleDescription()


def test_a_worst_error_is_seen_large_and_under_its_heat(page: ResultsPage, qtbot: QtBot) -> None:
    tab = go(page, "errors")
    qtbot.waitUntil(lambda: not tab.picture.is_empty, timeout=WAIT_MS)
    first = tab.caption.text()
    tab.gallery.setFocus()
    qtbot.keyClick(tab.gallery, Qt.Key.Key_Right)
    assert tab.caption.text().startswith("truth: ")
    assert tab.gallery.currentIndex().row() == 1
    assert not tab.warning.isVisible()
    assert not has_colour(tab.picture)
    qtbot.mouseClick(tab.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: tab.warning.isVisible(), timeout=2 * WAIT_MS)
    assert "no evidence for a finding" in part(tab, QLabel, "results.heat.caution").text()
    assert "In colour" in tab.caption.text()
    assert has_colour(tab.picture)
    tab.heat.click()
    assert not has_colour(tab.picture)
    qtbot.keyClick(tab.gallery, Qt.Key.Key_Left)
    assert tab.caption.text() == first
    assert tab.button.isVisible()


def test_a_single_run_has_no_pairs_and_no_matrix(desk: Desk, shown: Show, finished: Path, qtbot: QtBot) -> None:
    page = shown(ResultsPage)
    desk.open_run(finished)
    qtbot.waitUntil(lambda: page.headline.text().startswith("On phantom images"), timeout=WAIT_MS)
    assert part(page, QComboBox, "results.pair") is None
    assert part(go(page, "hospitals"), Heat, "results.matrix") is None
    assert page.findChild(QWidget, "command").text() == f"wardround report {finished}"


def test_segmentations_lie_over_the_truth_patient_by_patient(desk: Desk, shown: Show, makers: Any, tmp_path: Path, qtbot: QtBot) -> None:
    page = shown(ResultsPage)
    desk.open_run(makers.Writer(tmp_path).run(makers.MaskSample(resamples=100, num_test=20)))
    qtbot.waitUntil(page.tabs.isVisible, timeout=WAIT_MS)
    tab = go(page, "segmentation")
    qtbot.waitUntil(lambda: tab.patient.count() == 3, timeout=WAIT_MS)
    assert tab.patient.currentText() == "worst: Dice 0.55"
    assert tab.viewer.volume.shape == (1, 12, 40, 40)
    names = [box.text() for box in tab.viewer.mask_boxes()]
    assert [name.split(" ")[0] for name in names] == ["truth", "model"]
    worst = tab.viewer.canvas.grab().toImage()
    tab.patient.setFocus()
    qtbot.keyClick(tab.patient, Qt.Key.Key_Home)
    assert tab.patient.currentText() == "best: Dice 0.95"
    assert tab.viewer.canvas.grab().toImage() != worst
    tab.errors.click()
    assert [box.text().split(" ")[0] for box in tab.viewer.mask_boxes()] == ["truth", "differences"]
    assert part(tab, TableView, "results.patients").grid.columns[:3] == ("Patient", "Hospital", "Mean Dice")
    assert tab.caution.isVisible()  # these are no phantoms


def test_findings_have_a_tab_and_no_confusion(desk: Desk, shown: Show, makers: Any, tmp_path: Path, qtbot: QtBot) -> None:
    page = shown(ResultsPage)
    desk.open_run(makers.Writer(tmp_path).run(makers.FindingSample(resamples=100, num_test=80)))
    qtbot.waitUntil(page.tabs.isVisible, timeout=WAIT_MS)
    assert not page.phantom.isVisible()
    tab = go(page, "findings")
    assert "Hernia" in part(tab, Forest, "results.by_finding").accessibleDescription()
    assert "confusion" not in [page.tabs.widget(place).key for place in range(page.tabs.count())]
    curves = go(page, "curves")
    curves.label.setCurrentIndex(curves.label.findText("Hernia"))
    qtbot.waitUntil(curves.why_not.isVisible, timeout=WAIT_MS)
    assert curves.why_not.text().startswith("Not estimable")
    assert not curves.roc.isVisible()


def test_a_folder_without_results_is_refused_and_the_page_stays_usable(page: ResultsPage, desk: Desk, tmp_path: Path, comparison: Path,
                                                                        qtbot: QtBot) -> None:
    desk.open_run(tmp_path)
    banner = page.findChild(QWidget, "banner")
    qtbot.waitUntil(banner.isVisible, timeout=WAIT_MS)
    assert "Choose the folder that a run or a comparison wrote" in banner.text()
    desk.open_run(comparison)
    qtbot.waitUntil(page.tabs.isVisible, timeout=WAIT_MS)
    assert not banner.isVisible()


def test_an_unfinished_comparison_shows_what_has_finished(desk: Desk, shown: Show, comparison: Path, tmp_path: Path, qtbot: QtBot) -> None:
    folder = tmp_path / "stopped"
    shutil.copytree(comparison, folder)
    (folder / "compare.json").unlink()
    (folder / "pooled-seed0" / "scores.json").unlink()
    page = shown(ResultsPage)
    desk.open_run(folder)
    qtbot.waitUntil(lambda: part(page, QPushButton, "results.resume") is not None, timeout=WAIT_MS)
    assert any("pooled-seed0: 3 of 3 rounds" in label.text() for label in page.findChildren(QLabel))
    with qtbot.waitSignal(desk.asked_for) as asked:
        qtbot.mouseClick(part(page, QPushButton, "results.resume"), Qt.MouseButton.LeftButton)
    assert asked.args == ["run"]
    qtbot.mouseClick(part(page, QPushButton, "results.show.federated-seed0"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.tabs.isVisible, timeout=WAIT_MS)
    assert desk.run == folder / "federated-seed0"


def test_recent_folders_are_one_choice_away(page: ResultsPage, desk: Desk, finished: Path, comparison: Path, qtbot: QtBot) -> None:
    desk.open_run(finished)
    recent = part(page, QComboBox, "results.recent")
    assert recent.currentData() == str(finished)
    place = recent.findData(str(comparison))
    recent.setCurrentIndex(place)
    recent.activated.emit(place)
    assert desk.run == comparison
    assert recent.currentData() == str(comparison)
