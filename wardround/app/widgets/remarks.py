"""Sentences to be heeded, each with a sign and a word for how much."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from wardround.app.theme import theme
from wardround.app.views.site_remarks import Remark
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.text import label


class Remarks(QWidget):
    """A row a remark; all_well where there is none."""

    def __init__(self, all_well: str) -> None:
        super().__init__()
        self._all_well = all_well
        self._texts: list[str] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme().px(6))
        self._grid.setVerticalSpacing(theme().px(2))
        self._grid.setColumnStretch(2, 1)

    def show_remarks(self, remarks: Sequence[Remark]) -> None:
        """Show these instead of the former ones."""
        emptied(self._grid)
        self._texts = [remark.text for remark in remarks]
        words = {"bad": ("\N{BALLOT X}", self.tr("Problem")), "caution": ("\N{WARNING SIGN}", self.tr("Caution"))}
        top = Qt.AlignmentFlag.AlignTop
        for row, remark in enumerate(remarks):
            sign, word = words[remark.grade]
            self._grid.addWidget(label(sign, look=remark.grade, wraps=False), row, 0, top)
            self._grid.addWidget(label(word, look=remark.grade, wraps=False), row, 1, top)
            self._grid.addWidget(label(remark.text), row, 2)
        if not remarks:
            self._grid.addWidget(label("\N{CHECK MARK}", look="good", wraps=False), 0, 0, top)
            self._grid.addWidget(label(self._all_well, look="good"), 0, 2)

    def texts(self) -> list[str]:
        """What is shown of remarks."""
        return list(self._texts)
