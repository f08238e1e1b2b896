"""What follows the rounds: test rows are read once, a site that fails is named and shuts out nobody, the model goes back to all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_study import SITES, ToyStudy, failing, quick, toy_plan

from wardround.errors import NetworkError
from wardround.network.closing import LOCAL_S, local_deadline_s
from wardround.network.conduct import JobEnded
from wardround.network.envelope import MAX_NUMBER
from wardround.plan.schema import CohortPlan, EvaluationPlan, RoundsPlan
from wardround.runs.folder import read_json

Make = Callable[..., ToyStudy]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A study of one round."""
    return lambda **settings: ToyStudy(tmp_path, toy_plan(**{"rounds": RoundsPlan(num=1, metric="loss"), **settings}))


def ended_at(*when: object) -> Callable[..., None]:
    """A hook that ends the job when just this is asked."""
    def hook(*asked: object) -> None:
        if asked == when:
            raise JobEnded("NVFLARE has ended the job")

    return hook


def misshapen(summary: Any) -> Any:
    return replace(summary, replicates=summary.replicates[:, 1:])


def test_every_site_is_tested_once_and_gets_the_model_with_its_card(make: Make) -> None:
    study = make()
    study.conduct()
    assert study.asked("TestOrder") == study.asked("Deliver") == {(site, 1): 1 for site in SITES}
    scores = study.run.scores()
    assert list(scores["per_site"]) == list(SITES)
    assert (scores["without"], scores["untested"]) == ([], {})
    for site in SITES:
        assert study.model_of(site) == ["card.md", "model.json", "model.safetensors"]


def test_temperature_and_threshold_are_fixed_on_validation_rows_before_the_test(make: Make) -> None:
    study = make()
    study.conduct()
    kinds = [kind for site, kind, _ in study.log if site == "site-1"]
    assert kinds == ["Hello", "Order", "EvaluateOrder", "EvaluateOrder", "TestOrder", "Deliver"]
    record = read_json(study.run.path / "model.json")
    assert record["temperature"] == study.run.scores()["temperature"] not in (None, 1.0)
    assert record["threshold"] == study.run.scores()["threshold"]


def test_a_plan_without_calibration_leaves_the_temperature_at_one(make: Make) -> None:
    study = make(evaluation=EvaluationPlan(resamples=100, calibrate=False))
    study.conduct()
    assert study.run.scores()["temperature"] == 1.0


def test_a_site_that_fails_the_test_is_untested_and_the_others_count(make: Make) -> None:
    study = make()
    study.altered["site-2", "SiteSummary"] = failing("its disk is full")
    assert study.conduct().phase == "finished"
    scores = study.run.scores()
    assert (scores["without"], scores["untested"]) == (["site-2"], {"site-2": "its disk is full"})
    assert scores["per_site"]["site-2"]["metrics"] == {}
    assert scores["per_site"]["site-1"]["metrics"]


def test_a_summary_that_cannot_be_used_shuts_out_nobody_else(make: Make) -> None:
    study = make()
    study.altered["site-2", "SiteSummary"] = misshapen
    assert study.conduct().phase == "finished"
    scores = study.run.scores()
    assert scores["untested"].keys() == {"site-2"}
    assert "its resampled sums have another shape" in scores["untested"]["site-2"]
    assert scores["per_site"]["site-3"]["metrics"]


def test_a_run_that_no_site_can_test_fails_and_may_be_resumed(make: Make) -> None:
    study = make()
    study.altered = {(site, "SiteSummary"): failing("its disk is full") for site in SITES}
    with pytest.raises(NetworkError, match="Bring the sites back and resume"):
        study.conduct()
    assert study.state.progress.phase == "failed"
    study.altered.clear()
    assert study.conduct().phase == "finished"


def test_sites_that_are_gone_at_the_end_are_waited_for_before_a_test_row_is_read(make: Make) -> None:
    study = make(cohort=CohortPlan(min_sites=2, deadline_s=60.0))
    num = 0

    def leave(site: str, kind: str, number: int) -> None:
        nonlocal num
        num += kind == "EvaluateOrder"
        if num == 3:  # of the round: all that is left is the end
            study.there = {"site-1"}

    study.before = leave
    progress = study.conduct()
    assert (progress.phase, progress.round) == ("waiting", 1)
    assert progress.text.startswith("the test waits: 1 of at least 2 sites are there. ")
    assert "site-2: not connected" in progress.text
    assert study.asked("TestOrder") == {}
    study.there = {"site-1", "site-2"}
    assert study.conduct().phase == "finished"
    assert study.run.scores()["untested"] == {"site-3": "not connected"}


