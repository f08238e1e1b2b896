"""Which jobs the hub submits, between a session and a server that do as the test says; how it keeps them is in test_hub_server.py."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from toy_hub import Bench, made_in

from wardround.network.folders import StudyFolder
from wardround.network.hub import COMPLETED
from wardround.network.patience import MOST_VAIN


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return made_in(tmp_path_factory.mktemp("made"))


@pytest.fixture
def bench(made: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(made, tmp_path, monkeypatch)


# jobs


def test_a_job_is_submitted_when_enough_sites_are_connected(bench: Bench) -> None:
    bench.hub.state.want(wait_for=2)
    bench.server.is_connected("north")
    assert bench.turn(5) == "1 of 2 sites are connected, 2 are needed"
    assert bench.server.tokens == []
    bench.server.is_connected("north", "south")
    bench.turn()
    assert len(bench.server.tokens) == 1 and bench.hub.state.members.keys() == {"north", "south"}


def test_the_plan_s_least_number_of_sites_is_waited_for(bench: Bench) -> None:
    bench.study.plan_file.write_text(bench.study.plan_file.read_text().replace("min_sites = 1", "min_sites = 2"))
    bench.tell("handover", 3)
    bench.server.is_connected("north")
    assert bench.turn() == "1 of 2 sites are connected, 2 are needed"


def test_a_run_that_has_begun_waits_for_no_more_than_the_plan_does(bench: Bench) -> None:
    bench.hub.state.want(wait_for=2)
    bench.tell("handover", 3)
    bench.server.is_connected("north")
    bench.turn()
    assert len(bench.server.tokens) == 1


def test_strangers_are_not_counted(bench: Bench) -> None:
    bench.server.is_connected("east")
    assert bench.turn() == "0 of 2 sites are connected, 1 are needed"


def test_there_are_never_two_jobs(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.turn(60)
    assert len(bench.server.tokens) == 1


def test_a_job_whose_answer_was_lost_is_not_another_one(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.server.is_answer_lost = True
    bench.turn(3)
    assert bench.server.status.keys() == {"job-1"} and len(bench.server.folders) == 2
    assert bench.hub.state.hub is not None and bench.hub.state.hub.job == "job-1" and bench.hub.state.hub.jobs == 1


def test_of_a_server_that_died_over_a_submission_a_new_job_is_asked(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.server.is_answer_lost = True
    bench.turn()
    bench.server.is_dead = True
    bench.turn(3)
    assert len(set(bench.server.tokens)) == 2


def test_a_job_that_was_lost_is_followed_by_another(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.tell("training", 2)
    bench.turn()
    bench.tell("training", 3)
    bench.server.is_dead = True
    bench.server.status["job-1"] = "RUNNING"  # as NVFLARE has it for ever
    bench.turn(4)
    assert len(bench.server.tokens) == 2
    assert bench.kinds()[-4:] == ["job", "job-lost", "job-ended", "job"]


def test_pauses_between_jobs_in_vain_grow(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.stands("training", 2)
    bench.turn()
    pauses = []
    for number in range(1, MOST_VAIN):
        bench.server.ended()
        began = bench.clock[0]
        while len(bench.server.tokens) == number:
            bench.turn()
        pauses.append(bench.clock[0] - began)
    assert pauses == sorted(pauses) and pauses[0] < 4 and 28 < pauses[-1] < 34


def test_after_jobs_in_vain_the_run_has_failed_and_says_where_to_look(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.stands("training", 2)
    for number in range(1, MOST_VAIN + 1):
        while len(bench.server.tokens) < number:
            bench.turn()
        bench.server.ended()
        bench.turn()
    progress = bench.hub.state.progress
    assert progress.phase == "failed" and progress.round == 2
    assert f"{bench.study.server / 'job-6' / 'log.txt'}" in progress.text and "wardround study resume" in progress.text
    bench.turn(100)
    assert len(bench.server.tokens) == MOST_VAIN
    assert "gave-up" in bench.kinds()


def test_a_failed_run_that_is_taken_up_again_is_tried_again(bench: Bench) -> None:
    test_after_jobs_in_vain_the_run_has_failed_and_says_where_to_look(bench)
    bench.hub.state.tell(replace(bench.hub.state.progress, phase="handover", text="goes on"))
    bench.turn(40)
    assert len(bench.server.tokens) == MOST_VAIN + 1 and bench.hub.state.progress.phase != "failed"


@pytest.mark.parametrize("why", ["it said so", "a site has gone", "a site's program is another one"])
def test_jobs_that_ended_for_want_of_sites_are_not_in_vain(bench: Bench, why: str) -> None:
    bench.stands("waiting", 2)
    for number in range(1, 3 * MOST_VAIN):
        bench.server.is_connected("north", "south")
        while len(bench.server.tokens) < number:
            bench.turn()
        if why == "a site has gone":
            bench.server.is_connected("north")
        if why == "a site's program is another one":
            bench.register("south")
        bench.server.ended(COMPLETED if why == "it said so" else "FINISHED:ABORTED")
        bench.turn()
    assert bench.hub.state.progress.phase == "waiting"


def test_a_job_that_nvflare_does_not_know_has_ended(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.turn()
    del bench.server.status["job-1"]
    bench.turn(5)
    assert len(bench.server.tokens) == 2


# boundaries


def test_a_site_that_came_back_wants_a_boundary(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.turn(2)
    assert not bench.hub.state.boundary.exists()
    bench.server.is_connected("north", "south")
    bench.turn()
    assert bench.hub.state.boundary.read_text() == "sites that came back: south"


def test_a_site_whose_program_came_in_anew_wants_a_boundary(bench: Bench) -> None:
    bench.register("north")
    bench.server.is_connected("north")
    bench.turn(2)
    assert not bench.hub.state.boundary.exists()
    bench.register("north")
    bench.turn()
    assert bench.hub.state.boundary.exists()


def test_a_clock_that_was_set_back_hides_nobody_who_came_in(bench: Bench) -> None:
    bench.register("north")
    bench.server.is_connected("north")
    bench.turn(2)
    os.utime(bench.hub.state.folder / "registered" / "north", ns=(10**17, 10**17))
    bench.turn()
    assert bench.hub.state.boundary.exists()


def test_a_boundary_is_asked_for_once_and_gone_with_the_next_job(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.turn()
    bench.server.is_connected("north", "south")
    bench.turn(10)
    assert bench.kinds().count("boundary") == 1
    bench.tell("handover", 2)
    bench.server.ended(COMPLETED)
    bench.turn(5)
    assert len(bench.server.tokens) == 2 and not bench.hub.state.boundary.exists()
    assert bench.hub.state.members.keys() == {"north", "south"}


# wishes


def test_a_paused_study_gets_no_job_until_it_goes_on(bench: Bench) -> None:
    bench.hub.state.want(want="pause")
    bench.server.is_connected("north")
    assert bench.turn(10) == "paused"
    assert bench.server.tokens == []
    bench.hub.state.want(want="run")
    bench.turn()
    assert len(bench.server.tokens) == 1


def test_a_job_that_was_paused_leaves_its_study_served(bench: Bench) -> None:
    bench.server.is_connected("north")
    bench.turn()
    bench.hub.state.want(want="pause")
    bench.tell("paused", 2)
    bench.server.ended(COMPLETED)
    assert bench.turn(10) == "paused"
    assert len(bench.server.tokens) == 1 and bench.server.pid is not None


def test_a_stopped_study_with_a_model_gets_one_more_job_for_its_test(bench: Bench) -> None:
    bench.hub.state.want(want="stop", wait_for=2)
    bench.tell("handover", 2)
    bench.server.is_connected("north")
    bench.turn()
    assert len(bench.server.tokens) == 1
    bench.tell("stopped", 2)
    bench.turn(10)
    assert len(bench.server.tokens) == 1


def test_a_stopped_study_without_a_model_gets_none(bench: Bench) -> None:
    bench.hub.state.want(want="stop")
    bench.server.is_connected("north")
    bench.turn(5)
    assert bench.server.tokens == []
