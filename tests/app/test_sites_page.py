from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.sites import SitesPage
from wardround.app.widgets.remarks import Remarks
from wardround.app.widgets.rows import PictureRows
from wardround.app.widgets.table import TableView

T = TypeVar("T", bound=QWidget)
Show = Callable[[type[Page]], Page]
WAIT = 60_000


@pytest.fixture
def page(desk: Desk, shown: Show, qtbot: QtBot) -> Page:
    """The page with the tiny demo dealt out: three sites, each without two of three tumours."""
    desk.open_plan("demo")
    for key, value in {"data.phantoms": 120, "data.size": 16}.items():
        desk.set_key(key, value)
    page = shown(SitesPage)
    qtbot.waitUntil(lambda: "3 site" in summary(page), timeout=WAIT)
    return page


def part(page: Page, kind: type[T], name: str) -> T:
    found = page.findChild(kind, f"sites.{name}")
    assert found is not None
    return found


def summary(page: Page) -> str:
    return part(page, QLabel, "summary").text()


def rows(page: Page) -> dict[str, tuple[str, ...]]:
    return {name: values for name, *values in part(page, TableView, "table").grid.rows}


def choose(page: Page, qtbot: QtBot, kind: str) -> None:
    """By the keyboard, as far down the list as it takes."""
    combo = part(page, QComboBox, "kind")
    qtbot.keyClick(combo, Qt.Key.Key_Home)
    for _ in range(combo.findData(kind)):
        qtbot.keyClick(combo, Qt.Key.Key_Down)


def command(page: Page) -> str:
    return page.findChild(QLineEdit, "command").text()


def test_without_a_plan_the_way_to_one_is_shown(desk: Desk, shown: Show, qtbot: QtBot) -> None:
    page, gone = shown(SitesPage), []
    desk.asked_for.connect(gone.append)
    qtbot.mouseClick(page.findChild(QPushButton, "empty.action"), Qt.MouseButton.LeftButton)
    assert gone == ["start"]
    assert not part(page, QComboBox, "kind").isVisible()


def test_who_holds_what_is_seen_in_table_chart_remarks_and_pictures(page: Page, qtbot: QtBot) -> None:
    assert list(rows(page)) == ["north", "south", "east", "all sites"]
    assert "very different" in summary(page)
    texts = part(page, Remarks, "remarks").texts()
    assert "Only north has training images of glioma: all others learn it from this site alone." in texts
    assert "north: glioma" in part(page, QWidget, "chart").accessibleDescription()
    qtbot.waitUntil(lambda: page.findChild(PictureRows).names() == ["north", "south", "east"], timeout=WAIT)
    assert command(page) == "wardround sites demo --set data.size=16 --set data.phantoms=120"


def test_another_kind_says_when_to_use_it_and_asks_only_what_it_takes(page: Page, desk: Desk, qtbot: QtBot) -> None:
    choose(page, qtbot, "dirichlet")
    assert desk.draft.value("sites.partition") == "dirichlet"
    assert "different mixes of patients" in part(page, QLabel, "use_when").text()
    assert part(page, QSlider, "alpha").isVisible()
    assert not part(page, QListWidget, "common").isVisible()
    choose(page, qtbot, "iid")
    assert not part(page, QSlider, "alpha").isVisible()
    qtbot.waitUntil(lambda: "nearly alike" in summary(page), timeout=WAIT)
    assert part(page, Remarks, "remarks").texts()[0].startswith("Fewer than 10 test images")


def test_dragging_alpha_deals_anew(page: Page, desk: Desk, qtbot: QtBot) -> None:
    choose(page, qtbot, "dirichlet")
    slider = part(page, QSlider, "alpha")
    qtbot.keyClick(slider, Qt.Key.Key_End)
    assert desk.draft.value("sites.alpha") == 100
    assert part(page, QDoubleSpinBox, "alpha.number").value() == 100
    qtbot.waitUntil(lambda: "nearly alike" in summary(page), timeout=WAIT)
    for _ in range(5):
        qtbot.keyClick(slider, Qt.Key.Key_PageDown)
    assert desk.draft.value("sites.alpha") == 0.32  # 10 ** (2 - 5 * 4 / 8)
    qtbot.waitUntil(lambda: "different" in summary(page), timeout=WAIT)
    assert command(page).endswith("--set sites.partition=dirichlet --set sites.alpha=0.32")


