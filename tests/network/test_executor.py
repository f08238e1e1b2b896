"""The site's end of NVFLARE: bytes in, bytes out, whatever comes; the agent behind it is scripted."""

import threading
from pathlib import Path

import numpy as np
import pytest
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import ReservedHeaderKey, Shareable
from nvflare.apis.signal import Signal

from wardround.errors import NetworkError
from wardround.network import executor as executors
from wardround.network.executor import SiteExecutor
from wardround.network.folders import SiteFolder
from wardround.network.jobs import TASK
from wardround.network.parcel import KEY, PIECE, pieces, whole
from wardround.network.startup import SITE


class Agent:
    """In the place of a SiteAgent: it answers with what it was asked, backwards."""

    made: list["Agent"]

    def __init__(self, folder: SiteFolder) -> None:
        self.folder, self.asked, self.did = folder, list[bytes](), list[str]()
        Agent.made.append(self)

    def answer(self, data: bytes) -> bytes:
        self.asked.append(data)
        return data[::-1]

    def warm(self) -> None:
        self.did.append("warm")

    def stop(self) -> None:
        self.did.append("stop")

    def close(self) -> None:
        self.did.append("close")


@pytest.fixture(autouse=True)
def agents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Agent]:
    Agent.made = []
    monkeypatch.setattr(executors, "SiteAgent", Agent)
    monkeypatch.setenv(SITE, str(tmp_path / "a site"))
    return Agent.made


def task(content: object) -> Shareable:
    """As NVFLARE gives it: with headers of its own."""
    found = Shareable()
    found.set_header(ReservedHeaderKey.TASK_ID, "the task's id")
    found.set_header(ReservedHeaderKey.TASK_NAME, TASK)
    if content is not None:
        found[KEY] = content
    return found


def executed(executor: SiteExecutor, shareable: Shareable, name: str = TASK) -> Shareable:
    return executor.execute(name, shareable, FLContext(), Signal())


def test_the_agent_s_answer_goes_back(agents: list[Agent], tmp_path: Path) -> None:
    reply = executed(SiteExecutor(), task(pieces(b"order")))
    assert reply.get_return_code() == ReturnCode.OK
    assert whole(reply[KEY], 100) == b"redro"
    assert agents[0].folder == SiteFolder(tmp_path / "a site")


def test_an_answer_of_many_pieces_is_whole() -> None:
    data = np.random.default_rng(0).bytes(PIECE + 7)
    reply = executed(SiteExecutor(), task(pieces(data)))
    assert len(reply[KEY]) == 2 and whole(reply[KEY], len(data)) == data[::-1]


def test_one_agent_answers_all_orders_of_a_job(agents: list[Agent]) -> None:
    executor = SiteExecutor()
    for data in (b"1", b"2"):
        executed(executor, task(pieces(data)))
    assert len(agents) == 1 and agents[0].asked == [b"1", b"2"]


def test_nvflare_s_own_headers_stay_on_the_order_which_it_reads_again() -> None:
    order = task(pieces(b"order"))
    executed(SiteExecutor(), order)
    assert order.get_header(ReservedHeaderKey.TASK_ID) == "the task's id" and order.get_header(ReservedHeaderKey.TASK_NAME) == TASK
    assert KEY not in order  # and its numbers are not held while the site trains


def test_a_reply_has_nvflare_s_return_code_where_nvflare_looks_for_it() -> None:
    reply = executed(SiteExecutor(), task(pieces(b"order")))
    assert reply.get_header(ReservedHeaderKey.RC) == ReturnCode.OK
    assert set(reply) == {ReservedHeaderKey.HEADERS, KEY}


@pytest.mark.parametrize("name", ["train", "", "order ", "__end_run__"])
def test_a_task_that_is_not_ours_is_unknown(agents: list[Agent], name: str) -> None:
    reply = executed(SiteExecutor(), task(pieces(b"order")), name)
    assert reply.get_return_code() == ReturnCode.TASK_UNKNOWN and KEY not in reply
    assert agents == []


@pytest.mark.parametrize("content", [None, "text", b"bytes", {}, {"0": "text"}, {"0": np.zeros(3)}, {"x": np.zeros(3, np.uint8)},
                                     {"0": np.zeros((2, 2), np.uint8)}, [np.zeros(3, np.uint8)]])
def test_a_task_without_a_message_is_bad_data(agents: list[Agent], content: object) -> None:
    reply = executed(SiteExecutor(), task(content))
    assert reply.get_return_code() == ReturnCode.BAD_TASK_DATA and KEY not in reply
    assert agents == []


def test_a_message_that_is_too_large_is_bad_data(agents: list[Agent], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "MAX_BYTES", 10)
    assert executed(SiteExecutor(), task(pieces(b"x" * 11))).get_return_code() == ReturnCode.BAD_TASK_DATA
    assert executed(SiteExecutor(), task(pieces(b"x" * 10))).get_return_code() == ReturnCode.OK


def test_a_site_whose_folder_cannot_be_used_answers_and_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(folder: SiteFolder) -> None:
        raise NetworkError(f"{folder.path} is not a site's folder")

    monkeypatch.setattr(executors, "SiteAgent", fails)
    reply = executed(SiteExecutor(), task(pieces(b"order")))
    assert reply.get_return_code() == ReturnCode.BAD_TASK_DATA
    SiteExecutor().handle_event(EventType.START_RUN, FLContext())  # nor does the job's process die of it
    assert "folder" not in str(dict(reply))


def test_the_agent_is_closed_at_the_end_of_the_run(agents: list[Agent]) -> None:
    executor = SiteExecutor()
    executed(executor, task(pieces(b"order")))
    executor.handle_event(EventType.END_RUN, FLContext())
    executor.handle_event(EventType.END_RUN, FLContext())
    assert agents[0].did == ["close"]


def test_an_abort_stops_what_is_being_done_from_another_thread(agents: list[Agent], monkeypatch: pytest.MonkeyPatch) -> None:
    began, stopped = threading.Event(), threading.Event()

    def trains(self: Agent, data: bytes) -> bytes:
        began.set()
        return b"stopped" if stopped.wait(10) else b"trained to its end"

    monkeypatch.setattr(Agent, "answer", trains)
    monkeypatch.setattr(Agent, "stop", lambda self: stopped.set())
    executor, replies = SiteExecutor(), list[Shareable]()
    thread = threading.Thread(target=lambda: replies.append(executed(executor, task(pieces(b"order")))))
    thread.start()
    assert began.wait(10)
    executor.handle_event(EventType.ABORT_TASK, FLContext())
    thread.join(10)
    assert whole(replies[0][KEY], 100) == b"stopped"


def test_the_worker_begins_with_the_job_not_with_its_first_order(agents: list[Agent]) -> None:
    executor = SiteExecutor()
    executor.handle_event(EventType.START_RUN, FLContext())
    assert agents[0].did == ["warm"]
    executed(executor, task(pieces(b"order")))
    assert len(agents) == 1


@pytest.mark.parametrize("event", [EventType.ABORT_TASK, EventType.END_RUN, EventType.BEFORE_PULL_TASK])
def test_events_before_the_first_order_start_nothing(agents: list[Agent], event: str) -> None:
    SiteExecutor().handle_event(event, FLContext())
    assert agents == []


def test_an_executor_takes_no_arguments() -> None:
    with pytest.raises(TypeError):
        SiteExecutor(folder="elsewhere")  # type: ignore[call-arg]
