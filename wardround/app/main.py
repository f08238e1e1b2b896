"""Open the window."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wardround.errors import WardroundError
from wardround.extras import need

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from wardround.app.settings import Settings


def launch(run: Path | None = None, workspace: Path | None = None) -> int:
    """Show the window until it is closed; returns the exit code. run: a run or comparison to look at first.

    workspace: where plans and runs are kept, from now on. MissingExtra without PySide6 or pyqtgraph, WardroundError without what Qt
    needs of the system."""
    _check_packages()
    _check_display()
    from PySide6.QtCore import QCoreApplication, Qt

    from wardround.app.desk import Desk
    from wardround.app.settings import Settings

    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)  # the report's preview needs it before there is an app
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")  # Chromium refuses to be sandboxed as root
    settings = Settings()
    if workspace is not None:
        settings.workspace = workspace.expanduser().absolute()
    app = make_app(settings)
    from wardround.app.window import MainWindow

    window = MainWindow(Desk(settings))
    app.aboutToQuit.connect(window.close)
    window.show()
    if run is not None:
        window.open_run(run.absolute())
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C in the terminal ends the window; jobs go on
    return int(app.exec())


def _check_packages() -> None:
    """MissingExtra for a package that is not installed, WardroundError for a library of the system that Qt lacks."""
    try:
        for module in ("PySide6.QtWidgets", "pyqtgraph", "tomlkit"):
            need(module, extra="app", purpose="the desktop app")
    except ImportError as error:
        raise WardroundError(f"the desktop app needs a library that this system lacks ({error}). On Debian and Ubuntu: apt-get install "
                             "libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libxcb-cursor0.") from error


def _check_display() -> None:
    """WardroundError where there is nothing to show a window on; Qt would end the process."""
    if sys.platform.startswith("linux") and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))):
        raise WardroundError("there is no display to show a window on (DISPLAY and WAYLAND_DISPLAY are not set). Sit at the machine, log "
                             "in with ssh -X, or use the commands: wardround --help.")


def make_app(settings: Settings) -> QApplication:
    """The application, in the user's theme and language."""
    from PySide6.QtWidgets import QApplication

    from wardround.app.language import speak
    from wardround.app.theme import apply

    app = QApplication(sys.argv[:1])
    app.setApplicationName("wardround")
    app.setDesktopFileName("wardround")
    apply(app, settings.theme, settings.scale)
    speak(app, settings.language)
    return app
