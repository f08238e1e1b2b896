"""Which images are shown: by class, split, site, what became of them, and a text."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QWidget

from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.views.sheet import NO_SITE, Pick, Sheet

PAUSE_MS = 120  # of typing


class Filters(QWidget):
    """A row of choices. `changed` tells that another pick was made."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.stratum, self.split, self.site, self.status = (self._combo(name) for name in ("class", "split", "site", "status"))
        names = (self.tr("Class"), self.tr("Split"), self.tr("Site"), self.tr("Status and reason"))
        for combo, name in zip(self._combos(), names, strict=True):
            combo.setAccessibleName(name)
        self.text, self.count = QLineEdit(), QLabel()
        self.text.setObjectName("data.filter.text")
        self.text.setAccessibleName(self.tr("Part of an image's name, label or patient"))
        self.text.setPlaceholderText(self.tr("Name, label or patient"))
        self.text.setClearButtonEnabled(True)
        self.count.setProperty("look", "muted")
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self.changed)
        self.text.textChanged.connect(lambda text: self._pause.start())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme().px(8))
        for combo in self._combos():
            row.addWidget(combo)
        row.addWidget(self.text, 1)
        row.addWidget(self.count)

    def show_sheet(self, sheet: Sheet) -> None:
        """Offer what there is; choices that are still possible stay."""
        strata = {name: name for name in sheet.found.strata} if len(sheet.found.strata) > 1 else {}
        sites = {name: self.tr("No site") if name == NO_SITE else name for name in sheet.sites()}
        self._offer(self.stratum, self.tr("All classes"), "", strata)
        self._offer(self.split, self.tr("All splits"), None, {split: said(words) for split, words in sheet.splits().items()})
        self._offer(self.site, self.tr("All sites"), "", sites)
        self._offer(self.status, self.tr("Any status"), "", sheet.statuses())

    def pick(self) -> Pick:
        """What is chosen."""
        return Pick(stratum=self.stratum.currentData() or "", split=self.split.currentData(), site=self.site.currentData() or "",
                    status=self.status.currentData() or "", text=self.text.text())

    def show_count(self, shown: int, total: int) -> None:
        """Say how many images are shown."""
        self.count.setText(self.tr("{shown} of {total} images").format(shown=f"{shown:,}", total=f"{total:,}"))

    def _combos(self) -> tuple[QComboBox, ...]:
        return self.stratum, self.split, self.site, self.status

    def _combo(self, name: str) -> QComboBox:
        combo = QComboBox()
        combo.setObjectName(f"data.filter.{name}")
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(13)
        combo.view().setMinimumWidth(theme().px(220))
        combo.currentIndexChanged.connect(lambda index: self.changed.emit())
        return combo

    def _offer(self, combo: QComboBox, everything: str, of_all: str | None, choices: dict[str, str]) -> None:
        """Fill a choice; with one value or none it says nothing, and is not shown."""
        kept = combo.currentData()
        with QSignalBlocker(combo):
            combo.clear()
            combo.addItem(everything, of_all)
            for value, words in choices.items():
                combo.addItem(words, value)
            combo.setCurrentIndex(list(choices).index(kept) + 1 if kept in choices else 0)
        combo.setVisible(len(choices) > 1)
        longest = max((combo.fontMetrics().horizontalAdvance(words) for words in choices.values()), default=0)
        combo.view().setMinimumWidth(min(longest + theme().px(40), theme().px(520)))
