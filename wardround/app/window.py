"""The window: pages on the left, one of them shown. A page is built when it is first wanted."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QAction, QActionGroup, QCloseEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QMenu,
    QMessageBox,
    QScrollArea,
    QStackedWidget,
    QWidget,
)

import wardround
from wardround.app.desk import Desk
from wardround.app.language import speak
from wardround.app.page import Page
from wardround.app.settings import LANGUAGES
from wardround.app.theme import SCALES, apply, theme
from wardround.app.views.warm import warm
from wardround.errors import WardroundError

PAGES = {"start": "StartPage", "data": "DataPage", "sites": "SitesPage", "plan": "PlanPage", "run": "RunPage", "results": "ResultsPage",
         "compare": "ComparePage", "predict": "PredictPage", "security": "SecurityPage", "report": "ReportPage"}
WARM_UP_MS = 300  # after the window is shown, the second process starts


class MainWindow(QMainWindow):
    """Navigation, menus, and the pages of PAGES."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.setObjectName("wardround")
        self._key = "start"
        self._pages: dict[str, Page] = {}
        self.build()
        self.resize(theme().px(1280), theme().px(840))
        desk.asked_for.connect(self.show_page)
        for signal in (desk.draft_changed, desk.run_changed, desk.jobs_changed):
            signal.connect(self._refresh)
        QTimer.singleShot(WARM_UP_MS, lambda: desk.aside.warm_up(warm))

    def build(self) -> None:
        """Make everything anew, in the language and theme that hold now; pages show again what the desk holds."""
        self._pages.clear()
        self._stack = QStackedWidget()
        self._navigation = QListWidget()
        self._navigation.setObjectName("navigation")
        self._navigation.setAccessibleName(self.tr("Pages"))
        self._navigation.setFixedWidth(theme().px(176))
        self._navigation.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for number, (key, name) in enumerate(self._names().items(), start=1):
            item = QListWidgetItem(name)
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setSizeHint(QSize(0, theme().px(36)))
            item.setToolTip(f"Ctrl+{number % 10}")
            self._navigation.addItem(item)
        self._navigation.currentRowChanged.connect(lambda row: self.show_page(list(PAGES)[row]))
        middle = QWidget()
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._navigation)
        row.addWidget(self._stack, 1)
        self.setCentralWidget(middle)
        self._menus()
        self.show_page(self._key)

    def show_page(self, key: str) -> None:
        """Show a page of PAGES; it is built if it was not yet."""
        self._key = key
        if key not in self._pages:
            kind = getattr(importlib.import_module(f"wardround.app.pages.{key}"), PAGES[key])
            self._pages[key] = kind(self.desk)
            room = QScrollArea()
            room.setWidgetResizable(True)
            room.setWidget(self._pages[key])
            self._stack.addWidget(room)
        self._stack.setCurrentIndex([self._page_of(index) for index in range(self._stack.count())].index(self._pages[key]))
        self._navigation.blockSignals(True)
        self._navigation.setCurrentRow(list(PAGES).index(key))
        self._navigation.blockSignals(False)
        self._refresh()

    def page(self) -> Page:
        """The page that is shown."""
        return self._pages[self._key]

    def open_run(self, folder: Path) -> None:
        """Look at a run or a comparison."""
        self.desk.open_run(folder)
        self.show_page("results")

    def closeEvent(self, event: QCloseEvent) -> None:
        """Jobs go on without the window; the second processes do not."""
        for page in self._pages.values():
            page.let_go()
        self.desk.close()
        super().closeEvent(event)

    def _page_of(self, index: int) -> QWidget | None:
        room = self._stack.widget(index)
        return room.widget() if isinstance(room, QScrollArea) else room

    def _refresh(self) -> None:
        name = self.desk.draft.name
        self.setWindowTitle(f"{name} \N{EN DASH} wardround" if name else "wardround")
        self.page().refresh()

    def _names(self) -> dict[str, str]:
        return {"start": self.tr("Start"), "data": self.tr("Data"), "sites": self.tr("Sites"), "plan": self.tr("Plan"),
                "run": self.tr("Run"), "results": self.tr("Results"), "compare": self.tr("Compare runs"), "predict": self.tr("Predict"),
                "security": self.tr("Security"), "report": self.tr("Report")}

    def _menus(self) -> None:
        bar = self.menuBar()
        bar.clear()
        file = bar.addMenu(self.tr("&File"))
        self._entry(file, self.tr("&Open plan\N{HORIZONTAL ELLIPSIS}"), self._ask_plan, QKeySequence.StandardKey.Open)
        self._entry(file, self.tr("Open &run\N{HORIZONTAL ELLIPSIS}"), self._ask_run, "Ctrl+Shift+O")
        self._entry(file, self.tr("&Save plan"), self._save, QKeySequence.StandardKey.Save)
        file.addSeparator()
        self._entry(file, self.tr("&Quit"), self.close, QKeySequence.StandardKey.Quit)
        go = bar.addMenu(self.tr("&Go"))
        for number, (key, name) in enumerate(self._names().items(), start=1):
            self._entry(go, name, partial(self.show_page, key), f"Ctrl+{number % 10}")
        self._view_menu(bar.addMenu(self.tr("&View")))
        help_menu = bar.addMenu(self.tr("&Help"))
        self._entry(help_menu, self.tr("&About wardround"), self._about, None)

    def _view_menu(self, menu: QMenu) -> None:
        self._choices(menu.addMenu(self.tr("&Colours")), {"system": self.tr("As the desktop"), "light": self.tr("Light"),
                                                         "dark": self.tr("Dark")}, self.desk.settings.theme, "theme")
        self._choices(menu.addMenu(self.tr("&Text size")), {scale: f"{scale:.0%}" for scale in SCALES}, self.desk.settings.scale, "scale")
        self._choices(menu.addMenu(self.tr("&Language")), LANGUAGES, self.desk.settings.language, "language")
        self._entry(menu, self.tr("L&arger text"), lambda: self._scale(1), QKeySequence.StandardKey.ZoomIn)
        self._entry(menu, self.tr("S&maller text"), lambda: self._scale(-1), QKeySequence.StandardKey.ZoomOut)

    def _choices(self, menu: QMenu, choices: dict[str, str] | dict[float, str], chosen: object, setting: str) -> None:
        group = QActionGroup(menu)
        for value, name in choices.items():
            action = self._entry(menu, name, partial(self.set_look, **{setting: value}), None)
            action.setCheckable(True)
            action.setChecked(value == chosen)
            group.addAction(action)

    def _entry(self, menu: QMenu, name: str, on_choice: Callable[[], object], keys: QKeySequence.StandardKey | str | None) -> QAction:
        action = menu.addAction(name)
        action.triggered.connect(lambda: on_choice())
        if keys is not None:
            action.setShortcut(QKeySequence(keys))
        return action

    def set_look(self, **settings: object) -> None:
        """Change theme, scale or language, remember it, and build the window anew."""
        for name, value in settings.items():
            setattr(self.desk.settings, name, value)
        for page in self._pages.values():
            page.let_go()
        self._pages.clear()
        self.setCentralWidget(QWidget())  # the old pages go before each of their parts is given the new look
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply(app, self.desk.settings.theme, self.desk.settings.scale)
            speak(app, self.desk.settings.language)
        self.build()

    def _scale(self, steps: int) -> None:
        place = SCALES.index(self.desk.settings.scale) + steps
        if 0 <= place < len(SCALES):
            self.set_look(scale=SCALES[place])

    def _ask_plan(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Open a plan"), str(self.desk.workspace), self.tr("Plans (*.toml)"))
        if path:
            self._try(lambda: self.desk.open_plan(Path(path)), "plan")

    def _ask_run(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self.tr("Open a run or comparison"), str(self.desk.runs))
        if path:
            self._try(lambda: self.desk.open_run(Path(path)), "results")

    def _save(self) -> None:
        self._try(self.desk.save_plan, self._key)

    def _try(self, action: Callable[[], object], then: str) -> None:
        """Do it and show a page; what goes wrong is told by the page that is shown."""
        try:
            action()
        except (WardroundError, OSError) as error:
            self.page().complain(str(error))
        else:
            self.show_page(then)

    def _about(self) -> None:
        QMessageBox.about(self, self.tr("About wardround"),
                          self.tr("wardround {}\n\nFederated learning for medical images: hospitals train one model together while every "
                                  "image stays where it was taken.\n\nResearch software: not a medical device, not for clinical "
                                  "use.").format(wardround.__version__))
