"""Jobs that bring the run on are followed at once by the next; those that do not, later and later, and not for ever."""

import pytest

from wardround.network.control import Phase, Progress
from wardround.network.patience import LATE_S, MOST_VAIN, SOON_S, Patience


def at(phase: Phase, round: int = 3, run: str = "run") -> Progress:
    return Progress(run=run, round=round, phase=phase)


@pytest.mark.parametrize("after", [at("training", 4), at("handover"), at("paused"), at("testing"), at("waiting", 0, "another run")])
def test_a_job_that_brought_the_run_on_is_followed_soon(after: Progress) -> None:
    patience = Patience(at("training"), num_idle=4, num_vain=4)
    assert patience.judge(after, waits=False) == SOON_S
    assert patience.num_vain == 0


@pytest.mark.parametrize("after", [at("training"), at("waiting"), at("none"), at("training", 2)])
def test_a_job_that_brought_the_run_no_further_was_in_vain(after: Progress) -> None:
    patience = Patience(at("training"))
    assert patience.judge(after, waits=False) > SOON_S
    assert patience.num_vain == 1


def test_pauses_grow_up_to_half_a_minute() -> None:
    patience = Patience(at("training"))
    assert [patience.judge(at("training"), waits=True) for _ in range(7)] == [2, 4, 8, 16, LATE_S, LATE_S, LATE_S]


def test_after_many_pauses_they_are_still_half_a_minute() -> None:
    assert Patience(at("training"), num_idle=10**6).judge(at("training"), waits=True) == LATE_S


def test_six_in_a_row_are_enough() -> None:
    patience = Patience(at("training"))
    found = []
    for _ in range(MOST_VAIN):
        found.append(patience.is_over)
        patience.judge(at("training"), waits=False)
    assert MOST_VAIN == 6 and not any(found) and patience.is_over


def test_a_study_that_only_waits_for_sites_is_not_given_up() -> None:
    patience = Patience(at("waiting"))
    for _ in range(100):
        patience.judge(at("waiting"), waits=True)
    assert not patience.is_over


def test_falling_back_and_coming_as_far_again_is_no_progress() -> None:
    patience = Patience(at("training"))
    for phase in ("waiting", "training") * 3:
        patience.judge(at(phase), waits=False)  # type: ignore[arg-type]
    assert patience.is_over


def test_whoever_counts_anew_forgets_no_round() -> None:
    patience = Patience(at("training"), num_vain=6)
    patience.renew()
    assert not patience.is_over
    patience.judge(at("training"), waits=False)
    assert patience.num_vain == 1
