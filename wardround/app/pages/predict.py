"""Predict: what a trained model says of images that it has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QTemporaryDir
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from wardround.app.desk import Desk
from wardround.app.language import said
from wardround.app.page import Page
from wardround.app.pages.predict_answer import AnswerPanel
from wardround.app.theme import theme
from wardround.app.views import predict
from wardround.app.views.model_facts import ModelFacts, model_of
from wardround.app.views.predict import Answer, Answered, Looked, Seen
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.slices import SliceViewer
from wardround.app.widgets.table import TableView
from wardround.app.widgets.text import label, muted


class PredictPage(Page):
    """A model above, images and the viewer on the left, the answer and the model's facts on the right."""

    key = "predict"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._run: Path | None = None  # as the desk had it when the model was asked for
        self._model: ModelFacts | None = None
        self._found: Answered | None = None
        self._seen: Seen | None = None
        self._masks = QTemporaryDir()
        self.setAcceptDrops(True)
        self._empty = Empty(self.tr("No run is open. A run leaves a model, which answers here for new images."),
                            self.tr("&Open a run or comparison\N{HORIZONTAL ELLIPSIS}"), self._ask_run)
        self._content = QWidget()
        column = QVBoxLayout(self._content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().px(10))
        column.addLayout(self._model_row())
        column.addWidget(self._trust_part())
        column.addWidget(self._middle(), 1)
        self.body.addWidget(self._notice())
        self.body.addWidget(self._empty, 1)
        self.body.addWidget(self._content, 1)

    def title(self) -> str:
        return self.tr("Predict")

    def purpose(self) -> str:
        return self.tr("Ask a trained model about new images: probabilities of classes, or a mask. Nothing leaves this computer.")

    def refresh(self) -> None:
        run = self.desk.run
        if run != self._run:
            self._model = None  # its answers are not this one's
        self._empty.setVisible(run is None)
        self._content.setVisible(run is not None and self._model is not None)
        if run is None:
            self.show_command("")
        elif run != self._run or self._model is None:
            self._run = run
            self.ask(model_of, run, done=self._show_model, failed=self._no_model, key="model")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files and folders are taken."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Answer for what was dropped."""
        event.acceptProposedAction()
        self.predict([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    def predict(self, paths: Sequence[Path]) -> None:
        """Ask the model about images and folders of images."""
        if not paths:
            return
        if self._model is None:
            self.complain(self.tr("No model is open, so nothing can be answered. Open a finished run first."))
        elif not self._may_run():
            self.complain(self.tr("This model's network is a program of its author's, which would be run. If you trust it, tick the box "
                                  "below the model first."))
        else:
            self.calm()
            self._command_for(paths)
            self.ask(predict.answered, self._model.folder, tuple(paths), Path(self._masks.path()), self._site(), self._trust.isChecked(),
                     done=self._show_answers, key="answers", slow=True)

    def _notice(self) -> QWidget:
        frame = QFrame()
        frame.setProperty("look", "caution_panel")
        text = label(self.tr("Not for clinical use. A research model: no answer of it supports a decision about a patient."),
                     look="caution")
        text.setObjectName("predict.notice")
        self._phantom = label("", look="caution")
        self._phantom.setObjectName("predict.phantom")
        self._phantom.hide()
        inner = QVBoxLayout(frame)
        inner.addWidget(text)
        inner.addWidget(self._phantom)
        return frame

    def _model_row(self) -> QHBoxLayout:
        self._models, name = QComboBox(), QLabel(self.tr("&Model"))
        self._models.setObjectName("predict.models")
        self._models.setAccessibleName(self.tr("Model"))
        self._models.setMinimumWidth(theme().px(260))
        self._models.activated.connect(self._choose_model)
        name.setBuddy(self._models)
        self._sites, self._sites_name = QComboBox(), QLabel(self.tr("Hos&pital of the images"))
        self._sites.setObjectName("predict.site")
        self._sites.setAccessibleName(self.tr("Hospital that the images come from"))
        self._sites_name.setBuddy(self._sites)
        self._sites.activated.connect(self._ask_again)
        row = QHBoxLayout()
        row.addWidget(name)
        row.addWidget(self._models)
        row.addWidget(self._button("predict.another", self.tr("Open another &run\N{HORIZONTAL ELLIPSIS}"), self._ask_run))
        row.addStretch(1)
        row.addWidget(self._sites_name)
        row.addWidget(self._sites)
        return row

    def _trust_part(self) -> QWidget:
        self._program, self._program_said, self._trust = QFrame(), label(""), QCheckBox(self.tr("I &trust this program: run it"))
        self._program.setProperty("look", "caution_panel")
        self._program_said.setObjectName("predict.program")
        self._trust.setObjectName("predict.trust")
        self._trust.toggled.connect(self._on_trust)
        inner = QVBoxLayout(self._program)
        inner.addWidget(self._program_said)
        inner.addWidget(self._trust)
        self._program.hide()
        return self._program

    def _middle(self) -> QWidget:
        self._viewer, self._table, self._panel = SliceViewer(), TableView(max_rows=5), AnswerPanel()
        self._told = label("", look="caution")
        self._told.setObjectName("predict.notes.answers")
        self._told.hide()
        self._table.setObjectName("predict.table")
        self._table.setAccessibleName(self.tr("Answers"))
        self._table.selectionModel().selectionChanged.connect(self._on_choice)
        self._panel.asked_where.connect(self._on_where)
        self._drop = Empty("", self.tr("Open images\N{HORIZONTAL ELLIPSIS}"), self._ask_images)
        self._drop.setObjectName("predict.drop")
        self._place = QStackedWidget()
        self._place.addWidget(self._drop)
        self._place.addWidget(self._viewer)
        left, right = QWidget(), QScrollArea()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, theme().px(8), 0)
        column.addWidget(self._place, 1)
        column.addLayout(self._buttons())
        column.addWidget(self._told)
        column.addWidget(self._table)
        column.addLayout(self._savers())
        right.setWidgetResizable(True)
        right.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        right.setWidget(self._panel)
        right.setMinimumWidth(theme().px(320))
        whole = QSplitter(Qt.Orientation.Horizontal)
        whole.addWidget(left)
        whole.addWidget(right)
        whole.setStretchFactor(0, 3)
        whole.setStretchFactor(1, 2)
        whole.setChildrenCollapsible(False)
        whole.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)  # the image takes the room that is left
        whole.setMinimumHeight(theme().px(360))
        self._table.hide()
        return whole

    def _buttons(self) -> QHBoxLayout:
        self._summary = muted("", wraps=False)
        self._summary.setObjectName("predict.summary")
        self._open = self._button("predict.open", self.tr("Open &images\N{HORIZONTAL ELLIPSIS}"), self._ask_images)
        self._open_folder = self._button("predict.folder", self.tr("Open fol&der\N{HORIZONTAL ELLIPSIS}"), self._ask_folder)
        for button in (self._open, self._open_folder):
            button.setToolTip(self.tr("Images and folders can be dropped on this page too."))
        row = QHBoxLayout()
        row.addWidget(self._open)
        row.addWidget(self._open_folder)
        row.addStretch(1)
        return row

    def _savers(self) -> QHBoxLayout:
        self._export = self._button("predict.export", self.tr("&Export table\N{HORIZONTAL ELLIPSIS}"), self._ask_export)
        self._save = self._button("predict.save", self.tr("&Save masks to\N{HORIZONTAL ELLIPSIS}"), self._ask_save)
        row = QHBoxLayout()
        row.addWidget(self._summary)
        row.addStretch(1)
        row.addWidget(self._export)
        row.addWidget(self._save)
        return row

    @staticmethod
    def _button(name: str, text: str, on_click: object) -> QPushButton:
        made = QPushButton(text)
        made.setObjectName(name)
        made.clicked.connect(lambda: on_click())  # type: ignore[operator]
        return made

    def _show_model(self, facts: ModelFacts) -> None:
        self.calm()
        self._model, self._found, self._seen = facts, None, None
        self._content.show()
        self._phantom.setText(said(facts.phantom))
        self._phantom.setVisible(bool(facts.phantom))
        self._fill(self._models, [(name, folder) for folder, name in facts.choices], facts.folder)
        self._fill(self._sites, [(self.tr("not said"), ""), *((site, site) for site in facts.sites)], "")
        for widget in (self._sites, self._sites_name):
            widget.setVisible(bool(facts.sites))
        self._trust.setChecked(False)
        self._program.setVisible(bool(facts.program))
        self._program_said.setText(self.tr("The network of this model is a program of its author's ({program}), which would be run on this "
                                           "computer with your rights. Without it the model cannot answer.").format(program=facts.program))
        self._drop.set_text(self.tr("Drop images or a folder here.\n\nThis model reads {accepted}.").format(accepted=said(facts.accepted)))
        self._panel.show_model(facts)
        self._place.setCurrentWidget(self._drop)
        self._show_rows()
        self._on_trust()
        self._command_for(())

    def _no_model(self, error: str) -> None:
        self._model = None
        self._content.hide()
        self._empty.show()
        self._empty.set_text(self.tr("There is no model to ask yet. The message above says why."))
        self.show_command("")
        self.complain(error)

    def _show_answers(self, found: Answered) -> None:
        if self._model is None or found.run != self._model.folder:
            return  # of the model before
        self._found = found
        self._show_rows()
        self._told.setText("\n".join(found.notes))
        self._told.setVisible(bool(found.notes))
        self._table.choose([0])

    def _show_rows(self) -> None:
        found = self._found
        self._table.setVisible(found is not None)
        self._summary.setText("")
        self._export.setVisible(found is not None)
        self._save.setVisible(found is not None and any(answer.mask for answer in found.answers))
        if found is not None:
            grid, failed = predict.grid_of(found)
            self._table.show_grid(grid, marked=dict.fromkeys(failed, "bad"))
            answered = self.tr("%n image(s)", "", len(found.answers))
            lost = self.tr("%n could not be read", "", found.num_failed)
            self._summary.setText(f"{answered}, {lost}" if found.num_failed else answered)

    def _answer(self) -> Answer | None:
        """The one that is chosen."""
        rows = self._table.chosen()
        return self._found.answers[rows[0]] if self._found is not None and rows else None

    def _on_choice(self) -> None:
        answer = self._answer()
        if answer is None or self._model is None:
            return
        self._place.setCurrentWidget(self._viewer)
        self._panel.show_answer(answer)
        self._seen = None
        if answer.error:
            self._viewer.clear()
        else:
            self.ask(predict.seen, self._model.folder, answer.path, answer.mask, done=self._show_seen, key="seen")
            self._on_where(self._panel.label)

    def _show_seen(self, seen: Seen) -> None:
        self._seen = seen
        if not self._panel.label:
            self._show_image(seen)

    def _show_image(self, seen: Seen) -> None:
        masks = {} if seen.mask is None else {self.tr("model"): seen.mask}
        self._viewer.show_volume(seen.volume, seen.channels, masks=masks, class_names=seen.classes)
        self._panel.show_marked(seen.marked)

    def _on_where(self, name: str) -> None:
        """Show the image, or ask for its heat."""
        answer = self._answer()
        if answer is None or self._model is None or self._found is None:
            return
        if name:
            self.show_command(predict.explain_command(self._model.folder, answer.path, name, site=self._site() or "",
                                                      own_code=self._trust.isChecked()))
            self.ask(predict.looked, self._model.folder, answer.path, name, self._site(), self._trust.isChecked(),
                     done=self._show_looked, key="looked", slow=True)
            return
        self._command_for(self._found.asked)
        if self._seen is not None:
            self._show_image(self._seen)

    def _show_looked(self, looked: Looked) -> None:
        answer = self._answer()
        if answer is not None and answer.path == looked.path and self._panel.label == looked.label:
            self._viewer.show_volume(np.moveaxis(looked.picture, -1, 0)[:, None])
            self._panel.show_looked(looked)

    def _choose_model(self) -> None:
        self.ask(model_of, Path(self._models.currentData()), done=self._show_model, failed=self._no_model, key="model")

    def _may_run(self) -> bool:
        return self._model is not None and (not self._model.program or self._trust.isChecked())

    def _on_trust(self) -> None:
        for widget in (self._open, self._open_folder, self._drop):
            widget.setEnabled(self._may_run())
        self._command_for(())

    def _ask_again(self) -> None:
        """About the same images, which come from another hospital."""
        if self._found is not None:
            self.predict(self._found.asked)

    def _site(self) -> str | None:
        return self._sites.currentData() or None

    def _command_for(self, paths: Sequence[Path]) -> None:
        if self._model is not None:
            self.show_command(predict.predict_command(self._model.folder, paths, draws=self._model.draws, site=self._site() or "",
                                                      own_code=self._trust.isChecked()))

    @staticmethod
    def _fill(box: QComboBox, entries: Sequence[tuple[str, object]], chosen: object) -> None:
        box.blockSignals(True)
        box.clear()
        for name, value in entries:
            box.addItem(name, str(value))
        box.setCurrentIndex(max(box.findData(str(chosen)), 0))
        box.blockSignals(False)

    def _ask_run(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self.tr("Open a run or comparison"), str(self.desk.runs))
        if path:
            self.desk.open_run(Path(path))

    def _ask_images(self) -> None:
        patterns = " ".join(self._model.patterns) if self._model is not None else "*"
        paths, _ = QFileDialog.getOpenFileNames(self, self.tr("Open images"), "", self.tr("Images ({})").format(patterns))
        self.predict([Path(path) for path in paths])

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self.tr("Open a folder of images"))
        self.predict([Path(path)] if path else [])

    def _ask_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, self.tr("Export the table"), "predictions.csv", self.tr("Tables (*.csv)"))
        if path:
            self.ask(predict.exported, self._found, Path(path), key="export",
                     done=lambda file: self._summary.setText(self.tr("Written: {}").format(file)))

    def _ask_save(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self.tr("Save masks to a folder"))
        if path:
            self.ask(predict.saved, self._found, Path(path), key="save",
                     done=lambda files: self._summary.setText(self.tr("%n mask(s) saved", "", len(files))))
