"""A setting of the plan as a row of a form: its name, its value, and when to use it or what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QLineEdit, QWidget

from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.views.plan_settings import Choice, Number, Setting, Switch
from wardround.app.widgets.text import muted, set_look

NAME_WIDTH, NUMBER_WIDTH = 132, 92


class SettingRow(QWidget):
    """changed: the user has set a key to a value, None to take it out. Variants build `field` and show a value in it."""

    changed = Signal(str, object)

    def __init__(self, setting: Setting, field: QWidget) -> None:
        super().__init__()
        self.key, self.field = setting.key, field
        self.said = muted("")
        name = QLabel(said(setting.label))
        name.setFixedWidth(theme().px(NAME_WIDTH))
        name.setMinimumHeight(field.sizeHint().height())  # so that a name of one line stands beside its value
        name.setWordWrap(True)
        name.setBuddy(field)
        field.setObjectName(f"plan.{setting.key}")
        field.setAccessibleName(said(setting.label))
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(self)
        self.grid = QGridLayout(self)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setHorizontalSpacing(theme().px(8))
        self.grid.setVerticalSpacing(theme().px(2))
        self.grid.addWidget(name, 0, 0, Qt.AlignmentFlag.AlignTop)
        self.grid.setColumnStretch(2, 1)

    def show_value(self, value: Any, blocked: Mapping[Any, str]) -> None:
        """Show what the plan says. blocked: value -> why it would not go with the plan."""
        raise NotImplementedError

    def _sentence(self, text: str) -> str:
        """With a capital, but for a symbol of a paper ("f: how many"), and a full stop."""
        return text and self.tr("{}.").format(text if text[1:2] == ":" else text[:1].upper() + text[1:])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The wheel scrolls the form; it changes no setting."""
        if event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return super().eventFilter(watched, event)


class ChoiceRow(SettingRow):
    """One of a few values, with a line on when to use it."""

    def __init__(self, setting: Choice) -> None:
        self.setting, self._box = setting, QComboBox()
        super().__init__(setting, self._box)
        self._box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._box.setMinimumContentsLength(14)
        for option in setting.options:
            self._box.addItem(self._name(option.value), option.value)
        if setting.is_open:
            self._box.setEditable(True)
            self._box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
            if (edit := self._box.lineEdit()) is not None:
                edit.setAccessibleName(said(setting.label))
                edit.editingFinished.connect(self._written)
        self.grid.addWidget(self._box, 0, 1, 1, 2)
        self.grid.addWidget(self.said, 1, 1, 1, 2)
        self.said.setObjectName(f"plan.{setting.key}.use_when")
        self._shown: Any = None
        self._box.activated.connect(lambda index: self._chosen(self._box.itemData(index)))

    def show_value(self, value: Any, blocked: Mapping[Any, str]) -> None:
        held = QSignalBlocker(self._box)
        self._shown = value
        for index in range(self._box.count()):
            why = blocked.get(self._box.itemData(index), "")
            name = self._name(self._box.itemData(index))
            barred = self.tr("not with this plan")
            self._box.setItemText(index, f"{name}  \N{MULTIPLICATION SIGN} {barred}" if why else name)
            self._box.setItemData(index, why, Qt.ItemDataRole.ToolTipRole)
        index = self._box.findData(value)
        self._box.setCurrentIndex(index)
        if self.setting.is_open:
            self._box.setEditText(self._name(value) if index >= 0 else str(value))
        option = self.setting.option(value)
        if option is None:
            self.said.setText(self.tr("A value of your own.") if value else "")
        else:
            cost = self.tr("Costs: {}.").format(said(option.costs)) if option.costs else ""
            self.said.setText(" ".join(filter(None, [self._sentence(said(option.use_when)), cost])))
            self.said.setToolTip(option.source)
        self.said.setVisible(bool(self.said.text()))
        del held

    def _name(self, value: Any) -> str:
        return str(value) or self.tr("none")

    def _chosen(self, value: Any) -> None:
        if value != self._shown:
            self._shown = value
            self.changed.emit(self.key, value)

    def _written(self) -> None:
        """A name of one's own, or one of the list typed out."""
        text = self._box.currentText().strip()
        index = next((index for index in range(self._box.count()) if text in (self._box.itemText(index), self._box.itemData(index))), -1)
        value = self._box.itemData(index) if index >= 0 else text
        if value != self._shown and (value or self.setting.option("") is not None or not self.setting.options):
            self._chosen(value)


class NumberRow(SettingRow):
    """A number, typed; one that is not allowed is said and not taken."""

    def __init__(self, setting: Number) -> None:
        self.setting, self._edit = setting, QLineEdit()
        super().__init__(setting, self._edit)
        self._edit.setFixedWidth(theme().px(NUMBER_WIDTH))
        self._edit.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._edit.setPlaceholderText(setting.default if setting.is_optional else "")
        self._shown: Any = None
        self.grid.addWidget(self._edit, 0, 1, Qt.AlignmentFlag.AlignTop)
        self.said.setMinimumHeight(self._edit.sizeHint().height())
        self.said.setAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        self.grid.addWidget(self.said, 0, 2)
        self._edit.editingFinished.connect(self._written)
        self._say("", is_wrong=False)

    def show_value(self, value: Any, blocked: Mapping[Any, str]) -> None:
        is_typed = self._edit.hasFocus() and self._edit.isModified()
        self._shown = value
        if not is_typed:
            self._edit.setText("" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value))
            self._say("", is_wrong=False)

    def _written(self) -> None:
        if not self._edit.isModified():
            return
        try:
            value = self.setting.read(self._edit.text())
        except ValueError as error:
            self._say(self.tr("Type {}.").format(error), is_wrong=True)
            return
        self._edit.setModified(False)
        self._say("", is_wrong=False)
        if value != self._shown:
            self._shown = value
            self.changed.emit(self.key, value)

    def _say(self, fault: str, *, is_wrong: bool) -> None:
        meaning = said(self.setting.explained) or self.tr("{} if it is not set").format(self.setting.default)
        self.said.setText(f"\N{WARNING SIGN} {fault}" if is_wrong else self._sentence(meaning))
        set_look(self.said, "bad" if is_wrong else "muted")


class SwitchRow(SettingRow):
    """Something that is done or not."""

    def __init__(self, setting: Switch) -> None:
        self._check = QCheckBox()
        super().__init__(setting, self._check)
        self.said.setText(self._sentence(said(setting.explained)))
        self.grid.addWidget(self._check, 0, 1, Qt.AlignmentFlag.AlignTop)
        self.grid.addWidget(self.said, 0, 2, Qt.AlignmentFlag.AlignTop)
        self._check.clicked.connect(lambda is_on: self.changed.emit(self.key, is_on))

    def show_value(self, value: Any, blocked: Mapping[Any, str]) -> None:
        self._check.setChecked(bool(value))


def row_of(setting: Setting) -> SettingRow:
    """The row of a setting."""
    if isinstance(setting, Choice):
        return ChoiceRow(setting)
    return NumberRow(setting) if isinstance(setting, Number) else SwitchRow(setting)


