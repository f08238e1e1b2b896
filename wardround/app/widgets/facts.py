"""Names and values, aligned."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QWidget

from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.widgets.text import label, muted


class Facts(QWidget):
    """A row a fact; values can be selected."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[str, str] = {}
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(theme().px(18))
        self._form.setVerticalSpacing(theme().px(4))
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)

    def show_facts(self, pairs: Mapping[str, str]) -> None:
        """Show these instead of the former ones."""
        self._texts = dict(pairs)
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, value in pairs.items():
            shown = label(said(value))
            shown.setAccessibleName(said(name))
            self._form.addRow(muted(said(name), wraps=False), shown)

    def texts(self) -> dict[str, str]:
        """What is shown."""
        return self._texts
