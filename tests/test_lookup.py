"""From names to objects."""

import fractions
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import wardround.lookup
from wardround.errors import UnknownName
from wardround.lookup import Names, suggestion

NUMBERS = Names("number", {"fraction": "fractions:Fraction", "wrong": "fractions:Fractoin"}, group="wardround.test.numbers")


def test_a_known_name_is_imported() -> None:
    assert NUMBERS.find("fraction") is fractions.Fraction


def test_an_unknown_name_says_the_nearest_and_all_known() -> None:
    with pytest.raises(UnknownName, match=r"no number 'fractoin'\. Did you mean 'fraction'\? Known: fraction, wrong\."):
        NUMBERS.find("fractoin")


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    assert suggestion("zzzz", ["fraction"]) == ""


def test_a_dotted_name_is_imported() -> None:
    assert NUMBERS.find("decimal:Decimal").__name__ == "Decimal"


def test_a_missing_module_is_an_unknown_name() -> None:
    with pytest.raises(UnknownName, match="no Python module 'no_such_module'"):
        NUMBERS.find("no_such_module:Thing")


def test_a_missing_attribute_says_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"has no 'Fractoin'\. Did you mean 'Fraction'"):
        NUMBERS.find("wrong")


def test_a_file_is_imported_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("class Net: pass\n")
    assert NUMBERS.find(f"{path}:Net") is NUMBERS.find(f"{path}:Net")


def test_files_of_the_same_name_do_not_meet(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(f"PLACE = '{folder}'\n")
    assert [NUMBERS.find(f"{tmp_path / folder}/mine.py:PLACE") for folder in ("a", "b")] == ["a", "b"]


def test_a_missing_file_is_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="relative to the plan's folder"):
        NUMBERS.find(f"{tmp_path}/none.py:Net")


def test_a_file_that_fails_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("raise RuntimeError('not yet')\n")
    with pytest.raises(RuntimeError, match="not yet"):
        NUMBERS.find(f"{path}:Net")
    path.write_text("Net = 'a network of its own'\n")
    assert NUMBERS.find(f"{path}:Net") == "a network of its own"


def test_other_packages_add_names_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("decimal", "decimal:Decimal", "wardround.test.numbers")]
    monkeypatch.setattr(wardround.lookup, "entry_points", lambda *, group: points if group == NUMBERS.group else [])
    assert NUMBERS.known() == ["decimal", "fraction", "wrong"]
    assert NUMBERS.find("decimal").__name__ == "Decimal"
