"""The server's end in NVFLARE's job process: it runs the study, and carries its orders to the sites' executors."""

from __future__ import annotations

import math
import os
import queue
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nvflare.apis.client import Client
from nvflare.apis.controller_spec import ClientTask, Task, TaskCompletionStatus
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import Shareable
from nvflare.apis.signal import Signal

from wardround.errors import WardroundError, WireError
from wardround.fleet.header import MAX_BYTES
from wardround.fleet.nvflare import Lost
from wardround.network.auditlog import AuditLog
from wardround.network.control import State
from wardround.network.folders import StudyFolder
from wardround.network.jobs import TASK
from wardround.network.parcel import KEY, pieces, whole
from wardround.network.startup import STUDY

TICK_S = 0.05
GRACE_S = 5.0  # after the site's own deadline, for its answer to travel

Came = tuple[str, "Shareable | Lost | None"]


class StudyController(Controller):  # type: ignore[misc]
    """One for each job. It takes no arguments: which study it runs is told by the coordinator's own environment."""

    def __init__(self) -> None:
        super().__init__(task_check_period=TICK_S)

    def start_controller(self, fl_ctx: FLContext) -> None:
        """Nothing: the study begins in control_flow, which may wait."""

    def stop_controller(self, fl_ctx: FLContext) -> None:
        """Nothing is left: checkpoints are written at the ends of rounds."""

    def control_flow(self, abort_signal: Signal, fl_ctx: FLContext) -> None:
        """Run the study until it is done, or the hub wants a boundary."""
        from wardround.network.conduct import conduct  # torch is loaded in this process only, not in the server's parent

        study = StudyFolder(Path(os.environ[STUDY]))
        conduct(study, JobExchange(self, fl_ctx, abort_signal, State(study)))

    def process_result_of_unknown_task(self, client: Client, task_name: str, client_task_id: str, result: Shareable,
                                       fl_ctx: FLContext) -> None:
        """A reply that nobody waits for any more: it came after the deadline, or is of an earlier job. It is not used."""
        self.logger.warning("a late reply of site '%s' is not used", client.name)
        try:
            AuditLog(StudyFolder(Path(os.environ[STUDY])).audit_file).write("late", site=client.name)
        except WardroundError as error:
            self.logger.error("%s", error)


class JobExchange:
    """fleet.nvflare.Exchange over the tasks of a job: one task a site, so that each gets its own message."""

    def __init__(self, controller: StudyController, fl_ctx: FLContext, abort_signal: Signal, state: State) -> None:
        self._controller, self._fl_ctx, self._abort, self._state = controller, fl_ctx, abort_signal, state
        self._members = dict(state.members)  # as the hub found them when it submitted the job

    def sites(self) -> Sequence[str]:
        """The sites of this job that are there."""
        return [client.name for client in self._fl_ctx.get_engine().get_clients() if self._is_there(client.name)]

    def ask(self, requests: Mapping[str, bytes], *, deadline_s: float) -> Iterator[tuple[str, bytes | Lost]]:
        """One answer a site, in order of arrival. JobEnded if NVFLARE ends the job meanwhile."""
        came: queue.SimpleQueue[Came] = queue.SimpleQueue()
        there = set(self.sites())
        waiting: dict[str, Task] = {}
        try:
            for site in requests:
                if site not in there:
                    yield site, Lost("not connected")
                    continue
                waiting[site] = self._task(requests[site], deadline_s, came)
                self._controller.send(waiting[site], self._fl_ctx, targets=[site])
            while waiting:
                site, answer = self._next(came, waiting)
                if waiting.pop(site, None) is not None:
                    yield site, _read(answer)
        finally:
            for task in waiting.values():
                self._controller.cancel_task(task)

    def _next(self, came: queue.SimpleQueue[Came], waiting: Collection[str]) -> Came:
        """The next answer. A site whose program was started anew knows nothing of the job: its answer is not waited for."""
        while True:
            if self._abort.triggered:
                from wardround.network.conduct import JobEnded

                raise JobEnded("NVFLARE has ended the job; the study goes on in a new one from its last checkpoint")
            try:
                return came.get(timeout=TICK_S)
            except queue.Empty:
                if anew := next((site for site in waiting if self._is_anew(site)), None):
                    return anew, Lost("its program was started anew; it takes part again from the next job")

    def _task(self, data: bytes, deadline_s: float, came: queue.SimpleQueue[Came]) -> Task:
        message = Shareable()
        message[KEY] = pieces(data)

        def received(client_task: ClientTask, fl_ctx: FLContext) -> None:
            came.put((client_task.client.name, client_task.result))
            client_task.result = None  # NVFLARE remembers tasks that are done

        def done(task: Task, fl_ctx: FLContext) -> None:
            if task.completion_status != TaskCompletionStatus.OK:
                for site in task.targets or ():
                    came.put((_name(site), Lost(CAUSES.get(task.completion_status, f"no answer ({task.completion_status})"))))

        return Task(TASK, message, timeout=math.ceil(deadline_s + GRACE_S), result_received_cb=received, task_done_cb=done)

    def _is_there(self, site: str) -> bool:
        return self._controller.communicator.get_client_disconnect_time(site) is None and not self._is_anew(site)

    def _is_anew(self, site: str) -> bool:
        return self._state.came_in_at(site) != self._members.get(site)


CAUSES: Mapping[Any, str] = {TaskCompletionStatus.TIMEOUT: "no answer before the deadline",
                             TaskCompletionStatus.CLIENT_DEAD: "its connection was lost",
                             TaskCompletionStatus.CANCELLED: "the server gave the order up",
                             TaskCompletionStatus.ABORTED: "the job was ended"}
CODES: Mapping[str, str] = {
    ReturnCode.EXECUTION_EXCEPTION: "its program failed over the order; the cause is in that site's own log",
    ReturnCode.BAD_TASK_DATA: "the order did not reach it whole, or it runs another version of wardround; the cause is in that site's log",
    ReturnCode.TASK_UNKNOWN: "it knows no such order. Do server and site run the same version of wardround?",
    ReturnCode.TASK_ABORTED: "the order was ended at the site"}


def _name(site: Any) -> str:
    return str(getattr(site, "name", site))


def _read(answer: Shareable | Lost | None) -> bytes | Lost:
    """The message of an answer."""
    if isinstance(answer, Lost):
        return answer
    if answer is None:
        return Lost("its answer was empty")
    code = answer.get_return_code()
    if code != ReturnCode.OK:
        return Lost(CODES.get(code, f"its NVFLARE process answered {code}; the cause is in that site's own log"))
    try:
        return whole(answer.get(KEY), MAX_BYTES)
    except WireError as error:
        return Lost(str(error))
