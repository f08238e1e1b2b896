"""How quick the app is, offscreen on this machine, against the numbers of issue 8: start, opening a large run, a page of 60,000 images,
and the demo from its click to its results. Writes measure.json beside this file.

    python benchmarks/app/measure.py [--work DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")

from PIL import Image
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QApplication, QPushButton, QScrollBar, QTabWidget

from wardround.app.desk import Desk
from wardround.app.main import make_app
from wardround.app.settings import Settings
from wardround.app.window import MainWindow

ROOT = Path(__file__).resolve().parents[2]
LARGE = ("sites.names=none", "sites.num=20", "sites.partition=iid", "rounds.num=200", "rounds.evaluate_every=2", "data.size=32",
         "data.phantoms=1200", "model.width=8", "name=large")
NUM_IMAGES = 60_000
STARTS = 9
# starts the app as `wardround app` does, and prints the time from the first line of Python to the first painted window
START = """
import os, sys, time
began = float(sys.argv[1])
import wardround.app.window as window
class Window(window.MainWindow):
    def paintEvent(self, event):
        super().paintEvent(event)
        print(time.time() - began, flush=True)
        os._exit(0)
window.MainWindow = Window
from pathlib import Path
from wardround.app.main import launch
launch(None, Path(sys.argv[2]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "app")
    work = parser.parse_args().work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    os.environ["WARDROUND_CACHE"] = str(work / "cache")  # phantoms are drawn and decoded anew
    os.environ["XDG_CONFIG_HOME"] = str(work / "config")  # the user's own settings stay as they are
    measured: dict[str, object] = {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
                                   "start_s": [started(work) for _ in range(STARTS)]}
    large = made(work / "runs")
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    settings = Settings(work / "settings.ini")
    settings.workspace, settings.theme = work, "light"
    app = make_app(settings)
    clock = Clock(app, MainWindow(Desk(settings)))
    clock.until(lambda: not clock.window.desk.aside.is_busy and clock.window.desk.aside._process is not None)
    measured["open_large_run_s"] = clock.opening(large)
    measured |= clock.scrolling(many(work / "many"))
    measured["demo_s"] = clock.demo()
    clock.window.close()
    Path(__file__).with_name("measure.json").write_text(json.dumps(measured, indent=1) + "\n")
    print(json.dumps(measured, indent=1))


def started(work: Path) -> float:
    """Seconds from the start of the process to the first painted window."""
    found = subprocess.run([sys.executable, "-c", START, str(time.time()), str(work)], capture_output=True, text=True, check=True)
    return round(float(found.stdout.split()[-1]), 3)


def made(runs: Path) -> Path:
    """A finished run of 200 rounds and 20 sites."""
    folder = runs / "large" / "federated-seed0"
    if not (folder / "scores.json").exists():
        changes = [part for change in LARGE for part in ("--set", change)]
        subprocess.run([sys.executable, "-m", "wardround", "run", "demo", *changes, "--out", str(runs)], check=True)
    return folder


def many(folder: Path) -> Path:
    """A folder of two classes with 60,000 names of one small picture each (hard links of 200 files)."""
    for i in range(NUM_IMAGES):
        path = folder / ("ill", "well")[i % 2] / f"{i:05}.png"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        first = folder / ("ill", "well")[i % 2] / f"{i % 200:05}.png"
        if i < 200:
            Image.new("L", (64, 64), i).save(path)
        else:
            os.link(first, path)
    return folder


class Clock:
    """Drives the window and looks at the time."""

    def __init__(self, app: QApplication, window: MainWindow) -> None:
        self.app, self.window = app, window
        window.resize(1280, 840)
        window.show()

    def until(self, is_so: Callable[[], bool], longest_s: float = 300) -> None:
        end = time.monotonic() + longest_s
        while not is_so():
            if time.monotonic() > end:
                raise RuntimeError(f"nothing came within {longest_s} s")
            self.app.processEvents()
            time.sleep(0.002)

    def opening(self, run: Path) -> float:
        """Seconds from asking for a run to its results on the screen."""
        began = time.monotonic()
        self.window.open_run(run)
        self.until(lambda: any(tabs.count() for tabs in self.window.page().findChildren(QTabWidget)))
        self.app.processEvents()
        return round(time.monotonic() - began, 3)

    def scrolling(self, folder: Path) -> dict[str, object]:
        """Seconds until 60,000 images are listed, and milliseconds a frame while the gallery and the ledger are scrolled through."""
        page = self.window
        page.show_page("data")
        began = time.monotonic()
        page.page().open_source(folder)
        gallery = page.page().findChild(object, "data.gallery")
        self.until(lambda: gallery.model() is not None and gallery.model().rowCount() == NUM_IMAGES)
        found: dict[str, object] = {"list_60000_s": round(time.monotonic() - began, 3)}
        for name in ("gallery", "ledger"):
            view = page.page().findChild(object, f"data.{name}")
            for tabs in page.page().findChildren(QTabWidget):
                for index in range(tabs.count()):
                    if tabs.widget(index).isAncestorOf(view):
                        tabs.setCurrentIndex(index)
            found[f"{name}_frame_ms"] = self.frames(view.verticalScrollBar())
        return found

    def frames(self, bar: QScrollBar) -> dict[str, float]:
        """Median and longest of 200 steps of a screen each, from the top to the end."""
        times = []
        for step in range(200):
            began = time.monotonic()
            bar.setValue(round(bar.maximum() * step / 199))
            self.app.processEvents()
            times.append(1000 * (time.monotonic() - began))
        return {"median": round(median(times), 1), "longest": round(max(times), 1)}

    def demo(self) -> float:
        """Seconds from the click on the demo to its results on the screen."""
        self.window.show_page("start")
        began = time.monotonic()
        self.window.page().findChild(QPushButton, "start.demo").click()
        job = self.window.desk.jobs.all()[0]
        self.until(lambda: not job.is_alive)
        if job.state != "finished":
            raise RuntimeError(job.last_words)
        self.window.open_run(job.results)
        self.until(lambda: any(tabs.count() for tabs in self.window.page().findChildren(QTabWidget)))
        return round(time.monotonic() - began, 1)


if __name__ == "__main__":
    main()
