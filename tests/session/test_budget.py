"""A run with a privacy budget: stopped by it, killed, resumed."""

import os
import signal
from dataclasses import replace
from math import sqrt
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from wardround.core.events import Note, RoundFinished, silent
from wardround.data.prepare import prepare
from wardround.errors import PrivacyError, Resumable
from wardround.plan.schema import Plan
from wardround.privacy.accountant import noise_for
from wardround.privacy.ledger import Ledger
from wardround.privacy.terms import Terms
from wardround.runs.folder import RunFolder
from wardround.runs.spending import read_spending
from wardround.session import arm, run
from wardround.session.single import start
from wardround.training.probe import one_thread

FIVE = {"num": 5, "metric": "loss", "checkpoint_every_s": 0}


@pytest.fixture
def private(plan_with):
    """A plan of five rounds on one process; keyword arguments as of plan_with."""
    def make(**sections: dict[str, object]) -> Plan:
        engine = {"workers": 1, "precision": "fp32", "layout": "contiguous", "device": "cpu"}
        return plan_with(**{"engine": engine, **sections, "rounds": FIVE | sections.get("rounds", {})})

    return make


def go(plan: Plan, folder: Path, watch=silent) -> RunFolder:
    """Begin the run of this folder or go on with it, as `run` does; without its report, which takes longer than the training."""
    return start(plan, prepare(plan), "federated", None, RunFolder(folder), watch)


@pytest.fixture
def terms(monkeypatch: pytest.MonkeyPatch) -> dict[str, Terms]:
    """What the runs of a test have to pay: their blueprints get these terms, and train as ever."""
    held: dict[str, Terms] = {}
    build = arm.build

    def with_terms(*args: object, **settings: object):
        return replace(build(*args, **settings), terms=held)

    monkeypatch.setattr(arm, "build", with_terms)
    return held


def pays(num_rounds: int, unit: str = "site") -> Terms:
    """The budget of so many rounds: epsilon 8, which noise of 0.6003 by the root of the rounds just keeps."""
    return Terms(unit=unit, noise_multiplier=0.6003 * sqrt(num_rounds), sample_rate=1.0, clip_norm=1.0, delta=1e-5, epsilon=8.0,
                 steps_per_round=1, physical_batch=8, images_per_patient=1)


def ledger_of(folder, name: str = "server") -> Ledger:
    return Ledger(folder / "privacy" / f"{name}.jsonl", epsilon=8.0, delta=1e-5)


def hiding_sites(noise: float, epsilon: float = 8.0) -> dict[str, dict[str, object]]:
    """Sections of a plan that hides whole sites."""
    return {"privacy": {"unit": "site", "epsilon": epsilon, "noise_multiplier": noise, "clip_norm": 0.01},
            "aggregation": {"weights": "equal"}, "model": {"name": "cnn"}}


def test_a_budget_of_three_rounds_ends_a_run_of_five_after_three_with_its_test(private, tmp_path) -> None:
    events: list = []
    noise = noise_for(epsilon=8.0, delta=1e-5, sample_rate=1.0, steps=3)
    folder = run(private(**hiding_sites(noise)), out=tmp_path, watch=events.append)
    scores = folder.scores()
    assert scores["rounds"] == 3
    assert 1 <= scores["best_round"] <= 3
    assert scores["metrics"]["balanced_accuracy"]["value"] > 0
    assert len(folder.predictions()) == scores["num_test"]
    [note] = [event.text for event in events if isinstance(event, Note) and event.text.startswith("privacy budget")]
    assert note.startswith("privacy budget is spent: training ends after round 3 of 5; the best round so far is tested. round 4: 0 of 3")
    spending = read_spending(folder.path)["sites"]["server"]
    assert (spending["steps"], spending["repeated"], spending["budget"]) == (3, 0, 8.0)
    assert 7.9 < spending["epsilon"] <= 8.0
    assert (folder.path / "report.html").exists()


def test_where_no_evaluation_was_due_the_last_round_is_judged(private, tmp_path, terms) -> None:
    terms["server"] = pays(2)
    folder = run(private(rounds={"evaluate_every": 5}), out=tmp_path)
    assert (folder.scores()["rounds"], folder.scores()["best_round"]) == (2, 2)
    assert not any(event.val for event in folder.events() if isinstance(event, RoundFinished))
    assert (folder.path / "report.html").exists()


