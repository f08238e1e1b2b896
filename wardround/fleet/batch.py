"""The jobs of one order: handed out in order, repeated where a worker died, answered in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from wardround.core.events import SiteStep, Stage, Watch, WorkerRestarted, silent
from wardround.core.exchange import SiteFailed

MAX_ATTEMPTS = 3  # deaths of a worker at the same site's job before the site counts as failed


class SiteJob(Protocol):
    """Work on one or more sites."""

    @property
    def site(self) -> str:
        """The (first) site, to be named where the job fails."""
        ...

    @property
    def round(self) -> int | None:
        """The round in which the site trains; None: it evaluates, of which no step is told."""
        ...


Job = TypeVar("Job", bound=SiteJob)


class Batch(Generic[Job]):
    """Which jobs wait, which were lost, which replies have come. Jobs go by their numbers, from 0."""

    def __init__(self, jobs: Sequence[Job], *, window: int, watch: Watch = silent) -> None:
        """window: how many jobs may be handed out beyond the reply that is read next. watch: told of sites' steps and lost workers."""
        self.jobs, self._window, self._watch = jobs, window, watch
        self._waiting = deque(range(len(jobs)))
        self._replies: dict[int, Any] = {}
        self._attempts: dict[int, int] = {}
        self._turn = 0

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    def take(self) -> int | None:
        """The next job's number; None if none may be handed out now."""
        if self._waiting and self._waiting[0] < self._turn + self._window:
            return self._waiting.popleft()
        return None

    def begun(self, number: int, done: int = 0, total: int = 0) -> None:
        """A worker is at this job. done, total: steps of it, where they are known."""
        self._tell(number, "training", done=done, total=total)

    def answer(self, number: int, reply: Any) -> None:
        self._replies[number] = reply
        if isinstance(reply, SiteFailed):
            self._tell(number, "failed", cause=reply.reason)
        else:
            self._tell(number, "done")

    def give_back(self, numbers: Sequence[int]) -> None:
        """Jobs, in order, that were handed out and not begun."""
        self._waiting.extendleft(reversed(numbers))

    def lose(self, number: int, *, worker: str, cause: str) -> None:
        """A worker died at this job: it is done again, or after MAX_ATTEMPTS its site has failed."""
        site = self.jobs[number].site
        self._attempts[number] = self._attempts.get(number, 0) + 1
        self._watch(WorkerRestarted(site=site, cause=cause))
        if self._attempts[number] < MAX_ATTEMPTS:
            self.give_back([number])
        else:
            self.answer(number, SiteFailed(site=site, reason=f"its {worker} died {MAX_ATTEMPTS} times ({cause})"))

    def replies(self, work: Callable[[Batch[Job]], None]) -> Iterator[tuple[Job, Any]]:
        """Yield (job, reply) in the jobs' order. work: hands out jobs and waits for at least one worker; called until a reply is there."""
        for turn, job in enumerate(self.jobs):
            self._turn = turn
            while turn not in self._replies:
                work(self)
            yield job, self._replies.pop(turn)

    def _tell(self, number: int, stage: Stage, *, done: int = 0, total: int = 0, cause: str = "") -> None:
        job = self.jobs[number]
        if job.round is not None:
            self._watch(SiteStep(round=job.round, site=job.site, stage=stage, done=done, total=total, cause=cause, at=time.time()))
