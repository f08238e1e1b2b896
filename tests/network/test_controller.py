"""The exchange over NVFLARE's tasks: its own tasks and replies, and a communicator that does as the test says."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from nvflare.apis.client import Client
from nvflare.apis.controller_spec import ClientTask, Task, TaskCompletionStatus
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.apis.signal import Signal

from wardround.fleet.nvflare import Lost
from wardround.network import conduct as conducting
from wardround.network.auditlog import AuditLog, lines
from wardround.network.conduct import JobEnded
from wardround.network.control import State
from wardround.network.controller import GRACE_S, JobExchange, StudyController
from wardround.network.folders import StudyFolder
from wardround.network.jobs import TASK
from wardround.network.parcel import KEY, PIECE, pieces, whole
from wardround.network.startup import STUDY

SITES = ("north", "south", "east")
Reply = Callable[["Controller", Task], object]


class Controller:
    """In the place of NVFLARE's. replies: what a site does when it is sent a task; nothing, if it is not named."""

    def __init__(self, replies: Mapping[str, Reply] | None = None) -> None:
        self.replies = dict(replies or {})
        self.gone: set[str] = set()
        self.sent: list[str] = []
        self.tasks: dict[str, Task] = {}
        self.cancelled: list[str] = []
        self.communicator = SimpleNamespace(get_client_disconnect_time=lambda site: 1.0 if site in self.gone else None)

    def send(self, task: Task, fl_ctx: FLContext, targets: list[str]) -> None:
        (site,) = targets
        task.targets = targets
        self.sent.append(site)
        self.tasks[site] = task
        if site in self.replies:
            self.replies[site](self, task)

    def cancel_task(self, task: Task) -> None:
        self.cancelled += task.targets
        self.end(task, TaskCompletionStatus.CANCELLED)

    def end(self, task: Task, status: TaskCompletionStatus) -> None:
        """As NVFLARE ends a task."""
        if task.completion_status is None:
            task.completion_status = status
            task.task_done_cb(task, FLContext())

    def receive(self, task: Task, reply: Shareable) -> ClientTask:
        """As NVFLARE takes a reply; returns what it remembers of it."""
        found = ClientTask(Client(task.targets[0], "token"), task)
        found.result = reply
        task.result_received_cb(found, FLContext())
        self.end(task, TaskCompletionStatus.OK)
        return found


def says(data: bytes, code: str = ReturnCode.OK) -> Reply:
    def reply(controller: Controller, task: Task) -> None:
        made = make_reply(code)
        made[KEY] = pieces(data)
        controller.receive(task, made)
    return reply


def echoes(controller: Controller, task: Task) -> None:
    says(whole(task.data[KEY], 10**9)[::-1])(controller, task)


def ends(status: TaskCompletionStatus) -> Reply:
    return lambda controller, task: controller.end(task, status)


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    study = StudyFolder(tmp_path / "study")
    state = State(study)
    for site in SITES:
        state.came_in(site)
    state.take(SITES)
    return study


@pytest.fixture
def abort() -> Signal:
    return Signal()


@pytest.fixture
def exchange(study: StudyFolder, abort: Signal) -> Callable[..., JobExchange]:
    def make(controller: Controller, sites: tuple[str, ...] = SITES) -> JobExchange:
        clients = [Client(site, f"token of {site}") for site in sites]
        context = SimpleNamespace(get_engine=lambda: SimpleNamespace(get_clients=lambda: clients))
        return JobExchange(controller, context, abort, State(study))  # type: ignore[arg-type]
    return make


def came_in_anew(study: StudyFolder, site: str) -> None:
    path = study.state / "registered" / site
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))


def asked(exchange: JobExchange, *sites: str) -> dict[str, bytes | Lost]:
    found = list(exchange.ask({site: f"to {site}".encode() for site in sites}, deadline_s=5))
    assert len(found) == len(sites)  # one answer a site
    return dict(found)


def test_each_site_gets_its_own_message_and_gives_one_answer(exchange: Callable[..., JobExchange]) -> None:
    controller = Controller(dict.fromkeys(SITES, echoes))
    assert asked(exchange(controller), *SITES) == {site: f"to {site}".encode()[::-1] for site in SITES}
    assert controller.sent == list(SITES) and controller.cancelled == []
    assert {task.name for task in controller.tasks.values()} == {TASK}


def test_answers_come_in_the_order_of_their_arrival(exchange: Callable[..., JobExchange]) -> None:
    controller = Controller()
    answers = exchange(controller).ask(dict.fromkeys(SITES, b"order"), deadline_s=5)
    first: list[Any] = []
    reader = threading.Thread(target=lambda: first.append(next(answers)))
    reader.start()
    while len(controller.sent) < 3:
        time.sleep(0.01)
    says(b"2")(controller, controller.tasks["south"])
    reader.join()
    says(b"3")(controller, controller.tasks["east"])
    says(b"1")(controller, controller.tasks["north"])
    assert [*first, *answers] == [("south", b"2"), ("east", b"3"), ("north", b"1")]


