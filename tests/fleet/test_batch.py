"""The jobs of one order, by hand."""

from dataclasses import dataclass
from typing import Any

from wardround.core.events import Event, SiteStep, WorkerRestarted, silent
from wardround.core.exchange import SiteFailed
from wardround.fleet.batch import MAX_ATTEMPTS, Batch


@dataclass(frozen=True)
class Job:
    site: str
    round: int | None = None


def batch(num: int = 4, window: int = 10, **settings: Any) -> Batch[Job]:
    return Batch([Job(f"site-{index}", settings.get("round")) for index in range(num)], window=window, watch=settings.get("watch", silent))


def test_replies_come_in_the_jobs_order_whoever_is_first() -> None:
    def last_first(jobs: Batch[Job]) -> None:
        taken = [jobs.take() for _ in range(jobs.num_waiting)]
        for number in reversed(taken):
            jobs.answer(number, f"reply {number}")

    assert [(job.site, reply) for job, reply in batch(3).replies(last_first)] == [
        ("site-0", "reply 0"), ("site-1", "reply 1"), ("site-2", "reply 2")]


def test_no_more_than_the_window_is_handed_out_before_the_next_reply_is_read() -> None:
    jobs = batch(window=2)
    assert [jobs.take(), jobs.take(), jobs.take()] == [0, 1, None]
    replies = jobs.replies(lambda jobs: jobs.answer(0, "north"))
    assert next(replies)[1] == "north"
    jobs.answer(1, "south")
    next(replies)
    assert (jobs.take(), jobs.take(), jobs.num_waiting) == (2, None, 1)


def test_a_lost_job_is_done_again_before_those_that_had_not_begun() -> None:
    events: list[object] = []
    jobs = batch(watch=events.append)
    assert [jobs.take(), jobs.take(), jobs.take()] == [0, 1, 2]
    jobs.give_back([1, 2])
    jobs.lose(0, worker="worker", cause="killed")
    assert [jobs.take() for _ in range(4)] == [0, 1, 2, 3]
    assert events == [WorkerRestarted(site="site-0", cause="killed")]


def test_a_job_that_ends_every_worker_is_its_site_s_failure() -> None:
    jobs = batch(1)
    for _ in range(MAX_ATTEMPTS):
        assert jobs.take() == 0
        jobs.lose(0, worker="worker", cause="killed")
    (_, reply), = jobs.replies(lambda jobs: None)
    assert reply == SiteFailed(site="site-0", reason=f"its worker died {MAX_ATTEMPTS} times (killed)")
    assert jobs.take() is None


def test_it_is_told_when_a_site_begins_and_how_it_ends() -> None:
    events: list[Event] = []
    jobs = batch(3, round=4, watch=events.append)
    jobs.begun(0)
    jobs.begun(0, 5, 8)
    jobs.answer(0, "reply")
    jobs.answer(1, SiteFailed(site="site-1", reason="ValueError: no images"))
    for _ in range(MAX_ATTEMPTS):
        jobs.lose(2, worker="worker", cause="killed")
    told = [(event.round, event.site, event.stage, event.done, event.total, event.cause) for event in events if isinstance(event, SiteStep)]
    assert told == [(4, "site-0", "training", 0, 0, ""), (4, "site-0", "training", 5, 8, ""), (4, "site-0", "done", 0, 0, ""),
                    (4, "site-1", "failed", 0, 0, "ValueError: no images"),
                    (4, "site-2", "failed", 0, 0, "its worker died 3 times (killed)")]
    assert all(event.at > 0 for event in events if isinstance(event, SiteStep))


def test_of_an_evaluation_no_step_is_told() -> None:
    events: list[Event] = []
    jobs = batch(1, watch=events.append)
    jobs.begun(0)
    jobs.answer(0, "report")
    assert events == []
