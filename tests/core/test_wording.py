"""Events in words."""

import pytest

from wardround.core import wording
from wardround.core.events import Event, Note, Progress, RunFinished, WorkerRestarted


@pytest.mark.parametrize(("event", "text"), [
    (Note(text="phantoms"), "phantoms"), (Note(run="a", text="phantoms"), "a: phantoms"),
    (WorkerRestarted(run="a", site="south", cause="signal 9"),
     "a: the worker training south died (signal 9); it was restarted and its work repeated"),
    (RunFinished(rounds=1, best_round=1, stopped_early=False, seconds=1.0), "")])
def test_notes_and_restarts_are_sentences(event: Event, text: str) -> None:
    assert wording.sentence(event) == text


@pytest.mark.parametrize(("run", "name", "text"), [("", "decode", "Decoding images"), ("a", "bootstrap", "a Intervals"),
                                                   ("", "own", "own")])
def test_a_stage_is_named_after_its_run(run: str, name: str, text: str) -> None:
    assert wording.stage(Progress(run=run, stage=name, done=0, total=1)) == text
