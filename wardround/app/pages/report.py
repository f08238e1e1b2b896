"""The report as a reader sees it, to be written again, exported and printed."""

from __future__ import annotations

from pathlib import Path

import shiboken6
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.theme import theme
from wardround.app.views import report as view
from wardround.app.widgets.empty import Empty
from wardround.app.widgets.text import muted

ZOOMS = (0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)


class ReportPage(Page):
    """Shows report.html of the run or comparison that is open. The engine that shows it is started when it is first needed."""

    key = "report"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._stamp: tuple[Path, int] | None = None
        self._run: Path | None = None  # whose report is shown, or looked for
        self._found: tuple[view.Written, ...] = ()
        self._paper: _Paper | None = None
        self._empty = Empty(self.tr("No run is open. Open a finished run or a comparison to read, export and print its report."),
                            self.tr("&Choose a run"), lambda: desk.go("start"))
        self._waiting = Empty("")
        self._unwritten = Empty(self.tr("This run has no report yet."), self.tr("Write &it"), self._write)
        self._shown = QWidget()
        column = QVBoxLayout(self._shown)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._choice())
        column.addLayout(self._bar())
        self._said = muted("")
        self._said.setObjectName("report.said")
        self._said.hide()
        column.addWidget(self._said)
        self._place = QStackedWidget()
        self._place.addWidget(self._unwritten)
        column.addWidget(self._place, 1)
        self._stack = QStackedWidget()
        for part in (self._empty, self._waiting, self._shown):
            self._stack.addWidget(part)
        self.body.addWidget(self._stack, 1)

    def title(self) -> str:
        return self.tr("Report")

    def purpose(self) -> str:
        return self.tr("What readers and reviewers get: one file that holds all it needs and loads nothing.")

    def refresh(self) -> None:
        """Look for the report of the run that is open."""
        run = self.desk.run
        if run != self._run and run is not None:
            self._waiting.set_text(self.reading(run))
            self._stack.setCurrentWidget(self._waiting)
        self._run = run
        if run is None:
            self._found, self._stamp = (), None
            self._stack.setCurrentWidget(self._empty)
            return self.show_command("")
        self.ask(view.reports, run, done=self._list, failed=self._fail, key="reports")
        return None

    def let_go(self) -> None:
        """The engine demands that what it shows goes while the application still lives."""
        if self._paper is not None:
            self._paper.close()
            self._paper = None

    def chosen(self) -> view.Written | None:
        """The report that is shown."""
        return self._found[self._which.currentIndex()] if self._found else None

    def _choice(self) -> QHBoxLayout:
        self._which, self._of = QComboBox(), muted(self.tr("Report &of"), wraps=False)
        self._which.setObjectName("report.which")
        self._which.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._which.currentIndexChanged.connect(self._show)
        self._of.setBuddy(self._which)
        row = QHBoxLayout()
        row.addWidget(self._of)
        row.addWidget(self._which)
        row.addStretch(1)
        return row

    def _bar(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self._buttons = [self._button("again", self.tr("&Write again"), self._write),
                         self._button("html", self.tr("Export &HTML\N{HORIZONTAL ELLIPSIS}"), self._export_html),
                         self._button("pdf", self.tr("Export &PDF\N{HORIZONTAL ELLIPSIS}"), self._export_pdf),
                         self._button("browser", self.tr("Open in &browser"), self._browse)]
        smaller = self._button("smaller", "\N{MINUS SIGN}", lambda: self._zoom(-1), self.tr("Smaller"))
        larger = self._button("larger", "+", lambda: self._zoom(1), self.tr("Larger"))
        self._zoomed = QLabel("")
        self._zoomed.setObjectName("report.zoom")
        self._zoomed.setAccessibleName(self.tr("Size of the preview"))
        for part in self._buttons:
            row.addWidget(part)
        row.addStretch(1)
        row.addWidget(smaller)
        row.addWidget(self._zoomed)
        row.addWidget(larger)
        return row

    def _button(self, name: str, text: str, do: object, accessible: str = "") -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"report.{name}")
        button.setAccessibleName(accessible)
        button.setToolTip(accessible)
        button.clicked.connect(do)
        return button

    def _fail(self, problem: str) -> None:
        self._waiting.set_text(problem)
        self._found, self._stamp = (), None
        self._stack.setCurrentWidget(self._waiting)
        self.show_command("")

    def _list(self, found: view.Reports) -> None:
        if not found.written:
            return self._fail(found.problem)
        kept = self.chosen()
        folders = [written.folder for written in found.written]
        self._which.blockSignals(True)
        self._found = found.written
        self._which.clear()
        self._which.addItems([written.label for written in found.written])
        self._which.setCurrentIndex(folders.index(kept.folder) if kept is not None and kept.folder in folders else 0)
        for part in (self._of, self._which):
            part.setVisible(len(folders) > 1)
        self._which.blockSignals(False)
        if found.problem:
            self._say(found.problem)
        self._stack.setCurrentWidget(self._shown)
        self._show()
        return None

    def _show(self) -> None:
        written = self.chosen()
        if written is None:
            return
        self.show_command(view.command(written.folder))
        for button in self._buttons[1:]:
            button.setEnabled(bool(written.stamp))
        if not written.stamp:
            self._place.setCurrentWidget(self._unwritten)
        elif (written.folder, written.stamp) != self._stamp:
            self._stamp = written.folder, written.stamp
            self._preview(written.html)
        elif self._paper is not None:
            self._place.setCurrentWidget(self._paper.widget)

    def _preview(self, html: Path) -> None:
        try:
            self._paper = self._paper or _Paper(self._place, self.tr("The report"))
        except ImportError as error:  # a library of the system that the engine needs
            return self.complain(self.tr("The preview needs a library that this system lacks ({}). Open the report in a browser "
                                         "instead.").format(error))
        self._paper.page.show_report(html)
        self._place.setCurrentWidget(self._paper.widget)
        self._zoom(0)
        return None

    def _zoom(self, steps: int) -> None:
        if self._paper is not None:
            self._zoomed.setText(f"{self._paper.zoom(steps):.0%}")

    def _write(self) -> None:
        if (written := self.chosen()) is not None:
            self.calm()
            self.ask(view.write_again, written.folder, done=lambda _: self.refresh(), slow=True)

    def _export_html(self) -> None:
        if (written := self.chosen()) is not None and (target := self._ask_file(written, "html", self.tr("Web page (*.html)"))):
            self.ask(view.copy, written.html, target, done=lambda path: self._say(self.tr("Saved: {}").format(path)))

    def _export_pdf(self) -> None:
        if (written := self.chosen()) is None or (target := self._ask_file(written, "pdf", self.tr("PDF (*.pdf)"))) is None:
            return
        from wardround.app.pdf import print_pdf

        def done(problem: str) -> None:
            if shiboken6.isValid(self):
                self._buttons[2].setEnabled(True)
                self._say("" if problem else self.tr("Saved: {}").format(target))
                if problem:
                    self.complain(problem)

        self._buttons[2].setEnabled(False)
        self._say(self.tr("Printing\N{HORIZONTAL ELLIPSIS}"))
        print_pdf(written.html, target, done)

    def _ask_file(self, written: view.Written, ending: str, kinds: str) -> Path | None:
        self.calm()
        proposed = self.desk.workspace / view.file_name(written.folder, ending)
        path, _ = QFileDialog.getSaveFileName(self, self.tr("Save the report"), str(proposed), kinds)
        return Path(path) if path else None

    def _browse(self) -> None:
        if (written := self.chosen()) is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(written.html)))

    def _say(self, text: str) -> None:
        self._said.setText(text)
        self._said.setVisible(bool(text))


class _Paper:
    """The engine and what it shows; made when the first report is looked at, for it takes a second and 100 MB."""

    def __init__(self, place: QStackedWidget, name: str) -> None:
        from PySide6.QtWebEngineWidgets import QWebEngineView

        from wardround.app.pdf import ReportPage as Sheet
        from wardround.app.pdf import let_root_start

        let_root_start()
        self.widget = QWebEngineView()
        self.page = Sheet(self.widget)
        self.widget.setPage(self.page)
        self.widget.setObjectName("report.preview")
        self.widget.setAccessibleName(name)
        self._level = min(range(len(ZOOMS)), key=lambda level: abs(ZOOMS[level] - theme().scale))
        place.addWidget(self.widget)

    def close(self) -> None:
        """Let go of what is shown, with its view: a view without a page would make another one."""
        if shiboken6.isValid(self.widget):
            shiboken6.delete(self.widget)

    def zoom(self, steps: int) -> float:
        """Go so many sizes up or down; returns the size."""
        self._level = max(0, min(self._level + steps, len(ZOOMS) - 1))
        self.widget.setZoomFactor(ZOOMS[self._level])
        return ZOOMS[self._level]
