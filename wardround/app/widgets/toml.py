"""A plan's text: TOML in colours, with its wrong line marked."""

from __future__ import annotations

import re

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QColor, QFont, QSyntaxHighlighter, QTextCharFormat, QTextCursor, QTextDocument, QTextFormat
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit

from wardround.app.theme import theme

PAUSE_MS = 400  # after the last key, before the text is read
FONTS = ["DejaVu Sans Mono", "Consolas", "Menlo", "monospace"]
SECTION, KEY = re.compile(r"^\s*\[[^\]]*\]"), re.compile(r"^\s*[\w.\"-]+(?=\s*=)")
VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|\b(?:true|false)\b|(?<![\w.])[-+]?\d[\d._eE+-]*")
COMMENT = re.compile(r"#.*$")


class Colours(QSyntaxHighlighter):
    """Sections bold, keys as text, values coloured, comments muted."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        shown = theme()
        self._section = _format(shown.colour("accent"), is_bold=True)
        self._value, self._comment = _format(shown.colour("good")), _format(shown.colour("muted"))
        self._key = _format(shown.colour("text"))

    def highlightBlock(self, text: str) -> None:
        """Qt's: colour a line."""
        rest = text
        if comment := _comment_of(text):
            self.setFormat(comment.start(), len(comment[0]), self._comment)
            rest = text[: comment.start()]
        if section := SECTION.match(rest):
            self.setFormat(0, section.end(), self._section)
            return
        begun = 0
        if key := KEY.match(rest):
            self.setFormat(key.start(), key.end() - key.start(), self._key)
            begun = key.end()
        for value in VALUE.finditer(rest, begun):
            self.setFormat(value.start(), value.end() - value.start(), self._value)


class TomlEdit(QPlainTextEdit):
    """edited: the user has typed, and paused; the text as it is then."""

    edited = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabChangesFocus(True)
        font = self.font()
        font.setFamilies(FONTS)
        font.setStyleHint(QFont.StyleHint.Monospace)
        self.setFont(font)
        self._colours = Colours(self.document())
        self._wrong: int | None = None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self.settle)
        self.textChanged.connect(self._typed)
        self._is_ours = False

    def show_text(self, text: str) -> None:
        """Show a text that came from elsewhere; what is being typed stays. Undo brings back what was before."""
        if text == self.toPlainText() or self._pause.isActive():
            return
        place, bar = self.textCursor().position(), self.verticalScrollBar().value()
        self._is_ours = True
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        self._is_ours = False
        cursor.setPosition(min(place, len(text)))
        self.setTextCursor(cursor)
        self.verticalScrollBar().setValue(bar)

    def settle(self) -> None:
        """Tell what was typed at once, without waiting for the pause to end."""
        self._pause.stop()
        self.edited.emit(self.toPlainText())

    @property
    def is_being_typed(self) -> bool:
        return self._pause.isActive()

    def mark_line(self, number: int | None) -> None:
        """Mark a line, from 1, as wrong; None marks none."""
        self._wrong = number
        if number is None:
            self.setExtraSelections([])
            return
        marked = QTextEdit.ExtraSelection()
        marked.cursor = QTextCursor(self.document().findBlockByNumber(number - 1))
        marked.format.setBackground(theme().colour("bad_panel"))
        marked.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        self.setExtraSelections([marked])

    def marked_line(self) -> int | None:
        return self._wrong

    def _typed(self) -> None:
        if not self._is_ours:
            self._pause.start()


def _format(colour: QColor, *, is_bold: bool = False) -> QTextCharFormat:
    made = QTextCharFormat()
    made.setForeground(colour)
    if is_bold:
        made.setFontWeight(QFont.Weight.Bold)
    return made


def _comment_of(text: str) -> re.Match[str] | None:
    """The comment of a line; a # in quotes begins none."""
    quoted = [(found.start(), found.end()) for found in re.finditer(r"\"[^\"]*\"|'[^']*'", text)]
    starts = [found.start() for found in re.finditer("#", text) if not any(low <= found.start() < high for low, high in quoted)]
    return COMMENT.search(text, starts[0]) if starts else None
