"""What is said of the algorithms is complete, short and can be done."""

import re
from pathlib import Path
from typing import get_args

import pytest

from wardround.plan.load import load_plan
from wardround.strategies import STRATEGIES
from wardround.strategies.advice import ADVICE, OPTIONS, Kind, advice
from wardround.strategies.base import Personal

ALGORITHMS = (Path(__file__).parents[2] / "docs" / "algorithms.md").read_text()
SAID = {**ADVICE, **OPTIONS}


def test_every_strategy_has_its_advice_and_nothing_else_has() -> None:
    assert set(ADVICE) == set(STRATEGIES.table)


@pytest.mark.parametrize("name", sorted(STRATEGIES.table))
def test_a_personal_strategy_is_called_so(name: str) -> None:
    assert (advice(name).kind == "personal") == issubclass(STRATEGIES.find(name), Personal)


@pytest.mark.parametrize("name", sorted(SAID))
def test_advice_is_short_and_names_a_source(name: str) -> None:
    said = SAID[name]
    assert said.kind in get_args(Kind)
    assert 0 < len(said.use_when) < 90 and 0 < len(said.costs) < 90 and said.source


@pytest.mark.parametrize("setting", sorted(OPTIONS))
def test_a_setting_can_be_given_to_a_plan_as_it_is_written(setting: str) -> None:
    key = setting.partition("=")[0]
    section, name = key.split(".")
    plain, changed = load_plan("demo"), load_plan("demo", [setting])
    assert getattr(getattr(changed, section), name) != getattr(type(getattr(plain, section))(), name)


@pytest.mark.parametrize("name", sorted(STRATEGIES.table))
def test_the_page_on_algorithms_explains_every_strategy(name: str) -> None:
    assert re.search(rf"`{name}`", ALGORITHMS)


@pytest.mark.parametrize("setting", sorted(OPTIONS))
def test_the_page_on_algorithms_explains_every_setting_like_one(setting: str) -> None:
    key, _, value = setting.partition("=")
    assert f"`{key}" in ALGORITHMS
    assert not value.isalpha() or value == "true" or value in ALGORITHMS


def test_of_a_strategy_of_another_place_its_docstring_is_shown(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text('class Own:\n    """Halves everything.\n\n    More."""\nclass Silent:\n    pass\n')
    said = advice(f"{tmp_path / 'own.py'}:Own")
    assert (said.kind, said.use_when) == ("plug-in", "Halves everything.")
    assert advice(f"{tmp_path / 'own.py'}:Silent").use_when == ""
