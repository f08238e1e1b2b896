"""The page Data as a person uses it: choose a folder, look, filter, check, map a table, and mend what is wrong."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QPushButton

from wardround.app.pages.data import DataPage
from wardround.app.pages.mapping import MappingDialog
from wardround.app.widgets.banner import Banner
from wardround.rng import stream

WAIT = 60_000


def picture(path: Path, *seed: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(stream("picture", *seed).integers(0, 255, (40, 40)).astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 12, of which ill/00 is cut short and ill/02 a copy of healthy/01."""
    for name in ("healthy", "ill"):
        for index in range(12):
            picture(tmp_path / "set" / name / f"{index:02}.png", name, index)
    first = tmp_path / "set" / "ill" / "00.png"
    first.write_bytes(first.read_bytes()[:200])
    (tmp_path / "set" / "ill" / "02.png").write_bytes((tmp_path / "set" / "healthy" / "01.png").read_bytes())
    return tmp_path / "set"


@pytest.fixture
def page(shown):
    return shown(DataPage)


def opened(qtbot, page: DataPage, source: Path) -> None:
    """Type the path and press Enter."""
    page.path.setText("")
    qtbot.keyClicks(page.path, str(source))
    qtbot.keyClick(page.path, Qt.Key.Key_Return)


def press(qtbot, page, name: str) -> None:
    qtbot.mouseClick(page.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def head(page: DataPage) -> str:
    return page.findChild(type(page._head), "data.head").text()


def looked(qtbot, page: DataPage, folder: Path) -> None:
    opened(qtbot, page, folder)
    qtbot.waitUntil(lambda: page.filters.count.text() == "24 of 24 images", timeout=WAIT)


def checked(qtbot, page: DataPage, folder: Path, **keys: object) -> None:
    looked(qtbot, page, folder)
    for key, value in ({"data.max_failed": 0.5, "split.val": 0.2, "split.test": 0.2, "sites.num": 2, "data.size": 16} | keys).items():
        page.desk.set_key(key, value)
    press(qtbot, page, "data.check")
    qtbot.waitUntil(lambda: page.findings.currentIndex() == 1, timeout=WAIT)


def test_an_empty_page_says_what_to_do(page):
    assert "Choose a folder of images" in page._empty.text()
    assert not page.tabs.isVisible()


def test_a_typed_folder_is_detected_and_begins_a_plan(qtbot, page, desk, folder):
    looked(qtbot, page, folder)
    assert head(page) == "Any labelled folder: 24 images, 2 classes"
    assert "begins as the shipped plan 'chest-xray-pneumonia'" in page._note.text()
    assert (desk.draft.value("data.dataset"), desk.draft.value("data.folder")) == ("folder", folder)
    assert page._command._line.text() == f"wardround data inspect {folder}"


@pytest.mark.filterwarnings("ignore:Function. 'QDragEnterEvent:DeprecationWarning")  # before 6.12 there was no other
def test_a_dropped_folder_is_opened(qtbot, page, folder):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(folder))])
    how = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(10, 10), *how)
    QApplication.sendEvent(page, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(page, QDropEvent(QPointF(10, 10), *how))
    qtbot.waitUntil(lambda: page.filters.count.text() == "24 of 24 images", timeout=WAIT)


def test_a_wrong_folder_has_a_banner_with_cause_and_next_step(qtbot, page, desk, tmp_path):
    opened(qtbot, page, tmp_path / "nowhere")
    banner = page.findChild(Banner)
    qtbot.waitUntil(banner.isVisible, timeout=WAIT)
    assert "no such folder or file. Check the spelling" in banner.text()
    assert desk.draft.text == ""


def test_another_data_set_keeps_the_open_plan_and_offers_the_fitting_one(qtbot, page, desk, folder):
    desk.open_plan("lgg-mri")
    looked(qtbot, page, folder)
    assert (desk.draft.name, desk.draft.value("data.dataset")) == ("lgg-mri", "folder")
    button = page.findChild(QPushButton, "data.instead")
    assert "chest-xray-pneumonia" in button.text()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert desk.draft.value("model.name") == "resnet18"
    assert not button.isVisible()


def test_thumbnails_come_and_a_click_shows_the_image_large(qtbot, page, folder):
    looked(qtbot, page, folder)
    gallery = page.images.gallery
    qtbot.waitUntil(lambda: gallery.model().has(23), timeout=WAIT)
    qtbot.mouseClick(gallery.viewport(), Qt.MouseButton.LeftButton, pos=gallery.visualRect(gallery.model().index(3)).center())
    assert page.images.name.text() == "healthy/03.png"
    assert "healthy" in page.images.facts.text()
    pixels = np.asarray(Image.open(folder / "healthy/03.png"))
    qtbot.waitUntil(lambda: np.array_equal(page.images.viewer.volume, pixels[None, None]), timeout=WAIT)


def test_an_unreadable_image_says_why_it_is_not_shown(qtbot, page, folder):
    looked(qtbot, page, folder)
    page.images.gallery.setCurrentIndex(page.images.gallery.model().index(12))
    qtbot.waitUntil(page.images.problem.isVisible, timeout=WAIT)
    assert "cut short" in page.images.problem.text()


def test_class_and_text_filter_gallery_and_ledger(qtbot, page, folder):
    looked(qtbot, page, folder)
    page.filters.stratum.setCurrentText("ill")
    assert page.filters.count.text() == "12 of 24 images"
    qtbot.keyClicks(page.filters.text, "03")
    qtbot.waitUntil(lambda: page.filters.count.text() == "1 of 24 images", timeout=WAIT)
    assert page.images.gallery.model().rowCount() == 1
    assert page.ledger.cases.model().index(0, 0).data() == "ill/03.png"


def test_a_check_fills_ledger_and_findings(qtbot, page, folder):
    checked(qtbot, page, folder)
    assert page._note.text() == "23 used, 0 left out, 1 unreadable, of 24 images"
    assert {"One picture, two labels: 2", "Unreadable images: 1", "Identical pixels: 2"} <= set(page.findings.texts())
    page.tabs.setCurrentWidget(page.ledger)
    page.filters.status.setCurrentIndex(page.filters.status.findData("truncated"))
    assert page.filters.count.text() == "1 of 24 images"
    page.ledger.cases.selectRow(0)
    assert "ill/00.png" in page.ledger.said.text()
    assert "unreadable: cut short or damaged" in page.ledger.said.text()
    assert page._command._line.text().startswith("wardround data check chest-xray-pneumonia --set ")
    page.tabs.setCurrentWidget(page.split)
    assert page.split.by_class.grid.columns == ("Class", "Training", "Validation", "Test", "All")
    assert page.split.by_class.grid.rows[-1][-1] == "23"
    assert page.split.by_patient.grid.rows[0][1] == "not known"


def test_a_ledger_row_that_is_opened_is_shown_among_the_images(qtbot, page, folder):
    looked(qtbot, page, folder)
    page.tabs.setCurrentWidget(page.ledger)
    page.ledger.cases.selectRow(5)
    qtbot.keyClick(page.ledger.cases, Qt.Key.Key_Return)
    assert page.tabs.currentWidget() is page.images
    qtbot.waitUntil(lambda: page.images.viewer.volume.size > 1, timeout=WAIT)
    assert page.images.name.text() == "healthy/05.png"


def test_a_check_is_forgotten_when_the_plan_splits_otherwise(qtbot, page, desk, folder):
    checked(qtbot, page, folder)
    desk.set_key("split.test", 0.3)
    assert "check them again" in page._note.text()
    assert page.filters.status.count() == 1
    assert page.findings.currentIndex() == 0
    desk.set_key("rounds.num", 7)  # does not touch the images
    assert "check them again" in page._note.text()


def test_a_plan_that_cannot_be_carried_out_says_so_and_keeps_its_ledger(qtbot, page, folder):
    checked(qtbot, page, folder, **{"data.max_failed": 0.01})
    assert "1 of 24 images cannot be read" in page.findChild(Banner).text()
    assert page.filters.status.findData("truncated") > 0


def test_a_plan_without_folder_shows_its_phantoms(qtbot, page, desk):
    desk.open_plan("demo")
    desk.set_key("data.phantoms", 40)
    assert "names no folder, so phantoms are used" in page._phantoms.text()
    qtbot.mouseClick(page._phantoms.findChild(QPushButton), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.filters.count.text() == "40 of 40 images", timeout=WAIT)
    assert page._result.text().startswith("These images are phantoms")
    assert desk.draft.value("data.folder") is None


def test_phantoms_leave_with_their_data_set(qtbot, page, desk):
    desk.open_plan("demo")
    desk.set_key("data.phantoms", 40)
    qtbot.mouseClick(page._phantoms.findChild(QPushButton), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.filters.count.text() == "40 of 40 images", timeout=WAIT)
    desk.set_key("rounds.num", 3)
    assert page.tabs.isVisible()
    desk.open_plan("pneumoniamnist")
    assert page._phantoms.isVisible()
    assert not page.tabs.isVisible()


def test_a_plan_whose_folder_is_gone_shows_nothing_of_another(qtbot, page, desk, folder, tmp_path):
    looked(qtbot, page, folder)
    desk.set_key("data.folder", str(tmp_path / "moved"))
    qtbot.waitUntil(page.findChild(Banner).isVisible, timeout=WAIT)
    assert "moved does not exist" in page.findChild(Banner).text()
    assert not page.tabs.isVisible()
    desk.set_key("data.folder", str(folder))
    qtbot.waitUntil(page.tabs.isVisible, timeout=WAIT)


def test_a_volume_is_looked_through_by_modality_and_slice(qtbot, page, brains):
    opened(qtbot, page, brains)
    qtbot.waitUntil(lambda: page.filters.count.text() == "8 of 8 images", timeout=WAIT)
    page.images.gallery.setCurrentIndex(page.images.gallery.model().index(0))
    viewer = page.images.viewer
    qtbot.waitUntil(lambda: viewer.volume.shape == (4, 16, 16, 16), timeout=WAIT)
    assert [viewer.modality.itemText(place) for place in range(4)] == ["FLAIR", "T1", "T1 with contrast", "T2"]
    assert [box.text() for box in viewer.mask_boxes()] == ["truth (outline)"]
    assert "enhancing tumour" in viewer.legend.text().replace("&nbsp;", " ")
    before = viewer.slice
    qtbot.keyClick(viewer, Qt.Key.Key_Up)
    assert viewer.slice == before + 1


def test_a_table_with_other_columns_is_mapped_by_hand(qtbot, page, desk, folder, tmp_path):
    lines = [f"{name}/{index:02}.png,{name},p{index // 2}" for name in ("healthy", "ill") for index in range(12)]
    table = folder / "export.csv"
    table.write_text("\n".join(["filename,verdict,person", *lines]))
    opened(qtbot, page, table)
    banner = page.findChild(Banner)
    qtbot.waitUntil(banner.isVisible, timeout=WAIT)
    assert "no column 'image'" in banner.text()
    press(qtbot, page, "banner.remedy")
    qtbot.waitUntil(lambda: page.findChild(MappingDialog) is not None, timeout=WAIT)
    dialog = page.findChild(MappingDialog)
    button = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    assert dialog.combos["image"].currentText() == "filename"  # guessed
    assert "Choose what is learnt" in dialog.problem.text()
    assert not button.isEnabled()
    dialog.combos["label"].setCurrentText("verdict")
    assert "both sides of the split" in dialog.caution.text()
    dialog.combos["patient"].setCurrentText("person")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.filters.count.text() == "24 of 24 images", timeout=WAIT)
    place = desk.draft.value("data.folder")
    assert (desk.draft.value("data.dataset"), place.is_relative_to(desk.workspace)) == ("manifest", True)
    assert head(page).startswith("A table of images (CSV): 24 images")
    page.images.gallery.setCurrentIndex(page.images.gallery.model().index(0))
    assert "Patient: p0" in page.images.facts.text()


