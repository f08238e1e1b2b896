"""The plan being edited keeps its comments, says what is wrong with it, and reads back as it was set."""

from pathlib import Path

import pytest

from wardround.app.views.draft import Draft
from wardround.errors import PlanError

TEXT = """name = "mine"  # the study

[sites]
num = 3  # as many as there are
"""


def test_a_shipped_plan_is_opened_by_its_name() -> None:
    draft = Draft.of("demo")
    assert draft.plan is not None and draft.name == "demo" and draft.problem == ""


def test_a_plan_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(PlanError, match="Shipped plans"):
        Draft.of("nothing-like-this")


def test_setting_a_key_keeps_the_comments() -> None:
    draft = Draft().with_text(TEXT).with_key("sites.num", 5)
    assert draft.value("sites.num") == 5
    assert "# the study" in draft.text and "# as many as there are" in draft.text


def test_a_key_of_a_new_section_makes_the_section() -> None:
    draft = Draft().with_text(TEXT).with_key("strategy.name", "fedprox")
    assert "[strategy]" in draft.text and draft.value("strategy.name") == "fedprox"


def test_none_takes_a_key_out_and_its_default_holds() -> None:
    draft = Draft().with_text(TEXT).with_key("sites.num", 7).with_key("sites.num", None)
    assert not draft.is_set("sites.num") and draft.value("sites.num") == 3


def test_a_strategys_own_field_has_a_value() -> None:
    draft = Draft().with_text(TEXT).with_key("strategy.name", "fedprox").with_key("strategy.mu", 0.1)
    assert draft.value("strategy.mu") == 0.1


@pytest.mark.parametrize(("text", "said"), [("name = ", "not valid TOML"), ('name = "a"\n[sites]\nnun = 3', "sites.num"), ("", "name")])
def test_a_wrong_text_is_kept_and_its_problem_told(text: str, said: str) -> None:
    draft = Draft().with_text(text)
    assert draft.plan is None and draft.text == text and said in draft.problem


def test_a_key_cannot_be_set_in_what_is_no_toml() -> None:
    with pytest.raises(PlanError, match="Mend the text"):
        Draft().with_text("name = ").with_key("seed", 1)


def test_paths_of_an_opened_file_no_longer_depend_on_its_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TEXT + '[data]\nfolder = "images"  # beside the plan\n')
    draft = Draft.of(tmp_path / "mine.toml")
    assert draft.value("data.folder") == tmp_path / "images" and "# beside the plan" in draft.text


def test_lists_are_set_as_lists() -> None:
    draft = Draft().with_text(TEXT).with_key("sites.names", ("a", "b", "c"))
    assert draft.value("sites.names") == ("a", "b", "c")
