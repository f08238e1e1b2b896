"""A report as PDF, and the page that shows one: QtWebEngine without scripts, without network and without any other file.

The engine prints in a process of its own, `python -m wardround.app.pdf HTML PDF`: where it cannot start it ends its process, which must
not be the window or the command line. In that process nothing is drawn on a screen, so the paper is white in a dark window too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import shiboken6
from PySide6.QtCore import QCoreApplication, QMarginsF, QObject, QProcess, QProcessEnvironment, Qt, QTimer, QUrl
from PySide6.QtGui import QGuiApplication, QPageLayout, QPageSize
from PySide6.QtWebEngineCore import (
    QWebEnginePage,
    QWebEngineProfile,
    QWebEngineSettings,
    QWebEngineUrlRequestInfo,
    QWebEngineUrlRequestInterceptor,
)

from wardround.errors import WardroundError
from wardround.runs.folder import write_bytes

TIMEOUT_S = 120.0
MARGIN_MM = 14.0
NO_SANDBOX = "QTWEBENGINE_DISABLE_SANDBOX"
REMEDY = "report.html can be printed from any browser instead."
SWITCHES = ("JavascriptEnabled", "LocalContentCanAccessRemoteUrls", "LocalContentCanAccessFileUrls", "PluginsEnabled",
            "LocalStorageEnabled", "HyperlinkAuditingEnabled", "DnsPrefetchEnabled", "AutoLoadIconsForPage")  # all off


class Blocker(QWebEngineUrlRequestInterceptor):
    """Lets one file through, and what it carries itself (data:). A report is whole: whatever else it asks for is not its own."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.allowed = QUrl()

    def lets_through(self, url: QUrl) -> bool:
        return url.scheme() == "data" or QUrl(url.toString().partition("#")[0]) == self.allowed

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
        info.block(not self.lets_through(info.requestUrl()))


class ReportPage(QWebEnginePage):
    """Shows a report and nothing else; links out of it lead nowhere. Keeps neither cookies nor cache."""

    def __init__(self, holder: QObject) -> None:
        """holder: dies after use; with it go the page and then its profile, the order that the engine demands."""
        profile = QWebEngineProfile()  # without a name: nothing is kept on disk
        super().__init__(profile, holder)
        profile.setParent(holder)
        self.blocker = Blocker(profile)
        profile.setUrlRequestInterceptor(self.blocker)
        for name in SWITCHES:
            self.settings().setAttribute(getattr(QWebEngineSettings.WebAttribute, name), False)

    def show_report(self, html: Path) -> None:
        """Load the file; `loadFinished` says whether that worked."""
        self.blocker.allowed = QUrl.fromLocalFile(str(html.absolute()))
        self.load(self.blocker.allowed)

    def acceptNavigationRequest(self, url: QUrl | str, type: QWebEnginePage.NavigationType, isMainFrame: bool) -> bool:
        # a request that is only blocked would leave an empty page behind
        return self.blocker.lets_through(QUrl(url))


def let_root_start() -> None:
    """Chromium's sandbox refuses to work for root, as in a container, and ends the process: switch it off there and only there."""
    if sys.platform == "linux" and os.geteuid() == 0:
        os.environ.setdefault(NO_SANDBOX, "1")


def print_pdf(html: Path, pdf: Path, done: Callable[[str], None]) -> QProcess:
    """Print in the background of a window; done("") once the PDF is there, else done(what went wrong and what to do)."""
    process = QProcess(QCoreApplication.instance())
    environment = QProcessEnvironment()
    for name, value in _environment().items():
        environment.insert(name, value)
    process.setProcessEnvironment(environment)

    def ended() -> None:
        output, noise = (bytes(channel.data()).decode(errors="replace") for channel in
                         (process.readAllStandardOutput(), process.readAllStandardError()))
        crashed = process.exitStatus() is QProcess.ExitStatus.CrashExit or process.error() is QProcess.ProcessError.FailedToStart
        process.deleteLater()
        done(_problem(pdf, -1 if crashed else process.exitCode(), output, noise))

    process.finished.connect(ended)
    process.errorOccurred.connect(lambda error: ended() if error is QProcess.ProcessError.FailedToStart else None)
    program, *arguments = _command(html, pdf)
    process.start(program, arguments)
    return process


def write_pdf(html: Path, pdf: Path, *, timeout_s: float = TIMEOUT_S) -> None:
    """Print and wait. WardroundError with the cause if no PDF came of it; a file that was there before is then as it was."""
    try:
        ended = subprocess.run(_command(html, pdf), env=_environment(), capture_output=True, text=True, errors="replace", check=False,
                               timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise WardroundError(f"{pdf} was not written: QtWebEngine gave no answer within {timeout_s:g} s. {REMEDY}") from None
    if problem := _problem(pdf, ended.returncode, ended.stdout, ended.stderr):
        raise WardroundError(problem)


def _command(html: Path, pdf: Path) -> Sequence[str]:
    return (sys.executable, "-m", "wardround.app.pdf", str(html.absolute()), str(pdf.absolute()))


def _environment() -> Mapping[str, str]:
    let_root_start()
    return {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_CHROMIUM_FLAGS": "--disable-gpu"}


def _problem(pdf: Path, exit_code: int, output: str, noise: str) -> str:
    """What went wrong, "" if nothing. output: the process's own words; noise: the engine's."""
    if exit_code == 0:
        return ""
    cause = output.strip() or next((line for line in reversed(noise.splitlines()) if line.strip()), "").strip()[:300]
    return f"{pdf} was not written: {cause or f'QtWebEngine ended with code {exit_code}.'} {REMEDY}"


def main(html: Path, pdf: Path) -> int:
    """The process that prints: returns the exit code, and says on stdout what went wrong."""
    application = QGuiApplication([])
    holder = QObject()
    page, said = ReportPage(holder), [f"QtWebEngine gave no answer within {TIMEOUT_S:g} s."]

    def end(problem: str) -> None:
        said[:] = [problem] if problem else []
        application.quit()

    def printed(content: bytes) -> None:
        try:
            if content:
                write_bytes(pdf, bytes(content))
            end("" if content else "QtWebEngine printed nothing.")
        except OSError as error:
            end(f"{error.strerror}.")

    def loaded(is_whole: bool) -> None:
        if is_whole:
            page.printToPdf(printed, QPageLayout(QPageSize(QPageSize.PageSizeId.A4), QPageLayout.Orientation.Portrait,
                                                 QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM), QPageLayout.Unit.Millimeter))
        else:
            end(f"{html} could not be read.")

    page.loadFinished.connect(loaded, Qt.ConnectionType.SingleShotConnection)  # a page that tries to lead elsewhere finishes again
    page.renderProcessTerminated.connect(lambda status, code: end(f"QtWebEngine's own process ended ({status.name}, code {code})."))
    QTimer.singleShot(round(1000 * TIMEOUT_S), application.quit)
    page.show_report(html)
    application.exec()
    shiboken6.delete(holder)
    sys.stdout.write("".join(said))
    return len(said)


if __name__ == "__main__":
    let_root_start()
    sys.exit(main(*map(Path, sys.argv[1:])))
