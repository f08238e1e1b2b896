"""The journal keeps what happened, and only once."""

import pytest

from wardround.core.events import Note, Progress, SiteStep
from wardround.errors import WardroundError
from wardround.runs.journal import Journal, read


def notes(path) -> list[str]:
    return [event.text for event in read(path)]


def test_events_come_back_in_order_without_those_that_are_only_shown(tmp_path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write(Note(text="one"))
    journal.write(Progress(stage="decode", done=1, total=2))
    journal.write(SiteStep(round=1, site="north", stage="training"))
    journal.write(Note(text="two"))
    journal.close()
    assert notes(tmp_path / "journal.jsonl") == ["one", "two"]


def test_a_resumed_journal_forgets_what_will_be_repeated(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.write(Note(text="kept"))
    kept = journal.position()
    journal.write(Note(text="repeated"))
    journal.close()
    journal = Journal(path, keep_bytes=kept)
    journal.write(Note(text="repeated"))
    journal.close()
    assert notes(path) == ["kept", "repeated"]


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "Note", "run": "", "text": "whole"}\n{"event": "No')
    assert notes(path) == ["whole"]


def test_a_changed_line_is_an_error_with_its_number(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "Note", "run": "", "text": "whole"}\nnonsense\n')
    with pytest.raises(WardroundError, match="line 2"):
        notes(path)


def test_no_journal_is_no_event(tmp_path) -> None:
    assert notes(tmp_path / "journal.jsonl") == []
