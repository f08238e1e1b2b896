"""What to train next: all arms or one of them, of the plan that is open."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QPushButton, QSizePolicy, QSpinBox, QWidget

from wardround.app.desk import ARMS
from wardround.app.theme import theme
from wardround.app.views.command import command_of
from wardround.app.views.draft import Draft
from wardround.app.widgets.text import heading, label

ALL = "all"
MOST_SEEDS = 20
SHORTEST, WIDEST = 16, 340  # of the choice of arms: letters at least, pixels at most


class StartBar(QFrame):
    """The plan's name, what to train, and the button that starts it. changed: another choice was made."""

    changed = Signal()
    started = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("look", "panel")
        self._draft = Draft()
        self._plan = heading("")
        self._arm, self._site, self._seeds, self._start = QComboBox(), QComboBox(), QSpinBox(), QPushButton(self.tr("&Start training"))
        for value, text in ((ALL, self.tr("Compare: together, pooled, each site alone")), (ARMS[0], self.tr("Sites together (federated)")),
                            (ARMS[1], self.tr("All images in one place (pooled)")), (ARMS[2], self.tr("One site alone (local)"))):
            self._arm.addItem(text, value)
        self._arm.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._arm.setMinimumContentsLength(SHORTEST)
        self._arm.setMaximumWidth(theme().px(WIDEST))
        self._arm.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._site.setEditable(True)
        self._seeds.setRange(1, MOST_SEEDS)
        for widget, key, told in ((self._arm, "run.arm", self.tr("What to train")),
                                  (self._site, "run.site", self.tr("Site that trains alone")),
                                  (self._seeds, "run.seeds", self.tr("Repetitions, each with a seed of its own"))):
            widget.setObjectName(key)
            widget.setAccessibleName(told)
            widget.setToolTip(told)
        self._start.setObjectName("run.start")
        self._start.setProperty("look", "main")
        self._labels = {"train": label(self.tr("&Train"), wraps=False), "seeds": label(self.tr("See&ds"), wraps=False)}
        for key, buddy in (("train", self._arm), ("seeds", self._seeds)):
            self._labels[key].setTextFormat(Qt.TextFormat.AutoText)
            self._labels[key].setBuddy(buddy)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme().px(14), theme().px(8), theme().px(14), theme().px(8))
        row.setSpacing(theme().px(10))
        row.addWidget(self._plan)
        row.addStretch(1)
        for part in (self._labels["train"], self._arm, self._site, self._labels["seeds"], self._seeds, self._start):
            row.addWidget(part, 9 if part is self._arm else 0)
        self._arm.currentIndexChanged.connect(self._choose)
        self._site.currentTextChanged.connect(self.changed)
        self._seeds.valueChanged.connect(self.changed)
        self._start.clicked.connect(self.started)
        self._choose()

    @property
    def arm(self) -> str:
        """ALL or one of ARMS."""
        return str(self._arm.currentData())

    @property
    def site(self) -> str | None:
        return self._site.currentText().strip() if self.arm == ARMS[2] else None

    @property
    def seeds(self) -> int:
        return self._seeds.value() if self.arm == ALL else 1

    def show_draft(self, draft: Draft) -> None:
        """Offer what this plan allows."""
        self._start.setEnabled(draft.plan is not None)
        if draft == self._draft:
            return
        self._draft = draft
        self._plan.setText(self.tr("Plan {}").format(draft.name) if draft.plan else self.tr("The plan has a problem"))
        names = draft.value("sites.names") or [f"site-{number}" for number in range(1, 1 + (draft.value("sites.num") or 0))]
        chosen = self._site.currentText()
        self._site.blockSignals(True)
        self._site.clear()
        self._site.addItems(list(names))
        self._site.setCurrentText(chosen if chosen in names else next(iter(names), ""))
        self._site.blockSignals(False)

    def command(self) -> str:
        """The command that the button runs; "" without a plan."""
        if self.arm == ALL:
            command = command_of(self._draft, "compare")
            return f"{command} --seeds {self.seeds}" if command and self.seeds > 1 else command
        command = command_of(self._draft, "run")
        return f"{command} --arm {self.arm}{f' --site {self.site}' if self.site else ''}" if command else ""

    def _choose(self) -> None:
        self._site.setVisible(self.arm == ARMS[2])
        for widget in (self._labels["seeds"], self._seeds):
            widget.setVisible(self.arm == ALL)
        self.changed.emit()
