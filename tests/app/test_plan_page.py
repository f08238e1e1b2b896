"""The page Plan, driven as a person would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.plan import PlanPage
from wardround.app.theme import theme
from wardround.app.widgets.toml import TomlEdit

Shown = Callable[[type[Page]], Page]


@pytest.fixture
def page(desk: Desk, shown: Shown) -> Page:
    desk.open_plan("demo")
    return shown(PlanPage)


def find(page: QWidget, kind: type[Any], name: str) -> Any:
    found = page.findChild(kind, f"plan.{name}")
    assert found is not None, name
    return found


def pick(page: QWidget, key: str, value: str) -> None:
    """Choose an entry of a list by the keyboard."""
    box = find(page, QComboBox, key)
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())


def write(qtbot: QtBot, edit: QLineEdit, text: str) -> None:
    edit.setFocus()
    edit.selectAll()
    qtbot.keyClicks(edit, text)
    qtbot.keyClick(edit, Qt.Key.Key_Return)


def change_line(qtbot: QtBot, editor: TomlEdit, before: str, after: str) -> None:
    """Find a piece of the text and type another over it."""
    editor.setFocus()
    editor.moveCursor(QTextCursor.MoveOperation.Start)
    assert editor.find(before)
    qtbot.keyClicks(editor, after)


def judged(qtbot: QtBot, page: Any) -> None:
    qtbot.waitUntil(lambda: page._judgement.text == page.desk.draft.text, timeout=60_000)


def test_without_a_plan_it_says_where_to_get_one(desk: Desk, shown: Shown, qtbot: QtBot) -> None:
    page = shown(PlanPage)
    with qtbot.waitSignal(desk.asked_for) as asked:
        qtbot.mouseClick(page.findChild(QPushButton, "empty.action"), Qt.MouseButton.LeftButton)
    assert asked.args == ["start"]
    assert not find(page, TomlEdit, "text").isVisible()


def test_the_form_and_the_text_say_the_same(page: Page) -> None:
    assert find(page, QComboBox, "model.name").currentText() == "cnn"
    assert "first, and wherever" in find(page, QLabel, "model.name.use_when").text().lower()
    assert find(page, QLineEdit, "rounds.num").text() == str(page.desk.draft.value("rounds.num"))
    assert find(page, TomlEdit, "text").toPlainText() == page.desk.draft.text


def test_a_choice_changes_the_text_and_its_line_of_advice(page: Page, qtbot: QtBot) -> None:
    pick(page, "strategy.name", "fedprox")
    assert 'name = "fedprox"' in find(page, TomlEdit, "text").toPlainText()
    assert find(page, QLabel, "strategy.name.use_when").text() == "Long local rounds drift apart; set mu."
    judged(qtbot, page)
    write(qtbot, find(page, QLineEdit, "strategy.mu"), "0.1")
    assert page.desk.draft.value("strategy.mu") == 0.1
    write(qtbot, find(page, QLineEdit, "strategy.mu"), " ")
    assert not page.desk.draft.is_set("strategy.mu")


def test_comments_of_the_text_stay_when_the_form_is_used(page: Page, qtbot: QtBot) -> None:
    write(qtbot, find(page, QLineEdit, "recipe.lr"), "2e-3")
    assert page.desk.draft.value("recipe.lr") == 0.002
    assert "# pixels, height and width" in page.desk.draft.text


def test_a_number_that_is_not_allowed_is_said_and_not_taken(page: Page, qtbot: QtBot) -> None:
    before = page.desk.draft.text
    edit = find(page, QLineEdit, "recipe.lr")
    write(qtbot, edit, "-1")
    assert page.desk.draft.text == before
    told = [label.text() for label in edit.parentWidget().findChildren(QLabel)]
    assert any("Type a number above 0." in text for text in told)
    write(qtbot, edit, "0.1")
    assert page.desk.draft.value("recipe.lr") == 0.1
    assert not any("Type" in label.text() for label in edit.parentWidget().findChildren(QLabel))


def test_settings_that_are_seldom_changed_are_behind_a_button(page: Page, qtbot: QtBot) -> None:
    flip = find(page, QCheckBox, "augment.flip")
    assert not flip.isVisible()
    more = find(page, QWidget, "more.augmentation")
    num = sum(page.desk.draft.is_set(f"augment.{key}") for key in ("flip", "rotate_deg", "scale", "shift", "intensity"))
    assert f"({num} set)" in more.text()
    qtbot.mouseClick(more, Qt.MouseButton.LeftButton)
    assert flip.isVisible()
    before = flip.isChecked()
    flip.click()
    assert page.desk.draft.value("augment.flip") is not before


def test_what_is_typed_reaches_the_form_after_a_pause(page: Page, qtbot: QtBot) -> None:
    editor = find(page, TomlEdit, "text")
    num = page.desk.draft.value("rounds.num")
    change_line(qtbot, editor, f"num = {num}", "num = 7")
    assert page.desk.draft.value("rounds.num") == num  # not yet
    qtbot.waitUntil(lambda: page.desk.draft.value("rounds.num") == 7, timeout=5000)
    assert find(page, QLineEdit, "rounds.num").text() == "7"


def test_a_wrong_text_marks_its_line_says_what_to_do_and_loses_nothing(page: Page, qtbot: QtBot) -> None:
    editor = find(page, TomlEdit, "text")
    change_line(qtbot, editor, 'norm = "group"', 'norm = "grup"')
    qtbot.waitUntil(lambda: page.desk.draft.plan is None, timeout=5000)
    line = editor.marked_line()
    assert line is not None and editor.toPlainText().splitlines()[line - 1].startswith('norm = "grup"')
    assert "Did you mean 'group'?" in find(page, QLabel, "problems").text()
    assert not find(page, QComboBox, "model.name").isEnabled() and find(page, QComboBox, "model.norm").currentText() == "group"
    for name in ("train", "save", "forecast"):
        assert not find(page, QPushButton, f"{name}.button").isEnabled()
    change_line(qtbot, editor, "grup", "batch")
    qtbot.waitUntil(lambda: page.desk.draft.value("model.norm") == "batch", timeout=5000)
    assert editor.marked_line() is None
    assert find(page, QComboBox, "model.name").isEnabled() and find(page, QComboBox, "model.norm").currentText() == "batch"


def test_undo_in_the_text_takes_a_change_of_the_form_back(page: Page, qtbot: QtBot) -> None:
    before, editor, named = page.desk.draft.text, find(page, TomlEdit, "text"), page.desk.draft.value("strategy.name")
    pick(page, "strategy.name", "fedavgm")
    editor.setFocus()
    editor.undo()
    qtbot.waitUntil(lambda: page.desk.draft.text == before, timeout=5000)
    assert find(page, QComboBox, "strategy.name").currentText() == named


def test_settings_that_break_each_others_guarantee_are_told_as_they_are_made(page: Page, qtbot: QtBot) -> None:
    pick(page, "privacy.unit", "site")
    judged(qtbot, page)
    told = find(page, QLabel, "problems").text()
    assert "privacy.unit = 'site' does not go with aggregation.weights = 'examples'" in told
    assert "Set aggregation.weights = 'equal'." in told
    assert "not covered by epsilon" in find(page, QLabel, "cautions").text()
    assert not find(page, QPushButton, "train.button").isEnabled()
    qtbot.mouseClick(find(page, QWidget, "more.aggregation"), Qt.MouseButton.LeftButton)
    pick(page, "aggregation.weights", "equal")
    judged(qtbot, page)
    assert find(page, QLabel, "problems").text() == ""
    assert find(page, QPushButton, "train.button").isEnabled()


def test_a_value_that_would_not_go_with_the_plan_says_so_in_the_list(page: Page, qtbot: QtBot) -> None:
    judged(qtbot, page)
    box = find(page, QComboBox, "model.name")
    entry = box.findData("unet")
    assert "not with this plan" in box.itemText(entry)
    assert "draws masks" in box.itemData(entry, Qt.ItemDataRole.ToolTipRole)
    assert box.itemText(box.findData("resnet18")) == "resnet18"


def test_a_network_of_ones_own_can_be_typed(page: Page, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("def net(): ...\n")
    write(qtbot, find(page, QComboBox, "model.name").lineEdit(), f"{tmp_path / 'net.py'}:net")
    assert page.desk.draft.value("model.name") == f"{tmp_path / 'net.py'}:net"
    judged(qtbot, page)
    assert "a program of its author's" in find(page, QLabel, "cautions").text()


def test_a_forecast_is_an_estimate_of_this_plan_and_goes_when_the_plan_changes(page: Page, qtbot: QtBot) -> None:
    page.desk.set_text(page.desk.draft.with_key("data.phantoms", 60).with_key("data.size", 16).with_key("engine.precision", "fp32")
                       .with_key("engine.layout", "contiguous").text)
    judged(qtbot, page)
    panel = find(page, QWidget, "forecast")
    assert not panel.isVisible()
    qtbot.mouseClick(find(page, QPushButton, "forecast.button"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.isVisible, timeout=60_000)
    told = [label.text() for label in panel.findChildren(QLabel)]
    assert any("estimate" in text for text in told) and any("3 of 3 sites train" in text for text in told)
    assert any("Memory is that of" in text for text in told)
    write(qtbot, find(page, QLineEdit, "rounds.num"), "9")
    assert not panel.isVisible()


def test_saving_writes_the_plan_and_says_where(page: Page, qtbot: QtBot) -> None:
    command, path = page.findChild(QLineEdit, "command"), page.desk.workspace / "demo.toml"
    assert command.text() == f"wardround run {path} --arm federated"
    qtbot.mouseClick(find(page, QPushButton, "save.button"), Qt.MouseButton.LeftButton)
    assert path.read_text() == page.desk.draft.text
    assert any(str(path) in label.text() for label in page.findChildren(QLabel))


def test_what_is_being_typed_is_saved_too(page: Page, qtbot: QtBot) -> None:
    change_line(qtbot, find(page, TomlEdit, "text"), "seed = 0", "seed = 5")
    qtbot.mouseClick(find(page, QPushButton, "save.button"), Qt.MouseButton.LeftButton)
    assert "seed = 5" in (page.desk.workspace / "demo.toml").read_text()


def test_training_starts_the_command_that_is_shown_and_leads_to_the_run(page: Page, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(page.desk, "train", lambda kind: started.append(kind))
    judged(qtbot, page)
    with qtbot.waitSignal(page.desk.asked_for) as asked:
        qtbot.mouseClick(find(page, QPushButton, "train.button"), Qt.MouseButton.LeftButton)
    assert (started, asked.args) == (["run"], ["run"])


def test_sections_values_and_comments_have_colours_of_their_own(page: Page) -> None:
    editor = find(page, TomlEdit, "text")
    editor.show_text('[data]\nsize = 48  # "pixels"\ntitle = "a # b"\n')

    def colours(line: int) -> list[str]:
        block = editor.document().findBlockByNumber(line)
        return [one.format.foreground().color().name() for one in block.layout().formats()]

    names = {role: theme().colour(role).name() for role in ("accent", "good", "muted", "text")}
    assert colours(0) == [names["accent"]]
    assert colours(1) == [names["text"], names["good"], names["muted"]]
    assert colours(2) == [names["text"], names["good"]]  # a # in quotes begins no comment