def test_without_budget_for_a_round_nothing_is_trained_and_the_exit_code_is_5(private, tmp_path) -> None:
    with pytest.raises(PrivacyError, match=r"round 1: 0 of 3 sites have privacy budget left.*epsilon 0\.00 of 1 spent") as told:
        go(private(**hiding_sites(0.5, epsilon=1.0)), tmp_path)
    assert type(told.value) is PrivacyError  # by whose name a run beside others is told
    assert told.value.exit_code == 5
    assert ledger_of(tmp_path).spends() == []
    assert not (tmp_path / "scores.json").exists()


def test_a_site_without_budget_is_left_out_and_the_others_go_on(private, tmp_path, terms) -> None:
    terms |= {"north": pays(5, "image"), "south": pays(2, "image"), "east": pays(5, "image")}
    folder = go(private(model={"name": "cnn"}, recipe={"keep_optimizer": False}), tmp_path)
    failed = [dict(event.failed) for event in folder.events() if isinstance(event, RoundFinished)]
    assert [sorted(each) for each in failed] == [[], [], ["south"], ["south"], ["south"]]
    assert failed[2]["south"].startswith("privacy budget: epsilon 8.00 of 8 spent, round 3 would make it")
    assert folder.scores()["without"] == ["south"]
    assert {site: held["steps"] for site, held in read_spending(folder.path)["sites"].items()} == {"north": 5, "south": 2, "east": 5}


def test_a_run_killed_between_spending_and_checkpoint_has_spent_both_times(private, tmp_path, terms) -> None:
    terms["server"] = pays(5)
    plan = private(rounds={"num": 3})

    def killed_in_round_two() -> None:
        torch.set_num_threads(1)

        def watch(event) -> None:
            if isinstance(event, RoundFinished) and event.round == 2:  # told before the round's checkpoint is written
                os.kill(os.getpid(), signal.SIGKILL)

        go(plan, tmp_path, watch)

    process = get_context("fork").Process(target=killed_in_round_two)
    with one_thread():
        process.start()
    process.join(timeout=60)
    assert process.exitcode == -signal.SIGKILL
    assert [line.round for line in ledger_of(tmp_path).lines()] == [1, 2]
    go(plan, tmp_path)
    assert [(line.round, line.attempt) for line in ledger_of(tmp_path).lines()] == [(1, 1), (2, 1), (2, 2), (3, 1)]
    assert read_spending(tmp_path)["sites"]["server"]["repeated"] == 1


def stop_by_hand(plan: Plan, folder: Path, at: int) -> None:
    """Run until somebody stops it in this round, whose spending stands."""
    def stop(event) -> None:
        if isinstance(event, RoundFinished) and event.round == at:
            raise KeyboardInterrupt

    with pytest.raises(Resumable, match=f"stopped after round {at - 1}"):
        go(plan, folder, stop)


def test_a_resumed_run_has_no_new_budget(private, tmp_path, terms) -> None:
    terms["server"] = pays(3)
    stop_by_hand(private(), tmp_path, at=3)
    assert go(private(), tmp_path).scores()["rounds"] == 2  # of three rounds' budget one went into a round that did not count
    assert [line.round for line in ledger_of(tmp_path).lines()] == [1, 2, 3]


def test_a_run_that_ends_for_its_budget_ends_the_same_way_when_it_is_killed_in_its_test(private, tmp_path, terms, monkeypatch) -> None:
    terms["server"] = pays(2)
    plan = private(rounds={"evaluate_every": 5})
    whole = go(plan, tmp_path / "whole")

    def cut_off(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(arm.outcome, "test", cut_off)
        with pytest.raises(KeyboardInterrupt):
            go(plan, tmp_path / "cut")
    cut = go(plan, tmp_path / "cut")
    assert {**cut.scores(), "seconds": 0, "train_seconds": 0} == {**whole.scores(), "seconds": 0, "train_seconds": 0}
    assert [event.text for event in cut.events() if isinstance(event, Note)] == [
        event.text for event in whole.events() if isinstance(event, Note)]


def test_a_run_whose_ledger_is_gone_does_not_go_on(private, tmp_path, terms) -> None:
    terms["server"] = pays(5)
    stop_by_hand(private(), tmp_path, at=3)
    (tmp_path / "privacy" / "server.jsonl").unlink()
    with pytest.raises(PrivacyError, match=r"server.jsonl is missing, though rounds 1 to 2 are done"):
        go(private(), tmp_path)


def test_a_run_without_privacy_keeps_no_ledger(private, tmp_path, terms) -> None:
    folder = go(private(rounds={"num": 1}), tmp_path)
    assert not (folder.path / "privacy").exists()
    assert read_spending(folder.path) is None
