"""Events survive their trip through JSON."""

import json

import pytest

from wardround.core.events import Note, RoundFinished, RunFinished, SiteStep, from_record, to_record
from wardround.errors import WardroundError


@pytest.mark.parametrize("event", [
    Note(run="r", text="t"),
    SiteStep(run="r", round=2, site="a", stage="failed", cause="no images", at=1.5),
    RoundFinished(round=2, lr=0.1, train_loss=1.5, train_loss_by_site={"a": 1.5}, val={"loss": 1.0}, failed={"b": "late"},
                  suspicion={"a": 1.0}),
    RunFinished(rounds=3, best_round=2, stopped_early=True, seconds=1.25, without=("b",), metrics={"auroc": 0.5}),
])
def test_an_event_read_back_is_the_same(event) -> None:
    assert from_record(json.loads(json.dumps(to_record(event)))) == event


def test_a_round_of_an_earlier_version_has_no_suspicion() -> None:
    record = to_record(RoundFinished(round=1, lr=0.1, train_loss=1.0, train_loss_by_site={}))
    del record["suspicion"]
    assert from_record(record).suspicion == {}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(WardroundError, match="not an event"):
        from_record({"event": "Surprise"})
