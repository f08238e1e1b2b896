"""What is drawn in a terminal and outside one."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from wardround.cli import console
from wardround.cli.console import Bars, PlainLines, watching
from wardround.core.events import Note, Progress, RoundFinished, RunFinished, RunStarted, WorkerRestarted
from wardround.report.tables import Table

STARTED = RunStarted(run="federated-seed0", arm="federated", num_rounds=40, num_sites=3, num_train=630, num_parameters=9, phantom=True)
FINISHED = RunFinished(run="federated-seed0", rounds=40, best_round=36, stopped_early=False, seconds=12.0, without=("south",),
                       metrics={"accuracy": 0.9, "balanced_accuracy": 0.91})


def round_finished(number: int, **changes: object) -> RoundFinished:
    facts = {"run": "federated-seed0", "round": number, "lr": 0.1, "train_loss": 0.5, "train_loss_by_site": {}} | changes
    return RoundFinished(**facts)  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def plain_lines(*events: object) -> list[str]:
    target = io.StringIO()
    watch = PlainLines(Console(file=target, width=160))
    for event in events:
        watch(event)  # type: ignore[arg-type]
    return target.getvalue().splitlines()


def test_many_rounds_in_a_moment_are_one_line(clock: list[float]) -> None:
    assert len(plain_lines(STARTED, *(round_finished(i) for i in range(1, 40)))) == 1


def test_a_line_of_progress_comes_every_few_seconds(clock: list[float]) -> None:
    target = io.StringIO()
    watch = PlainLines(Console(file=target, width=160))
    watch(STARTED)
    for i in range(1, 41):
        clock[0] += 1.0
        watch(round_finished(i))
    assert len(target.getvalue().splitlines()) == 1 + 8


def test_the_last_validation_score_is_remembered(clock: list[float]) -> None:
    target = io.StringIO()
    watch = PlainLines(Console(file=target, width=160))
    watch(STARTED)
    clock[0] = 10.0
    watch(round_finished(1, val={"loss": 0.7, "auroc": 0.9, "balanced_accuracy": 0.8125}))
    clock[0] = 20.0
    watch(round_finished(2))
    assert target.getvalue().splitlines()[2].endswith("loss 0.500, val balanced_accuracy 0.812")


def test_a_failed_site_is_said_at_once(clock: list[float]) -> None:
    lines = plain_lines(STARTED, round_finished(1), round_finished(2, failed={"south": "timeout"}))
    assert lines[-1].endswith("loss 0.500, without south")


def test_the_end_names_dropped_sites_and_the_test_result(clock: list[float]) -> None:
    assert plain_lines(STARTED, FINISHED)[1:] == ["federated-seed0: finished after 40 rounds, best round 36, "
                                                  "test balanced_accuracy 0.910, finished without south"]


def test_notes_and_restarts_are_sentences(clock: list[float]) -> None:
    assert plain_lines(Note(text="phantoms [used]"), WorkerRestarted(run="a", site="south", cause="signal 9")) == [
        "phantoms [used]", "a: the worker training south died (signal 9); it was restarted and its work repeated"]


def test_a_stage_is_shown_at_its_start_and_end(clock: list[float]) -> None:
    assert plain_lines(*(Progress(stage="decode", done=i, total=9) for i in range(10))) == [
        "Decoding images: 0 of 9", "Decoding images: 9 of 9"]


def test_without_a_terminal_there_are_no_control_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with watching() as watch:
        for event in (Note(text="a [note]"), STARTED, round_finished(1), FINISHED):
            watch(event)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "a [note]" in shown.err
    assert "\x1b" not in shown.err
    assert "\r" not in shown.err


def test_in_a_terminal_each_run_has_a_bar() -> None:
    target = io.StringIO()
    bars = console.Progress(console=Console(file=target, force_terminal=True, width=120), auto_refresh=False)
    watch = Bars(bars)
    pooled = replace(STARTED, run="pooled-seed0", arm="pooled", num_sites=1, resumed_from=10)
    for event in (replace(STARTED, metric="auroc"), pooled, round_finished(4, val={"auroc": 0.75}), Note(text="heard")):
        watch(event)
    found = {task.description: (task.completed, task.total, task.fields["fact"]) for task in bars.tasks}
    assert found == {"federated-seed0": (4, 40, "loss 0.500, val auroc 0.750"), "pooled-seed0": (10, 40, "")}
    assert "heard" in target.getvalue()


def test_a_table_shows_every_cell_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(Table(columns=("", "Federated"), rows=(("AUROC", "0.912 [0.88, 0.94]"), ("recall of [x]", "0.5")), caption="Caption."))
    shown = capsys.readouterr().out
    assert re.search(r"AUROC\s+0.912 \[0.88, 0.94\]", shown)
    assert "recall of [x]" in shown
    assert "Caption." in shown
    assert "\x1b" not in shown


def test_pairs_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    console.pairs({"a": 1, "long": 2})
    assert capsys.readouterr().out == "a     1\nlong  2\n"


ROWS = Table(columns=("Site", "Connection"), rows=(("north", "heard 2 s ago"),), caption="")


def test_outside_a_terminal_a_standing_line_is_printed_when_it_is_new_and_time_has_passed(clock: list[float],
                                                                                         capsys: pytest.CaptureFixture[str]) -> None:
    with console.standing() as draw:
        for line, later in (("round 1", 0.0), ("round 2", 1.0), ("round 3", 6.0), ("round 3", 60.0)):
            clock[0] = later
            draw(ROWS, line, ["south is late"])
    assert capsys.readouterr().err.splitlines() == ["south is late", "round 1", "round 3"]


def test_in_a_terminal_a_standing_table_is_drawn_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    target = io.StringIO()
    monkeypatch.setattr(console, "_console", lambda stderr: Console(file=target, force_terminal=True, width=80))
    with console.standing() as draw:
        draw(ROWS, "round 1 of 3", ["south is late"])
        draw(ROWS, "round 2 of 3", ["south is late"])
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", target.getvalue())
    for part in ("north", "heard 2 s ago", "round 1 of 3", "round 2 of 3"):
        assert part in shown
    assert shown.count("south is late") == 1
