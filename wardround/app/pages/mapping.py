"""A dialog that says which column of a hospital's own table is what."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wardround.app.theme import theme
from wardround.app.views.mapping import Columns, Roles, cautions, lacking
from wardround.app.widgets.table import TableView
from wardround.app.widgets.text import heading, label, muted, set_look


class MappingDialog(QDialog):
    """A choice of column for each role, the table's first rows below. `chosen` tells the roles once nothing is missing."""

    chosen = Signal(object)

    def __init__(self, columns: Columns, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = columns
        self.setWindowTitle(self.tr("Map columns"))
        self.setObjectName("mapping")
        self.combos = {role: self._combo(role, getattr(columns.guess, role)) for role in ("image", "label", "mask", "patient", "site",
                                                                                          "split")}
        self.findings, self.mask_classes, self.folder = QListWidget(), QLineEdit(), QLineEdit()
        self.folder.setText(str(columns.guess.folder or columns.path.parent))
        self._fill_findings()
        self.problem, self.caution = label(""), muted("")
        self.problem.setObjectName("mapping.problem")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)
        self._build()
        self.resize(theme().px(760), theme().px(680))
        self._judge()

    def roles(self) -> Roles:
        """What is chosen now."""
        items = (self.findings.item(row) for row in range(self.findings.count()))
        findings = tuple(item.text() for item in items if item is not None and item.checkState() == Qt.CheckState.Checked)
        classes = tuple(name.strip() for name in self.mask_classes.text().split(",") if name.strip())
        picked = {role: combo.currentData() for role, combo in self.combos.items()}
        return Roles(findings=findings, mask_classes=classes, folder=Path(self.folder.text().strip() or "."), **picked)

    def _build(self) -> None:
        names = {"image": self.tr("&Image file"), "label": self.tr("&Label"), "mask": self.tr("or mas&k file"),
                 "patient": self.tr("&Patient"), "site": self.tr("&Site"), "split": self.tr("Spli&t")}
        form = QFormLayout()
        form.setHorizontalSpacing(theme().px(18))
        form.setVerticalSpacing(theme().px(8))
        form.addRow(names["image"], self.combos["image"])
        form.addRow(self.tr("Images start i&n"), self._folder_row())
        form.addRow(names["label"], self.combos["label"])
        form.addRow(self.tr("or &findings (columns of 1 and 0)"), self.findings)
        form.addRow(names["mask"], self.combos["mask"])
        form.addRow(self.tr("&Classes of the mask"), self.mask_classes)
        for role in ("patient", "site", "split"):
            form.addRow(names[role], self.combos[role])
        table = TableView(max_rows=6)
        table.setAccessibleName(self.tr("First rows of the table"))
        table.show_grid(self._columns.first)
        column = QVBoxLayout(self)
        column.setSpacing(theme().px(10))
        column.addWidget(heading(self.tr("What is in the columns of {table}?").format(table=self._columns.path.name)))
        column.addWidget(muted(self.tr("The table and the images stay as they are: a table that wardround reads is written to the "
                                       "workspace, the images are linked beside it.")))
        column.addLayout(form)
        column.addWidget(muted(self.tr("The first of {rows} rows").format(rows=f"{self._columns.num_rows:,}")))
        column.addWidget(table, 1)
        for widget in (self.problem, self.caution, self.buttons):
            column.addWidget(widget)

    def _folder_row(self) -> QWidget:
        browse, row = QPushButton(self.tr("C&hoose\N{HORIZONTAL ELLIPSIS}")), QWidget()
        browse.clicked.connect(self._ask_folder)
        self.folder.setObjectName("mapping.folder")
        self.folder.setAccessibleName(self.tr("Folder in which the names of images start"))
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.folder, 1)
        line.addWidget(browse)
        return row

    def _combo(self, role: str, guess: str) -> QComboBox:
        combo = QComboBox()
        combo.setObjectName(f"mapping.{role}")
        combo.addItem(self.tr("(none)"), "")
        for name in self._columns.names:
            combo.addItem(name, name)
        combo.setCurrentIndex(max(0, combo.findData(guess)))
        combo.currentIndexChanged.connect(lambda index: self._judge())
        return combo

    def _fill_findings(self) -> None:
        self.findings.setObjectName("mapping.findings")
        self.findings.setAccessibleName(self.tr("Columns of findings"))
        self.findings.setMaximumHeight(theme().px(96))
        self.mask_classes.setObjectName("mapping.mask_classes")
        self.mask_classes.setPlaceholderText(self.tr("leave empty for 0 and 1 (or 255); else e.g. background, oedema, tumour"))
        self.mask_classes.setText(", ".join(self._columns.guess.mask_classes))
        for name in self._columns.names:
            item = QListWidgetItem(name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if name in self._columns.guess.findings else Qt.CheckState.Unchecked)
            self.findings.addItem(item)
        self.findings.itemChanged.connect(lambda item: self._judge())
        self.mask_classes.textChanged.connect(lambda text: self._judge())

    def _judge(self) -> None:
        """Say what is missing; only a whole mapping can be accepted."""
        if not hasattr(self, "buttons"):
            return
        roles = self.roles()
        problem = lacking(roles)
        self.problem.setText(problem or self.tr("\N{CHECK MARK} Nothing is missing."))
        set_look(self.problem, "caution" if problem else "good")
        self.caution.setText(" ".join(cautions(roles)))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not problem)

    def _ask_folder(self) -> None:
        if found := QFileDialog.getExistingDirectory(self, self.tr("Folder in which the names of images start"), self.folder.text()):
            self.folder.setText(found)

    def _accept(self) -> None:
        self.chosen.emit(self.roles())
        self.accept()
