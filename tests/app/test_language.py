"""English and Traditional Chinese: nothing that the app says is left out, and translations keep what is filled into them."""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from collect_texts import APP, collect, merge, release
from library_texts import library_texts, named_in, shown_in
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QListWidget
from pytestqt.qtbot import QtBot

from wardround.app.desk import Desk
from wardround.app.language import CONTEXT, FOLDER, said, speak
from wardround.app.settings import LANGUAGES
from wardround.app.window import MainWindow

FILLED = re.compile(r"%n|\{[^}]*\}")
MNEMONIC = re.compile(r"&(\w)")
HAN = re.compile("[\u4e00-\u9fff]")


class Text(NamedTuple):
    context: str
    source: str
    forms: tuple[str, ...]
    is_finished: bool


def texts_of(ts: Path) -> list[Text]:
    """A .ts file's texts with their translations, several where there are plurals."""
    found = []
    for context in ElementTree.parse(ts).iter("context"):
        for message in context.iter("message"):
            translation = message.find("translation")
            assert translation is not None
            forms = tuple(form.text or "" for form in translation.iter("numerusform")) or (translation.text or "",)
            found.append(Text(context.findtext("name", ""), message.findtext("source", ""), forms, translation.get("type") is None))
    return found


COMMITTED = {file.name: texts_of(file) for file in sorted(FOLDER.glob("*.ts"))}
CHINESE = [text for name, texts in COMMITTED.items() if name.endswith("_zh_TW.ts") for text in texts]


@pytest.fixture
def speaking(qapp: QApplication) -> Iterator[QApplication]:
    """The application, which speaks no language in particular afterwards."""
    yield qapp
    speak(qapp, "none")


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make translations` makes of the committed files now."""
    folder = tmp_path_factory.mktemp("translations")
    for file in FOLDER.glob("*.ts"):
        shutil.copy(file, folder)
    collect(folder)
    return folder


def literals() -> Iterator[tuple[str, str]]:
    """File and text of everything that a widget hands to tr."""
    for file in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "tr":
                text = node.args[0]
                where = f"{file.name}:{node.lineno}"
                assert isinstance(text, ast.Constant) and isinstance(text.value, str), f"{where}: tr takes a literal that lupdate finds"
                assert ast.unparse(node.func.value) == "self", f"{where}: call self.tr: lupdate takes another for a class"
                yield file.name, text.value


@pytest.mark.parametrize("name", [f"wardround_{language}.ts" for language in LANGUAGES] + ["wardround_library_zh_TW.ts"])
def test_everything_that_is_said_is_translated(collected: Path, name: str) -> None:
    now = texts_of(collected / name)
    lacking = [f"{text.context}: {text.source}" for text in now if not text.is_finished or not all(text.forms)]
    assert lacking == [], "translate these in Qt Linguist, after `make translations`"
    assert now == COMMITTED[name], "run `make translations`"


def test_lupdate_sees_each_text_of_each_widget() -> None:
    known = {text.source for text in COMMITTED["wardround_zh_TW.ts"]}
    assert [(file, text) for file, text in literals() if text not in known] == []


def test_the_library_s_texts_are_those_that_are_collected() -> None:
    assert tuple(text.source for text in COMMITTED["wardround_library_zh_TW.ts"]) == library_texts()


def test_what_is_filled_in_and_the_key_that_is_pressed_stay() -> None:
    def holds(source: str, form: str) -> bool:
        return (sorted(FILLED.findall(form)) == sorted(FILLED.findall(source))
                and MNEMONIC.findall(form.upper()) == MNEMONIC.findall(source.upper())
                and form.endswith("…") == source.endswith("…"))

    texts = [*COMMITTED["wardround_en.ts"], *CHINESE]
    assert [(text.source, form) for text in texts for form in text.forms if not holds(text.source, form)] == []


def test_chinese_is_in_the_characters_of_taiwan() -> None:
    simplified = set("个这为们时对应发图层习练张别类数据库电脑网络医门设结构实验证损优训")
    assert [text.source for text in CHINESE for form in text.forms if simplified & set(form)] == []


def test_the_compiled_files_are_those_of_the_translations(tmp_path: Path) -> None:
    release(FOLDER, tmp_path)
    for language in LANGUAGES:
        name = f"wardround_{language}.qm"
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), "run `make translations`"


def test_the_window_speaks_chinese_from_one_moment_to_the_next(speaking: QApplication, desk: Desk, qtbot: QtBot) -> None:
    window = MainWindow(desk)
    qtbot.addWidget(window)
    window.set_look(language="zh_TW")
    navigation = window.findChildren(QListWidget, "navigation")[-1]  # the old one goes with the next events
    assert [navigation.item(row).text() for row in range(4)] == ["開始", "資料", "院所", "計畫"]
    assert window.page().title() == "開始"
    assert HAN.search(window.page().purpose())
    window.set_look(language="en")
    assert window.page().title() == "Start"


def test_english_counts_as_people_do(speaking: QApplication) -> None:
    speak(speaking, "en")
    assert [QCoreApplication.translate("PredictPage", "%n image(s)", "", number) for number in (1, 3)] == ["1 image", "3 images"]


def test_qt_s_own_buttons_are_chinese_too(speaking: QApplication, qtbot: QtBot) -> None:
    speak(speaking, "zh_TW")
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
    qtbot.addWidget(box)
    assert "取消" in box.button(QDialogButtonBox.StandardButton.Cancel).text()


def test_a_text_that_nobody_translated_is_said_as_it_is(speaking: QApplication) -> None:
    speak(speaking, "zh_TW")
    assert said("balanced accuracy") == "平衡準確率"
    assert said("a class of somebody's own") == "a class of somebody's own"


def test_a_text_that_is_no_longer_said_goes_and_a_new_one_waits_for_its_translation(tmp_path: Path) -> None:
    ts = tmp_path / "library.ts"
    ts.write_text(f"<TS><context><name>{CONTEXT}</name><message><source>kept</source><translation>留</translation></message>"
                  "<message><source>gone</source><translation>去</translation></message></context></TS>", encoding="utf-8")
    merge(ts, ["kept", "new & <bold>"], "zh_TW")
    assert texts_of(ts) == [Text(CONTEXT, "kept", ("留",), True), Text(CONTEXT, "new & <bold>", ("",), False)]


def test_texts_are_read_from_where_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "view.py"
    file.write_text('REASON = "it has no mask"\nKEY = "no_mask"\n'
                    'def facts(n):\n    named = {"Images": f"{n}", "Licence": given or "not stated"}\n    named["Caution"] = "drawn"\n'
                    '    return Grid(columns=("Class", "All", f"{n} more"), caption="Some." if n else "None.", key="dropped")\n',
                    encoding="utf-8")
    assert list(shown_in(file)) == ["it has no mask", "Class", "All", "Some.", "None."]
    assert list(named_in(file, ["facts"])) == ["Caution", "drawn", "Images", "Licence", "not stated"]
