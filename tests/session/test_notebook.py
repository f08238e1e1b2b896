"""Bars in a notebook: what they show, and when."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

import pytest

from wardround.core.events import Note, Progress, RoundFinished, RunFinished, RunStarted, silent
from wardround.session import notebook
from wardround.session.notebook import NotebookBars, in_place, watching

STARTED = RunStarted(run="federated-seed0", arm="federated", num_rounds=40, num_sites=3, num_train=630, num_parameters=9, phantom=True,
                     metric="dice")
FINISHED = RunFinished(run="federated-seed0", rounds=40, best_round=36, stopped_early=False, seconds=12.0, metrics={"dice": 0.8})


def round_finished(number: int, **changes: object) -> RoundFinished:
    facts = {"run": "federated-seed0", "round": number, "lr": 0.1, "train_loss": 0.5, "train_loss_by_site": {}} | changes
    return RoundFinished(**facts)  # type: ignore[arg-type]


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def drawn() -> list[Mapping[str, str]]:
    return []


@pytest.fixture
def bars(drawn: list[Mapping[str, str]], clock: Clock) -> NotebookBars:
    return NotebookBars(drawn.append, clock)


def test_a_run_has_a_bar_with_its_loss_score_and_time_left(bars: NotebookBars, clock: Clock) -> None:
    bars(STARTED)
    clock.now += 20
    bars(round_finished(10, val={"dice": 0.75}))
    assert bars.plain() == "federated-seed0: 10 of 40, loss 0.500, val dice 0.750, 60 s left"
    assert '<progress value="10" max="40"></progress>' in bars.html()


def test_the_end_gives_the_test_result(bars: NotebookBars) -> None:
    bars(STARTED)
    bars(FINISHED)
    assert bars.plain() == "federated-seed0: 40 of 40, best round 36, test dice 0.800"


def test_a_resumed_run_begins_where_it_stopped_and_is_timed_from_there(bars: NotebookBars, clock: Clock) -> None:
    bars(replace(STARTED, resumed_from=20))
    assert bars.plain() == "federated-seed0: 20 of 40"
    clock.now += 10
    bars(round_finished(30))
    assert bars.plain().endswith("30 of 40, loss 0.500, 10 s left")


def test_runs_side_by_side_have_a_bar_each(bars: NotebookBars) -> None:
    bars(STARTED)
    bars(replace(STARTED, run="pooled-seed0", arm="pooled"))
    assert [line.split(":")[0] for line in bars.plain().splitlines()] == ["federated-seed0", "pooled-seed0"]


def test_a_stage_goes_when_it_is_done(bars: NotebookBars) -> None:
    bars(Progress(stage="decode", done=1, total=2))
    assert bars.plain() == "Decoding images: 1 of 2"
    bars(Progress(stage="decode", done=2, total=2))
    assert bars.plain() == ""


def test_a_note_is_shown_once(bars: NotebookBars) -> None:
    bars(Note(text="phantoms"))
    bars(Note(text="phantoms"))
    assert bars.plain() == "phantoms"


def test_text_from_outside_is_escaped(bars: NotebookBars) -> None:
    bars(Note(text="<script>"))
    bars(replace(STARTED, run="<b>"))
    assert "<script>" not in bars.html()
    assert "<b>" not in bars.html()


def test_at_most_four_drawings_a_second(bars: NotebookBars, drawn: list[Mapping[str, str]], clock: Clock) -> None:
    bars(STARTED)
    for number in range(1, 41):
        clock.now += 0.05
        bars(round_finished(number))
    assert 7 <= len(drawn) <= 9  # in two seconds


def test_the_last_state_is_drawn(monkeypatch: pytest.MonkeyPatch, drawn: list[Mapping[str, str]]) -> None:
    monkeypatch.setattr(notebook, "in_place", lambda: drawn.append)
    with watching(None) as watch:
        for event in (STARTED, round_finished(1), FINISHED):
            watch(event)
    assert "40 of 40" in drawn[-1]["text/plain"]


def test_a_watcher_of_the_caller_s_own_is_used(monkeypatch: pytest.MonkeyPatch, drawn: list[Mapping[str, str]]) -> None:
    monkeypatch.setattr(notebook, "in_place", lambda: drawn.append)
    with watching(silent) as watch:
        watch(STARTED)
    assert watch is silent
    assert drawn == []


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_a_terminal_is_no_notebook(shell: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_place() is None


def test_in_a_notebook_one_block_is_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, Mapping[str, str]]] = []

    def display(content: Mapping[str, str], **options: object) -> SimpleNamespace:
        shown.append(("new", content))
        return SimpleNamespace(update=lambda content, raw: shown.append(("update", content)))

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel="kernel")))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    draw = in_place()
    assert draw is not None
    draw({"text/plain": "a"})
    draw({"text/plain": "b"})
    assert shown == [("new", {"text/plain": "a"}), ("update", {"text/plain": "b"})]


def test_outside_a_notebook_ipython_is_not_loaded() -> None:
    code = ("import sys\nfrom wardround.session.notebook import watching\n"
            "with watching(None) as watch: print(watch.__name__, 'IPython' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "silent False"
