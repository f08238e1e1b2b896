"""What is wrong with a plan, in the plan's own words: the key, what was found, what is allowed, the nearest key or value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from wardround.lookup import suggestion
from wardround.plan.schema import Plan

LONGEST = 200  # signs of a value or key that a message repeats
MOST_PROBLEMS = 100  # that a message names
WANTED = {
    "int_type": "must be a whole number", "int_parsing": "must be a whole number", "int_from_float": "must be a whole number",
    "float_type": "must be a number", "float_parsing": "must be a number", "finite_number": "must be a finite number",
    "bool_type": "must be true or false", "bool_parsing": "must be true or false",
    "string_type": "must be text, in quotes",
    "path_type": "must be a path, in quotes",
    "tuple_type": 'must be a list, e.g. ["north", "south"]',
    "greater_than": "must be above {gt}", "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}", "less_than_equal": "must be at most {le}",
    "string_pattern_mismatch": "may hold letters, digits, '.', '_' and '-', 80 at most, and starts with a letter or digit",
}


def describe(error: ValidationError, source: str) -> str:
    """One message for all problems of the plan `source`: one on the same line, several on a line each."""
    details = error.errors(include_url=False)
    problems = [_problem(detail) for detail in details[:MOST_PROBLEMS]]
    if len(problems) == 1:
        return f"{source}: {problems[0]}"
    more = [f"  and {len(details) - MOST_PROBLEMS} more"] if len(details) > MOST_PROBLEMS else []
    return "\n".join([f"{source} has {len(details)} problems:", *(f"  {problem}" for problem in problems), *more])


def section_keys() -> dict[str, list[str]]:
    """Section -> its keys, in the schema's order; "" holds the keys outside any section."""
    sections = {name: kind for name, field in Plan.model_fields.items() if (kind := _section(field.annotation)) is not None}
    top = [name for name in Plan.model_fields if name not in sections]
    return {"": top, **{name: list(kind.model_fields) for name, kind in sections.items()}}


def _section(annotation: object) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _problem(detail: Mapping[str, Any]) -> str:
    place = detail["loc"]
    key = ".".join(str(part)[:LONGEST] for part in place)
    found = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key '{key}'.{_nearest_key([str(part)[:LONGEST] for part in place])}"
        case "missing":
            return f"'{key}' is missing."
        case "value_error":
            return f"{detail['ctx']['error']}."
        case "literal_error":
            allowed = detail["ctx"]["expected"]
            near = suggestion(str(found)[:80], [value.strip("' ") for value in allowed.replace(" or ", ",").split(",")])
            return f"{key} = {_short(found)}: must be {allowed}.{near}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"'{key}' is a section, found {_short(found)}. Set its keys: {_keys_of(key)}."
        case kind:
            wanted = WANTED.get(kind, detail["msg"]).format(**detail.get("ctx", {}))
            return f"{key} = {_short(found)}: {wanted}."


def _short(found: object) -> str:
    """What was found, cut where it is long."""
    text = repr(found)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _nearest_key(place: list[str]) -> str:
    """ " Did you mean ...?": a near key of the same section, else the same key of another section, else the section's keys."""
    sections = section_keys()
    section = place[0] if len(place) > 1 else ""
    key = place[-1]
    known = sections.get(section, [])
    near = suggestion(key, [*known, *sections] if not section else known)
    if near and section:
        return near.replace("'", f"'{section}.", 1)
    homes = [f"'{other}.{key}'" if other else f"'{key}'" for other, keys in sections.items() if key in keys]
    if near or homes:
        return near or f" Did you mean {' or '.join(homes)}?"
    return f" Keys of {section or 'a plan'}: {_keys_of(section)}."


def _keys_of(section: str) -> str:
    sections = section_keys()
    if not section:
        return ", ".join([*sections[""], *(f"[{name}]" for name in sections if name)])
    return ", ".join(f"{section}.{name}" for name in sections.get(section, []))
