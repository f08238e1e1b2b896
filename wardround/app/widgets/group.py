"""Settings under a heading: the usual ones, and the others behind a button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QToolButton, QVBoxLayout, QWidget

from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.views.draft import Draft
from wardround.app.views.plan_settings import Group, Setting
from wardround.app.widgets.choice import SettingRow, row_of
from wardround.app.widgets.text import heading


class GroupPanel(QFrame):
    """changed: as of SettingRow. `show_own` gives it rows of what the plan names, e.g. a strategy's mu."""

    changed = Signal(str, object)

    def __init__(self, group: Group) -> None:
        super().__init__()
        self.setProperty("look", "panel")
        self._own_settings: tuple[Setting, ...] = ()
        self._rows = [self._row(setting) for setting in group.settings]
        self._hidden = [self._row(setting) for setting in group.more]
        self._own: list[SettingRow] = []
        self._first, self._others = QVBoxLayout(), QWidget()
        for row in self._rows:
            self._first.addWidget(row)
        inner = QVBoxLayout(self._others)
        inner.setContentsMargins(0, 0, 0, 0)
        for row in self._hidden:
            inner.addWidget(row)
        self._more = QToolButton()
        self._more.setObjectName(f"plan.more.{group.name.lower()}")
        self._more.setCheckable(True)
        self._more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._more.toggled.connect(self._open)
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme().px(12)] * 4)
        for layout in (column, self._first, inner):
            layout.setSpacing(theme().px(8))
        column.addWidget(heading(said(group.name)))
        column.addLayout(self._first)
        column.addWidget(self._more)
        column.addWidget(self._others)
        self._more.setVisible(bool(self._hidden))
        self._open(False)

    def show_draft(self, draft: Draft, blocked: Mapping[tuple[str, Any], str]) -> None:
        """Show what the plan says; the button tells how many of the hidden settings the text itself sets."""
        for row in (*self._rows, *self._own, *self._hidden):
            row.show_value(draft.value(row.key), {value: why for (key, value), why in blocked.items() if key == row.key})
        self._num_set = sum(draft.is_set(row.key) for row in self._hidden)
        self._name_button()

    def show_own(self, settings: Sequence[Setting], draft: Draft) -> None:
        """Rows of the arguments that the named network or strategy takes."""
        if tuple(settings) == self._own_settings:
            return
        self._own_settings = tuple(settings)
        for row in self._own:
            self._first.removeWidget(row)
            row.deleteLater()
        self._own = [self._row(setting) for setting in settings]
        for row in self._own:
            self._first.addWidget(row)
            row.show_value(draft.value(row.key), {})

    def _row(self, setting: Setting) -> SettingRow:
        made = row_of(setting)
        made.changed.connect(self.changed)
        return made

    def _open(self, is_open: bool) -> None:
        self._others.setVisible(is_open)
        self._more.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self._name_button()

    def _name_button(self) -> None:
        num = getattr(self, "_num_set", 0)
        text = self.tr("Fewer settings") if self._more.isChecked() else self.tr("More settings")
        self._more.setText(self.tr("{} (%n set)", "", num).format(text) if num and not self._more.isChecked() else text)