def test_local_arms_are_shown_beside_and_one_that_failed_is_noted(make: Make) -> None:
    study = make()
    study.state.want(with_local=True)
    study.altered["site-2", "SiteSummary"] = lambda summary: summary if summary.tally is not None else failing("too hot")(summary)
    study.conduct()
    per_site = study.run.scores()["per_site"]
    assert {site: "local" in per_site[site] for site in SITES} == {"site-1": True, "site-2": False, "site-3": True}
    assert study.notes() == ["site site-2 has no local arm: too hot"]
    assert study.phases() == ["waiting", "training", "local", "testing", "delivering", "finished"]


def test_a_local_arm_that_cannot_be_used_is_noted(make: Make) -> None:
    study = make()
    study.state.want(with_local=True)
    study.altered["site-2", "SiteSummary"] = lambda summary: summary if summary.tally is not None else replace(
        summary, scores={**summary.scores, "colour": "red"})
    assert study.conduct().phase == "finished"
    (note,) = study.notes()
    assert note.startswith("site site-2 has no local arm: site 'site-2' sent a test result that cannot be used")
    assert study.run.scores()["untested"] == {}


def test_without_the_wish_no_site_trains_alone(make: Make) -> None:
    study = make()
    study.conduct()
    assert study.asked("LocalOrder") == {}


def test_a_job_that_ends_while_sites_train_alone_repeats_no_test(make: Make) -> None:
    study = make()
    study.state.want(with_local=True)
    study.before = ended_at("site-1", "LocalOrder", 1)
    with pytest.raises(JobEnded):
        study.conduct()
    study.before = lambda *asked: None
    study.conduct()
    assert set(study.asked("TestOrder").values()) == {1}


def test_a_run_that_was_written_is_only_delivered(make: Make) -> None:
    study = make()
    study.before = ended_at("site-1", "Deliver", 1)
    with pytest.raises(JobEnded):
        study.conduct()
    study.before = lambda *asked: None
    (study.run.path / "report.html").unlink()  # the process ended before it was drawn
    assert study.conduct().phase == "finished"
    assert set(study.asked("TestOrder").values()) == {1}
    assert study.asked("Deliver") == {("site-1", 1): 2, ("site-2", 1): 2, ("site-3", 1): 2}
    assert study.kinds() == ["started", "round", "finished"]
    assert (study.run.path / "report.html").exists()
    assert study.model_of("site-1")


def test_a_site_that_is_absent_at_the_end_is_noted(make: Make) -> None:
    study = make()

    def leave(site: str, kind: str, number: int) -> None:
        if kind == "TestOrder":
            study.there.discard("site-2")

    study.before = leave
    assert study.conduct().phase == "finished"
    assert study.notes() == ["site site-2 did not take the final model: not connected"]
    assert study.model_of("site-2") == []


def test_personal_models_are_tested_and_delivered_as_each_sites_own(make: Make) -> None:
    study = make(strategy="fedbn", rounds=RoundsPlan(num=2, metric="loss"))
    study.conduct()
    models = {(path.read_bytes()) for path in study.study.path.parent.glob("site-*/models/*/model.safetensors")}
    assert len(models) == len(SITES)


@pytest.mark.parametrize(("num", "deadline_s", "expected"), [
    (4, 3.0, LOCAL_S[0]),  # seconds would not be enough to start, test and draw
    (100, 60.0, 12000.0),
    (2000, 3600.0, LOCAL_S[1])])  # more than an envelope may say
def test_a_local_arm_has_the_rounds_deadlines_twice_within_reason(num: int, deadline_s: float, expected: float) -> None:
    plan = toy_plan(rounds=RoundsPlan(num=num, metric="loss"), cohort=CohortPlan(deadline_s=deadline_s))
    assert local_deadline_s(plan) == expected <= MAX_NUMBER
