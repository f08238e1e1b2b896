"""The hub against a session and a server that do as the test says."""

import itertools
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from field import plan_of
from nvflare.fuel.flare_api.api_spec import JobNotFound, NoConnection

from wardround.errors import NetworkError
from wardround.network import hub as hubs
from wardround.network.auditlog import lines
from wardround.network.control import Phase, Progress
from wardround.network.folders import StudyFolder
from wardround.network.hub import COMPLETED, HUNG_S, Pulse, StudyHub
from wardround.network.patience import MOST_VAIN, Patience
from wardround.network.rehearsal import free_ports
from wardround.network.startup import DEAD_AFTER_S
from wardround.network.study import new_study
from wardround.runs.alone import alone

RUN = "federated"
MOMENTS = itertools.count(10**18, 10**9)  # no two are the same


@dataclass
class Server:
    """In the place of a Servant, and of the session with it. sites: whose hearts beat. error: raised by whatever is asked."""

    sites: tuple[str, ...] = ()
    status: dict[str, str] = field(default_factory=dict)  # of jobs
    tokens: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    error: Exception | None = None
    is_answer_lost: bool = False  # of the next job that is submitted
    is_dead: bool = False
    num_starts: int = 0
    num_ends: int = 0
    num_closed: int = 0
    pid: int | None = None

    # Servant

    @property
    def is_due(self) -> bool:
        return self.pid is None

    def has_died(self) -> bool:
        found, self.is_dead = self.is_dead, False
        if found:
            self.pid = None
        return found

    def start(self) -> None:
        self.pid, self.num_starts = 1, self.num_starts + 1

    def end(self) -> None:
        self.pid, self.num_ends = None, self.num_ends + 1

    # Session

    def get_connected_client_list(self) -> list[Any]:
        self._answer()
        return [SimpleNamespace(name=name, last_connect_time=next(MOMENTS)) for name in self.sites]

    def submit_job(self, folder: str, submit_token: str) -> str:
        self._answer()
        self.folders.append(Path(folder))
        if submit_token not in self.tokens:
            self.tokens.append(submit_token)
            self.status[f"job-{len(self.tokens)}"] = "RUNNING"
        if self.is_answer_lost:
            self.is_answer_lost = False
            raise NoConnection
        return f"job-{self.tokens.index(submit_token) + 1}"

    def get_job_meta(self, job: str) -> dict[str, str]:
        self._answer()
        if job not in self.status:
            raise JobNotFound
        return {"status": self.status[job]}

    def abort_job(self, job: str) -> None:
        self._answer()
        self.aborted.append(job)

    def close(self) -> None:
        self.num_closed += 1

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error

    def is_connected(self, *sites: str) -> None:
        self.sites = sites

    def ended(self, how: str = "FINISHED:EXECUTION_EXCEPTION") -> None:
        self.status[f"job-{len(self.tokens)}"] = how


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return new_study("clinics", plan_of("north", "south", settings=("cohort.min_sites=1",)), ["north", "south"],
                     f"localhost:{free_ports()}", tmp_path_factory.mktemp("made") / "study")


@pytest.fixture
def study(made: StudyFolder, tmp_path: Path) -> StudyFolder:
    shutil.copytree(made.path, tmp_path / "a study")
    return StudyFolder(tmp_path / "a study")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The hub's own clock, in one number; waiting moves it."""
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(hubs, "time", SimpleNamespace(monotonic=lambda: now[0], time=time.time, sleep=sleep))
    return now


