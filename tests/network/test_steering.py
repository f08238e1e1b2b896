"""A study is steered by wishes and a hub that is there; whoever waits is told for what."""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from wardround.errors import NetworkError
from wardround.network import authority, steering
from wardround.network.approval import plan_hash
from wardround.network.auditlog import lines
from wardround.network.control import Control, Hub, Phase, Progress, State
from wardround.network.folders import StudyFolder
from wardround.network.status import Status

NOBODY = 2**22 + 1  # no process has this number
PLAN = 'name = "clinics"\n'
RUN = f"federated-seed0-{plan_hash(PLAN)[:8]}"
HUB = """
import json, os, sys, time
print("the hub began", flush=True)
if "{kind}" == "ends":
    sys.exit(1)
while True:
    record = dict(pid=os.getpid(), text="waits", connected=dict(), jobs=0, job="{job}", at=time.time())
    open("{path}.part", "w").write(json.dumps(record))
    os.replace("{path}.part", "{path}")
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = StudyFolder(tmp_path_factory.mktemp("made"))
    (study.path / "study.json").write_text(json.dumps({"name": "clinics", "host": "localhost"}))
    authority.found(study, name="clinics", host="localhost")
    return study.authority


@pytest.fixture
def study(root: Path, tmp_path: Path) -> StudyFolder:
    study = StudyFolder(tmp_path / "study")
    study.path.mkdir()
    record = {"name": "clinics", "host": "localhost", "port": 8002, "admin_port": 8003, "sites": ["north", "south"]}
    (study.path / "study.json").write_text(json.dumps(record))
    study.plan_file.write_text(PLAN)
    study.authority.symlink_to(root)
    return study


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch):
    """Hubs that were begun, of a kind: "stays" or "ends" at once. All are ended."""
    processes = []

    def use(study: StudyFolder, kind: str, job: str = ""):
        code = HUB.format(kind=kind, job=job, path=study.state / "hub.json")
        monkeypatch.setattr(steering, "_command", lambda study: [sys.executable, "-c", code])
        started = steering._started
        monkeypatch.setattr(steering, "_started", lambda study: processes.append(started(study)) or processes[-1])
        return processes

    yield use
    for process in processes:
        process.kill()
        process.wait()


def stands(study: StudyFolder, phase: Phase, **changes: object) -> State:
    state = State(study)
    state.tell(Progress(**{"phase": phase, "run": RUN, "round": 2, "num_rounds": 9, **changes}))  # type: ignore[arg-type]
    return state


def with_results(study: StudyFolder) -> None:
    (study.runs / RUN).mkdir(parents=True)
    (study.runs / RUN / "scores.json").write_text("{}")


@pytest.mark.parametrize(("text", "number"), [("all", 2), ("1", 1), ("2", 2)])
def test_so_many_sites_are_waited_for(study: StudyFolder, text: str, number: int) -> None:
    assert steering.number_of(study, text) == number


@pytest.mark.parametrize("text", ["0", "3", "-1", "most", ""])
def test_no_study_waits_for_sites_that_it_does_not_have(study: StudyFolder, text: str) -> None:
    with pytest.raises(NetworkError, match="give 'all', or a number from 1 to 2"):
        steering.number_of(study, text)


def test_what_is_wanted_is_written_down_and_logged(study: StudyFolder) -> None:
    steering.begin(study, wait_for=2, with_local=True)
    assert State(study).control == Control(want="run", wait_for=2, with_local=True)
    assert [(line.kind, line.facts["want"]) for line in lines(study.audit_file)] == [("wanted", "run")]


def test_going_on_changes_nothing_else_that_was_wanted(study: StudyFolder) -> None:
    State(study).want(want="pause", wait_for=2, with_local=True)
    steering.go_on(study)
    assert State(study).control == Control(want="run", wait_for=2, with_local=True)


@pytest.mark.parametrize("phase", ["finished", "stopped"])
def test_a_run_that_was_tested_does_not_go_on(study: StudyFolder, phase: Phase) -> None:
    stands(study, phase)
    with_results(study)
    with pytest.raises(NetworkError, match="test images are read once"):
        steering.go_on(study)


@pytest.mark.parametrize("phase", ["stopped", "failed"])
def test_a_run_that_ended_untested_goes_on_where_it_was(study: StudyFolder, phase: Phase) -> None:
    stands(study, phase)
    steering.go_on(study)
    progress = State(study).progress
    assert (progress.phase, progress.run, progress.round) == ("handover", RUN, 2)


def test_a_study_that_was_stopped_before_it_had_a_run_can_begin(study: StudyFolder) -> None:
    steering.rest(study, "stop", timeout_s=9)
    steering.go_on(study)
    assert State(study).progress.phase == "none"


def test_a_failure_after_the_test_goes_on_with_what_is_left(study: StudyFolder) -> None:
    stands(study, "failed")
    with_results(study)
    steering.go_on(study)
    assert State(study).progress.phase == "handover"


@pytest.mark.parametrize("phase", ["finished", "paused"])
def test_another_plan_begins_anew(study: StudyFolder, phase: Phase) -> None:
    stands(study, phase)
    with_results(study)
    study.plan_file.write_text('name = "another"\n')
    steering.go_on(study)
    assert State(study).progress == replace(Progress(), at=State(study).progress.at)


def test_a_hub_is_started_once(study: StudyFolder, begun) -> None:
    processes = begun(study, "stays")
    steering.see_to_hub(study)
    steering.see_to_hub(study)
    assert len(processes) == 1
    assert State(study).hub.pid == processes[0].pid


def test_a_hub_outlives_the_terminal_of_the_command(study: StudyFolder, begun) -> None:
    processes = begun(study, "stays")
    steering.see_to_hub(study)
    assert os.getsid(processes[0].pid) == processes[0].pid


def test_a_hub_that_ends_at_once_is_told_with_its_last_words(study: StudyFolder, begun) -> None:
    begun(study, "ends")
    with pytest.raises(NetworkError, match=r"ended at once(.|\n)*the hub began"):
        steering.see_to_hub(study)


def test_a_hub_that_says_nothing_is_not_waited_for_for_ever(study: StudyFolder) -> None:
    State(study).see(Hub(pid=os.getpid()))
    with pytest.raises(NetworkError, match=r"has not answered for 0\.3 s"):
        steering.see_to_hub(study, timeout_s=0.3)


def test_a_study_is_followed_to_its_end(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "LOOK_S", 0.01)
    state = stands(study, "training")
    state.see(Hub(pid=os.getpid()))
    seen = []

    def show(status: Status) -> None:
        seen.append(status.phase)
        stands(study, "testing" if len(seen) == 1 else "finished")

    assert steering.follow(study, show).phase == "finished"
    assert seen == ["training", "testing", "finished"]


def test_a_hub_that_dies_is_told_with_what_to_do(study: StudyFolder) -> None:
    stands(study, "training").see(Hub(pid=NOBODY))
    with pytest.raises(NetworkError, match=r"does not run any more(.|\n)*wardround study resume"):
        steering.follow(study, lambda status: None)


def test_a_pause_is_waited_for(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    stands(study, "training").see(Hub(pid=os.getpid(), job="1"))
    monkeypatch.setattr(steering.time, "sleep", lambda seconds: stands(study, "paused"))
    assert steering.rest(study, "pause", timeout_s=9).phase == "paused"
    assert State(study).control.want == "pause"


@pytest.mark.parametrize("want", ["pause", "stop"])
def test_whoever_waits_too_long_is_told_for_what_and_the_wish_stands(study: StudyFolder, want: str) -> None:
    stands(study, "training").see(Hub(pid=os.getpid(), job="1"))
    with pytest.raises(NetworkError, match="the study is training, round 2 of 9, and rests when the round ends"):
        steering.rest(study, want, timeout_s=0)  # type: ignore[arg-type]
    assert State(study).control.want == want


def test_a_hub_without_a_job_rests_when_it_knows_the_wish(study: StudyFolder, begun) -> None:
    begun(study, "stays")
    steering.see_to_hub(study)
    began = time.time()
    assert steering.rest(study, "pause", timeout_s=9).phase == "none"
    assert State(study).hub.at > began


def test_a_stop_while_nothing_runs_starts_the_hub_which_has_the_best_round_tested(study: StudyFolder, begun) -> None:
    processes = begun(study, "stays")
    stands(study, "paused")
    with pytest.raises(NetworkError, match="the study is paused, round 2 of 9"):  # this hub tests nothing
        steering.rest(study, "stop", timeout_s=1)
    assert processes and State(study).control.want == "stop"


def test_a_stop_before_the_first_round_ends_the_run(study: StudyFolder) -> None:
    found = steering.rest(study, "stop", timeout_s=9)
    assert (found.phase, found.text) == ("stopped", "before the first round")


@pytest.mark.parametrize("want", ["pause", "stop"])
def test_a_run_that_is_over_does_not_rest(study: StudyFolder, want: str) -> None:
    stands(study, "finished")
    with pytest.raises(NetworkError, match="is over already"):
        steering.rest(study, want, timeout_s=1)  # type: ignore[arg-type]


class Became(Exception):
    """Another program took this one's place."""


@pytest.fixture
def exec_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def become(path: str, command: list[str]) -> None:
        raise Became(command)

    monkeypatch.setattr(steering.os, "execv", become)


@pytest.mark.usefixtures("exec_is_told")
def test_a_service_becomes_the_hub_and_stays(study: StudyFolder) -> None:
    with pytest.raises(Became) as caught:
        steering.serve(study, wait_for=2, with_local=False)
    assert caught.value.args[0][-3:] == ["wardround.network.hub", str(study.path), "--stays"]
    assert State(study).control.wait_for == 2


@pytest.mark.usefixtures("exec_is_told")
def test_a_machine_that_starts_again_wakes_no_study_that_was_paused_or_is_over(study: StudyFolder) -> None:
    State(study).want(want="pause")
    with pytest.raises(Became):
        steering.serve(study, wait_for=2, with_local=False)
    assert State(study).control.want == "pause"
    State(study).want(want="run")
    stands(study, "failed")
    with pytest.raises(Became):
        steering.serve(study, wait_for=2, with_local=False)
    assert State(study).progress.phase == "failed"
