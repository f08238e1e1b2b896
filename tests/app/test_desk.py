"""The desk saves plans without mixing results, and remembers what was looked at."""

from pathlib import Path

import pytest

from wardround.app.desk import Desk
from wardround.app.settings import Settings
from wardround.errors import PlanError


def test_a_plan_is_saved_in_the_workspace(desk: Desk) -> None:
    desk.open_plan("demo")
    assert desk.save_plan() == desk.workspace / "demo.toml"
    assert (desk.workspace / "demo.toml").read_text() == desk.draft.text


def test_a_plan_with_a_problem_is_not_saved(desk: Desk) -> None:
    desk.set_text("name = 3")
    with pytest.raises(PlanError, match="name = 3"):
        desk.save_plan()


def test_a_changed_plan_whose_name_has_results_gets_the_next_free_name(desk: Desk) -> None:
    desk.open_plan("demo")
    desk.save_plan()
    (desk.runs / "demo" / "federated-seed0").mkdir(parents=True)
    assert desk.save_plan().name == "demo.toml"  # the same plan goes on in the same place
    desk.set_key("rounds.num", 2)
    assert desk.save_plan().name == "demo-2.toml" and desk.draft.name == "demo-2"


def test_changes_are_told_once(desk: Desk, qtbot: object) -> None:
    heard: list[str] = []
    desk.draft_changed.connect(lambda: heard.append("draft"))
    desk.open_plan("demo")
    desk.set_text(desk.draft.text)
    assert heard == ["draft"]


def test_runs_that_were_opened_are_remembered_newest_first(desk: Desk, tmp_path: Path) -> None:
    for name in ("a", "b", "a"):
        (tmp_path / name).mkdir(exist_ok=True)
        desk.open_run(tmp_path / name)
    assert desk.recent() == [tmp_path / "a", tmp_path / "b"]
    (tmp_path / "a").rmdir()
    assert Settings(tmp_path / "settings.ini").recent == [tmp_path / "b"]


def test_a_file_of_settings_that_is_damaged_gives_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_text("[General]\ntheme=pink\nscale=huge\nlanguage=xx\n")
    settings = Settings(tmp_path / "settings.ini")
    assert (settings.theme, settings.scale, settings.language) == ("system", 1.0, "en")
