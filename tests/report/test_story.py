from typing import Any, get_args

import pytest

from wardround.plan.schema import Plan
from wardround.report import story
from wardround.report.material import read_comparison, read_run


def test_a_run_that_lost_a_site_finished_without_it(sample: Any, write: Any) -> None:
    whole = read_run(write.run(sample(num_test=60, rounds=9), name="whole"))
    lost = read_run(write.run(sample(num_test=60, rounds=9, without=("north", "south")), name="lost"))
    assert story.outcome(whole) == "The run finished after 9 rounds; round 7 was kept."
    assert story.outcome(lost) == "The run finished without north and south after 9 rounds; round 7 was kept."


@pytest.mark.parametrize("section", ["sites", "split"])
def test_every_partition_and_split_policy_has_its_words(sample: Any, write: Any, section: str) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=1)))
    key = {"sites": "partition", "split": "policy"}[section]
    options = get_args(Plan.model_fields[section].annotation.model_fields[key].annotation)  # type: ignore[union-attr]
    for option in options:
        plan = run.plan.model_copy(update={section: getattr(run.plan, section).model_copy(update={key: option})})
        assert "{" not in " ".join(story.what_was_done(plan, run))
    assert len(options) >= 3


def test_limits_follow_from_the_run(sample: Any, write: Any) -> None:
    real = read_run(write.run(sample(num_test=60, rounds=1, patients_known=True), name="real"))
    phantom = read_run(write.run(sample(num_test=60, rounds=1, phantom=True), name="phantom"))
    said = [" ".join(story.limits(run.plan, run, num_seeds=seeds)) for run, seeds in ((real, 3), (phantom, 1))]
    assert ["names no patients" in text for text in said] == [False, True]
    assert ["phantoms" in text for text in said] == [False, True]
    assert ["One random seed" in text for text in said] == [False, True]
    assert all("not a medical device" in text and "No external test set" in text for text in said)


def test_verdicts_are_sentences(sample: Any, write: Any) -> None:
    comparison = read_comparison(write.comparison(sample(num_test=120, rounds=1, without=("south",))))
    assert story.verdict_sentences(comparison)[1:] == ["Federated training against each hospital alone: better.",
                                                       "federated-seed0 finished without south."]
