"""Text from outside: what is no JSON of ours, what a spreadsheet would work out, what would drive a terminal."""

import math

import pytest

from wardround.core.untrusted import MOST_LEVELS, cell, cell_text, parsed_json, shown


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_json_of_so_many_levels_is_read_and_of_one_more_is_not() -> None:
    assert parsed_json(nested(MOST_LEVELS))
    with pytest.raises(ValueError, match="deeper than 32 levels"):
        parsed_json(nested(MOST_LEVELS + 1))


@pytest.mark.parametrize("text", [nested(10**5), '{"a":' * 10**5, "{", "", "nul", "9" * 5000, b"\xff\xfe"])
def test_what_cannot_be_read_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed_json(text)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_read_only_where_they_are_expected(text: str) -> None:
    with pytest.raises(ValueError, match="no number of JSON"):
        parsed_json(text)
    assert not math.isfinite(parsed_json(text, with_nan=True))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_formula_becomes_a_text_and_is_read_back(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell_text(cell(text)) == text


@pytest.mark.parametrize("text", ["", "a", "a=1", "'tis", "0.5", "glioma"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert cell(text) == text
    assert cell_text(text) == text


def test_a_carriage_return_is_written_out() -> None:
    assert cell("a\rb") == "a\\rb"


@pytest.mark.parametrize(("text", "told"), [("\x1b[2J", "\\x1b[2J"), ("\x9b1m", "\\x9b1m"), ("a\rb\x00", "a\\x0db\\x00"),
                                            ("\u202egnp", "\\u202egnp"), ("\ud800", "\\ud800"), ("a\n\tb", "a\n\tb"), ("腫瘤 é", "腫瘤 é")])
def test_control_characters_are_written_out_and_nothing_else(text: str, told: str) -> None:
    assert shown(text) == told
