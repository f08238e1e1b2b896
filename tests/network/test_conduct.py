"""A study's run at the server: the local engine's bits, however often it is interrupted; whoever is missing is named."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy_study import SITES, ToyStudy, blueprint_of, failing, quick, toy_plan

from wardround import build
from wardround.core.tally import ClassTally, DiceTally, FindingTally
from wardround.data.catalogue import Catalogue, text_column
from wardround.errors import CheckpointError, Resumable
from wardround.network import auditlog, conduct
from wardround.network.conduct import JobEnded, class_weights, design_of, tally_of
from wardround.network.messages import Ready
from wardround.plan.load import dump_plan
from wardround.plan.schema import CohortPlan, Recipe, RoundsPlan
from wardround.sites.site import SiteRows
from wardround.testing import toy_run

Make = Callable[..., ToyStudy]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda **settings: ToyStudy(tmp_path, toy_plan(**settings))


@cache
def local_model(strategy: str) -> torch.Tensor:
    """The model that the local engine trains."""
    return toy_run(blueprint_of(toy_plan(strategy=strategy)))[0].best.flat


def model(study: ToyStudy) -> torch.Tensor:
    """The final model, in the order of its layout."""
    found = load_file(study.run.path / "model.safetensors")
    return torch.cat([found[entry.name].flatten() for entry in build.initial_params(study.blueprint).layout.entries])


def once(action: Callable[[], object], *when: object) -> Callable[..., None]:
    """A hook that acts the first time that just this is asked."""
    done: list[object] = []

    def hook(*asked: object) -> None:
        if asked == when and not done:
            done.append(asked)
            action()

    return hook


def ended() -> None:
    raise JobEnded("NVFLARE has ended the job")


@pytest.mark.parametrize("strategy", ["fedavg", "scaffold", "fedbn"])
def test_a_study_has_the_bits_of_the_local_engine(make: Make, strategy: str) -> None:
    study = make(strategy=strategy)
    progress = study.conduct()
    assert torch.equal(model(study), local_model(strategy))
    assert (progress.phase, progress.round, progress.num_rounds, progress.run) == ("finished", 3, 3, study.run.name)
    assert study.kinds() == ["started", "round", "round", "round", "finished"]
    assert study.run.plan() == study.plan


@pytest.mark.parametrize(("strategy", "how", "round"), [
    ("fedavg", "boundary", 1), ("fedavg", "pause", 2), ("fedavg", "job ended in training", 1), ("fedavg", "job ended in evaluation", 2),
    ("scaffold", "boundary", 2), ("scaffold", "job ended in training", 2), ("fedbn", "job ended in evaluation", 1)])
def test_an_interrupted_study_goes_on_with_the_same_bits_and_repeats_at_most_a_round(make: Make, strategy: str, how: str,
                                                                                    round: int) -> None:
    study = make(strategy=strategy)
    kind = "EvaluateOrder" if how == "job ended in evaluation" else "Order" if strategy != "scaffold" else "ScaffoldOrder"
    action = {"boundary": lambda: study.state.boundary.write_text("a site came back"), "pause": lambda: study.state.want(want="pause")}
    study.before = once(action.get(how, ended), "site-1", kind, round)
    if how in action:
        assert study.conduct().phase == {"boundary": "handover", "pause": "paused"}[how]
        assert study.state.progress.round == round
        study.state.boundary.unlink(missing_ok=True)
        study.state.want(want="run")
    else:
        with pytest.raises(JobEnded):
            study.conduct()
        assert study.state.progress.phase != "failed"
    assert study.conduct().phase == "finished"
    assert torch.equal(model(study), local_model(strategy))
    assert [event.round for event in study.rounds()] == [1, 2, 3]
    asked = study.asked("ScaffoldOrder" if strategy == "scaffold" else "Order")
    assert {number: asked["site-3", number] for number in (1, 2, 3)} == {1: 1, 2: 1, 3: 1} | ({} if how in action else {round: 2})


def test_a_study_begins_when_enough_are_ready_and_greets_only_the_others_again(make: Make) -> None:
    study = make()
    study.state.want(wait_for=3)
    study.withdraw("site-2")
    study.before = lambda site, kind, number: study.approve("site-2") if study.asked("Hello")["site-2", 0] == 3 else None
    assert study.conduct().phase == "finished"
    assert study.asked("Hello") == {("site-1", 0): 1, ("site-2", 0): 3, ("site-3", 0): 1}
    assert set(study.run.scores()["per_site"]) == set(SITES)


def test_a_study_that_waits_says_for_how_many_and_what_keeps_them_away(make: Make) -> None:
    study = make()
    study.state.want(wait_for=3)
    study.there = {"site-1", "site-2"}
    study.withdraw("site-2")
    seen = []

    def look(site: str, kind: str, number: int) -> None:
        if study.asked("Hello")["site-2", 0] == 4:
            seen.append(study.state.progress)
            study.state.want(want="pause")

    study.before = look
    assert study.conduct().phase == "paused"
    assert (seen[0].phase, seen[0].text) == ("waiting", "1 of 3 sites are ready")
    assert "not approved" in seen[0].sites["site-2"]
    assert {**seen[0].sites, "site-2": ""} == {"site-1": "", "site-2": "", "site-3": "not connected"}
    assert study.asked("Order") == {}
    assert study.phases() == ["waiting", "waiting", "paused"]  # a line for what is new, not for every greeting


def test_a_waiting_study_makes_way_for_another_job(make: Make) -> None:
    study = make()
    study.state.want(wait_for=3)
    study.there = {"site-1"}
    study.state.boundary.write_text("sites that came back: site-2")
    assert study.conduct().phase == "handover"


def test_every_job_has_a_round_however_often_sites_come_and_go(make: Make) -> None:
    study = make()
    study.state.boundary.write_text("sites that came back: site-2")
    progress = study.conduct()
    assert (progress.phase, progress.round) == ("handover", 1)


def test_a_study_that_has_begun_waits_for_no_more_than_the_plan_needs(make: Make) -> None:
    study = make(cohort=CohortPlan(min_sites=2, deadline_s=60.0))
    study.state.want(wait_for=3)
    study.before = once(ended, "site-1", "Order", 2)
    with pytest.raises(JobEnded):
        study.conduct()
    study.there = {"site-1", "site-3"}
    assert study.conduct().phase == "finished"


def test_a_known_site_that_is_absent_stays_declared_and_is_named(make: Make) -> None:
    study = make()
    study.before = once(ended, "site-1", "Order", 2)
    with pytest.raises(JobEnded):
        study.conduct()
    study.there.remove("site-2")
    progress = study.conduct()
    assert progress.sites["site-2"] == "not connected"
    assert [dict(event.failed) for event in study.rounds()] == [{}, *2 * [{"site-2": "not connected"}]]
    scores = study.run.scores()
    assert scores["without"] == ["site-2"]
    assert scores["untested"] == {"site-2": "not connected"}
    assert list(scores["per_site"]) == list(SITES)
    assert "site site-2 did not take the final model: not connected" in study.notes()


def test_a_site_that_becomes_ready_is_taken_in_at_the_end_of_a_round(make: Make) -> None:
    study = make()
    study.withdraw("site-2")
    study.before = once(lambda: study.approve("site-2"), "site-1", "Order", 1)
    progress = study.conduct()
    assert (progress.phase, progress.round, progress.text) == ("handover", 1, "ready now: site-2")
    assert study.conduct().phase == "finished"
    assert [sorted(event.train_loss_by_site) for event in study.rounds()] == [["site-1", "site-3"], list(SITES), list(SITES)]
    assert list(study.run.scores()["per_site"]) == list(SITES)


def test_a_site_that_is_kept_away_is_named_in_the_journal(make: Make) -> None:
    study = make()
    study.withdraw("site-2")
    study.conduct()
    (note,) = [text for text in study.notes() if text.startswith("site site-2 does not take part: ")]
    assert "not approved" in note
    assert ("site-2", 1) not in study.asked("Order")


def test_too_few_updates_make_a_study_wait(make: Make) -> None:
    study = make(cohort=CohortPlan(min_sites=3, deadline_s=60.0))
    study.altered["site-2", "Update"] = failing("its machine is hot")
    progress = study.conduct()
    assert progress.phase == "waiting"
    assert "2 of 3 sites sent a usable update" in progress.text
    assert "site-2: its machine is hot" in progress.text
    del study.altered["site-2", "Update"]
    assert study.conduct().phase == "finished"


def test_a_run_that_fails_says_why(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make()
    monkeypatch.setattr("wardround.network.conduct.run_rounds", lambda *told, **more: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        study.conduct()
    assert study.state.progress.phase == "failed"
    assert "ZeroDivisionError: division by zero (In full: " in study.state.progress.text


def test_a_stopped_study_tests_its_best_round(make: Make) -> None:
    study = make()
    study.before = once(lambda: study.state.want(want="stop"), "site-1", "Order", 2)
    progress = study.conduct()
    assert (progress.phase, progress.round) == ("stopped", 2)
    scores = study.run.scores()
    assert (scores["rounds"], scores["best_round"]) == (2, max(study.rounds(), key=lambda event: -event.val["loss"]).round)
    assert set(study.asked("TestOrder").values()) == {1}


def test_a_study_that_is_stopped_between_two_jobs_trains_no_further(make: Make) -> None:
    study = make()
    study.before = once(ended, "site-1", "Order", 2)
    with pytest.raises(JobEnded):
        study.conduct()
    study.state.want(want="stop")
    study.there = {"site-2"}  # one is enough for what is left to do
    assert study.conduct().phase == "stopped"
    assert study.run.scores()["rounds"] == 1
    assert ("site-2", 2) in study.asked("Order") and study.asked("Order")["site-2", 2] == 1


def test_a_stopped_study_that_has_something_to_test_waits_for_a_site(make: Make) -> None:
    study = make()
    study.before = once(ended, "site-1", "Order", 2)
    with pytest.raises(JobEnded):
        study.conduct()
    study.state.want(want="stop")
    study.there = set()
    study.state.boundary.write_text("a site came back")
    assert study.conduct().phase == "handover"  # and not "stopped", which is for ever


def test_a_study_that_is_stopped_before_a_round_was_evaluated_has_nothing_to_test(make: Make) -> None:
    study = make(rounds=RoundsPlan(num=4, metric="loss", evaluate_every=2))
    study.before = once(lambda: study.state.want(want="stop"), "site-1", "Order", 1)
    for _ in range(2):
        progress = study.conduct()
        assert (progress.phase, progress.round) == ("stopped", 1)
        assert "nothing to test" in progress.text
    assert study.asked("Order")["site-1", 2] == 0
    assert not study.run.is_finished


def test_a_finished_run_is_only_delivered_again(make: Make) -> None:
    study = make()
    study.altered["site-2", "Delivered"] = failing("its disk is full")
    assert study.conduct().phase == "finished"
    before = study.run.events()
    study.altered.clear()
    study.state.tell(replace(study.state.progress, phase="handover"))
    assert study.conduct().phase == "finished"
    assert {kind: set(study.asked(kind).values()) for kind in ("Order", "TestOrder", "Deliver")} == {
        "Order": {1}, "TestOrder": {1}, "Deliver": {2}}
    assert study.run.events() == before
    assert study.kinds().count("finished") == 1


def test_a_tested_run_trains_no_further_whatever_is_wanted(make: Make) -> None:
    study = make()
    study.before = once(lambda: study.state.want(want="stop"), "site-1", "Order", 2)
    study.conduct()
    study.state.want(want="run")
    assert study.conduct().phase == "stopped"
    assert study.asked("Order")["site-1", 3] == 0


def test_a_finished_run_without_its_checkpoint_delivers_no_other_model(make: Make) -> None:
    study = make()
    study.conduct()
    for path in study.run.checkpoints.glob("round-*"):
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    with pytest.raises(CheckpointError, match="its checkpoints are gone"):
        study.conduct()
    assert study.state.progress.phase == "failed"
    assert set(study.asked("Deliver").values()) == {1}


def test_another_plan_is_another_run(make: Make) -> None:
    study = make()
    study.before = once(ended, "site-1", "Order", 3)
    with pytest.raises(JobEnded):
        study.conduct()
    first = study.state.progress
    study.study.plan_file.write_text(dump_plan(toy_plan(rounds=RoundsPlan(num=2, metric="loss"))))
    seen = []

    def look(site: str, kind: str, number: int) -> None:
        seen.append(study.state.progress)
        study.approve(site)

    study.before = look
    study.blueprint = blueprint_of(toy_plan(rounds=RoundsPlan(num=2, metric="loss")))
    assert study.conduct().phase == "finished"
    assert (first.round, seen[0].round, seen[0].num_rounds) == (2, 0, 2)
    assert first.run != seen[0].run
    assert len(list(study.study.runs.iterdir())) == 2


def test_a_run_that_another_process_holds_is_left_alone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make()

    def held(folder: Path) -> None:
        raise Resumable("another process is at work")

    monkeypatch.setattr(conduct, "alone", held)
    with pytest.raises(JobEnded, match="an earlier job still holds"):
        study.conduct()
    assert study.state.progress.phase == "none"


def test_where_the_run_is_comes_from_its_checkpoints_alone(make: Make) -> None:
    study = make()
    study.before = once(ended, "site-1", "Order", 3)
    with pytest.raises(JobEnded):
        study.conduct()
    (study.state.folder / "progress.json").unlink()
    seen = []
    study.before = lambda site, kind, number: seen.append(study.state.progress.round)
    study.conduct()
    assert seen[0] == 2


def test_the_audit_log_has_phases_once_and_every_round(make: Make) -> None:
    study = make()
    study.conduct()
    assert study.phases() == ["waiting", "training", "testing", "delivering", "finished"]
    rounds = [line.facts for line in auditlog.lines(study.study.audit_file) if line.kind == "round"]
    assert [(facts["round"], facts["sites"], facts["failed"]) for facts in rounds] == [(number, list(SITES), {}) for number in (1, 2, 3)]


def test_what_a_site_notes_when_it_is_greeted_is_journaled(make: Make) -> None:
    study = make()
    study.noting["site-1"] = "its worker was started again"
    study.conduct()
    assert study.notes() == ["site site-1: its worker was started again"]


def ready(site: str, **changes: object) -> Ready:
    told = {"num_train": 10, "num_val": 4, "num_test": 4, "task": "multiclass", "classes": ("a", "b", "c"), "regions": {}, "phantom": True,
            "fingerprint": "f", "version": "1", "device": "cpu", "threads": 1}
    return Ready(site=site, **{**told, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_class_weights_are_the_local_engines(task: str) -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, 0, 1, 0, 0])
    if task == "multilabel":
        labels = np.eye(3, dtype=np.int64)[labels]
    names = text_column([str(index) for index in range(10)])
    catalogue = Catalogue(name="toy", root=Path("toy"), classes=("a", "b", "c"), images=names, labels=labels, patients=names,
                          splits=text_column([""] * 10), phantom=True)
    nothing = np.zeros(0, np.int64)
    rows = {"north": SiteRows(name="north", train=np.arange(6), val=nothing, test=nothing),
            "south": SiteRows(name="south", train=np.arange(6, 10), val=nothing, test=nothing)}
    told = {site: ready(site, task=task, num_train=len(held.train), counts=catalogue.counts(held.train)) for site, held in rows.items()}
    weighted = toy_plan(recipe=Recipe(class_weights="balanced"))
    assert class_weights(weighted, told) == build.class_weights(catalogue, rows).tolist()
    assert class_weights(toy_plan(), told) is None


def test_a_weighted_study_has_the_bits_of_the_local_engine(make: Make) -> None:
    study = make(recipe=Recipe(lr=0.1, batch_size=4, class_weights="balanced"))
    study.conduct()
    labels = study.blueprint.feed.labels.numpy()
    counts = sum(np.bincount(labels[rows.train], minlength=2) for rows in study.blueprint.rows.values())
    weighted = replace(study.blueprint, class_weights=build.balanced_weights(counts))
    assert torch.equal(model(study), toy_run(weighted)[0].best.flat)


def test_what_reports_must_be_follows_from_the_design() -> None:
    plan, regions = toy_plan(), {"WT": (1, 2), "TC": (2,)}
    found = {task: tally_of(design_of(plan, {"north": ready("north", task=task, regions=regions if task == "segmentation" else {})}))
             for task in ("multiclass", "multilabel", "segmentation")}
    assert found == {"multiclass": (ClassTally, 3), "multilabel": (FindingTally, 3), "segmentation": (DiceTally, 2)}
