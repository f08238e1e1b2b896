"""The log that shows what was changed in it."""

import hashlib
import json
import multiprocessing
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from wardround.errors import NetworkError
from wardround.network import auditlog
from wardround.network.auditlog import GENESIS, MAX_FACTS, AuditLog, Sent, egress, lines, verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of five lines."""
    path = tmp_path / "audit.jsonl"
    for number in range(1, 6):
        AuditLog(path).write("order", round=number)
    return path


def kinds(path: Path) -> list[str]:
    return [line.kind for line in lines(path)]


def test_the_first_line_follows_64_zeros_and_each_other_the_hash_before_it(path: Path) -> None:
    first, *others = lines(path)
    assert (first.seq, first.prev) == (1, "0" * 64)
    for line in others:
        assert (line.seq, line.prev) == (first.seq + 1, first.hash)
        first = line


def test_a_line_can_be_checked_by_hand(path: Path) -> None:
    told = json.loads(path.read_text().splitlines()[0])
    assert told.keys() == {"seq", "time", "kind", "facts", "prev", "hash"}
    assert (told["kind"], told["facts"]) == ("order", {"round": 1})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", told["time"])
    text = json.dumps({key: value for key, value in told.items() if key != "hash"}, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == told["hash"]


def test_a_log_that_nobody_changed_is_whole_and_write_told_its_head(path: Path) -> None:
    head = AuditLog(path).write("stopped")
    verdict = verify(path)
    assert (verdict.num, verdict.ok, verdict.first_bad, verdict.reason, verdict.head) == (6, True, None, "", head)


def test_an_empty_log_is_whole(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").touch()
    assert verify(tmp_path / "audit.jsonl") == auditlog.Verdict(num=0, ok=True)
    assert verify(tmp_path / "audit.jsonl").head == GENESIS


Change = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(("change", "first_bad", "reason"), [
    (lambda held: [*held[:2], held[2].replace(b'"round":3', b'"round":9'), *held[3:]], 3, "was changed"),
    (lambda held: [*held[:2], *held[3:]], 3, "has number 4 where 3 was due: a line was taken out"),
    (lambda held: held[1:], 1, "has number 2 where 1 was due: a line was taken out"),
    (lambda held: [held[0], held[2], held[1], *held[3:]], 2, "lines changed places"),
    (lambda held: [*held[:2], held[1], *held[2:]], 3, "has number 2 where 3 was due: a line was put in"),
    (lambda held: [*held[:2], b"hello\n", *held[2:]], 3, "is not a line of an audit log"),
    (lambda held: [*held[:2], b"\n", *held[2:]], 3, "is not a line of an audit log"),
    (lambda held: [held[0].replace(b'"seq"', b' "seq"'), *held[1:]], 1, "is not a line of an audit log"),
    (lambda held: [held[0].replace(b'"seq":1', b'"seq":1,"seq":1'), *held[1:]], 1, "is not a line of an audit log"),
    (lambda held: [b"[" * 100_000 + b"\n", *held[1:]], 1, "is not a line of an audit log"),
    (lambda held: [*held[:4], held[4][:-1]], 5, "is cut short"),
], ids=["changed", "removed", "first removed", "reordered", "put in twice", "foreign", "blank", "spaced", "key twice", "deep", "cut short"])
def test_what_was_changed_is_found_with_its_line(path: Path, change: Change, first_bad: int, reason: str) -> None:
    held = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(change(held)))
    verdict = verify(path)
    assert (verdict.ok, verdict.num, verdict.first_bad) == (False, first_bad - 1, first_bad)
    assert reason in verdict.reason


def test_a_changed_line_with_a_hash_that_fits_it_is_found_by_the_line_after(path: Path, tmp_path: Path) -> None:
    held = path.read_bytes().splitlines(keepends=True)
    other = tmp_path / "other.jsonl"
    other.write_bytes(held[0])
    AuditLog(other).write("order", round=99)
    path.write_bytes(held[0] + other.read_bytes().splitlines(keepends=True)[1] + b"".join(held[2:]))
    verdict = verify(path)
    assert verdict.first_bad == 3
    assert "does not follow the line before it" in verdict.reason


def test_a_cut_off_end_is_found_only_with_a_head_that_was_noted(path: Path) -> None:
    noted = verify(path).head
    held = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(held[:3]))
    assert verify(path).ok
    verdict = verify(path, noted)
    assert (verdict.ok, verdict.num, verdict.first_bad) == (False, 3, 4)
    assert "no line has the hash that was noted" in verdict.reason


def test_a_log_written_anew_is_found_only_with_a_head_that_was_noted(path: Path) -> None:
    noted = verify(path).head
    path.unlink()
    for _ in range(6):
        AuditLog(path).write("order", round=0)
    assert verify(path).ok
    assert not verify(path, noted).ok


def test_a_head_stays_good_while_the_log_grows(path: Path) -> None:
    noted = verify(path).head
    AuditLog(path).write("stopped")
    assert verify(path, f" {noted.upper()} ").ok
    assert verify(path, GENESIS).ok


def test_a_head_that_is_no_hash_is_refused(path: Path) -> None:
    for wrong in ("", "abc", "g" * 64):
        with pytest.raises(NetworkError, match="is not the hash of a line"):
            verify(path, wrong)


def test_what_a_crash_left_of_a_line_moves_into_a_line_of_its_own(path: Path) -> None:
    head, half = verify(path).head, path.read_bytes().splitlines()[0][:40]
    with path.open("ab") as file:
        file.write(half)
    AuditLog(path).write("started")
    *_, fragment, last = lines(path)
    assert (fragment.kind, fragment.prev, fragment.seq) == ("fragment", head, 6)
    assert (fragment.facts["fragment"], fragment.facts["bytes"]) == (half.decode(), 40)
    assert last.kind == "started"
    assert verify(path, head).ok


@pytest.mark.parametrize("half", [b'{"facts', b"\xff\x00\n"[:2], b"x" * 300_000], ids=["json", "no text", "long"])
def test_a_log_that_begins_with_half_a_line_begins_with_a_fragment(tmp_path: Path, half: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(half)
    AuditLog(path).write("joined")
    assert kinds(path) == ["fragment", "joined"]
    assert next(lines(path)).facts["bytes"] == len(half) or len(half) > MAX_FACTS
    assert verify(path).ok


def test_a_fragment_longer_than_what_tells_of_it_leaves_nothing_behind(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x" * 300_000)
    AuditLog(path).write("started")
    fragment = list(lines(path))[-2]
    assert fragment.facts["fragment"]["bytes"] == 300_000
    assert fragment.facts["bytes"] == 300_000
    assert verify(path).num == 7


def test_nobody_writes_after_a_last_line_that_was_changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"round":5', b'"round":6'))
    before = path.read_bytes()
    with pytest.raises(NetworkError, match=r"audit.jsonl: the last line was changed.*Keep the file.*audit-log verify"):
        AuditLog(path).write("order", round=7)
    assert path.read_bytes() == before


def write_many(path: Path, writer: int) -> None:
    for number in range(20):
        AuditLog(path).write("order", writer=writer, number=number, text="x" * (1 + 700 * number))


def test_processes_and_threads_write_one_chain(tmp_path: Path) -> None:
    path, fork = tmp_path / "audit.jsonl", multiprocessing.get_context("spawn")
    writers = [*(fork.Process(target=write_many, args=(path, number)) for number in range(2)),
               *(Thread(target=write_many, args=(path, number)) for number in range(2, 5))]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert verify(path) == auditlog.Verdict(num=100, ok=True, head=verify(path).head)
    for writer in range(5):
        assert [line.facts["number"] for line in lines(path) if line.facts["writer"] == writer] == list(range(20))


def test_a_long_log_is_not_read_to_write_to_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        AuditLog(path).write("order", text="x" * (auditlog.BLOCK // 2))
    AuditLog(path).write("order", round=6)
    read: list[int] = []
    pread = os.pread

    def counted(file: int, num: int, place: int) -> bytes:
        read.append(num)
        return pread(file, num, place)

    monkeypatch.setattr(os, "pread", counted)
    AuditLog(path).write("order", round=7)
    assert read == [auditlog.BLOCK]


def test_facts_come_back_as_json_has_them(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path).write("job", kind="a fact of that name", round=3, share=0.1, big=1e300, names=("a", "b"), numbers={10: 1, 9: 2},
                         none=None, umlaut="Zürich\n", odd="\ud800")
    assert next(lines(path)).facts == {"kind": "a fact of that name", "round": 3, "share": 0.1, "big": 1e300, "names": ["a", "b"],
                                       "numbers": {"10": 1, "9": 2}, "none": None, "umlaut": "Zürich\n", "odd": "\ud800"}
    assert verify(path).ok
    assert path.read_bytes().isascii()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("fact", [float("nan"), Path("x"), {1, 2}, b"bytes"], ids=str)
def test_a_fact_that_is_no_json_is_refused_and_nothing_written(path: Path, fact: object) -> None:
    before = path.read_bytes()
    with pytest.raises(NetworkError, match="the facts of 'job' cannot be written as JSON"):
        AuditLog(path).write("job", fact=fact)
    assert path.read_bytes() == before


@pytest.mark.parametrize("long", ["é" * MAX_FACTS, ["x"] * MAX_FACTS, "\x00" * MAX_FACTS], ids=["text", "list", "escaped"])
def test_a_fact_that_is_too_large_is_shortened_and_says_so(tmp_path: Path, long: object) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path).write("refused", cause=long, round=4)
    facts = next(lines(path)).facts
    assert facts["round"] == 4
    assert facts["cause"].keys() == {"shortened", "bytes", "sha256"}
    assert facts["cause"]["bytes"] >= MAX_FACTS
    assert 0 < path.stat().st_size < MAX_FACTS
    assert verify(path).ok


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"nowhere/audit.jsonl cannot be written \(No such file or directory\)"):
        AuditLog(tmp_path / "nowhere" / "audit.jsonl").write("joined")


def test_a_full_disk_is_an_error_and_its_half_line_is_recorded_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite

    def full(file: int, data: bytes, place: int) -> int:
        pwrite(file, data[:10], place)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(NetworkError, match="No space left on device"):
            AuditLog(path).write("order", round=6)
    assert not verify(path).ok
    assert kinds(path) == ["order"] * 5
    AuditLog(path).write("order", round=6)
    assert kinds(path) == [*["order"] * 5, "fragment", "order"]
    assert verify(path).ok


def test_short_writes_go_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, place: pwrite(file, data[:7], place))
    AuditLog(path).write("order", round=6)
    assert verify(path).num == 6


def test_a_log_can_be_verified_on_a_system_without_file_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert verify(path).ok


def test_reading_names_a_missing_file_and_a_line_that_is_none(path: Path) -> None:
    for read in (verify, lambda file: list(lines(file))):
        with pytest.raises(NetworkError, match=r"other.jsonl does not exist"):
            read(path.with_name("other.jsonl"))
    path.write_bytes(path.read_bytes() + b"hello\n")
    with pytest.raises(NetworkError, match=r"line 6 is not a line of an audit log.*audit-log verify"):
        list(lines(path))


def test_egress_tells_every_message_that_left(path: Path) -> None:
    log = AuditLog(path)
    log.write("sent", kind="Ready", round=0, bytes=900, arrays={})
    log.write("order", round=1)
    log.write("sent", kind="Update", run="federated-seed0", round=1, bytes=4321, arrays={"delta": [1000]})
    ready, update = egress(path)
    assert update == Sent(time=update.time, kind="Update", run="federated-seed0", round=1, num_bytes=4321, arrays={"delta": [1000]})
    assert (ready.kind, ready.run, ready.arrays) == ("Ready", "", {})


def test_egress_does_not_pass_over_what_does_not_say_its_size(path: Path) -> None:
    AuditLog(path).write("sent", kind="Update", round=1)
    with pytest.raises(NetworkError, match="line 6 says that something was sent, but not its kind, round and bytes"):
        list(egress(path))
