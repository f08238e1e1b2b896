"""A report becomes a PDF, and nothing that a page asks for beyond itself is fetched."""

import os
import socket
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess
from PySide6.QtPdf import QPdfDocument
from pytestqt.qtbot import QtBot

from wardround.app import pdf
from wardround.errors import WardroundError

PAGE = "<!doctype html><meta charset=utf-8><title>Report</title><h1>Sehr gut: AUROC 0.93</h1>"
CURIOUS = """<img src="http://127.0.0.1:{port}/seen.png"><iframe src="{neighbour}"></iframe><link rel=stylesheet href="{style}">
<script>document.body.append("scripted")</script><meta http-equiv="refresh" content="0;url={neighbour}">"""


def text_of(file: Path) -> str:
    """All words of a PDF, without their layout."""
    document = QPdfDocument()
    assert document.load(str(file)) is QPdfDocument.Error.None_
    return " ".join(document.getAllText(page).text() for page in range(document.pageCount()))


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(PAGE)
    return path


def test_a_page_is_printed_and_its_words_can_be_searched(report: Path, tmp_path: Path) -> None:
    pdf.write_pdf(report, tmp_path / "report.pdf")
    assert "AUROC 0.93" in text_of(tmp_path / "report.pdf")


def test_scripts_other_files_and_the_network_stay_out(report: Path, tmp_path: Path) -> None:
    neighbour, style = tmp_path / "neighbour.html", tmp_path / "style.css"
    neighbour.write_text("<p>a secret beside the report</p>")
    style.write_text("h1 { display: none }")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        report.write_text(PAGE + CURIOUS.format(port=server.getsockname()[1], neighbour=neighbour.as_uri(), style=style.as_uri()))
        pdf.write_pdf(report, tmp_path / "report.pdf")
        with pytest.raises(BlockingIOError):  # nobody has come
            server.accept()
    words = text_of(tmp_path / "report.pdf")
    assert "AUROC 0.93" in words and "secret" not in words and "scripted" not in words


def test_a_page_that_is_not_there_leaves_the_old_pdf(tmp_path: Path) -> None:
    (tmp_path / "old.pdf").write_text("old")
    with pytest.raises(WardroundError, match=r"old\.pdf was not written: .*none\.html could not be read\. .* any browser"):
        pdf.write_pdf(tmp_path / "none.html", tmp_path / "old.pdf")
    assert (tmp_path / "old.pdf").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.pdf"]


def engine(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A process in the engine's place."""
    monkeypatch.setattr(pdf, "_command", lambda html, file: (sys.executable, "-c", program))


@pytest.mark.parametrize(("program", "cause"), [
    ("import os; os.abort()", "QtWebEngine ended with code -6"),
    ("import sys; sys.stderr.write('No usable sandbox!\\n'); sys.exit(1)", "No usable sandbox!"),
    ("import time; time.sleep(60)", "no answer within 0.3 s")])
def test_an_engine_that_dies_or_hangs_is_an_error_with_its_cause(report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                 program: str, cause: str) -> None:
    engine(monkeypatch, program)
    with pytest.raises(WardroundError, match=cause):
        pdf.write_pdf(report, tmp_path / "report.pdf", timeout_s=0.3 if "sleep" in program else 60)


def test_a_window_is_told_when_its_pdf_is_there(qtbot: QtBot, report: Path, tmp_path: Path) -> None:
    told: list[str] = []
    process = pdf.print_pdf(report, tmp_path / "report.pdf", told.append)
    assert process.state() is not QProcess.ProcessState.NotRunning and told == []
    qtbot.waitUntil(lambda: told == [""], timeout=60_000)
    assert "AUROC 0.93" in text_of(tmp_path / "report.pdf")


@pytest.mark.parametrize("program", ["import os; os.abort()", "import sys; sys.exit(1)"])
def test_a_window_is_told_once_why_there_is_none(qtbot: QtBot, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                 program: str) -> None:
    engine(monkeypatch, program)
    told: list[str] = []
    pdf.print_pdf(report, tmp_path / "report.pdf", told.append)
    qtbot.waitUntil(lambda: bool(told), timeout=60_000)
    assert len(told) == 1 and "report.pdf was not written: QtWebEngine ended" in told[0]


def test_a_program_that_cannot_be_started_is_told_too(qtbot: QtBot, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_command", lambda html, file: (str(tmp_path / "no-python"),))
    told: list[str] = []
    pdf.print_pdf(report, tmp_path / "report.pdf", told.append)
    qtbot.waitUntil(lambda: bool(told), timeout=60_000)
    assert len(told) == 1 and "was not written" in told[0]


def test_only_root_on_linux_switches_the_sandbox_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform, user, is_off in (("linux", 0, True), ("linux", 1000, False), ("darwin", 0, False)):
        monkeypatch.delenv(pdf.NO_SANDBOX, raising=False)
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        pdf.let_root_start()
        assert (pdf.NO_SANDBOX in os.environ) == is_off
