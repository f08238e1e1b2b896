"""The app offscreen: a desk with a workspace of its own, pages in a window, and one finished comparison on phantoms."""

import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from tiny import TINY

from wardround import session
from wardround.app.aside import Aside
from wardround.app.desk import Desk
from wardround.app.page import Page
from wardround.app.settings import Settings
from wardround.app.theme import apply
from wardround.plan.load import load_plan

QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)


@pytest.fixture(scope="session")
def asides(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Aside, Aside]]:
    """The second processes, the same for all tests: starting one takes seconds."""
    os.environ["WARDROUND_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")
    found = Aside(), Aside()
    yield found
    for aside in found:
        aside.close()


@pytest.fixture
def desk(asides: tuple[Aside, Aside], qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose workspace is empty; jobs that a test leaves at work are stopped."""
    apply(qapp, "light")
    settings = Settings(tmp_path / "settings.ini")
    settings.workspace = tmp_path / "workspace"
    made = Desk(settings, aside=asides[0], slow=asides[1])
    yield made
    for job in made.jobs.all():
        if job.is_alive:
            job.stop()
    for aside in asides:
        aside.mute(lambda request: True)


@pytest.fixture
def shown(desk: Desk, qtbot: QtBot) -> Iterator[Callable[[type[Page]], Page]]:
    """Builds a page, shows it in a window and lets it show what the desk holds; it hears of the desk's changes, as in the app."""
    made: list[Page] = []

    def show(kind: type[Page]) -> Page:
        page = kind(desk)
        made.append(page)
        qtbot.addWidget(page)
        page.resize(1200, 800)
        page.show()
        page.refresh()
        for signal in (desk.draft_changed, desk.run_changed, desk.jobs_changed):
            signal.connect(page.refresh)
        return page

    yield show
    for page in made:
        page.let_go()


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished comparison: four classes of phantoms, three sites, three rounds."""
    patch = pytest.MonkeyPatch()
    patch.setenv("WARDROUND_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    found = session.compare(load_plan("demo", TINY), out=tmp_path_factory.mktemp("runs"), watch=lambda event: None)
    patch.undo()
    return found.path


@pytest.fixture
def finished(comparison: Path) -> Path:
    """The federated run of the comparison."""
    return comparison / "federated-seed0"


@pytest.fixture(scope="session")
def makers() -> SimpleNamespace:
    """The makers of sample runs of tests/report."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "report" / "conftest.py"), run_name="sample_reports"))