def test_more_sites_get_names_and_fewer_lose_them(page: Page, desk: Desk, qtbot: QtBot) -> None:
    num = part(page, QSpinBox, "num")
    qtbot.keyClick(num, Qt.Key.Key_Up)
    assert desk.draft.value("sites.names") == ("north", "south", "east", "site-1")
    qtbot.waitUntil(lambda: "4 site" in summary(page), timeout=WAIT)
    for _ in range(2):
        qtbot.keyClick(num, Qt.Key.Key_Down)
    assert desk.draft.value("sites.names") == ("north", "south")
    assert desk.draft.problem == ""


def test_typed_names_are_the_sites(page: Page, desk: Desk, qtbot: QtBot) -> None:
    names = part(page, QLineEdit, "names")
    names.selectAll()
    qtbot.keyClicks(names, "Ward A, Ward B")
    assert desk.draft.value("sites.num") == 3
    qtbot.keyClick(names, Qt.Key.Key_Return)
    assert (desk.draft.value("sites.num"), desk.draft.value("sites.names")) == (2, ("Ward A", "Ward B"))
    qtbot.waitUntil(lambda: list(rows(page)) == ["Ward A", "Ward B", "all sites"], timeout=WAIT)


def test_a_common_class_is_held_by_every_site(page: Page, desk: Desk, qtbot: QtBot) -> None:
    classes = part(page, QListWidget, "common")
    assert [classes.item(row).text() for row in range(classes.count())] == ["glioma", "meningioma", "notumor", "pituitary"]
    classes.setCurrentRow(0)
    qtbot.keyClick(classes, Qt.Key.Key_Space)
    assert desk.draft.value("sites.common") == ("glioma", "notumor")
    place = part(page, TableView, "table").grid.columns.index("glioma") - 1
    qtbot.waitUntil(lambda: all(values[place] != "0" for values in rows(page).values()), timeout=WAIT)


def test_what_cannot_be_dealt_is_explained_and_forgotten_once_it_can(page: Page, qtbot: QtBot) -> None:
    choose(page, qtbot, "column")
    qtbot.waitUntil(lambda: "no column 'site'" in page._banner.text(), timeout=WAIT)
    assert not part(page, TableView, "table").isVisible()
    choose(page, qtbot, "quantity")
    qtbot.waitUntil(lambda: part(page, TableView, "table").isVisible(), timeout=WAIT)
    assert not page._banner.isVisible()


def test_one_site_s_images_can_be_looked_at(page: Page, qtbot: QtBot) -> None:
    whose = part(page, QComboBox, "whose")
    qtbot.keyClick(whose, Qt.Key.Key_End)
    assert whose.currentText() == "east"
    qtbot.waitUntil(lambda: page.findChild(PictureRows).names()[:1] == ["east"], timeout=WAIT)


def test_a_text_that_is_no_plan_is_said_and_its_sites_stay(page: Page, desk: Desk) -> None:
    desk.set_text(desk.draft.text + "\n[nonsense]\n")
    assert page._banner.isVisible() and "nonsense" in page._banner.text()
    assert list(rows(page)) == ["north", "south", "east", "all sites"]


def test_the_wheel_scrolls_the_page_and_turns_no_number(page: Page, desk: Desk) -> None:
    num, here = part(page, QSpinBox, "num"), QPointF(5, 5)
    page.setFocus()
    QApplication.sendEvent(num, QWheelEvent(here, here, QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
                                            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False))
    assert desk.draft.value("sites.num") == 3


def test_a_folder_that_is_not_there_is_said_and_tried_again_when_one_comes_back(page: Page, desk: Desk, qtbot: QtBot,
                                                                                tmp_path: Path) -> None:
    desk.set_key("data.folder", str(tmp_path / "absent"))
    qtbot.waitUntil(lambda: "absent" in page._banner.text() and page._banner.isVisible(), timeout=WAIT)
    assert "message above" in summary(page)
    page.refresh()
    assert page._banner.isVisible() and not desk.slow.is_busy
    page.hide()
    desk.set_key("data.folder", None)
    page.show()
    page.refresh()
    qtbot.waitUntil(lambda: "3 site" in summary(page) and not page._banner.isVisible(), timeout=WAIT)


def test_reading_can_be_cancelled_and_begun_again(desk: Desk, shown: Show, qtbot: QtBot) -> None:
    desk.open_plan("demo")
    desk.set_key("data.phantoms", 4000)  # long enough to be ended
    page = shown(SitesPage)
    cancel = page.findChild(QPushButton, "working.cancel")
    qtbot.waitUntil(cancel.isVisible, timeout=WAIT)
    qtbot.mouseClick(cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "cancelled" in summary(page), timeout=WAIT)
    desk.set_key("data.phantoms", 60)
    qtbot.waitUntil(lambda: "3 site" in summary(page), timeout=WAIT)