def test_a_message_of_many_pieces_arrives_whole(exchange: Callable[..., JobExchange]) -> None:
    data = np.random.default_rng(0).bytes(2 * PIECE + 5)
    controller = Controller({"north": echoes})
    (answer,) = list(exchange(controller).ask({"north": data}, deadline_s=5))
    assert answer == ("north", data[::-1])
    assert len(controller.tasks["north"].data[KEY]) == 3


def test_nvflare_waits_a_little_longer_than_the_site_does(exchange: Callable[..., JobExchange]) -> None:
    controller = Controller({"north": echoes})
    list(exchange(controller).ask({"north": b"x"}, deadline_s=1.5))
    assert controller.tasks["north"].timeout == 7 and GRACE_S == 5


def test_a_request_is_encoded_when_it_is_sent_and_never_for_a_site_that_is_away(exchange: Callable[..., JobExchange]) -> None:
    class Requests(dict[str, bytes]):
        def __getitem__(self, site: str) -> bytes:
            read.append(site)
            return b"order"

    read: list[str] = []
    controller = Controller({"north": echoes})
    controller.gone = {"south"}
    list(exchange(controller).ask(Requests.fromkeys(("north", "south"), b""), deadline_s=5))
    assert read == ["north"]


# sites that are away


@pytest.mark.parametrize("why", ["not of this job", "its connection is lost", "its program is another one"])
def test_a_site_that_is_away_is_lost_at_once(exchange: Callable[..., JobExchange], study: StudyFolder, why: str) -> None:
    controller = Controller({"north": echoes})
    made = exchange(controller, ("north", "east") if why == "not of this job" else SITES)
    if why == "its connection is lost":
        controller.gone = {"south"}
    if why == "its program is another one":
        came_in_anew(study, "south")
    assert "south" not in made.sites()
    assert asked(made, "south", "north") == {"south": Lost("not connected"), "north": b"htron ot"}
    assert controller.sent == ["north"]


def test_a_site_whose_program_came_in_anew_meanwhile_is_not_waited_for(exchange: Callable[..., JobExchange], study: StudyFolder) -> None:
    controller = Controller({"south": lambda controller, task: came_in_anew(study, "south")})
    answer = asked(exchange(controller), "south")["south"]
    assert isinstance(answer, Lost) and "started anew" in answer.reason


def test_a_site_that_came_in_after_the_hub_looked_is_not_of_the_job(exchange: Callable[..., JobExchange], study: StudyFolder) -> None:
    State(study).take(["north", "south"])
    assert list(exchange(Controller()).sites()) == ["north", "south"]


def test_a_clock_that_is_set_back_sends_nobody_away(exchange: Callable[..., JobExchange], study: StudyFolder) -> None:
    os.utime(study.state / "registered" / "north", ns=(4 * 10**18, 4 * 10**18))  # it came in "later" than now
    State(study).take(SITES)
    assert list(exchange(Controller()).sites()) == list(SITES)


# what goes wrong


@pytest.mark.parametrize(("status", "why"), [
    (TaskCompletionStatus.TIMEOUT, "no answer before the deadline"), (TaskCompletionStatus.CLIENT_DEAD, "its connection was lost"),
    (TaskCompletionStatus.CANCELLED, "the server gave the order up"), (TaskCompletionStatus.ABORTED, "the job was ended"),
    (TaskCompletionStatus.ERROR, "no answer (TaskCompletionStatus.ERROR)")])
def test_a_task_that_ends_without_a_reply_is_worded(exchange: Callable[..., JobExchange], status: TaskCompletionStatus, why: str) -> None:
    assert asked(exchange(Controller({"north": ends(status), "south": echoes})), "north", "south")["north"] == Lost(why)


@pytest.mark.parametrize(("code", "why"), [
    (ReturnCode.EXECUTION_EXCEPTION, "its program failed over the order"), (ReturnCode.BAD_TASK_DATA, "did not reach it whole"),
    (ReturnCode.TASK_UNKNOWN, "same version of wardround"), (ReturnCode.TASK_ABORTED, "ended at the site"),
    (ReturnCode.UNSAFE_JOB, "its NVFLARE process answered UNSAFE_JOB; the cause is in that site's own log")])
def test_nvflare_s_codes_are_worded(exchange: Callable[..., JobExchange], code: str, why: str) -> None:
    answer = asked(exchange(Controller({"north": says(b"", code)})), "north")["north"]
    assert isinstance(answer, Lost) and why in answer.reason


