"""One arm, from its plan to its results; stopped, killed and resumed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from wardround.build import resolved
from wardround.core.events import Note, RoundFinished, RunFinished, RunStarted
from wardround.data.prepare import prepare
from wardround.errors import CheckpointError, PlanError, Resumable, TooFewSites
from wardround.plan.load import dump_plan
from wardround.runs import checkpoint
from wardround.session import resume, run
from wardround.training.arithmetic import Arithmetic


def weights(folder) -> str:
    return hashlib.sha256((folder.path / "model.safetensors").read_bytes()).hexdigest()


def test_a_run_leaves_what_the_design_says(plan_with, tmp_path) -> None:
    folder = run(plan_with(), out=tmp_path)
    assert folder.path == tmp_path / "tiny" / "federated-seed0"
    found = {path.name for path in folder.path.iterdir()}
    assert found == {"plan.toml", "provenance.json", "journal.jsonl", "ledger.csv", "checkpoints", "model.safetensors", "model.json",
                     "scores.json", "predictions.csv", "figures", "report.html"}
    scores = folder.scores()
    assert (scores["arm"], scores["rounds"], scores["phantom"], scores["without"]) == ("federated", 4, False, [])
    assert scores["metrics"]["balanced_accuracy"]["low"] <= scores["metrics"]["balanced_accuracy"]["value"]
    assert set(scores["per_site"]) == {"north", "south", "east"}
    assert sum(site["num_train"] for site in scores["per_site"].values()) == scores["num_train"]
    assert len(folder.predictions()) == scores["num_test"]
    assert folder.plan() == resolved(plan_with(), prepare(plan_with()))


def test_the_journal_tells_the_whole_run(plan_with, tmp_path) -> None:
    events = run(plan_with(), out=tmp_path).events()
    assert [type(event) for event in events] == [RunStarted, *[RoundFinished] * 4, RunFinished]
    assert {event.run for event in events} == {"federated-seed0"}
    assert all(event.val["balanced_accuracy"] >= 0 and set(event.train_loss_by_site) == {"north", "south", "east"} for event in events[1:5])


def test_no_file_of_a_run_holds_the_name_of_an_image_but_the_ledger(plan_with, tmp_path) -> None:
    folder = run(plan_with(), out=tmp_path)
    for path in folder.path.rglob("*"):
        if path.suffix in {".json", ".jsonl", ".csv", ".html"} and path.name != "ledger.csv":
            assert "left/000.png" not in path.read_text()


def test_pooled_and_local_arms_are_tested_on_the_same_cases(plan_with, tmp_path) -> None:
    arms = [run(plan_with(), out=tmp_path), run(plan_with(), arm="pooled", out=tmp_path),
            run(plan_with(), arm="local", site="south", out=tmp_path)]
    cases = [sorted(folder.predictions().cases.tolist()) for folder in arms]
    assert cases[0] == cases[1] == cases[2]
    assert arms[2].path.name == "local-seed0-south"
    assert arms[0].scores()["bytes_up"] == 4 * 3 * arms[0].provenance()["model"]["bytes"]  # rounds, hospitals, a model each
    assert arms[1].scores()["bytes_up"] == arms[2].scores()["bytes_up"] == 0
    assert arms[2].scores()["num_train"] == arms[0].scores()["per_site"]["south"]["num_train"]


def test_arms_begin_with_the_same_weights_and_take_equal_steps_per_image(plan_with, tmp_path) -> None:
    from wardround.build import build, initial_params
    from wardround.data.prepare import prepare

    plan = plan_with(recipe={"local_steps": 2})
    prepared = prepare(plan)
    federated, pooled = build(plan, prepared, "federated"), build(plan, prepared, "pooled")
    assert initial_params(federated).flat.equal(initial_params(pooled).flat)
    assert pooled.plan.recipe.local_steps == 3 * federated.plan.recipe.local_steps


@pytest.mark.parametrize("workers", [1, 3])
def test_the_weights_do_not_depend_on_the_number_of_workers(plan_with, tmp_path, workers) -> None:
    two = run(plan_with(), out=tmp_path / "two")
    other = run(plan_with(engine={"workers": workers}), out=tmp_path / "other")
    assert weights(two) == weights(other)


def test_another_seed_gives_other_weights(plan_with, tmp_path) -> None:
    plan = plan_with()
    assert weights(run(plan, out=tmp_path)) != weights(run(plan.model_copy(update={"seed": 1}), out=tmp_path))


def test_a_run_that_was_interrupted_goes_on_with_the_same_bits(plan_with, tmp_path) -> None:
    whole = run(plan_with(), out=tmp_path / "whole")

    def stop_in_round_three(event) -> None:
        if isinstance(event, RoundFinished) and event.round == 3:
            raise KeyboardInterrupt

    with pytest.raises(Resumable, match=r"stopped after round 2 of 4.*wardround run --resume"):
        run(plan_with(), out=tmp_path / "half", watch=stop_in_round_three)
    events: list = []
    half = resume(tmp_path / "half" / "tiny" / "federated-seed0", watch=events.append)
    assert [event.resumed_from for event in events if isinstance(event, RunStarted)] == [2]
    assert weights(half) == weights(whole)
    assert [event.round for event in half.events() if isinstance(event, RoundFinished)] == [1, 2, 3, 4]
    assert half.scores()["metrics"] == whole.scores()["metrics"]


@pytest.mark.parametrize("rounds_before_the_kill", [1, 2])
def test_a_run_killed_without_warning_goes_on_with_the_same_bits(plan_with, tmp_path, rounds_before_the_kill) -> None:
    plan = plan_with(rounds={"num": 6})
    whole = run(plan, out=tmp_path / "whole")
    (tmp_path / "plan.toml").write_text(dump_plan(plan))
    process = subprocess.Popen([sys.executable, "-c", "import sys, wardround as wr; wr.run(sys.argv[1], out=sys.argv[2])",
                                str(tmp_path / "plan.toml"), str(tmp_path / "killed")])
    folder = tmp_path / "killed" / "tiny" / "federated-seed0"
    deadline = time.monotonic() + 60
    while len(list((folder / "checkpoints").glob("round-00000?"))) < rounds_before_the_kill and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert weights(resume(folder)) == weights(whole)


def test_early_stopping_keeps_the_best_round(plan_with, tmp_path) -> None:
    folder = run(plan_with(rounds={"num": 40, "patience": 3, "metric": "loss"}, recipe={"lr": 1.0}), out=tmp_path)
    scores = folder.scores()
    assert scores["rounds"] == scores["best_round"] + 3 < 40
    best = [event.round for event in folder.events() if isinstance(event, RoundFinished) and event.is_best]
    assert best[-1] == scores["best_round"]


def test_a_finished_run_is_used_as_it_is(plan_with, tmp_path) -> None:
    first = run(plan_with(), out=tmp_path)
    before = (first.path / "scores.json").stat().st_mtime_ns
    events: list = []
    assert run(plan_with(), out=tmp_path, watch=events.append).path == first.path
    assert (first.path / "scores.json").stat().st_mtime_ns == before
    assert any(isinstance(event, Note) and "finished already" in event.text for event in events)


def test_another_plan_in_the_same_folder_is_refused(plan_with, tmp_path) -> None:
    run(plan_with(), out=tmp_path)
    with pytest.raises(PlanError, match=r"another plan.*--out"):
        run(plan_with(recipe={"lr": 0.2}), out=tmp_path)
    assert run(plan_with(engine={"workers": 1}), out=tmp_path).is_finished


def test_a_plan_given_again_computes_as_its_run_began_whatever_would_be_faster_by_now(plan_with, tmp_path, monkeypatch) -> None:
    first = run(plan_with(), out=tmp_path)
    monkeypatch.setattr("wardround.build.candidates", lambda engine, device: [Arithmetic(precision=engine.precision, layout=engine.layout)])
    assert run(plan_with(), out=tmp_path).plan() == first.plan()
    assert "auto" not in (first.plan().engine.precision, first.plan().engine.layout, first.plan().engine.device)


def test_changed_images_are_noticed_on_resume(plan_with, images, tmp_path) -> None:
    folder = run(plan_with(), out=tmp_path)
    record = json.loads((folder.path / "provenance.json").read_text())
    record["data"]["fingerprint"] = "other"
    (folder.path / "provenance.json").write_text(json.dumps(record))
    with pytest.raises(PlanError, match="other images or labels"):
        resume(folder.path)


def test_too_few_sites_leave_a_run_that_can_go_on(plan_with, broken_strategy, tmp_path) -> None:
    with pytest.raises(TooFewSites, match="north: RuntimeError: no film"):
        run(plan_with(strategy={"name": broken_strategy}), out=tmp_path)


def test_a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on_from_it(plan_with, tmp_path, monkeypatch) -> None:
    whole = run(plan_with(), out=tmp_path / "whole")
    writes = []
    save_file = checkpoint.save_file

    def full_in_round_three(tensors, path) -> None:
        writes.append(path)
        if "round-000003" in str(path):
            raise OSError(28, "No space left on device")
        save_file(tensors, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full_in_round_three)
        with pytest.raises(CheckpointError, match=r"round 3 could not be written.*--resume"):
            run(plan_with(), out=tmp_path / "full")
    folder = resume(tmp_path / "full" / "tiny" / "federated-seed0")
    assert weights(folder) == weights(whole)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_cannot_be_written_is_named(plan_with, tmp_path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(PlanError, match=r"locked.*--out"):
        run(plan_with(), out=tmp_path / "locked")


def test_an_output_folder_that_is_a_file_is_named(plan_with, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match=r"cannot be written to .*file.*--out"):
        run(plan_with(), out=tmp_path / "file")


@pytest.mark.parametrize(("settings", "cause"), [
    ({"arm": "federate"}, "no arm 'federate'"),
    ({"arm": "local"}, "name it with --site. Sites: north, south, east"),
    ({"arm": "local", "site": "west"}, "Got: west"),
])
def test_impossible_arms_are_named(plan_with, tmp_path, settings, cause) -> None:
    with pytest.raises(PlanError, match=cause):
        run(plan_with(), out=tmp_path, **settings)
