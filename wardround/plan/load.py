"""From TOML and overrides to a Plan and back. All that is wrong with a plan is said at once, in the plan's own words."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from wardround.errors import PlanError
from wardround.lookup import suggestion
from wardround.plan.problems import describe
from wardround.plan.schema import Plan
from wardround.plan.starters import starters

Table = dict[str, Any]

NAMED = (("data", "dataset"), ("model", "name"), ("strategy", "name"))  # keys that may hold "file.py:Name"
MOST_BYTES = 2**20  # of a plan
MOST_DOTS = 200  # in a line: a key of thousands of parts takes a parser's memory, and its time
MOST_LEVELS = 8


def load_plan(source: Path | str, overrides: Sequence[str] = ()) -> Plan:
    """Read a plan file, or the shipped plan of that name, and apply overrides such as "sites.alpha=0.3".

    An override's value is read as TOML, else as text; "none" takes the key out, so that its default holds. Relative paths in the
    file start at the file's folder, those in overrides at the working folder. PlanError names the file and every problem.
    """
    path = file_of(source)
    table = with_full_paths(toml_table(text_of(path), str(path)), path.parent)
    for override in overrides:
        table = _merged(table, with_full_paths(_override(override), Path.cwd()))
    return plan_of(_without_none(table), str(path))


def plan_of(table: Mapping[str, Any], source: str) -> Plan:
    """The plan of a table; PlanError, which begins with the source, says every problem."""
    try:
        return Plan.model_validate(table)
    except ValidationError as error:
        raise PlanError(describe(error, source)) from error


def toml_table(text: str, source: str) -> Table:
    """What a text in TOML holds; PlanError, which begins with the source, for what is none or goes beyond any plan."""
    if len(text) > MOST_BYTES or any(line.count(".") > MOST_DOTS for line in text.splitlines()):
        raise PlanError(f"{source}: more than {MOST_BYTES:,} characters, or {MOST_DOTS} dots in a line; no plan is like that.")
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise PlanError(f"{source}: nested deeper than {MOST_LEVELS} levels; a plan has sections and keys.") from error
    except ValueError as error:  # also of numbers of thousands of digits
        raise PlanError(f"{source} is not valid TOML: {str(error)[:200]}. Text needs quotes, and a section begins with [its "
                        "name].") from error
    if (fault := _fault(table, MOST_LEVELS)) is not None:
        raise PlanError(f"{source}: {fault}.")
    return table


def dump_plan(plan: Plan) -> str:
    """The plan as TOML with every default written out; load_plan reads it back equal. Keys without a value are left out."""
    return tomli_w.dumps(_plain(plan.model_dump()))


def file_of(source: Path | str) -> Path:
    """The plan's file: a path, or the name of a shipped plan."""
    path = _home(Path(source))
    if path.is_file():
        return path.absolute()
    shipped = starters()
    if str(source) in shipped:
        return shipped[str(source)]
    if path.is_dir():
        raise PlanError(f"{path} is a folder; a plan is a TOML file. To continue a run: wardround run --resume {path}")
    beside = [str(file) for file in sorted(path.parent.glob("*.toml"))] if path.parent.is_dir() else []
    near = suggestion(str(source), [*beside, *shipped])
    raise PlanError(f"no plan {source}.{near} Shipped plans, found by name alone: {', '.join(shipped)}.")


def with_full_paths(table: Table, folder: Path) -> Table:
    """A copy in which data.folder, a file of model.weights and "file.py:Name" no longer depend on the working folder."""
    change: Table = {}
    data_folder = _text(table, "data", "folder")
    if data_folder:
        change = {"data": {"folder": str(_full(data_folder, folder))}}
    weights = _text(table, "model", "weights")
    if "." in weights:
        change = _merged(change, {"model": {"weights": str(_full(weights, folder))}})
    for section, key in NAMED:
        place, colon, name = _text(table, section, key).rpartition(":")
        if colon and place.endswith(".py"):
            change = _merged(change, {section: {key: f"{_full(place, folder)}:{name}"}})
    return _merged(table, change)


def text_of(path: Path) -> str:
    """A plan file's text, of more than MOST_BYTES the beginning, which toml_table refuses; PlanError for what is no text."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1).decode()
    except UnicodeDecodeError as error:
        raise PlanError(f"{path} is not text in UTF-8 (byte {error.start}); a plan is a TOML file.") from error


def _fault(value: Any, levels: int) -> str | None:
    """What no plan holds: endless nesting, a NUL, with which a path ends early, or a number that cannot be written out."""
    if isinstance(value, str) and "\0" in value:
        return "a text holds the character NUL; take it out"
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a number of {value.bit_length()} bits; a plan's have 64 at most"
    if not isinstance(value, dict | list):
        return None
    if not levels:
        return f"nested deeper than {MOST_LEVELS} levels; a plan has sections and keys"
    inside = [*value, *value.values()] if isinstance(value, dict) else value
    return next((fault for entry in inside if (fault := _fault(entry, levels - 1)) is not None), None)


def _override(text: str) -> Table:
    """ "a.b=c" -> {"a": {"b": c}}."""
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise PlanError(f"--set {text}: write KEY=VALUE, e.g. --set sites.alpha=0.3")
    found: Any = _value(value.strip())
    for part in reversed(parts):
        found = {part: found}
    return dict(found)


def _value(text: str) -> Any:
    """A TOML value, None for "none", or else the text itself (so that names and paths need no quotes)."""
    if text == "none":
        return None
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 else text


def _merged(table: Table, change: Mapping[str, Any]) -> Table:
    """A copy of the table with the change's keys; tables in tables are merged."""
    result = dict(table)
    for key, value in change.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _text(table: Table, section: str, key: str) -> str:
    """A text value of a section, "" if there is none (validation says what is wrong with it)."""
    part = table.get(section)
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, str) else ""


def _full(path: str, folder: Path) -> Path:
    return (folder / _home(Path(path))).absolute()


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise PlanError(f"{path}: there is no such user's home folder. Write the path out.") from error


def _without_none(table: Table) -> Table:
    return {key: _without_none(value) if isinstance(value, dict) else value for key, value in table.items() if value is not None}


def _plain(value: Any) -> Any:
    """What TOML can hold: no None, no Path, no tuple."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
