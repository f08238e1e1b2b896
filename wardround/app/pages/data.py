"""Data: which images the plan uses, what they show, and what is wrong with them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QTabWidget, QVBoxLayout, QWidget

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.pages.data_images import ImagesTab
from wardround.app.pages.data_tabs import FindingsTab, LedgerTab, SplitTab
from wardround.app.pages.mapping import MappingDialog
from wardround.app.theme import theme
from wardround.app.views.command import command_of
from wardround.app.views.data import Begun, Found, begun, held, look, started
from wardround.app.views.ledger import Checked, checked
from wardround.app.views.mapping import Columns, Mapped, Roles, columns_of, mapped, place_of
from wardround.app.views.sheet import Sheet
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.filters import Filters
from wardround.app.widgets.text import label, muted
from wardround.errors import WardroundError

SMALLEST = 300  # height of the tabs at text scale 1


class DataPage(Page):
    """A source above, what it holds in tabs below."""

    key = "data"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._found: Found | None = None
        self._checked: Checked | None = None
        self._checked_for: Any = None  # what of the plan the check has looked at
        self._asked_for: tuple[str, str] | None = None  # data set and folder that are shown, or asked for
        self._offer = ""
        self.setAcceptDrops(True)
        self.body.addLayout(self._source())
        self.body.addWidget(self._summary())
        self._empty = Empty(self.tr("Choose a folder of images, or a table (CSV) that names them, or drop either one here. The data set is "
                                    "detected by its layout; nothing is changed or sent anywhere."),
                            self.tr("Choose a &folder\N{HORIZONTAL ELLIPSIS}"), self._ask_folder)
        self._phantoms = Empty("", self.tr("&Show the phantoms"), self._show_phantoms)
        self._content = self._tabs()
        for widget in (self._empty, self._phantoms, self._content):
            self.body.addWidget(widget, 1)
        self._show_state()

    def title(self) -> str:
        return self.tr("Data")

    def purpose(self) -> str:
        return self.tr("Which images are used, what becomes of each, and what would make results on them dishonest.")

    def refresh(self) -> None:
        """Show the data set of the plan, if it is another than the one that is shown."""
        plan = self.desk.draft.plan
        if plan is not None and plan.data.folder is not None:
            wanted = (plan.data.dataset, str(plan.data.folder))
            if wanted != self._asked_for:
                self._asked_for = wanted
                self.path.setText(wanted[1])
                self.ask(held, plan, done=self._show, failed=self._lose, key="look")
        elif plan is not None and self._found is not None and (self._asked_for or self._found.dataset != plan.data.dataset):
            self._found = self._checked = self._asked_for = None
            self.path.clear()
        if self._checked is not None and self._key() != self._checked_for:
            self._checked = None
            self.findings.show_checked(None)
            self._say(self.tr("The plan has changed since the images were checked: check them again."))
            self._show_sheet()
        self._show_state()

    def open_source(self, source: Path) -> None:
        """Look at a folder or a table, and let the plan use it."""
        self.calm()
        self.path.setText(str(source))
        self.ask(look, source, done=self._use, failed=partial(self._refuse, source), key="look")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """A folder or a file of this machine may be dropped."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the first one."""
        self.open_source(Path(next(url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile())))

    def _source(self) -> QHBoxLayout:
        self.path = QLineEdit()
        self.path.setObjectName("data.path")
        self.path.setAccessibleName(self.tr("Folder of images, or table"))
        self.path.setPlaceholderText(self.tr("Folder of images, or table (CSV): type a path and press Enter, or drop it here"))
        self.path.returnPressed.connect(self._open_typed)
        row = QHBoxLayout()
        row.setSpacing(theme().px(8))
        row.addWidget(self.path, 1)
        for name, text, action in (("data.folder", self.tr("&Folder\N{HORIZONTAL ELLIPSIS}"), self._ask_folder),
                                   ("data.table", self.tr("&Table (CSV)\N{HORIZONTAL ELLIPSIS}"), self._ask_table),
                                   ("data.map", self.tr("&Map columns\N{HORIZONTAL ELLIPSIS}"), self._ask_columns)):
            button = QPushButton(text)
            button.setObjectName(name)
            button.clicked.connect(action)
            row.addWidget(button)
        return row

    def _summary(self) -> QWidget:
        self._head, self._note, self._result = label("", look="heading"), muted(""), label("", look="caution")
        self._head.setObjectName("data.head")
        self._note.setObjectName("data.note")
        self._result.setObjectName("data.result")
        self._instead, self._check = QPushButton(), QPushButton(self.tr("C&heck images"))
        self._instead.setObjectName("data.instead")
        self._instead.clicked.connect(self._begin_anew)
        self._check.setObjectName("data.check")
        self._check.setProperty("look", "main")
        self._check.clicked.connect(self._ask_check)
        self._top = QWidget()
        texts = QVBoxLayout()
        texts.setSpacing(theme().px(2))
        for text in (self._head, self._note, self._result):
            texts.addWidget(text)
        row = QHBoxLayout(self._top)
        row.setContentsMargins(0, 0, 0, 0)
        row.addLayout(texts, 1)
        row.addWidget(self._instead, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._check, 0, Qt.AlignmentFlag.AlignTop)
        return self._top

    def _tabs(self) -> QWidget:
        self.filters, self.images, self.ledger = Filters(), ImagesTab(self), LedgerTab()
        self.findings, self.split = FindingsTab(self._ask_check), SplitTab()
        self.tabs = QTabWidget()
        self.tabs.setObjectName("data.tabs")
        self.tabs.setMinimumHeight(theme().px(SMALLEST))
        for tab, name in ((self.images, self.tr("Images")), (self.ledger, self.tr("Ledger")), (self.findings, self.tr("Findings")),
                          (self.split, self.tr("Split and labels"))):
            self.tabs.addTab(tab, name)
        self.tabs.currentChanged.connect(lambda index: self._show_state())
        self.filters.changed.connect(self._show_rows)
        self.ledger.opened.connect(self._show_large)
        self.findings.opened.connect(self._show_named)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.filters)
        column.addWidget(self.tabs, 1)
        return content

    def _show(self, found: Found) -> None:
        """Show a data set that nothing is known of but what lies on disk."""
        self._found, self._checked = found, None
        self.findings.show_checked(None)
        self._show_sheet()
        self._show_state()

    def _lose(self, error: str) -> None:
        """The plan's folder cannot be read: nothing of another one is left on the page."""
        self._found = self._checked = None
        self.complain(error)
        self._show_state()

    def _use(self, found: Found) -> None:
        """Show it, and let the plan use it."""
        self._asked_for = (found.dataset, str(found.source.absolute()))
        self._show(found)
        self._put(begun(self.desk.draft, found))

    def _put(self, change: Begun) -> None:
        try:
            with QSignalBlocker(self.desk):  # the shipped plan alone, without these images, is nothing to show
                if change.start:
                    self.desk.open_plan(change.start)
            self.desk.set_text(change.text)
        except WardroundError as error:
            self.complain(str(error))
            return
        self._offer = change.offer
        self._say(change.note)
        self._show_state()

    def _begin_anew(self) -> None:
        if self._found is not None:
            self._put(started(self._offer, self._found))

    def _refuse(self, source: Path, error: str) -> None:
        """What is like no data set may still be a table whose columns have other names."""
        if source.suffix.lower() in (".csv", ".tsv"):
            self._banner.show_error(error, self.tr("Map columns by hand"), self._ask_columns)
        else:
            self.complain(error)

    def _show_phantoms(self) -> None:
        if (plan := self.desk.draft.plan) is not None:
            self.ask(held, plan, done=self._show, key="look", slow=True)

    def _ask_check(self) -> None:
        draft = self.desk.draft
        if draft.plan is None:
            self.complain(draft.problem)
            return
        self.calm()
        self._checked_for = self._key()
        self.ask(checked, draft.plan, done=self._show_checked, key="check", slow=True)

    def _show_checked(self, result: Checked) -> None:
        if self._found is None or not np.array_equal(self._found.images, result.found.images):
            self._found = result.found  # else the image that is looked at stays
        self._checked = result
        self.findings.show_checked(result)
        self._say(result.summary)
        if result.problem:
            self.complain(result.problem)
        self._show_sheet()
        self._show_state()

    def _show_sheet(self) -> None:
        if self._found is not None:
            self._sheet = Sheet(self._found, self._checked)
            self.filters.show_sheet(self._sheet)
            self.split.show_found(self._found, self._checked)
            self._show_rows()

    def _show_rows(self) -> None:
        if self._found is not None:
            rows: np.ndarray = self._sheet.rows(self.filters.pick())
            self.filters.show_count(len(rows), len(self._sheet))
            self.images.show_rows(self._sheet, rows)
            self.ledger.show_rows(self._sheet, rows)

    def _show_large(self, row: int) -> None:
        self.tabs.setCurrentWidget(self.images)
        self.images.show_row(row)

    def _show_named(self, image: str) -> None:
        if self._found is not None:
            self._show_large(int(np.flatnonzero(self._found.images == image)[0]))

    def _show_state(self) -> None:
        """What is shown and what is not, and the command."""
        draft, found = self.desk.draft, self._found
        is_drawn = found is None and draft.plan is not None and draft.plan.data.folder is None
        self._empty.setVisible(found is None and not is_drawn)
        self._phantoms.setVisible(is_drawn)
        self._content.setVisible(found is not None)
        self._top.setVisible(found is not None)
        self.filters.setVisible(self.tabs.currentWidget() in (self.images, self.ledger))
        self._instead.setVisible(bool(self._offer))
        self._instead.setText(self.tr("&Begin from the plan '{plan}' instead").format(plan=self._offer))
        self._phantoms.set_text(self.tr("The plan '{plan}' names no folder, so phantoms are used: synthetic images in the layout of its "
                                        "data set, which show no patient. Choose a folder above to use real images.")
                                .format(plan=draft.name))
        if found is not None:
            self._head.setText(self.tr("{title}: {images} images, {classes} classes").format(
                title=found.title, images=f"{len(found):,}", classes=len(found.classes)))
            self._result.setText(self.tr("These images are phantoms, drawn by a program."))
            self._result.setVisible(found.is_phantom)
        is_checking = self.tabs.currentWidget() in (self.ledger, self.findings) and draft.plan is not None
        command = command_of(draft, "check").replace("wardround check", "wardround data check", 1) if is_checking else ""
        inspect = "" if found is None else shlex.join(["wardround", "data", "inspect", str(found.source)])
        self.show_command(command or inspect)

    def _say(self, note: str) -> None:
        self._note.setText(note)

    def _key(self) -> Any:
        """What of the plan a check depends on."""
        plan = self.desk.draft.plan
        return None if plan is None else (plan.data, plan.split, plan.sites, plan.seed)

    def _open_typed(self) -> None:
        if text := self.path.text().strip():
            self.open_source(Path(text).expanduser())

    def _ask_folder(self) -> None:
        if chosen := QFileDialog.getExistingDirectory(self, self.tr("Folder of images"), self.path.text()):
            self.open_source(Path(chosen))

    def _ask_table(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, self.tr("Table of images"), self.path.text(), self.tr("Tables (*.csv *.tsv)"))
        if chosen:
            self.open_source(Path(chosen))

    def _ask_columns(self) -> None:
        """Map the columns of the table that is named, or of one that is chosen now."""
        table = Path(self.path.text().strip()).expanduser()
        if not table.is_file():
            chosen, _ = QFileDialog.getOpenFileName(self, self.tr("Table of images"), self.path.text(), self.tr("Tables (*.csv *.tsv)"))
            if not chosen:
                return
            table = Path(chosen)
        self.ask(columns_of, table, done=self._map, key="look")

    def _map(self, columns: Columns) -> None:
        dialog = MappingDialog(columns, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.chosen.connect(partial(self._write, columns))
        dialog.open()

    def _write(self, columns: Columns, roles: Roles) -> None:
        self.calm()
        again = replace(columns, guess=roles)
        self.ask(mapped, columns.path, roles, place_of(columns.path, self.desk.workspace), done=self._mapped, slow=True,
                 failed=lambda error: self._banner.show_error(error, self.tr("Map columns by hand"), partial(self._map, again)))

    def _mapped(self, result: Mapped) -> None:
        self.open_source(result.place)
        self._say(result.said)
