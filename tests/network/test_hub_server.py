"""How the hub keeps its server and session, begins and ends; which jobs it submits is in test_hub.py."""

import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nvflare.fuel.flare_api.api_spec import NoConnection
from toy_hub import Bench, made_in

from wardround.errors import NetworkError
from wardround.network import hub as hubs
from wardround.network.folders import StudyFolder
from wardround.network.hub import HUNG_S, StudyHub
from wardround.network.startup import LOG_BYTES
from wardround.runs.alone import alone


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return made_in(tmp_path_factory.mktemp("made"))


@pytest.fixture
def bench(made: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(made, tmp_path, monkeypatch)


@pytest.fixture
def signals() -> Iterator[None]:
    """Handlers of signals are the test's again after it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# the server and its session


@pytest.mark.parametrize("error", [NoConnection("no"), RuntimeError("odd"), OSError("broken")])
def test_the_hub_and_its_job_outlive_a_session_that_raises(bench: Bench, error: Exception) -> None:
    bench.server.is_connected("north")
    bench.turn()
    bench.server.error = error
    assert bench.turn(5).startswith(f"waiting for the server to answer ({type(error).__name__}")
    bench.server.error = None
    assert bench.turn() == "job 1 is running"
    assert bench.server.num_closed > 0 and len(bench.server.tokens) == 1 and "job-lost" not in bench.kinds()


def test_the_same_failure_is_logged_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.turn()
    bench.server.error = NoConnection("no")
    with caplog.at_level(logging.WARNING):
        bench.turn(20)
    assert len(caplog.records) == 1


def test_a_server_that_answers_nothing_for_minutes_is_started_anew(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.turn()
    bench.server.error = NoConnection("no")
    bench.turn(HUNG_S - 5)
    assert bench.server.num_starts == 1
    bench.turn(10)
    assert bench.server.num_starts == 2 and bench.server.num_ends == 1 and "job-lost" in bench.kinds()


def test_a_plan_that_cannot_be_read_is_said_and_no_fault_of_the_server(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.study.plan_file.write_text("name = ")
    assert "plan" in bench.turn(2 * HUNG_S)
    assert bench.server.num_starts == 1


@pytest.mark.parametrize("name", ["port", "admin_port"])
def test_a_port_that_is_taken_is_said_until_it_is_free(bench: Bench, name: str) -> None:
    port = bench.study.record()[name]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        told = bench.turn(3)
        assert told.startswith(f"port {port} is taken by another program") and "study.json" in told
        assert bench.server.num_starts == 0
    assert bench.turn() != told
    assert bench.server.num_starts == 1


def test_another_port_in_the_study_s_record_counts_from_the_server_s_next_start(bench: Bench) -> None:
    (bench.study.path / "study.json").write_text(json.dumps({**bench.study.record(), "admin_port": 23999}))
    bench.turn()
    assert json.loads((bench.study.admin / "startup" / "fed_admin.json").read_text())["admin"]["port"] == 23999


def test_jobs_that_an_earlier_server_left_are_gone(bench: Bench) -> None:
    (bench.study.server / "storage" / "jobs" / "old").mkdir(parents=True)
    bench.turn()
    assert not (bench.study.server / "storage").exists()


def test_nvflare_s_own_log_of_what_it_was_asked_does_not_grow_without_end(bench: Bench) -> None:
    bench.study.server.mkdir()
    (bench.study.server / "audit.log").write_bytes(b"x" * (LOG_BYTES + 1))
    bench.turn()
    assert not (bench.study.server / "audit.log").exists() and (bench.study.server / "audit.log.1").exists()


def test_a_running_job_is_asked_after_once_a_second(bench: Bench, signals: None) -> None:
    turns: list[float] = []

    def see(connected: object, text: str) -> None:
        turns.append(bench.clock[0])
        if len(turns) == 4:
            bench.hub._end(15, None)

    bench.server.is_connected("north")
    bench.hub._see = see  # type: ignore[assignment]
    bench.hub.serve()
    assert [round(after - before, 1) for before, after in itertools.pairwise(turns)] == [1.0, 1.0, 1.0]


def test_a_server_that_does_not_listen_yet_is_starting(bench: Bench) -> None:
    with pytest.raises(NetworkError, match="the server is starting"):
        StudyHub(bench.study)._opened()


# beginning and end


def test_a_study_that_is_over_is_not_served(bench: Bench, signals: None) -> None:
    bench.tell("finished", 4)
    bench.hub.serve()
    assert bench.server.tokens == []


def test_the_hub_ends_when_the_run_is_over(bench: Bench, signals: None) -> None:
    bench.server.is_connected("north")
    bench.hub._see = lambda connected, text: bench.tell("finished", 4)  # type: ignore[method-assign]
    bench.hub.serve()
    assert bench.server.pid is None and bench.server.aborted == []
    assert bench.kinds()[-1] == "hub-ended"


def test_a_signal_ends_the_hub_its_job_and_its_server(bench: Bench, signals: None) -> None:
    bench.server.is_connected("north")
    bench.hub._see = lambda connected, text: os.kill(os.getpid(), signal.SIGTERM)  # type: ignore[method-assign]
    bench.hub.serve(stays=True)
    assert bench.server.aborted == ["job-1"] and bench.server.num_ends == 1 and bench.server.num_closed == 1


def test_a_server_that_does_not_answer_is_ended_all_the_same(bench: Bench, signals: None) -> None:
    bench.server.is_connected("north")
    bench.hub._turn()
    bench.server.error = NoConnection("no")
    bench.hub._end(15, None)
    bench.hub.serve()
    assert bench.server.num_ends == 1


def test_a_signal_at_the_start_is_heeded(bench: Bench, monkeypatch: pytest.MonkeyPatch, signals: None) -> None:
    monkeypatch.setattr(hubs, "end_all", lambda workspace: os.kill(os.getpid(), signal.SIGTERM))
    bench.hub.serve(stays=True)
    assert bench.server.num_starts == 0


def hub_process(study: str, cwd: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "wardround.network.hub", study, *arguments], cwd=cwd, capture_output=True, text=True,
                          timeout=60, check=False, **options)


def test_a_study_has_one_hub(bench: Bench) -> None:
    with alone(bench.study.state):
        found = hub_process(bench.study.path.name, bench.study.path.parent)
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1].endswith(f"ERROR another hub serves the study in {bench.study.path}: see wardround study status")


def test_a_folder_that_is_no_study_is_said_in_one_line(tmp_path: Path) -> None:
    found = hub_process(".", tmp_path)
    assert found.returncode == 1 and len(found.stderr.splitlines()) == 1 and "is not a study's folder" in found.stderr


def test_a_study_s_folder_may_be_relative(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench.study.path.parent)
    hub = StudyHub(StudyFolder(Path(bench.study.path.name)))
    hub._prepare()
    assert hub._server.workspace == bench.study.server and hub._server.environment["WARDROUND_STUDY"] == str(bench.study.path)
    assert str(bench.study.server) in (bench.study.server / "local" / "resources.json").read_text()


def test_the_hub_knows_its_server_by_the_folder_s_real_name(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bench.study.path)
    assert StudyHub(StudyFolder(tmp_path / "link"))._server.workspace == bench.study.server
