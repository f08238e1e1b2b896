"""The site's end in NVFLARE's job process: it hands bytes to the site's agent and the agent's answer back, and nothing more.

It takes no arguments, so the server cannot configure it; which folder is the site's is told by the hospital's own environment.
"""

from __future__ import annotations

import os
from pathlib import Path

from nvflare.apis.event_type import EventType
from nvflare.apis.executor import Executor
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.apis.signal import Signal

from wardround.errors import WardroundError
from wardround.network.agent import MAX_BYTES, SiteAgent
from wardround.network.folders import SiteFolder
from wardround.network.jobs import TASK
from wardround.network.parcel import KEY, pieces, whole
from wardround.network.startup import SITE


class SiteExecutor(Executor):  # type: ignore[misc]
    """One for each job; lives as long as the job's process."""

    def __init__(self) -> None:
        super().__init__()
        self._agent: SiteAgent | None = None

    def execute(self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal) -> Shareable:
        """The reply to an order. What is no message of ours is answered with NVFLARE's code for it."""
        if task_name != TASK:
            return make_reply(ReturnCode.TASK_UNKNOWN)
        try:
            order = whole(shareable.pop(KEY, None), MAX_BYTES)
            answer = self._open().answer(order)
        except WardroundError as error:
            self.logger.error(str(error))
            return make_reply(ReturnCode.BAD_TASK_DATA)
        reply = make_reply(ReturnCode.OK)
        reply[KEY] = pieces(answer)
        return reply

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """The worker begins and ends with the job, and ends at once when the job is aborted."""
        if event_type == EventType.START_RUN:
            try:
                self._open().warm()
            except (WardroundError, OSError) as error:  # the first order is answered with it
                self.logger.error(str(error))
        if self._agent is not None and event_type == EventType.ABORT_TASK:
            self._agent.stop()
        if self._agent is not None and event_type == EventType.END_RUN:
            self._agent.close()
            self._agent = None

    def _open(self) -> SiteAgent:
        if self._agent is None:
            self._agent = SiteAgent(SiteFolder(Path(os.environ[SITE])))
        return self._agent
