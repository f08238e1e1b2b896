"""The lines that other programs read while a command works."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from wardround.core.events import Event, Note, Progress, SiteStep, from_record
from wardround.errors import PlanError
from wardround.runs import stream
from wardround.runs.stream import Stream


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Its last entry is the time, in seconds."""
    times = [0.0]
    monkeypatch.setattr(stream.time, "monotonic", lambda: times[-1])
    return times


def lines(path: Path) -> list[Event]:
    return [from_record(json.loads(line)) for line in path.read_text().splitlines()]


def step(done: int, **fields: Any) -> SiteStep:
    return SiteStep(**{"run": "r", "round": 1, "site": "north", "stage": "training", "done": done, "total": 100, **fields})


def test_events_are_on_disk_as_they_happen_and_handed_on(tmp_path: Path) -> None:
    seen: list[Event] = []
    with Stream(tmp_path / "new" / "events.jsonl", seen.append) as watch:
        watch(Note(run="r", text="one"))
        assert lines(watch.path) == [Note(run="r", text="one")] == seen


def test_a_stream_goes_on_where_an_earlier_one_ended(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with Stream(tmp_path / "events.jsonl") as watch:
            watch(Note(text=text))
    assert lines(tmp_path / "events.jsonl") == [Note(text="one"), Note(text="two")]


def test_steps_and_progress_are_thinned_to_five_a_second_and_handed_on_whole(tmp_path: Path, clock: list[float]) -> None:
    seen: list[Event] = []
    with Stream(tmp_path / "events.jsonl", seen.append) as watch:
        for index in range(100):
            clock.append(index * 0.01)
            watch(step(index))
            watch(Progress(run="r", stage="decode", done=index, total=1000))
    assert len(lines(watch.path)) == 2 * 5
    assert len(seen) == 200


def test_the_last_of_a_stage_and_the_first_of_another_are_written_however_fast(tmp_path: Path, clock: list[float]) -> None:
    told = [Progress(stage="decode", done=1, total=2), Progress(stage="decode", done=2, total=2), Progress(stage="hash", done=0, total=9),
            step(0), step(0, site="south"), step(0, run="other"), step(100, stage="done"), step(0, round=2)]
    with Stream(tmp_path / "events.jsonl") as watch:
        for event in told:
            watch(event)
    assert lines(watch.path) == told


def test_a_file_that_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"--events .*cannot be written"):
        Stream(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk at hand")
def test_a_full_disk_ends_the_stream_and_not_the_run(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Event] = []
    with caplog.at_level(logging.WARNING), Stream(Path("/dev/full"), seen.append) as watch:
        watch(Note(text="one"))
        watch(Note(text="two"))
    assert len(seen) == 2
    assert [record.getMessage() for record in caplog.records] == ["/dev/full can no longer be written (No space left on device); the run "
                                                                   "goes on without it"]