@pytest.mark.parametrize("content", [None, "text", {}, {"0": "text"}, {"0": np.zeros(3)}, {"1": np.zeros(3, np.uint8)},
                                     {"0": np.zeros((2, 2), np.uint8)}])
def test_a_reply_that_is_no_message_is_named(exchange: Callable[..., JobExchange], content: object) -> None:
    def reply(controller: Controller, task: Task) -> None:
        made = make_reply(ReturnCode.OK)
        made[KEY] = content
        controller.receive(task, made)

    answer = asked(exchange(Controller({"north": reply})), "north")["north"]
    assert isinstance(answer, Lost) and "holds no message" in answer.reason


def test_a_reply_that_is_nothing_is_named(exchange: Callable[..., JobExchange]) -> None:
    controller = Controller({"north": lambda controller, task: controller.receive(task, None)})  # type: ignore[arg-type]
    assert asked(exchange(controller), "north")["north"] == Lost("its answer was empty")


def test_a_reply_that_is_too_large_is_named(exchange: Callable[..., JobExchange], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wardround.network.controller.MAX_BYTES", 10)
    answer = asked(exchange(Controller({"north": says(b"x" * 11)})), "north")["north"]
    assert isinstance(answer, Lost) and "are allowed" in answer.reason


def test_a_second_answer_of_a_site_is_nobody_s(exchange: Callable[..., JobExchange]) -> None:
    def twice(controller: Controller, task: Task) -> None:
        says(b"1")(controller, task)
        task.result_received_cb(ClientTask(Client("north", "token"), task), FLContext())
    assert asked(exchange(Controller({"north": twice, "south": echoes})), "north", "south")["north"] == b"1"


def test_nvflare_keeps_no_reply_in_memory(exchange: Callable[..., JobExchange]) -> None:
    kept: list[ClientTask] = []

    def reply(controller: Controller, task: Task) -> None:
        made = make_reply(ReturnCode.OK)
        made[KEY] = pieces(b"much")
        kept.append(controller.receive(task, made))

    asked(exchange(Controller({"north": reply})), "north")
    assert kept[0].result is None


def test_a_reader_who_stops_early_cancels_what_is_open(exchange: Callable[..., JobExchange]) -> None:
    controller = Controller({"north": echoes})
    answers = exchange(controller).ask(dict.fromkeys(SITES, b"order"), deadline_s=5)
    assert next(answers)[0] == "north"
    answers.close()
    assert sorted(controller.cancelled) == ["east", "south"]


def test_a_task_that_cannot_be_sent_cancels_the_others(exchange: Callable[..., JobExchange]) -> None:
    def fails(controller: Controller, task: Task) -> None:
        raise RuntimeError("no")

    controller = Controller({"south": fails})
    with pytest.raises(RuntimeError, match="no"):
        list(exchange(controller).ask(dict.fromkeys(SITES, b"order"), deadline_s=5))
    assert "north" in controller.cancelled and "east" not in controller.sent


def test_a_job_that_nvflare_ends_is_said_and_nothing_is_left_open(exchange: Callable[..., JobExchange], abort: Signal) -> None:
    controller = Controller({"north": lambda controller, task: abort.trigger("aborted")})
    with pytest.raises(JobEnded, match="goes on in a new one from its last checkpoint"):
        list(exchange(controller).ask(dict.fromkeys(SITES, b"order"), deadline_s=5))
    assert sorted(controller.cancelled) == sorted(SITES)


# the controller


@pytest.fixture
def controller(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> StudyController:
    monkeypatch.setenv(STUDY, str(study.path))
    return StudyController()


def test_a_late_reply_is_logged_by_its_site_and_no_more(controller: StudyController, study: StudyFolder) -> None:
    controller.process_result_of_unknown_task(Client("south", "token"), TASK, "id", Shareable({"secret": 1}), FLContext())
    (line,) = lines(study.audit_file)
    assert (line.kind, line.facts) == ("late", {"site": "south"})


def test_a_late_reply_that_cannot_be_logged_harms_nobody(controller: StudyController, study: StudyFolder) -> None:
    AuditLog(study.audit_file).write("first")
    study.audit_file.write_text("changed\n")
    controller.process_result_of_unknown_task(Client("south", "token"), TASK, "id", Shareable(), FLContext())


def test_the_study_that_the_environment_names_is_conducted(controller: StudyController, study: StudyFolder,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    monkeypatch.setattr(conducting, "conduct", lambda study, exchange: found.extend((study, exchange)))
    controller.control_flow(Signal(), FLContext())
    assert found[0] == study and isinstance(found[1], JobExchange)


def test_a_controller_takes_no_arguments() -> None:
    with pytest.raises(TypeError):
        StudyController(study="elsewhere")  # type: ignore[call-arg]
