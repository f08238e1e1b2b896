"""A process that is kept running, with small programs in NVFLARE's place: what they do is told by a file in their workspace."""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from wardround.errors import NetworkError
from wardround.network import servant
from wardround.network.servant import STEADY_S, Servant, end_all, is_listening, obstacle, settings

# as NVFLARE's parents do: a job's process has a module of its own and the same workspace in its command line
PROGRAM = """
import os, subprocess, sys, time
workspace = sys.argv[sys.argv.index("-m") + 1]
if "die" in sys.argv:
    sys.exit("why it died")
if "job" not in sys.argv:
    job = subprocess.Popen([sys.executable, "-m", "nvflare.private.fed.app.pretended", "-m", workspace, "job"], start_new_session=True)
    open(os.path.join(workspace, "job.pid.part"), "w").write(str(job.pid))
    os.rename(os.path.join(workspace, "job.pid.part"), os.path.join(workspace, "job.pid"))
time.sleep(60)
"""
MODULE = "nvflare.private.fed.app.pretended"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """PROGRAM under a name of NVFLARE's, found before NVFLARE itself."""
    folder = tmp_path / "modules" / "nvflare" / "private" / "fed" / "app"
    folder.mkdir(parents=True)
    for parent in folder.relative_to(tmp_path / "modules").parents:
        (tmp_path / "modules" / parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "pretended.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    return MODULE


@pytest.fixture
def make(tmp_path: Path, module: str) -> Iterator[Callable[..., Servant]]:
    """Servants, each with a workspace of its own; they are ended with the test."""
    made: list[Servant] = []

    def servant(name: str = "a b", *arguments: str) -> Servant:
        workspace = tmp_path / name
        workspace.mkdir(exist_ok=True)
        made.append(Servant(module=module, workspace=workspace, arguments=arguments, environment=settings(), output=workspace / "out"))
        return made[-1]

    yield servant
    for each in made:
        each.end()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The servant's own clock, in one number."""
    now = [1000.0]

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr(servant, "time", Clock)
    return now


def until(holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come about")


def job_of(servant: Servant) -> psutil.Process:
    path = servant.workspace / "job.pid"
    until(path.exists)
    return psutil.Process(int(path.read_text()))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def death_of(servant: Servant) -> None:
    """Start it, and wait until its death is seen."""
    servant.start()
    until(servant.has_died)


def test_one_that_was_never_started_is_due_at_once(make: Callable[..., Servant]) -> None:
    servant = make()
    assert servant.is_due and servant.pid is None and not servant.has_died()


def test_one_that_runs_is_not_due(make: Callable[..., Servant]) -> None:
    servant = make()
    servant.start()
    assert servant.pid is not None and not servant.is_due and not servant.has_died()


def test_what_it_says_is_kept_over_its_lives(make: Callable[..., Servant]) -> None:
    servant = make("a b", "die")
    death_of(servant)
    death_of(servant)
    assert servant.output.read_text().count("why it died") == 2


def test_the_pause_before_it_is_started_again_grows_to_a_minute(make: Callable[..., Servant], clock: list[float]) -> None:
    servant, pauses = make("a b", "die"), []
    for _ in range(9):
        death_of(servant)
        began = clock[0]
        while not servant.is_due:
            clock[0] += 0.5
        pauses.append(clock[0] - began)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_one_that_lived_long_is_started_again_soon(make: Callable[..., Servant], clock: list[float]) -> None:
    servant = make("a b", "die")
    for _ in range(5):
        death_of(servant)
    servant.start()
    clock[0] += STEADY_S + 1
    until(servant.has_died)
    assert servant.num_deaths == 1


def test_a_death_is_told_once(make: Callable[..., Servant]) -> None:
    servant = make("a b", "die")
    death_of(servant)
    assert not servant.has_died()


def test_jobs_outlive_no_parent(make: Callable[..., Servant]) -> None:
    servant = make()
    servant.start()
    job = job_of(servant)
    psutil.Process(servant.pid).kill()
    until(servant.has_died)
    assert is_gone(job)


def test_its_end_is_the_end_of_all_it_began(make: Callable[..., Servant]) -> None:
    servant = make()
    servant.start()
    job, pid = job_of(servant), servant.pid
    servant.end()
    assert servant.pid is None and is_gone(job) and not psutil.pid_exists(pid or 0)


def test_to_end_it_twice_is_to_end_it(make: Callable[..., Servant]) -> None:
    servant = make()
    servant.start()
    servant.end()
    servant.end()
    assert servant.is_due


def test_nothing_of_another_workspace_is_ended_even_if_its_name_begins_alike(make: Callable[..., Servant]) -> None:
    mine, other = make("site"), make("site-2")
    for each in (mine, other):
        each.start()
    job = job_of(other)
    job_of(mine)
    mine.end()
    assert not is_gone(job) and not other.has_died()


def test_no_program_is_ended_that_only_names_the_workspace(make: Callable[..., Servant], tmp_path: Path) -> None:
    servant = make()
    bystander = psutil.Popen([sys.executable, "-c", "import time; time.sleep(30)", str(servant.workspace)])
    end_all(servant.workspace)
    assert bystander.is_running()
    bystander.kill()
    bystander.wait()


def test_what_a_supervisor_that_was_killed_left_is_ended(make: Callable[..., Servant]) -> None:
    servant = make()
    servant.start()
    job, parent = job_of(servant), psutil.Process(servant.pid)
    end_all(servant.workspace)
    assert is_gone(job) and is_gone(parent)


def test_processes_that_may_not_be_ended_are_named(make: Callable[..., Servant], monkeypatch: pytest.MonkeyPatch) -> None:
    servant = make()
    servant.start()
    pid = job_of(servant).pid

    def denied(self: psutil.Process) -> None:
        raise psutil.AccessDenied(self.pid)

    with monkeypatch.context() as patch:
        patch.setattr(psutil.Process, "kill", denied)
        with pytest.raises(NetworkError, match=rf"another user .*{pid}.*go on as that user"):
            end_all(servant.workspace)


def test_programs_of_nvflare_keep_little_freed_memory_and_know_what_they_are_told() -> None:
    found = settings(WARDROUND_SITE="x")
    assert found["MALLOC_ARENA_MAX"] == "2" and found["WARDROUND_SITE"] == "x" and found["PATH"] == os.environ["PATH"]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_at_which_somebody_listens_is_taken(taken: int) -> None:
    assert is_listening("127.0.0.1", taken)
    assert obstacle("localhost", taken) == f"port {taken} is taken by another program"
    assert obstacle("fl.example.org", taken)  # a server with a name listens at every address


def test_a_free_port_is_no_obstacle(taken: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    assert not is_listening("127.0.0.1", port)
    assert obstacle("localhost", port) == obstacle("127.0.0.1", port) == ""


def test_connections_of_a_server_that_has_ended_do_not_take_its_port() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as site:
            server.accept()[0].close()
            site.recv(1)
    assert obstacle("localhost", port) == ""


def test_an_address_that_is_not_this_machine_s_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Refused)
    assert obstacle("localhost", 80) == "port 80 cannot be opened here (Permission denied)"