def test_a_mapping_that_fails_can_be_mended(qtbot, page, folder, tmp_path):
    table = tmp_path / "elsewhere" / "export.csv"
    table.parent.mkdir()
    table.write_text("image,verdict\nhealthy/01.png,healthy\nill/01.png,ill\n")
    opened(qtbot, page, table)
    qtbot.waitUntil(page.findChild(Banner).isVisible, timeout=WAIT)
    press(qtbot, page, "banner.remedy")
    qtbot.waitUntil(lambda: page.findChild(MappingDialog) is not None, timeout=WAIT)
    dialog = page.findChild(MappingDialog)
    dialog.combos["label"].setCurrentText("verdict")
    dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).click()
    qtbot.waitUntil(lambda: "Choose the folder in which these names start" in page.findChild(Banner).text(), timeout=WAIT)
    press(qtbot, page, "banner.remedy")
    qtbot.waitUntil(lambda: any(one.isVisible() for one in page.findChildren(MappingDialog)), timeout=WAIT)
    again = next(one for one in page.findChildren(MappingDialog) if one.isVisible())
    assert again.combos["label"].currentText() == "verdict"  # what was chosen is still there
    again.folder.setText(str(folder))
    again.buttons.button(QDialogButtonBox.StandardButton.Ok).click()
    qtbot.waitUntil(lambda: page.filters.count.text() == "2 of 2 images", timeout=WAIT)


def test_one_can_go_through_the_page_by_keyboard(qtbot, page, folder):
    looked(qtbot, page, folder)
    page.path.setFocus()
    order = []
    for _ in range(6):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        order.append(QApplication.focusWidget().objectName())
    assert order[:4] == ["data.folder", "data.table", "data.map", "data.check"]


def test_a_page_of_sixty_thousand_rows_is_set_up_and_filtered_at_once(qtbot, page, tmp_path):
    lines = [f"train/{index:06}.png,{'ab'[index % 2]}" for index in range(60_000)]
    (tmp_path / "manifest.csv").write_text("\n".join(["image,label", *lines]))
    opened(qtbot, page, tmp_path)
    qtbot.waitUntil(lambda: page.filters.count.text() == "60,000 of 60,000 images", timeout=WAIT)
    page.filters.stratum.setCurrentText("b")
    assert page.filters.count.text() == "30,000 of 60,000 images"
    page.images.gallery.scrollToBottom()
    assert page.images.gallery.indexAt(QPoint(30, 30)).row() > 29_000
