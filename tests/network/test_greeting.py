"""Who takes part: those that are ready and fit what the run began with; the others are kept away, each with the cause."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_study import SITES, ToyStudy, failing, quick, toy_plan

from wardround.errors import NetworkError
from wardround.fleet.nvflare import Lost
from wardround.network import auditlog
from wardround.network.auditlog import AuditLog
from wardround.network.greeting import Greeting
from wardround.plan.schema import Recipe
from wardround.runs.folder import RunFolder


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


@pytest.fixture
def study(tmp_path: Path) -> ToyStudy:
    study = ToyStudy(tmp_path)
    study.open_desks()
    return study


def greeting_of(study: ToyStudy) -> Greeting:
    folder = RunFolder(study.study.runs / "run-1")
    folder.path.mkdir(parents=True, exist_ok=True)
    return Greeting(study, plan=study.plan, text=study.study.plan_file.read_text(), names=SITES, folder=folder,
                    audit=AuditLog(study.study.audit_file).write)


def with_others(**changes: object) -> Callable[[Any], Any]:
    return lambda ready: replace(ready, **changes)


def begun(study: ToyStudy) -> Greeting:
    """The greeting of a second job of a run that began with all."""
    first = greeting_of(study)
    first.greet()
    first.keep()
    second = greeting_of(study)
    second.recall()
    return second


def test_all_that_are_ready_take_part_in_the_studys_order(study: ToyStudy) -> None:
    greeting = greeting_of(study)
    assert greeting.greet() == list(SITES)
    assert list(greeting.ready) == greeting.present == list(SITES)
    assert greeting.away == dict.fromkeys(SITES, "")
    assert greeting.ready["site-2"].num_train == len(study.blueprint.rows["site-2"].train)


@pytest.mark.parametrize(("changes", "cause"), [
    ({"classes": ("class-1", "class-0")}, "it has classes = ('class-1', 'class-0'), and site 'site-1' has ('class-0', 'class-1')"),
    ({"task": "segmentation"}, "it has task = segmentation"), ({"phantom": False}, "it has phantom = False"),
    ({"regions": {"WT": (1, 2)}}, "it has regions = {'WT': (1, 2)}"), ({"num_train": 0}, "it has no training images")])
def test_a_site_that_differs_is_kept_away_with_the_cause(study: ToyStudy, changes: dict[str, object], cause: str) -> None:
    study.altered["site-2", "Ready"] = with_others(**changes)
    greeting = greeting_of(study)
    assert greeting.greet() == ["site-1", "site-3"]
    assert cause in greeting.faults["site-2"]
    assert greeting.away["site-2"] == greeting.faults["site-2"]
    assert list(greeting.ready) == ["site-1", "site-3"]


def test_the_first_of_the_study_shuts_out_nobody_if_it_is_the_one_that_differs(study: ToyStudy) -> None:
    study.altered["site-1", "Ready"] = with_others(phantom=False)
    greeting = greeting_of(study)
    greeting.greet()
    assert greeting.present == ["site-2", "site-3"]
    assert greeting.faults.keys() == {"site-1"}


def test_of_two_that_differ_the_first_of_the_study_counts_whoever_came_first(study: ToyStudy) -> None:
    study.altered["site-1", "Ready"] = with_others(phantom=False)
    study.there = {"site-2"}
    greeting = greeting_of(study)
    greeting.greet()
    assert greeting.present == ["site-2"]
    study.there = {"site-1", "site-2"}
    greeting.greet()
    assert greeting.present == ["site-1"]  # never both


def test_what_the_run_began_with_outweighs_what_most_have_now(study: ToyStudy) -> None:
    study.there = {"site-3"}
    greeting = begun(study)
    study.there = set(SITES)
    for site in ("site-1", "site-2"):
        study.altered[site, "Ready"] = with_others(phantom=False)
    greeting.greet()
    assert greeting.present == ["site-3"]


def test_a_site_whose_images_have_changed_cannot_go_on_in_the_run(study: ToyStudy) -> None:
    greeting = begun(study)
    study.altered["site-2", "Ready"] = with_others(fingerprint="other")
    greeting.greet()
    assert greeting.present == ["site-1", "site-3"]
    assert "not those that the run began with" in greeting.faults["site-2"]
    assert greeting.ready["site-2"].fingerprint == "toy"


def test_a_site_that_has_made_another_key_cannot_go_on_in_the_run(study: ToyStudy) -> None:
    study.altered["site-2", "Ready"] = with_others(identity="ab" * 32)
    greeting = begun(study)
    study.altered["site-2", "Ready"] = with_others(identity="cd" * 32)
    greeting.greet()
    assert greeting.present == ["site-1", "site-3"]
    assert "its key (identity.pem) is not that with which the run began" in greeting.faults["site-2"]


def test_a_known_site_that_is_absent_is_still_of_the_run(study: ToyStudy) -> None:
    greeting = begun(study)
    study.there = {"site-1"}
    assert greeting.greet() == ["site-1"]
    assert list(greeting.ready) == list(SITES)
    assert greeting.away == {"site-1": "", "site-2": "not connected", "site-3": "not connected"}


def test_only_those_that_were_not_ready_are_greeted_again(study: ToyStudy) -> None:
    study.altered["site-2", "Ready"] = failing("its disk is full")
    greeting = greeting_of(study)
    greeting.greet()
    del study.altered["site-2", "Ready"]
    assert greeting.greet() == ["site-2"]
    assert greeting.greet() == []
    assert study.asked("Hello") == {("site-1", 0): 1, ("site-2", 0): 2, ("site-3", 0): 1}


def test_a_site_that_is_not_ready_is_asked_nothing(study: ToyStudy) -> None:
    greeting = begun(study)
    study.altered["site-2", "Ready"] = failing("its disk is full")
    study.there = {"site-1", "site-2"}
    greeting.greet()
    study.there = set(SITES)  # site-3 comes after the greeting
    read: list[str] = []

    class Requests(dict[str, bytes]):
        def __getitem__(self, site: str) -> bytes:
            read.append(site)
            raise KeyError

    answers = greeting.ask(Requests(dict.fromkeys(SITES, b"")), deadline_s=1.0)
    assert [next(answers), next(answers)] == [("site-2", Lost("its disk is full")), ("site-3", Lost("not connected"))]
    with pytest.raises(KeyError):
        next(answers)
    assert read == ["site-1"]  # the others' orders were not even made


def test_a_greeting_beside_the_rounds_has_a_shorter_deadline(study: ToyStudy) -> None:
    deadlines: list[float] = []
    plain = study.ask
    study.ask = lambda requests, deadline_s: deadlines.append(deadline_s) or plain(requests, deadline_s=deadline_s)  # type: ignore
    greeting_of(study).greet()
    greeting_of(study).greet(within_s=5.0)
    greeting_of(study).greet(within_s=500.0)
    assert deadlines == [60.0, 5.0, 60.0]


def test_strangers_are_not_greeted(study: ToyStudy) -> None:
    study.there.add("mallory")
    greeting_of(study).greet()
    assert "mallory" not in {site for site, _ in study.asked("Hello")}


def test_a_forged_answer_is_in_the_audit_log(study: ToyStudy) -> None:
    study.altered["site-2", "Ready"] = with_others(site="site-1")
    greeting = greeting_of(study)
    greeting.greet()
    assert "it speaks for site 'site-1'" in greeting.faults["site-2"]
    (refused,) = [line.facts for line in auditlog.lines(study.study.audit_file) if line.kind == "refused"]
    assert refused["site"] == "site-2"


def test_what_a_site_notes_is_kept(study: ToyStudy) -> None:
    study.noting["site-1"] = "its worker was started again"
    study.open_desks()
    greeting = greeting_of(study)
    greeting.greet()
    assert greeting.notes == ["site site-1: its worker was started again"]


@pytest.mark.parametrize("counts", [None, {"class-0": 3}, {"class-0": 3, "class-1": -1}])
def test_a_weighted_loss_needs_every_sites_counts(tmp_path: Path, counts: dict[str, int] | None) -> None:
    study = ToyStudy(tmp_path, toy_plan(recipe=Recipe(lr=0.1, class_weights="balanced")))
    study.open_desks()
    study.altered["site-2", "Ready"] = with_others(counts=counts)
    greeting = greeting_of(study)
    greeting.greet()
    assert greeting.present == ["site-1", "site-3"]
    assert "how many training images each class has" in greeting.faults["site-2"]


def test_who_was_ready_is_remembered_as_it_was(study: ToyStudy) -> None:
    study.altered = {(site, "Ready"): with_others(regions={"WT": (1, 2)}, counts={"class-0": 3}) for site in SITES}
    greeting = begun(study)
    assert list(greeting.ready) == list(SITES)
    before = greeting.ready
    greeting.greet()
    assert greeting.ready == before


@pytest.mark.parametrize("damage", [
    lambda kept: "{", lambda kept: json.dumps({"site-1": {**kept["site-1"], "colour": "red"}}), lambda kept: json.dumps({"site-1": []}),
    lambda kept: json.dumps({"site-1": {key: value for key, value in kept["site-1"].items() if key != "classes"}})],
    ids=["half", "unknown key", "no record", "missing key"])
def test_a_damaged_memory_of_the_run_is_told_with_the_remedy(study: ToyStudy, damage: Callable[[Any], str]) -> None:
    greeting = begun(study)
    file = study.study.runs / "run-1" / "sites.json"
    file.write_text(damage(json.loads(file.read_text())))
    with pytest.raises(NetworkError, match=r"sites\.json cannot be read .* Remove it and resume"):
        greeting.recall()
    file.unlink()
    greeting_of(study).recall()
