"""What events add up to, by hand; without Qt."""

import time
from pathlib import Path
from typing import Any

import pytest

from wardround.app.views.live import Lane, Live, LiveRun, last_words, live_of
from wardround.core.events import Event, Note, Progress, RoundFinished, RunFinished, RunStarted, SiteStep, Stage, WorkerRestarted
from wardround.runs.journal import Journal

RUN = "federated-seed0"
SITES = ("north", "south", "east")


def begun(**changes: Any) -> RunStarted:
    facts = {"arm": "federated", "num_rounds": 10, "num_sites": 3, "num_train": 90, "num_parameters": 1000, "phantom": False}
    return RunStarted(run=RUN, **{**facts, **changes})


def step(site: str, stage: Stage, at: float, **facts: Any) -> SiteStep:
    return SiteStep(run=RUN, **{"round": 1, **facts}, site=site, stage=stage, at=at)


def ended(number: int, **facts: Any) -> RoundFinished:
    return RoundFinished(run=RUN, round=number, lr=0.1, seconds=2.0,
                         **{"train_loss": 1.0 / number, "train_loss_by_site": dict.fromkeys(SITES, 1.0 / number), **facts})


def live_at(now: float, *events: Event) -> LiveRun:
    live = Live(now=lambda: now)
    live.feed([begun(), *events])
    return live.runs[RUN]


def states(run: LiveRun) -> dict[str, str]:
    return {site: lane.state for site, lane in run.lanes.items()}


def test_a_site_trains_and_answers() -> None:
    events = [step("north", "training", 100.0), step("south", "training", 100.0), step("north", "training", 101.0, done=3, total=8)]
    run = live_at(102.0, *events)
    assert run.lanes == {"north": Lane(state="training", done=3, total=8, since_s=2.0), "south": Lane(state="training", since_s=2.0)}
    run = live_at(102.0, *events, step("north", "done", 101.5), step("south", "failed", 101.0, cause="ValueError: no images"))
    assert run.lanes["north"] == Lane(state="done", done=3, total=8, since_s=1.5)
    assert run.lanes["south"] == Lane(state="failed", cause="ValueError: no images", since_s=1.0)


@pytest.mark.parametrize(("took_s", "now", "state"), [(1.0, 104.9, "training"), (1.0, 105.1, "late"),  # never before 5 s
                                                      (4.0, 111.9, "training"), (4.0, 112.1, "late")])  # three times the others'
def test_a_site_is_late_after_three_times_what_the_others_took(took_s: float, now: float, state: str) -> None:
    run = live_at(now, *(step(site, "training", 100.0) for site in SITES), step("north", "done", 100.0 + took_s))
    assert states(run) == {"north": "done", "south": state, "east": state}


def test_nobody_is_late_while_nobody_has_answered() -> None:
    assert states(live_at(10_000.0, step("north", "training", 100.0), step("south", "failed", 101.0))) == {"north": "training",
                                                                                                           "south": "failed"}


def test_a_site_whose_worker_died_begins_again() -> None:
    run = live_at(109.0, step("north", "training", 100.0, done=5, total=8), step("north", "training", 108.0))
    assert run.lanes["north"] == Lane(state="training", since_s=1.0)


def test_in_the_next_round_all_wait_for_their_turn() -> None:
    run = live_at(200.0, *(step(site, stage, 100.0) for site in SITES for stage in ("training", "done")), ended(1),
                  step("south", "training", 103.0, round=2))
    assert run.round == 2
    assert states(run) == {"north": "waiting", "south": "training", "east": "waiting"}


def test_a_site_whose_update_was_refused_failed_with_the_cause() -> None:
    run = live_at(102.0, step("north", "training", 100.0), step("north", "done", 101.0), ended(1, failed={"north": "not finite"}))
    assert run.lanes["north"] == Lane(state="failed", cause="not finite", since_s=1.0)


