"""audit-log verify, show, egress."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wardround.cli import console
from wardround.network.auditlog import AuditLog, verify

Run = Callable[..., int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The log of a site that took part in two rounds."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.write("approved", plan="ab12", by="Dr Müller")
    log.write("sent", kind="Ready", round=0, bytes=800, arrays={})
    for number in (1, 2):
        log.write("order", kind="Order", round=number)
        log.write("sent", kind="Update", run="seed0", round=number, bytes=40_000, arrays={"delta": "F32[10000]"})
    log.write("sent", kind="Update", run="seed0", round=2, bytes=40_000, arrays={"delta": "F32[10000]"})
    log.write("refused", round=3, cause="\x1b[2J\x9b2J\u202e a server that would clear the screen")
    return path


def test_a_whole_log_shows_its_head_and_what_that_is_good_for(wardround: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("audit-log", "verify", path) == 0
    shown = capsys.readouterr().out
    assert f"{path} is whole: 8 lines. Head: {verify(path).head}" in shown
    assert "Whether its end was cut off, or all of it was written anew, shows only a head that was noted elsewhere" in shown


def test_a_log_that_still_holds_a_noted_head_is_whole(wardround: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("audit-log", "verify", path, "--head", verify(path).head) == 0
    assert "It holds the head that was noted." in capsys.readouterr().out


def test_a_changed_log_exits_with_1_and_names_the_first_bad_line(wardround: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(path.read_bytes().replace(b'"bytes":40000', b'"bytes":40', 1))
    assert wardround("audit-log", "verify", path) == 1
    error = capsys.readouterr().err
    assert f"error: {path}: line 4 was changed: what it says does not fit its hash. The 3 lines before it are whole" in error


def test_a_log_whose_end_was_cut_off_exits_with_1_if_its_head_was_noted(wardround: Run, path: Path,
                                                                         capsys: pytest.CaptureFixture[str]) -> None:
    head = verify(path).head
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
    assert wardround("audit-log", "verify", path) == 0
    assert wardround("audit-log", "verify", path, "--head", head) == 1
    assert "line 6 is missing: no line has the hash that was noted" in capsys.readouterr().err


def test_a_head_that_is_none_is_said(wardround: Run, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("audit-log", "verify", path, "--head", "ab12") == 1
    assert "'ab12' is not the hash of a line" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["verify", "show", "egress"])
def test_a_missing_file_is_named(wardround: Run, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("audit-log", command, tmp_path / "audit.jsonl") == 1
    assert f"{tmp_path / 'audit.jsonl'} does not exist" in capsys.readouterr().err


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """The lines that were shown, without the table's spaces."""
    monkeypatch.setattr(console, "WIDTH", 400)
    return lambda: [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_show_shows_lines_with_their_facts(wardround: Run, path: Path, rows: Callable[[], list[str]]) -> None:
    assert wardround("audit-log", "show", path) == 0
    head, _, first, *others = rows()
    assert head == "Line Time (UTC) Kind Facts"
    assert first.startswith("1 20")
    assert first.endswith('approved by = "Dr Müller", plan = "ab12"')
    assert len(others) == 7


def test_show_may_show_one_kind_and_the_latest_only(wardround: Run, path: Path, rows: Callable[[], list[str]]) -> None:
    assert wardround("audit-log", "show", path, "--kind", "sent", "--last", "2") == 0
    assert [line.split()[0] for line in rows()[2:]] == ["6", "7"]


def test_nothing_that_a_terminal_obeys_is_shown(wardround: Run, path: Path, rows: Callable[[], list[str]]) -> None:
    assert wardround("audit-log", "show", path, "--kind", "refused") == 0
    line = rows()[-1]
    assert r"\u001b[2J\x9b2J\u202e a server" in line
    assert line.isprintable()


def test_long_facts_are_cut_off(wardround: Run, path: Path, rows: Callable[[], list[str]]) -> None:
    AuditLog(path).write("refused", cause="x" * 1000)
    assert wardround("audit-log", "show", path, "--last", "1") == 0
    assert rows()[-1].endswith("xxx ...")


def test_egress_sums_what_left_by_round_and_kind(wardround: Run, path: Path, rows: Callable[[], list[str]]) -> None:
    assert wardround("audit-log", "egress", path) == 0
    head, _, *shown = rows()
    assert head == "Run Round What Messages Bytes Arrays"
    assert shown == ["0 Ready 1 800", "seed0 1 Update 1 40,000 delta F32[10000]", "seed0 2 Update 2 80,000 delta F32[10000]",
                     "All 4 120,800", "Bytes are those of the messages as they left, before encryption."]
