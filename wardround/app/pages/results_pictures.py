"""Tabs of the Results page with pictures: segmentations over the truth, and the worst errors with where the model looked."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.pages.results_tab import Tab, add_grid, tell
from wardround.app.theme import theme
from wardround.app.views import results_images
from wardround.app.views.results_images import Errors, Looked, Patient, Segmented
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.gallery import Gallery
from wardround.app.widgets.picture import Picture
from wardround.app.widgets.slices import SliceViewer
from wardround.app.widgets.text import heading, label, muted

LARGE = 280  # pixels of the picture that was chosen
HOT = 1  # of the series: the colour of heat


class SegmentationTab(Tab):
    """The best, median and worst patient, slice by slice; and every patient in numbers."""

    key = "segmentation"
    needs_model = True

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        name = QLabel(self.tr("&Patient"))
        self.patient = QComboBox()
        self.patient.setObjectName("results.patient")
        self.patient.setAccessibleName(self.tr("Patient whose segmentation is shown"))
        self.patient.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.patient.currentIndexChanged.connect(self._show_patient)
        name.setBuddy(self.patient)
        self.errors = QCheckBox(self.tr("Only &differences: missed, added, another class"))
        self.errors.setObjectName("results.differences")
        self.errors.toggled.connect(self._show_patient)
        row = QHBoxLayout()
        for widget in (name, self.patient, self.errors):
            row.addWidget(widget)
        row.addStretch(1)
        self.why_not, self.caution = label("", look="caution"), label("", look="caution")
        self.viewer = SliceViewer()
        self.viewer.setObjectName("results.viewer")
        self.viewer.setMinimumHeight(theme().px(430))
        self._below = QVBoxLayout()
        self._patients: tuple[Patient, ...] = ()
        self._parts = [name, self.patient, self.errors, self.viewer]
        self.column.addWidget(self.why_not)
        self.column.addLayout(row)
        self.column.addWidget(self.viewer)
        self.column.addWidget(self.caution)
        self.column.addLayout(self._below)
        self.column.addStretch(1)

    def title(self) -> str:
        return self.tr("Segmentation")

    def load(self) -> None:
        if self.opened is not None:
            self.page.ask(results_images.segmented, self.opened.folder, self.model, done=self._show, key="segmented")

    def _show(self, found: Segmented) -> None:
        self._patients = found.patients
        for text, widget in ((found.why_not, self.why_not), (found.caution, self.caution)):
            widget.setText(said(text))
            widget.setVisible(bool(text))
        for part in self._parts:
            part.setVisible(bool(found.patients))
        self.patient.blockSignals(True)
        self.patient.clear()
        self.patient.addItems([patient.title for patient in found.patients])
        self.patient.setCurrentIndex(max(0, len(found.patients) - 1))  # the worst
        self.patient.blockSignals(False)
        self._show_patient()
        emptied(self._below)
        tell(self._below, found.told)
        if found.every.rows:
            self._below.addWidget(heading(self.tr("Every test patient")))
            add_grid(self._below, found.every, name="results.patients", max_rows=14)

    def _show_patient(self) -> None:
        place = self.patient.currentIndex()
        if not 0 <= place < len(self._patients):
            return
        patient = self._patients[place]
        if self.errors.isChecked():
            self.viewer.show_volume(patient.volume, (), {self.tr("truth"): patient.truth, self.tr("differences"): patient.difference},
                                    ("", self.tr("missed"), self.tr("added"), self.tr("another class")))
        else:
            self.viewer.show_volume(patient.volume, (), {self.tr("truth"): patient.truth, self.tr("model"): patient.model}, patient.classes)
        self.viewer.go_to(patient.main_slice)


class ErrorsTab(Tab):
    """The test images that were named wrongly with the highest probability; where the model looked, on request."""

    key = "errors"
    needs_model = True

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self._found: Errors | None = None
        self._place, self._heats = 0, dict[int, Looked]()
        self.why_not, self.caution = label(""), label("", look="caution")
        self.gallery = Gallery()
        self.gallery.setObjectName("results.gallery")
        self.gallery.setAccessibleName(self.tr("Worst errors"))
        self.gallery.setMinimumHeight(theme().px(420))
        self.gallery.setWordWrap(True)
        self.gallery.setUniformItemSizes(False)
        room = QSize(theme().px(28), 0)  # for the names of classes: a text is as wide as an icon
        self.gallery.setIconSize(self.gallery.iconSize() + room)
        self.gallery.setGridSize(self.gallery.gridSize() + room)
        self.gallery.chosen.connect(self._choose)
        self.picture = Picture(LARGE)
        self.picture.setObjectName("results.picture")
        self.picture.setMinimumSize(theme().px(LARGE), theme().px(LARGE))
        self.caption = label("")
        self.caption.setObjectName("results.caption")
        self.button = QPushButton(self.tr("&Where did the model look?"))
        self.button.setObjectName("results.look")
        self.button.clicked.connect(self._ask_heat)
        self.heat = QCheckBox(self.tr("Show the hea&t map"))
        self.heat.setObjectName("results.heat")
        self.heat.toggled.connect(self._show_picture)
        self.warning = QFrame()
        self.warning.setProperty("look", "caution_panel")
        self._warning_text = label("")
        self._warning_text.setObjectName("results.heat.caution")
        QVBoxLayout(self.warning).addWidget(self._warning_text)
        self._lay_out()

    def title(self) -> str:
        return self.tr("Errors")

    def load(self) -> None:
        if self.opened is not None:
            self.page.ask(results_images.errors, self.opened.folder, self.model, done=self._show, key="errors")

    def _lay_out(self) -> None:
        self._side = QFrame()
        side = QVBoxLayout(self._side)
        side.setContentsMargins(theme().px(10), 0, 0, 0)
        for widget in (self.button, self.heat, self.picture, self.caption):
            side.addWidget(widget)
        side.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(self.gallery, 3)
        row.addWidget(self._side, 2)
        self._intro = muted(self.tr("The test images that the model named wrongly with the highest probability. Choose one to see it "
                                    "large."))
        self.column.addWidget(self.why_not)
        self.column.addWidget(self._intro)
        self.column.addWidget(self.warning)
        self.column.addLayout(row)
        self.column.addWidget(self.caution)
        self.column.addStretch(1)

    def _show(self, found: Errors) -> None:
        self._found, self._heats, self._place = found, {}, 0
        for text, widget in ((found.why_not, self.why_not), (found.caution, self.caution)):
            widget.setText(said(text))
            widget.setVisible(bool(text))
        for part in (self._intro, self.gallery, self._side):
            part.setVisible(len(found.images) > 0)
        self.gallery.show_items(len(found.images), lambda place: found.short[place],
                                lambda place: self.gallery.put(place, found.images[place]))
        if len(found.images):
            self.gallery.setCurrentIndex(self.gallery.model().index(0, 0))
            self._choose(0)

    def _choose(self, place: int) -> None:
        self._place = place
        self._show_picture()

    def _ask_heat(self) -> None:
        if self.opened is None:
            return
        place = self._place
        self.button.setEnabled(False)
        self.page.calm()
        self.page.ask(results_images.where_looked, self.opened.folder, self.model, place, key="looked",
                      done=lambda found: self._keep_heat(place, found), failed=self._no_heat)

    def _keep_heat(self, place: int, found: Looked) -> None:
        self._heats[place] = found
        self.button.setEnabled(True)
        self.heat.setChecked(True)
        self._show_picture()

    def _no_heat(self, error: str) -> None:
        self.button.setEnabled(True)
        self.page.complain(error)

    def _show_picture(self) -> None:
        """The chosen image, under its heat map if there is one and it is wanted."""
        if self._found is None or not 0 <= self._place < len(self._found.images):
            return
        image, heat = self._found.images[self._place], self._heats.get(self._place)
        self.button.setVisible(heat is None)
        self.heat.setVisible(heat is not None)
        text = self._found.captions[self._place]
        if heat is not None and self.heat.isChecked():
            colour = theme().series(HOT)
            image = results_images.laid_over(image, heat.heat, (colour.red(), colour.green(), colour.blue()))
            text += "\n" + self.tr("In colour: where the score of {label} ({share}) comes from.").format(label=heat.label,
                                                                                                  share=f"{heat.probability:.0%}")
        self.picture.show_array(np.ascontiguousarray(image))
        self.caption.setText(text)
        self.picture.setAccessibleName(text.replace("\n", ", "))
        self._warning_text.setText("" if heat is None else f"\N{WARNING SIGN} {said(heat.caution)}")
        self.warning.setVisible(heat is not None)
