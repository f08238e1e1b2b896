"""Files by which the commands, the hub and the run speak to each other: whole whenever they are read."""

import json
import threading
from pathlib import Path

import pytest

from wardround.errors import WardroundError
from wardround.network.control import Control, Hub, Progress, State
from wardround.network.folders import StudyFolder


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(StudyFolder(tmp_path))


def test_before_anybody_wrote_a_study_is_wanted_and_has_not_begun(state: State) -> None:
    assert state.control == Control(want="run", wait_for=1, with_local=False)
    assert state.progress == Progress(phase="none", round=0)
    assert state.hub is None
    assert state.came_in_at("north") == 0
    assert state.members == {}
    assert not state.boundary.exists()


def test_a_wish_leaves_the_others_as_they_were(state: State) -> None:
    state.want(wait_for=3, with_local=True)
    state.want(want="pause")
    assert state.control == Control(want="pause", wait_for=3, with_local=True)


def test_a_wish_that_is_none_is_refused_and_nothing_written(state: State) -> None:
    with pytest.raises(ValueError, match="unknown wish 'sleep'"):
        state.want(want="sleep")
    assert state.control.want == "run"


def test_what_is_told_is_read_with_its_time(state: State) -> None:
    state.tell(Progress(phase="training", run="run-1", round=2, num_rounds=9, sites={"north": ""}))
    state.see(Hub(pid=7, connected={"north": 1.5}))
    assert state.progress.at > 0
    assert (state.progress.phase, state.progress.round, state.progress.sites) == ("training", 2, {"north": ""})
    assert state.hub is not None
    assert (state.hub.pid, state.hub.connected) == (7, {"north": 1.5})
    assert state.hub.at > 0


@pytest.mark.parametrize(("name", "record"), [
    ("control", {"want": "run", "colour": "red"}), ("control", {"want": "sleep"}), ("progress", {"phase": "dreaming"}),
    ("hub", {"text": "no pid"}), ("progress", ["a list"])])
def test_a_file_of_another_version_is_told_with_the_remedy(state: State, name: str, record: object) -> None:
    (state.folder / f"{name}.json").write_text(json.dumps(record))
    with pytest.raises(WardroundError, match=rf"{name}\.json is damaged, or was written by another version .* Remove it"):
        getattr(state, name)


def test_a_damaged_file_is_told_with_the_remedy(state: State) -> None:
    (state.folder / "control.json").write_text('{"want": "ru')
    with pytest.raises(WardroundError, match=r"Remove it: the run itself lies in .*runs"):
        state.want(want="pause")


def test_a_reader_never_sees_half_of_a_file(state: State) -> None:
    state.tell(Progress(sites={}))
    is_over = threading.Event()

    def write() -> None:
        for number in range(100):
            state.tell(Progress(round=number, sites={f"site-{index}": "not connected" for index in range(number)}))
        is_over.set()

    writer = threading.Thread(target=write)
    writer.start()
    num = 0
    while not is_over.is_set():
        found = state.progress
        assert len(found.sites) == found.round
        num += 1
    writer.join()
    assert num > 10


def test_a_member_that_comes_in_anew_is_known_by_it(state: State) -> None:
    state.came_in("north")
    state.take(["north", "south"])
    assert state.members == {"north": state.came_in_at("north"), "south": 0}
    state.came_in("south")
    assert state.came_in_at("south") != state.members["south"]
    assert state.came_in_at("north") == state.members["north"]
