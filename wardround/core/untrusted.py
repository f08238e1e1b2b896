"""Text from outside: JSON with limits, cells of a table that no spreadsheet takes for a formula, and what a terminal may show."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

MOST_LEVELS = 32  # of JSON: nothing of ours has more than eight
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that Excel, LibreOffice or Sheets would work out
# of Unicode, what turns the direction of the text around it: a name could show as another
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def parsed_json(text: str | bytes, *, with_nan: bool = False) -> Any:
    """The value of a JSON text; ValueError for what is none, nests deeper than MOST_LEVELS, or holds NaN or infinity unless with_nan."""
    try:
        found = json.loads(text) if with_nan else json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError(f"nested deeper than {MOST_LEVELS} levels") from None
    if is_deep(found, MOST_LEVELS):
        raise ValueError(f"nested deeper than {MOST_LEVELS} levels")
    return found


def is_deep(value: Any, levels: int) -> bool:
    """Whether lists and dicts nest deeper than so many levels."""
    if not isinstance(value, dict | list):
        return False
    return not levels or any(is_deep(entry, levels - 1) for entry in (value.values() if isinstance(value, dict) else value))


def cell(text: str) -> str:
    """The text as a cell of a CSV file: with a leading quote where a spreadsheet would take it for a formula.

    A carriage return, which would end the row for some readers, is written out."""
    return (f"'{text}" if text.startswith(_FORMULA) else text).replace("\r", "\\r")


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV text, each cell made one by `cell`."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(map(cell, row) for row in rows)
    return file.getvalue()


def cell_text(cell: str) -> str:
    """What `cell` was made of."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def shown(text: str) -> str:
    """Text as a terminal or a log may show it: control characters, with which it could be driven, are written out as \\x1b.

    Line ends and tabs are kept."""
    if text.isprintable() and text.isascii():
        return text
    return "".join(_escaped(letter) if _is_control(letter) else letter for letter in text)


def _is_control(letter: str) -> bool:
    code = ord(letter)
    return (code < 32 and letter not in "\n\t") or 127 <= code < 160 or letter in _TURNING or 0xD800 <= code < 0xE000


def _escaped(letter: str) -> str:
    return f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
