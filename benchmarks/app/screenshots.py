"""The app's pages on runs made here, into docs/images: `make screenshots`. Images are phantoms: no picture of a patient is committed.

The window is offscreen, and driven as a person would: the demo is clicked, watched and judged; a segmentation, a private run with its
quick audit and a chest study are made by their commands. Runs that lie in the work folder already are used again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QListWidget, QTabWidget, QWidget

from wardround.app.desk import Desk
from wardround.app.main import make_app
from wardround.app.settings import Settings
from wardround.app.window import MainWindow

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
SIZE = (1360, 900)
LONGEST_S = 300.0  # that anything is waited for
PRIVATE = ("chest-xray-pneumonia", "name=chest-private", "data.phantoms=900", "data.size=32", "sites.num=4", "rounds.num=24",
           "model.name=cnn", "model.width=16", "recipe.lr=0.2", "recipe.batch_size=64", "recipe.local_steps=2", "recipe.local_epochs=0.25",
           "augment.rotate_deg=0", "privacy.unit=image", "privacy.epsilon=8.0")
BRAINS = ("lgg-mri", "data.phantoms=300", "data.size=64", "rounds.num=12")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "wardround",
                        help="where the runs are made; the pictures show its name")
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--language", default="en")
    parser.add_argument("--theme", default="light")
    parser.add_argument("--scale", type=float, default=1.0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("WARDROUND_CACHE", str(asked.work / "cache"))
    settings = Settings(asked.work / "settings.ini")
    settings.workspace, settings.language, settings.theme, settings.scale = asked.work, asked.language, asked.theme, asked.scale
    private, brains = made(asked.work / "runs", PRIVATE), made(asked.work / "runs", BRAINS)
    audited(private)
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")
    app = make_app(settings)
    camera = Camera(app, MainWindow(Desk(settings)), asked.out)
    camera.study()
    camera.results()
    camera.runs(private, brains)
    camera.window.close()


def made(runs: Path, plan: tuple[str, ...]) -> Path:
    """A finished federated run of a plan on phantoms, made if it is not there."""
    name, *changes = plan
    own = next((change.partition("=")[2] for change in changes if change.startswith("name=")), name)
    folder = runs / own / "federated-seed0"
    if not (folder / "scores.json").exists():
        settings = [part for change in changes for part in ("--set", change)]
        subprocess.run([sys.executable, "-m", "wardround", "run", name, *settings, "--out", str(runs)], check=True)
    return folder


def audited(run: Path) -> None:
    if not (run / "audit.json").exists():
        subprocess.run([sys.executable, "-m", "wardround", "audit", str(run), "--quick", "--attacks", "inversion,membership"], check=True)


class Camera:
    """Goes to a page, waits until it shows what it should, and keeps a picture."""

    def __init__(self, app: QApplication, window: MainWindow, out: Path) -> None:
        self.app, self.window, self.out = app, window, out
        window.resize(*SIZE)
        window.show()

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for it; RuntimeError naming what did not come."""
        end = time.monotonic() + LONGEST_S
        while not is_so():
            if time.monotonic() > end:
                raise RuntimeError(f"{what} did not come within {LONGEST_S:.0f} s")
            self.app.processEvents()
            time.sleep(0.02)

    def settle(self, seconds: float = 1.0) -> None:
        """Let what was asked come, and be drawn."""
        desk, end = self.window.desk, time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end and not desk.aside.is_busy and not desk.slow.is_busy, "an answer")
        self.until(lambda: not self.app.hasPendingEvents() if hasattr(self.app, "hasPendingEvents") else True, "drawing")

    def take(self, name: str, seconds: float = 1.0) -> None:
        self.settle(seconds)
        self.window.grab().save(str(self.out / f"app-{name}.png"))

    def go(self, key: str) -> QWidget:
        self.window.show_page(key)
        return self.window.page()

    def find(self, kind: type, name: str) -> QWidget:
        found = self.window.page().findChild(kind, name)
        if found is None:
            raise RuntimeError(f"the page {self.window.page().key} has no {name}")
        return found

    def click(self, name: str) -> None:
        button = self.find(QAbstractButton, name)
        self.until(button.isEnabled, f"the button {name}")
        button.click()

    def tab(self, text: str) -> None:
        """Choose a tab by the word it begins with."""
        for tabs in self.window.page().findChildren(QTabWidget):
            for index in range(tabs.count()):
                if tabs.tabText(index).replace("&", "").startswith(text):
                    tabs.setCurrentIndex(index)
                    return
        raise RuntimeError(f"the page {self.window.page().key} has no tab {text}")

    def study(self) -> None:
        """From the first window to the plan: the pages before anything is trained."""
        desk = self.window.desk
        self.go("start")
        self.take("start", 3)
        desk.open_plan("brain-tumour-missing-types")
        desk.set_key("data.phantoms", 300)
        self.go("data")
        self.settle(2)
        self.click("data.check")
        self.tab("Images")
        self.take("data", 6)
        self.go("sites")
        desk.set_key("sites.partition", "dirichlet")
        self.take("sites", 3)
        self.go("plan")
        desk.set_key("strategy.name", "fedprox")
        self.click("plan.forecast.button")
        self.take("plan", 3)

    def results(self) -> None:
        """The demo: clicked, watched, judged."""
        self.go("start")
        self.click("start.demo")
        job = self.window.desk.jobs.all()[0]
        self.until(lambda: any(len(run.rounds) > 60 for run in job.live.runs.values()) or not job.is_alive, "the demo's 60th round")
        self.take("run", 0.4)
        self.until(lambda: job.state == "finished", "the demo's end")
        self.window.open_run(job.results)
        for tab in ("Overview", "Hospitals", "Curves", "Confusion", "Calibration", "Errors"):
            self.settle()
            self.tab(tab)
            self.take(f"results-{tab.lower()}")
        self.go("report")
        self.take("report", 4)
        run = job.results / "federated-seed0"
        self.window.desk.open_run(run)
        picture = phantom(self.window.desk.workspace)
        page = self.go("predict")
        self.settle()
        page.predict([picture])
        self.settle()
        self.click("predict.look")
        self.take("predict", 2)

    def runs(self, private: Path, brains: Path) -> None:
        """Pages on other runs: protection, segmentation, runs side by side."""
        self.window.desk.open_run(private)
        self.go("security")
        self.take("security", 2)
        self.window.open_run(brains)
        self.settle()
        self.tab("Segmentation")
        self.take("results-segmentation", 2)
        self.window.desk.open_run(self.window.desk.runs / "demo" / "pooled-seed0")
        self.go("compare")
        self.settle(2)
        listed = self.find(QListWidget, "compare.runs")
        for row in range(listed.count()):
            if "demo / federated" in listed.item(row).text():
                listed.item(row).setCheckState(Qt.CheckState.Checked)
        self.take("compare", 2)


def phantom(folder: Path) -> Path:
    """A synthetic brain slice that no training has seen."""
    target = folder / "phantoms" / "brain"
    if not target.exists():
        command = ["phantom", "brain-tumour-mri", str(target), "--num", "30", "--seed", "9"]
        subprocess.run([sys.executable, "-m", "wardround", *command], check=True)
    return min(path for path in target.rglob("*") if "glioma" in str(path) and path.is_file())


if __name__ == "__main__":
    main()
