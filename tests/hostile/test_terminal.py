"""No name of a file, class or site drives the terminal."""

import logging
import sys

import pytest

from wardround.cli import console, main
from wardround.core.events import Note, Progress, RoundFinished
from wardround.errors import WardroundError
from wardround.report.tables import Table

EVIL = ["\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x9b31m", "a\rb", "\x08\x08", "\u202egnp.exe", "\x7f"]


def is_quiet(text: str) -> bool:
    return not any((ord(letter) < 32 and letter not in "\n\t") or 127 <= ord(letter) < 160 or letter == "\u202e" for letter in text)


@pytest.mark.parametrize("text", EVIL)
def test_it_is_written_out(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.say(text)
    console.table(Table(columns=(text, text), rows=((text, text),), caption=text))
    console.pairs({text: text})
    with console.watching() as watch:
        for event in (Note(text=text, run=text), Progress(stage=text, done=1, total=1, run=text),
                      RoundFinished(run=text, round=1, lr=0.1, train_loss=0.1, train_loss_by_site={}, failed={text: text})):
            watch(event)
    with console.standing() as draw:
        draw(Table(columns=(text,), rows=(), caption=""), text, [text])
    shown = capsys.readouterr()
    assert is_quiet(shown.out + shown.err)
    assert "\\" in shown.out
    assert "\\" in shown.err


def test_an_error_and_a_warning_that_name_a_file_are_written_out(monkeypatch: pytest.MonkeyPatch,
                                                                 capsys: pytest.CaptureFixture[str]) -> None:
    def stop(arguments: list[str]) -> None:
        logging.getLogger("wardround.data").warning("%s: left out", "\x1b[2J.png")
        raise WardroundError("\x1b[2J.png: damaged")

    monkeypatch.setattr(main, "app", stop)
    monkeypatch.setattr(sys, "argv", ["wardround", "x"])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with pytest.raises(SystemExit):
        main.main()
    assert capsys.readouterr().err == "\\x1b[2J.png: left out\nerror: \\x1b[2J.png: damaged\n"


def test_plain_text_and_other_scripts_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("Größe 腫瘤 [red]")
    assert capsys.readouterr().out == "Größe 腫瘤 [red]\n"
