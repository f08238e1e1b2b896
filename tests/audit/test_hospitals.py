"""Which hospital sent an update: in the tiny federation, and where nobody can know."""

from collections.abc import Callable

import numpy as np
import pytest

from wardround.audit import hospitals
from wardround.audit.hospitals import audit_hospitals, planted_blueprint
from wardround.audit.subject import Subject


@pytest.fixture(autouse=True)
def few_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hospitals, "QUICK_TESTS", 10)


def test_planted_hospitals_hold_one_class_each_of_training_rows(subject_with: Callable[..., Subject]) -> None:
    subject = subject_with(recipe={"mixup": 0.2}, exchange={"updates": "int8"}, aggregation={"secure": True}, cohort={"min_sites": 3})
    planted = planted_blueprint(subject)
    assert planted is not None
    labels = subject.prepared.catalogue.labels
    assert sorted(len(set(labels[held.train])) for held in planted.rows.values()) == [1, 1]
    assert set(np.concatenate([held.train for held in planted.rows.values()])) <= set(subject.rows("train"))
    assert planted.filter is None and not planted.plan.aggregation.secure and not planted.plan.recipe.mixup


def test_hospitals_with_classes_of_their_own_are_told(subject_with: Callable[..., Subject]) -> None:
    (finding,) = audit_hospitals(subject_with(sites={"num": 2, "partition": "shards", "shards": 1}))
    assert finding.canary.value == finding.result.value == 1.0
    assert (finding.verdict, finding.result.count, finding.result.threshold) == ("leaks", 10, 0.6)  # low end 0.0125^(1/10) = 0.645
    assert {row["seen"] for row in finding.rows} == {"last layer", "all layers"}


def test_of_a_sum_nothing_can_be_told(subject_with: Callable[..., Subject]) -> None:
    (finding,) = audit_hospitals(subject_with(aggregation={"secure": True}, cohort={"min_sites": 3}))
    assert (finding.result.value, finding.result.count) == (0.2, 0)
    assert finding.says_not.startswith("The plan asks for secure aggregation")


def test_one_hospital_cannot_be_told_from_others(subject_with: Callable[..., Subject]) -> None:
    (finding,) = audit_hospitals(subject_with(sites={"num": 1}))
    assert finding.verdict == "inconclusive" and finding.result.value is None
