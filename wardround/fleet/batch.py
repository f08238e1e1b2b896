"""The jobs of one order: handed out in order, repeated where a worker died, answered in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from wardround.core.events import Watch, WorkerRestarted
from wardround.core.exchange import SiteFailed

MAX_ATTEMPTS = 3  # deaths of a worker at the same site's job before the site counts as failed


class SiteJob(Protocol):
    """Work on one or more sites."""

    @property
    def site(self) -> str:
        """The (first) site, to be named where the job fails."""
        ...


Job = TypeVar("Job", bound=SiteJob)


class Batch(Generic[Job]):
    """Which jobs wait, which were lost, which replies have come. Jobs go by their numbers, from 0."""

    def __init__(self, jobs: Sequence[Job], *, window: int) -> None:
        """window: how many jobs may be handed out beyond the reply that is read next."""
        self.jobs, self._window = jobs, window
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

    def answer(self, number: int, reply: Any) -> None:
        self._replies[number] = reply

    def give_back(self, numbers: Sequence[int]) -> None:
        """Jobs, in order, that were handed out and not begun."""
        self._waiting.extendleft(reversed(numbers))

    def lose(self, number: int, *, worker: str, cause: str, watch: Watch) -> None:
        """A worker died at this job: it is done again, or after MAX_ATTEMPTS its site has failed."""
        site = self.jobs[number].site
        self._attempts[number] = self._attempts.get(number, 0) + 1
        watch(WorkerRestarted(site=site, cause=cause))
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