@pytest.fixture
def hub(study: StudyFolder, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> StudyHub:
    made = StudyHub(study)
    server = Server()
    made._server = server  # type: ignore[assignment]
    monkeypatch.setattr(made, "_opened", lambda: server)
    monkeypatch.setattr(os, "fsync", lambda file: None)
    made.state.want(want="run", wait_for=1)
    return made


@pytest.fixture
def server(hub: StudyHub) -> Server:
    return hub._server  # type: ignore[return-value]


@pytest.fixture
def turn(hub: StudyHub, clock: list[float]) -> Callable[..., str]:
    """Turns of the hub over some seconds; returns what it says of itself."""
    def turns(seconds: float = 0.5) -> str:
        until = clock[0] + seconds
        while clock[0] < until:
            hub._turn()
            clock[0] += 0.5
        told = hub.state.hub
        return told.text if told else ""
    return turns


@pytest.fixture
def signals() -> Iterator[None]:
    """Handlers of signals are the test's again after it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def tell(hub: StudyHub, phase: Phase, round: int = 0) -> None:
    hub.state.tell(Progress(phase=phase, round=round, run=RUN, num_rounds=9))


def stands(hub: StudyHub, phase: Phase, round: int) -> None:
    """The run stood so when the hub was started."""
    tell(hub, phase, round)
    hub._patience = Patience(hub.state.progress)


def kinds(study: StudyFolder) -> list[str]:
    return [line.kind for line in lines(study.audit_file)]


def register(hub: StudyHub, site: str) -> None:
    """As the gate does when the site's program comes in, at another moment than before."""
    hub.state.came_in(site)
    os.utime(hub.state.folder / "registered" / site, ns=(next(MOMENTS), next(MOMENTS)))


# jobs


def test_a_job_is_submitted_when_enough_sites_are_connected(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    hub.state.want(wait_for=2)
    server.is_connected("north")
    assert turn(5) == "1 of 2 sites are connected, 2 are needed"
    assert server.tokens == []
    server.is_connected("north", "south")
    turn()
    assert len(server.tokens) == 1 and hub.state.members.keys() == {"north", "south"}


def test_the_plan_s_least_number_of_sites_is_waited_for(hub: StudyHub, server: Server, study: StudyFolder,
                                                        turn: Callable[..., str]) -> None:
    study.plan_file.write_text(study.plan_file.read_text().replace("min_sites = 1", "min_sites = 2"))
    tell(hub, "handover", 3)
    server.is_connected("north")
    assert turn() == "1 of 2 sites are connected, 2 are needed"


def test_a_run_that_has_begun_waits_for_no_more_than_the_plan_does(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    hub.state.want(wait_for=2)
    tell(hub, "handover", 3)
    server.is_connected("north")
    turn()
    assert len(server.tokens) == 1


def test_strangers_are_not_counted(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    server.is_connected("east")
    assert turn() == "0 of 2 sites are connected, 1 are needed"


def test_there_are_never_two_jobs(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    server.is_connected("north")
    turn(60)
    assert len(server.tokens) == 1


def test_a_job_whose_answer_was_lost_is_not_another_one(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    server.is_connected("north")
    server.is_answer_lost = True
    turn(3)
    assert server.status.keys() == {"job-1"} and len(server.folders) == 2
    assert hub.state.hub is not None and hub.state.hub.job == "job-1" and hub.state.hub.jobs == 1


def test_of_a_server_that_died_over_a_submission_a_new_job_is_asked(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    server.is_connected("north")
    server.is_answer_lost = True
    turn()
    server.is_dead = True
    turn(3)
    assert len(set(server.tokens)) == 2


def test_a_job_that_was_lost_is_followed_by_another(hub: StudyHub, server: Server, study: StudyFolder, turn: Callable[..., str]) -> None:
    server.is_connected("north")
    tell(hub, "training", 2)
    turn()
    tell(hub, "training", 3)
    server.is_dead = True
    server.status["job-1"] = "RUNNING"  # as NVFLARE has it for ever
    turn(4)
    assert len(server.tokens) == 2
    assert kinds(study)[-4:] == ["job", "job-lost", "job-ended", "job"]


def test_pauses_between_jobs_in_vain_grow(hub: StudyHub, server: Server, clock: list[float], turn: Callable[..., str]) -> None:
    server.is_connected("north")
    stands(hub, "training", 2)
    turn()
    pauses = []
    for number in range(1, MOST_VAIN):
        server.ended()
        began = clock[0]
        while len(server.tokens) == number:
            turn()
        pauses.append(clock[0] - began)
    assert pauses == sorted(pauses) and pauses[0] < 4 and 28 < pauses[-1] < 34


def test_after_jobs_in_vain_the_run_has_failed_and_says_where_to_look(hub: StudyHub, server: Server, study: StudyFolder,
                                                                      turn: Callable[..., str]) -> None:
    server.is_connected("north")
    stands(hub, "training", 2)
    for number in range(1, MOST_VAIN + 1):
        while len(server.tokens) < number:
            turn()
        server.ended()
        turn()
    progress = hub.state.progress
    assert progress.phase == "failed" and progress.round == 2
    assert f"{study.server / 'job-6' / 'log.txt'}" in progress.text and "wardround study resume" in progress.text
    turn(100)
    assert len(server.tokens) == MOST_VAIN
    assert "gave-up" in kinds(study)


def test_a_failed_run_that_is_taken_up_again_is_tried_again(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    test_after_jobs_in_vain_the_run_has_failed_and_says_where_to_look(hub, server, hub.study, turn)
    hub.state.tell(replace(hub.state.progress, phase="handover", text="goes on"))
    turn(40)
    assert len(server.tokens) == MOST_VAIN + 1 and hub.state.progress.phase != "failed"


@pytest.mark.parametrize("why", ["it said so", "a site has gone", "a site's program is another one"])
def test_jobs_that_ended_for_want_of_sites_are_not_in_vain(hub: StudyHub, server: Server, turn: Callable[..., str], why: str) -> None:
    stands(hub, "waiting", 2)
    for number in range(1, 3 * MOST_VAIN):
        server.is_connected("north", "south")
        while len(server.tokens) < number:
            turn()
        if why == "a site has gone":
            server.is_connected("north")
        if why == "a site's program is another one":
            register(hub, "south")
        server.ended(COMPLETED if why == "it said so" else "FINISHED:ABORTED")
        turn()
    assert hub.state.progress.phase == "waiting"


def test_a_job_that_nvflare_does_not_know_has_ended(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    server.is_connected("north")
    turn()
    del server.status["job-1"]
    turn(5)
    assert len(server.tokens) == 2


# boundaries


def test_a_site_that_came_back_wants_a_boundary(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    server.is_connected("north")
    turn(2)
    assert not hub.state.boundary.exists()
    server.is_connected("north", "south")
    turn()
    assert hub.state.boundary.read_text() == "sites that came back: south"


def test_a_site_whose_program_came_in_anew_wants_a_boundary(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    register(hub, "north")
    server.is_connected("north")
    turn(2)
    assert not hub.state.boundary.exists()
    register(hub, "north")
    turn()
    assert hub.state.boundary.exists()


def test_a_clock_that_was_set_back_hides_nobody_who_came_in(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    register(hub, "north")
    server.is_connected("north")
    turn(2)
    os.utime(hub.state.folder / "registered" / "north", ns=(10**17, 10**17))
    turn()
    assert hub.state.boundary.exists()


def test_a_boundary_is_asked_for_once_and_gone_with_the_next_job(hub: StudyHub, server: Server, study: StudyFolder,
                                                                 turn: Callable[..., str]) -> None:
    server.is_connected("north")
    turn()
    server.is_connected("north", "south")
    turn(10)
    assert kinds(study).count("boundary") == 1
    tell(hub, "handover", 2)
    server.ended(COMPLETED)
    turn(5)
    assert len(server.tokens) == 2 and not hub.state.boundary.exists()
    assert hub.state.members.keys() == {"north", "south"}


# wishes


def test_a_paused_study_gets_no_job_until_it_goes_on(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    hub.state.want(want="pause")
    server.is_connected("north")
    assert turn(10) == "paused"
    assert server.tokens == []
    hub.state.want(want="run")
    turn()
    assert len(server.tokens) == 1


def test_a_job_that_was_paused_leaves_its_study_served(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    server.is_connected("north")
    turn()
    hub.state.want(want="pause")
    tell(hub, "paused", 2)
    server.ended(COMPLETED)
    assert turn(10) == "paused"
    assert len(server.tokens) == 1 and server.pid is not None


def test_a_stopped_study_with_a_model_gets_one_more_job_for_its_test(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    hub.state.want(want="stop", wait_for=2)
    tell(hub, "handover", 2)
    server.is_connected("north")
    turn()
    assert len(server.tokens) == 1
    tell(hub, "stopped", 2)
    turn(10)
    assert len(server.tokens) == 1


def test_a_stopped_study_without_a_model_gets_none(hub: StudyHub, server: Server, turn: Callable[..., str]) -> None:
    hub.state.want(want="stop")
    server.is_connected("north")
    turn(5)
    assert server.tokens == []


# the server and its session


@pytest.mark.parametrize("error", [NoConnection("no"), RuntimeError("odd"), OSError("broken")])
def test_the_hub_and_its_job_outlive_a_session_that_raises(hub: StudyHub, server: Server, study: StudyFolder, turn: Callable[..., str],
                                                           error: Exception) -> None:
    server.is_connected("north")
    turn()
    server.error = error
    assert turn(5).startswith(f"waiting for the server to answer ({type(error).__name__}")
    server.error = None
    assert turn() == "job 1 is running"
    assert server.num_closed > 0 and len(server.tokens) == 1 and "job-lost" not in kinds(study)


def test_the_same_failure_is_logged_once(hub: StudyHub, server: Server, turn: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    turn()
    server.error = NoConnection("no")
    with caplog.at_level(logging.WARNING):
        turn(20)
    assert len(caplog.records) == 1


def test_a_server_that_answers_nothing_for_minutes_is_started_anew(hub: StudyHub, server: Server, study: StudyFolder,
                                                                   turn: Callable[..., str]) -> None:
    server.is_connected("north")
    turn()
    server.error = NoConnection("no")
    turn(HUNG_S - 5)
    assert server.num_starts == 1
    turn(10)
    assert server.num_starts == 2 and server.num_ends == 1 and "job-lost" in kinds(study)


def test_a_plan_that_cannot_be_read_is_said_and_no_fault_of_the_server(hub: StudyHub, server: Server, study: StudyFolder,
                                                                       turn: Callable[..., str]) -> None:
    server.is_connected("north")
    study.plan_file.write_text("name = ")
    assert "plan" in turn(2 * HUNG_S)
    assert server.num_starts == 1


@pytest.mark.parametrize("name", ["port", "admin_port"])
def test_a_port_that_is_taken_is_said_until_it_is_free(hub: StudyHub, server: Server, study: StudyFolder, turn: Callable[..., str],
                                                       name: str) -> None:
    port = study.record()[name]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        told = turn(3)
        assert told.startswith(f"port {port} is taken by another program") and "study.json" in told
        assert server.num_starts == 0
    assert turn() != told
    assert server.num_starts == 1


def test_another_port_in_the_study_s_record_counts_from_the_server_s_next_start(hub: StudyHub, server: Server, study: StudyFolder,
                                                                                turn: Callable[..., str]) -> None:
    (study.path / "study.json").write_text(json.dumps({**study.record(), "admin_port": 23999}))
    turn()
    assert json.loads((study.admin / "startup" / "fed_admin.json").read_text())["admin"]["port"] == 23999


def test_jobs_that_an_earlier_server_left_are_gone(hub: StudyHub, study: StudyFolder, turn: Callable[..., str]) -> None:
    (study.server / "storage" / "jobs" / "old").mkdir(parents=True)
    turn()
    assert not (study.server / "storage").exists()


def test_a_server_that_does_not_listen_yet_is_starting(study: StudyFolder) -> None:
    with pytest.raises(NetworkError, match="the server is starting"):
        StudyHub(study)._opened()


# who is connected


def test_a_site_that_has_not_beaten_for_a_while_is_gone(clock: list[float]) -> None:
    pulse = Pulse()
    assert pulse.living({"north": 5.0}) == {"north": 5.0}
    clock[0] += DEAD_AFTER_S - 1
    assert pulse.living({"north": 5.0})
    clock[0] += 2
    assert pulse.living({"north": 5.0}) == {}
    assert pulse.living({"north": 6.0})


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_is_set_costs_no_site_its_connection(clock: list[float], jump: float) -> None:
    pulse = Pulse()
    pulse.living({"north": 1e9})
    clock[0] += 4
    assert pulse.living({"north": 1e9 + 4 + jump})
    clock[0] += DEAD_AFTER_S + 1
    assert pulse.living({"north": 1e9 + 4 + jump}) == {}


# beginning and end


def test_a_study_that_is_over_is_not_served(hub: StudyHub, server: Server, signals: None) -> None:
    tell(hub, "finished", 4)
    hub.serve()
    assert server.tokens == []


def test_the_hub_ends_when_the_run_is_over(hub: StudyHub, server: Server, study: StudyFolder, signals: None) -> None:
    server.is_connected("north")
    hub._see = lambda connected, text: tell(hub, "finished", 4)  # type: ignore[method-assign]
    hub.serve()
    assert server.pid is None and server.aborted == []
    assert kinds(study)[-1] == "hub-ended"


def test_a_signal_ends_the_hub_its_job_and_its_server(hub: StudyHub, server: Server, study: StudyFolder, signals: None) -> None:
    server.is_connected("north")
    hub._see = lambda connected, text: os.kill(os.getpid(), signal.SIGTERM)  # type: ignore[method-assign]
    hub.serve(stays=True)
    assert server.aborted == ["job-1"] and server.num_ends == 1 and server.num_closed == 1


def test_a_server_that_does_not_answer_is_ended_all_the_same(hub: StudyHub, server: Server, signals: None) -> None:
    server.is_connected("north")
    hub._turn()
    server.error = NoConnection("no")
    hub._end(15, None)
    hub.serve()
    assert server.num_ends == 1


def test_a_signal_at_the_start_is_heeded(hub: StudyHub, server: Server, monkeypatch: pytest.MonkeyPatch, signals: None) -> None:
    monkeypatch.setattr(hubs, "end_all", lambda workspace: os.kill(os.getpid(), signal.SIGTERM))
    hub.serve(stays=True)
    assert server.num_starts == 0


def hub_process(study: str, cwd: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "wardround.network.hub", study, *arguments], cwd=cwd, capture_output=True, text=True,
                          timeout=60, check=False, **options)


def test_a_study_has_one_hub(study: StudyFolder) -> None:
    with alone(study.state):
        found = hub_process(study.path.name, study.path.parent)
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1].endswith(f"ERROR another hub serves the study in {study.path}: see wardround study status")


def test_a_folder_that_is_no_study_is_said_in_one_line(tmp_path: Path) -> None:
    found = hub_process(".", tmp_path)
    assert found.returncode == 1 and len(found.stderr.splitlines()) == 1 and "is not a study's folder" in found.stderr


def test_a_study_s_folder_may_be_relative(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study.path.parent)
    hub = StudyHub(StudyFolder(Path(study.path.name)))
    hub._prepare()
    assert hub._server.workspace == study.server and hub._server.environment["WARDROUND_STUDY"] == str(study.path)
    assert str(study.server) in (study.server / "local" / "resources.json").read_text()


def test_the_hub_knows_its_server_by_the_folder_s_real_name(study: StudyFolder, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(study.path)
    assert StudyHub(StudyFolder(tmp_path / "link"))._server.workspace == study.server