def test_curves_hold_the_rounds_in_which_a_value_is_known() -> None:
    scored = {"val": {"loss": 0.7, "balanced_accuracy": 0.8}, "val_by_site": {"north": {"loss": 0.6}}, "is_best": True}
    run = live_at(0.0, ended(1, **scored), ended(2, train_loss=float("nan")), ended(3))
    assert [values.tolist() for values in run.curve("train_loss")] == [[1, 3], [1.0, 1 / 3]]
    assert [values.tolist() for values in run.curve("val_loss", "north")] == [[1], [0.6]]
    assert [values.tolist() for values in run.curve("metric")] == [[1], [0.8]]
    assert [values.tolist() for values in run.curve("metric", "north")] == [[], []]
    assert run.best == 1
    assert run.left_s == 14.0  # seven rounds of two seconds


def test_a_resumed_run_forgets_the_rounds_it_trains_anew() -> None:
    run = live_at(0.0, ended(1), ended(2), ended(3), step("north", "training", 100.0, round=4), begun(resumed_from=2))
    assert [event.round for event in run.rounds] == [1, 2]
    assert (run.round, states(run)) == (2, dict.fromkeys(SITES, "waiting"))
    run.feed(ended(3))
    run.feed(RunFinished(rounds=3, best_round=1, stopped_early=True, seconds=6.0))
    assert [event.round for event in run.rounds] == [1, 2, 3]
    assert run.finished is not None and run.left_s is None


def test_notes_tell_what_a_person_should_read() -> None:
    live = Live()
    live.feed([Note(text="phantoms"), Note(text="phantoms"), WorkerRestarted(run=RUN, site="north", cause="signal 9"),
               ended(4, failed={"south": "no images"})])
    assert live.notes == ["phantoms", f"{RUN}: the worker training north died (signal 9); it was restarted and its work repeated",
                          f"{RUN}: round 4 without south: no images"]


def test_what_is_prepared_is_told_until_it_is_done() -> None:
    live, event = Live(), Progress(stage="decode", done=1, total=2)
    live.feed([event])
    assert live.stage == event
    live.feed([Progress(stage="decode", done=2, total=2)])
    assert live.stage is None
    assert not live.runs


def test_a_journal_tells_rounds_and_who_took_part(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        journal = Journal(tmp_path / name / "journal.jsonl")
        for event in (begun(), ended(1, failed={"west": "no images"})):
            journal.write(type(event)(**{**vars(event), "run": name}))
        journal.close()
    run = Live.of_journal(tmp_path / "one" / "journal.jsonl").runs["one"]
    assert states(run) == {**dict.fromkeys(SITES, "done"), "west": "failed"}
    assert list(live_of(tmp_path).runs) == ["one", "two"]
    assert list(live_of(tmp_path / "two").runs) == ["two"]


def test_a_round_is_told_in_words() -> None:
    run = live_at(0.0, ended(1, val={"balanced_accuracy": 0.8}, failed={"west": "no images"}))
    assert run.in_words(1) == "loss 1.000, val balanced_accuracy 0.800, without west"
    assert run.in_words(2) == ""


def test_last_words_are_the_error_or_the_last_lines() -> None:
    assert last_words("Decoding\nerror: /no: nothing there.\nChoose another.\n\n") == "error: /no: nothing there.\nChoose another."
    assert last_words("one\ntwo\nthree\nfour\n") == "two\nthree\nfour"
    assert last_words("") == ""


def test_two_hundred_rounds_of_twenty_sites_are_taken_in_at_once() -> None:
    sites = [f"site-{number}" for number in range(20)]
    scores = {"loss": 0.5, "balanced_accuracy": 0.8}
    events: list[Event] = [begun(num_rounds=200, num_sites=20)]
    for t in range(1, 201):
        events += [step(site, stage, float(t), round=t) for stage in ("training", "done") for site in sites]
        events.append(ended(t, train_loss_by_site=dict.fromkeys(sites, 0.5), val=scores, val_by_site=dict.fromkeys(sites, scores)))
    live, began = Live(), time.process_time()
    live.feed(events)
    run = live.runs[RUN]
    drawn = [run.curve(what, site) for what in ("train_loss", "val_loss", "metric") for site in (None, *sites)]
    assert time.process_time() - began < 0.3
    assert all(len(rounds) == 200 for rounds, _ in drawn)
