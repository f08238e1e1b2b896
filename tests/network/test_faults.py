"""Programs are killed without warning, in each phase of a round; the study ends with the bits of one that nobody disturbed."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import slow
from field import hospitals, on_this_machine, plan_of, same_bits

from wardround.core.events import Note
from wardround.network.rehearsal import Rehearsal
from wardround.runs.folder import RunFolder

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]

SITES = ("north", "south")
SLOW = ("strategy.name=slow:SlowAvg", "rounds.evaluate_every=1", "cohort.deadline_s=40", "model.width=64")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hospitals")
    hospitals(folder, *SITES)
    return folder


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same plan by the local engine."""
    out = tmp_path_factory.mktemp("undisturbed")
    study = Rehearsal(out, plan_of(*SITES, settings=(*SLOW, "cohort.min_sites=2")), {site: data / site for site in SITES})
    return on_this_machine(study, data, out / "local")


@pytest.fixture
def open_field(data: Path, tmp_path: Path) -> Iterator[Callable[..., Rehearsal]]:
    """A study whose programs leave marks; they end with the test."""
    marks = tmp_path / "marks"
    marks.mkdir()
    opened: list[Rehearsal] = []

    def make(*settings: str, sites: tuple[str, ...] = SITES) -> Rehearsal:
        field = Rehearsal(tmp_path, plan_of(*SITES, settings=(*SLOW, *settings)), {site: data / site for site in sites},
                          environment={slow.MARKS: str(marks), "PYTHONPATH": os.pathsep.join([str(Path(slow.__file__).parent), *sys.path])})
        opened.append(field)
        return field

    yield make
    for field in opened:
        field.__exit__()


def reached(field: Rehearsal, phase: str) -> Callable[[], bool]:
    """Whether the second round is in this phase, at the site "south" where it has one."""
    marks = field.out / "marks"
    return {"waiting": lambda: field.progress.phase == "waiting",
            "training": (marks / "train-south-2").exists,
            "sending": lambda: '"round":2' in sent(field, "Update"),
            "aggregating": (marks / "aggregate-2").exists,
            "checkpointing": lambda: any(field.run.checkpoints.glob("round-000002.part"))}[phase]


def sent(field: Rehearsal, kind: str) -> str:
    path = field.sites["south"].audit_file
    lines = path.read_text().splitlines() if path.exists() else []
    return "\n".join(line for line in lines if '"kind":"sent"' in line and f'"kind":"{kind}"' in line)


def orders_by_round(field: Rehearsal, site: str) -> Counter[int]:
    """How often the site was asked to train each round."""
    lines = [json.loads(line) for line in field.sites[site].audit_file.read_text().splitlines()]
    return Counter(line["facts"]["round"] for line in lines if line["kind"] == "order" and line["facts"]["kind"] == "Order")


KILLS: dict[str, Callable[[Rehearsal], object]] = {
    "site worker": lambda field: field.kill("worker", "south"),
    "site process": lambda field: field.kill("client-job", "south"),
    "whole site": lambda field: field.kill_site("south"),
    "server": lambda field: field.kill_server(),
}
CASES = [(who, phase) for who in ("site worker", "site process", "whole site") for phase in ("waiting", "training", "sending")] + [
    ("server", phase) for phase in ("waiting", "training", "sending", "aggregating", "checkpointing")] + [("server job", "training")]


@pytest.mark.parametrize(("who", "phase"), CASES, ids=lambda value: value.replace(" ", "-"))
def test_a_killed_program_costs_at_most_a_round(open_field: Callable[..., Rehearsal], undisturbed: RunFolder, who: str, phase: str) -> None:
    field = open_field("cohort.min_sites=2")
    field.start()
    field.until(reached(field, phase), 120, phase)
    {**KILLS, "server job": lambda field: field.kill("server-job")}[who](field)
    if who == "whole site":
        time.sleep(2)
        field.start_site("south")
    if who == "server":
        time.sleep(2)
        field.start_hub()
    run = field.finish(240)
    assert same_bits(run, undisturbed)
    assert [event.round for event in field.rounds()] == [1, 2, 3, 4]
    assert sum(count - 1 for count in orders_by_round(field, "north").values()) <= 1


def test_a_site_that_dies_is_left_out_named_and_taken_back_at_a_boundary(open_field: Callable[..., Rehearsal]) -> None:
    field = open_field("rounds.num=30", "cohort.min_sites=1", "strategy.seconds=1.5")
    field.start()
    field.until(lambda: field.progress.round >= 2, 120, "round 2")
    field.kill_site("south")
    field.until(lambda: field.rounds()[-1].failed.keys() == {"south"}, 90, "a round without south")
    time.sleep(2)
    field.start_site("south")
    seconds = field.until(lambda: not field.rounds()[-1].failed and field.rounds()[-1].round > 3, 120, "south in a round again")
    run = field.finish(200)
    assert seconds < 60
    assert run.scores()["without"] == ["south"]
    assert set(run.scores()["per_site"]) == set(SITES)


def test_a_study_begins_only_when_all_are_there_and_can_be_paused(open_field: Callable[..., Rehearsal], undisturbed: RunFolder) -> None:
    field = open_field("cohort.min_sites=2")
    field.state.want(want="run", wait_for=2)
    field.start_hub()
    field.start_site("north")
    field.until(lambda: field.state.hub is not None and "north" in field.state.hub.connected, 60, "north's connection")
    time.sleep(5)
    assert field.progress.round == 0 and not field.events()
    field.start_site("south")
    field.until(lambda: field.progress.round >= 1, 90, "round 1")
    field.state.want(want="pause")
    field.until(lambda: field.progress.phase == "paused", 60, "the pause")
    num = field.progress.round
    time.sleep(3)
    assert field.progress.round == num < 4
    field.state.want(want="run")
    assert same_bits(field.finish(120), undisturbed)


def test_a_stopped_study_tests_the_best_round_so_far(open_field: Callable[..., Rehearsal]) -> None:
    field = open_field("rounds.num=200", "cohort.min_sites=2")
    field.start()
    field.until(lambda: field.progress.round >= 2, 120, "round 2")
    field.state.want(want="stop")
    run = field.finish(120)
    assert field.progress.phase == "stopped"
    assert run.scores()["rounds"] < 200


def test_a_slow_site_is_late_and_the_round_goes_on(open_field: Callable[..., Rehearsal]) -> None:
    field = open_field("rounds.num=2", "cohort.min_sites=1", "cohort.deadline_s=3")
    field.start()
    field.until((field.out / "marks" / "train-south-1").exists, 120, "training")
    for process in field.processes("worker", "south"):
        process.suspend()
    run = field.finish(120)
    assert "south" in run.scores()["without"]
    assert any('"kind":"late"' in line for line in field.sites["south"].audit_file.read_text().splitlines())


def test_a_worker_that_was_started_again_is_told_of(open_field: Callable[..., Rehearsal]) -> None:
    field = open_field("cohort.min_sites=2")
    field.start()
    field.until((field.out / "marks" / "train-south-2").exists, 120, "training")
    field.kill("worker", "south")
    field.finish(120)
    assert any(isinstance(event, Note) and "south" in event.text and "signal 9" in event.text for event in field.events())
