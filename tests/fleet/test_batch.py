"""The jobs of one order, by hand."""

from dataclasses import dataclass

from wardround.core.events import WorkerRestarted
from wardround.core.exchange import SiteFailed
from wardround.fleet.batch import MAX_ATTEMPTS, Batch


@dataclass(frozen=True)
class Job:
    site: str


def batch(num: int = 4, window: int = 10) -> Batch[Job]:
    return Batch([Job(f"site-{index}") for index in range(num)], window=window)


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
    jobs = batch()
    assert [jobs.take(), jobs.take(), jobs.take()] == [0, 1, 2]
    jobs.give_back([1, 2])
    jobs.lose(0, worker="worker", cause="killed", watch=events.append)
    assert [jobs.take() for _ in range(4)] == [0, 1, 2, 3]
    assert events == [WorkerRestarted(site="site-0", cause="killed")]


def test_a_job_that_ends_every_worker_is_its_site_s_failure() -> None:
    jobs = batch(1)
    for _ in range(MAX_ATTEMPTS):
        assert jobs.take() == 0
        jobs.lose(0, worker="worker", cause="killed", watch=lambda event: None)
    (_, reply), = jobs.replies(lambda jobs: None)
    assert reply == SiteFailed(site="site-0", reason=f"its worker died {MAX_ATTEMPTS} times (killed)")
    assert jobs.take() is None
