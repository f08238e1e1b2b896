"""Data, the images: thumbnails of those that are picked, and one of them large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from wardround.app.language import said
from wardround.app.theme import theme
from wardround.app.views.pixels import Looked, thumbnails, volume_of
from wardround.app.views.sheet import Sheet
from wardround.app.widgets.gallery import Gallery
from wardround.app.widgets.slices import SliceViewer
from wardround.app.widgets.text import label, muted

if TYPE_CHECKING:
    from wardround.app.page import Page

BATCH, BATCH_VOLUMES = 16, 2  # thumbnails that are asked for together: the first ones appear soon


class ImagesTab(QSplitter):
    """The gallery on the left, the chosen image on the right. `shown` tells its row."""

    shown = Signal(int)

    def __init__(self, page: Page) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._page = page
        self._sheet: Sheet | None = None
        self._rows = np.zeros(0, np.int64)
        self._wanted: list[int] = []
        self._round = 0  # answers of an earlier list are not for this one
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._ask)
        self.gallery, self.viewer, self.name, self.facts = Gallery(), SliceViewer(), label(""), muted("")
        self.gallery.setObjectName("data.gallery")
        self.viewer.setObjectName("data.viewer")
        self.name.setObjectName("data.shown")
        self.problem = label("", look="bad")
        self.problem.hide()
        self.gallery.chosen.connect(lambda place: self.show_row(int(self._rows[place])))
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(theme().px(12), 0, theme().px(2), theme().px(6))
        column.setSpacing(theme().px(8))
        column.addWidget(self.viewer, 1)
        for widget in (self.name, self.problem, self.facts):
            column.addWidget(widget)
        self.addWidget(self.gallery)
        self.addWidget(right)
        self.setStretchFactor(0, 3)
        self.setStretchFactor(1, 2)
        self.setSizes([theme().px(620), theme().px(420)])
        self.setChildrenCollapsible(False)

    def show_rows(self, sheet: Sheet, rows: np.ndarray) -> None:
        """Show the thumbnails of these rows."""
        is_new = self._sheet is None or self._sheet.found is not sheet.found
        if is_new:
            self._clear()
        self._sheet, self._rows = sheet, rows
        self._round += 1
        self._wanted.clear()
        self.gallery.show_items(len(rows), lambda place: sheet.caption(int(rows[place])), self._want)
        if is_new and len(rows):
            self.show_row(int(rows[0]))

    def show_row(self, row: int) -> None:
        """Show one image large."""
        sheet = self._sheet
        if sheet is None:
            return
        found = sheet.found
        self.name.setText(str(found.images[row]))
        self.facts.setText(" \N{MIDDLE DOT} ".join(f"{said(name)}: {said(value)}" for name, value in sheet.facts(row).items()))
        self.shown.emit(row)
        self._page.ask(volume_of, found.root, str(found.images[row]), mask="" if found.masks is None else str(found.masks[row]),
                       mask_values=dict(found.mask_values), done=self._look, key="volume")

    def _clear(self) -> None:
        self.viewer.clear()
        self.name.setText(self.tr("Click an image to see it large."))
        self.facts.clear()
        self.problem.hide()

    def _look(self, looked: Looked) -> None:
        self.problem.setText(looked.problem)
        self.problem.setVisible(bool(looked.problem))
        if not looked.volume.size or self._sheet is None:
            self.viewer.clear()
            return
        found = self._sheet.found
        names = found.channel_names if len(found.channel_names) == len(looked.volume) else ()
        masks = {} if looked.mask is None else {self.tr("truth"): looked.mask}
        self.viewer.show_volume(looked.volume, names, masks, found.classes if masks else ())

    def _want(self, place: int) -> None:
        """The gallery asks for what is in sight, one after another: take all of it together."""
        if not self._soon.isActive():
            self._wanted.clear()
            self._soon.start()
        self._wanted.append(place)

    def _ask(self) -> None:
        if self._sheet is None or not self._wanted:
            return
        found = self._sheet.found
        size = BATCH_VOLUMES if found.is_volume else BATCH
        batch, self._wanted = self._wanted[:size], self._wanted[size:]
        rows, asked = self._rows[batch], self._round
        self._page.ask(thumbnails, found.root, found.images[rows].tolist(), self.gallery.side,
                       () if found.masks is None else found.masks[rows].tolist(), key="thumbnails",
                       done=lambda pictures: self._put(asked, batch, pictures))

    def _put(self, asked: int, places: list[int], pictures: list[np.ndarray]) -> None:
        if asked != self._round:
            return
        for place, picture in zip(places, pictures, strict=True):
            self.gallery.put(place, picture)
        self._ask()
