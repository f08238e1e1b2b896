"""How images are dealt to sites: the plan's [sites] as something to turn and to drag."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSlider,
    QSpinBox,
    QWidget,
)

from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.views.draft import Draft
from wardround.app.views.partitions import Partition, partitions
from wardround.app.widgets.text import muted

MOST_SITES = 200
ALPHA = (0.01, 100.0)
STEPS = 200  # of the slider of alpha, equal ratios apart
MOST_CLASSES_SEEN = 6  # rows of the list of classes, before it scrolls


class Dealing(QWidget):
    """Shows a plan's [sites] and its seed. changed: the user has; keys of the plan and their new values, None to take one out."""

    changed = Signal(dict)

    def __init__(self) -> None:
        super().__init__()
        self._kinds = {kind.name: kind for kind in partitions()}
        self._names: tuple[str, ...] = ()
        self._commons: tuple[str, ...] = ()
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._form.setVerticalSpacing(theme().px(6))
        self._kind, self._use_when = QComboBox(), muted("")
        for name, title in self._titles().items():
            self._kind.addItem(f"{title} ({name})", name)
        self._num, self._alpha, self._slider = QSpinBox(), QDoubleSpinBox(), QSlider(Qt.Orientation.Horizontal)
        self._shards, self._strength, self._common = QSpinBox(), QDoubleSpinBox(), QListWidget()
        self._column, self._given, self._seed = QComboBox(), QLineEdit(), QSpinBox()
        self._limits()
        self._lay_out()
        self._listen()

    def show_plan(self, draft: Draft) -> None:
        """Show what the plan says; nothing changes while it cannot be read."""
        if draft.plan is None:
            return
        blocked = [QSignalBlocker(widget) for widget in (self._kind, self._num, self._alpha, self._slider, self._shards, self._strength,
                                                         self._seed, self._column, self._common)]
        kind = self._kinds[draft.value("sites.partition")]
        self._names = draft.value("sites.names") or ()
        self._kind.setCurrentIndex(self._kind.findData(kind.name))
        self._use_when.setText(said(kind.use_when))
        self._num.setValue(draft.value("sites.num"))
        self._alpha.setValue(draft.value("sites.alpha"))
        self._slider.setValue(_place(draft.value("sites.alpha")))
        self._shards.setValue(draft.value("sites.shards"))
        self._strength.setValue(draft.value("sites.strength"))
        self._seed.setValue(draft.value("seed"))
        self._choose_column(draft.value("sites.column"))
        self._commons = draft.value("sites.common")
        self._check(self._commons)
        if not self._given.hasFocus() or not self._given.isModified():
            self._given.setText(", ".join(self._names))
        self._show_rows(kind)
        del blocked

    def show_choices(self, classes: Sequence[str], columns: Mapping[str, int]) -> None:
        """Offer the classes and columns that the data have."""
        blocked = [QSignalBlocker(self._common), QSignalBlocker(self._column)]
        if [self._common.item(row).text() for row in range(self._common.count())] != list(classes):
            self._common.clear()
            for name in classes:
                item = QListWidgetItem(name)
                item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                item.setCheckState(Qt.CheckState.Checked if name in self._commons else Qt.CheckState.Unchecked)
                self._common.addItem(item)
            rows = min(len(classes), MOST_CLASSES_SEEN)
            self._common.setFixedHeight(rows * max(self._common.sizeHintForRow(0), theme().px(20)) + theme().px(10))
        asked = self._column.currentData() or ""
        self._column.clear()
        for name, num in columns.items():
            self._column.addItem(self.tr("{} (%n value(s))", "", num).format(name), name)
        self._choose_column(asked)
        del blocked

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The wheel scrolls the page; it turns a number only after a click on it."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _titles(self) -> dict[str, str]:
        titles = {"iid": self.tr("All alike"), "dirichlet": self.tr("Different patients"), "quantity": self.tr("Different sizes"),
                  "missing-classes": self.tr("Missing classes"), "shards": self.tr("Few classes each"),
                  "feature-shift": self.tr("Different scanners"), "column": self.tr("As the data say"),
                  "folders": self.tr("A folder each")}
        return {name: titles[name] for name in self._kinds}

    def _limits(self) -> None:
        self._num.setRange(1, MOST_SITES)
        self._column.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._shards.setRange(1, 100)
        self._seed.setRange(0, 10**6)
        self._alpha.setRange(ALPHA[0], 10 * ALPHA[1])
        self._alpha.setDecimals(3)
        self._alpha.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self._slider.setRange(0, STEPS)
        self._slider.setPageStep(STEPS // 8)
        self._strength.setRange(0, 1)
        self._strength.setSingleStep(0.1)
        for spin in (self._num, self._shards, self._seed, self._alpha, self._strength):
            spin.setKeyboardTracking(False)  # a number that is being typed is none yet
        for widget in (self._kind, self._num, self._shards, self._seed, self._alpha, self._strength, self._slider, self._column):
            widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            widget.installEventFilter(self)

    def _lay_out(self) -> None:
        """Rows in the order in which one decides; those that a kind does not take are hidden."""
        sliding = QWidget()
        row = QHBoxLayout(sliding)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._alpha)
        self._sliding, self._given_label = sliding, QLabel()
        rows: list[tuple[str, QWidget, QWidget | None, str]] = [
            ("kind", self._kind, None, self.tr("How patients fall to &hospitals")), ("num", self._num, None, self.tr("&Number of sites")),
            ("alpha", self._slider, sliding, self.tr("Al&pha: left unlike, right alike")),
            ("shards", self._shards, None, self.tr("P&ieces a site")), ("common", self._common, None, self.tr("&Common classes")),
            ("strength", self._strength, None, self.tr("S&trength of the difference, 0 to 1")),
            ("column", self._column, None, self.tr("Col&umn that names the site")), ("names", self._given, None, ""),
            ("seed", self._seed, None, self.tr("See&d: another one deals, and trains, anew"))]
        for name, widget, holder, text in rows:
            title = self._given_label if name == "names" else QLabel(text)
            title.setBuddy(widget)
            widget.setObjectName(f"sites.{name}")
            widget.setAccessibleName(text.replace("&", ""))
            self._form.addRow(title, holder or widget)
            if name == "kind":
                self._form.addRow(self._use_when)
        self._alpha.setObjectName("sites.alpha.number")
        self._alpha.setAccessibleName(self.tr("Alpha"))
        self._use_when.setObjectName("sites.use_when")

    def _listen(self) -> None:
        self._kind.currentIndexChanged.connect(lambda: self.changed.emit(self._other_kind(self._kind.currentData())))
        self._num.valueChanged.connect(lambda value: self.changed.emit({"sites.num": value, **self._names_for(value)}))
        self._alpha.valueChanged.connect(lambda value: self.changed.emit({"sites.alpha": round(value, 3)}))
        self._slider.valueChanged.connect(lambda place: self.changed.emit({"sites.alpha": _alpha(place)}))
        self._shards.valueChanged.connect(lambda value: self.changed.emit({"sites.shards": value}))
        self._strength.valueChanged.connect(lambda value: self.changed.emit({"sites.strength": round(value, 2)}))
        self._seed.valueChanged.connect(lambda value: self.changed.emit({"seed": value}))
        self._column.currentIndexChanged.connect(
            lambda: self.changed.emit({"sites.column": self._column.currentData(), "sites.names": None}))
        self._common.itemChanged.connect(lambda: self.changed.emit({"sites.common": self._checked() or None}))
        self._given.editingFinished.connect(self._name)

    def _other_kind(self, kind: str) -> dict[str, Any]:
        """Values of a column are no names for other kinds, nor these for a column."""
        was_column = self._column.isVisibleTo(self)
        return {"sites.partition": kind, **({"sites.names": None} if was_column or kind == "column" else {})}

    def _names_for(self, num: int) -> dict[str, Any]:
        """Where sites have names, so do those that are added."""
        if not self._names:
            return {}
        added = (f"site-{number}" for number in range(1, MOST_SITES + num) if f"site-{number}" not in self._names)
        return {"sites.names": [*self._names, *(next(added) for _ in range(num - len(self._names)))][:num]}

    def _name(self) -> None:
        names = list(dict.fromkeys(name.strip() for name in self._given.text().split(",") if name.strip()))
        self._given.setModified(False)
        if tuple(names) == self._names:
            return
        num = {"sites.num": len(names)} if names and self._kind.currentData() != "column" else {}
        self.changed.emit({**num, "sites.names": names or None})

    def _show_rows(self, kind: Partition) -> None:
        rows = {"num": self._num, "alpha": self._sliding, "shards": self._shards, "common": self._common, "strength": self._strength,
                "column": self._column}
        for key, widget in rows.items():
            self._form.setRowVisible(widget, key in kind.takes)
        text = {"column": self.tr("Only these (&all: leave empty)"), "folders": self.tr("N&ames: sub-folders of the data folder")}.get(
            kind.name, self.tr("N&ames, separated by commas"))
        self._given_label.setText(text)
        self._given.setAccessibleName(text.replace("&", ""))
        self._given.setPlaceholderText("" if kind.name in ("column", "folders") else "site-1, site-2, \N{HORIZONTAL ELLIPSIS}")

    def _choose_column(self, name: str) -> None:
        if name and self._column.findData(name) < 0:
            self._column.addItem(name, name)
        self._column.setCurrentIndex(self._column.findData(name))

    def _checked(self) -> list[str]:
        items = [self._common.item(row) for row in range(self._common.count())]
        return [item.text() for item in items if item.checkState() == Qt.CheckState.Checked]

    def _check(self, names: Sequence[str]) -> None:
        for row in range(self._common.count()):
            item = self._common.item(row)
            item.setCheckState(Qt.CheckState.Checked if item.text() in names else Qt.CheckState.Unchecked)


def _alpha(place: int) -> float:
    """Alpha at a place of the slider, to two digits."""
    return float(f"{ALPHA[0] * (ALPHA[1] / ALPHA[0]) ** (place / STEPS):.2g}")


def _place(alpha: float) -> int:
    return round(STEPS * math.log(min(max(alpha, ALPHA[0]), ALPHA[1]) / ALPHA[0]) / math.log(ALPHA[1] / ALPHA[0]))
