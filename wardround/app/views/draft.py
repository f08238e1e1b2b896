"""The plan that is being edited: its text, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from wardround.errors import PlanError, WardroundError
from wardround.plan.load import file_of, plan_of, text_of, toml_table, with_full_paths
from wardround.plan.schema import Plan

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

SOURCE = "plan"


@dataclass(frozen=True)
class Draft:
    """text: TOML with the user's comments. path: the file it was read from. plan: None if the text is none; problem then says why."""

    text: str = ""
    path: Path | None = None
    plan: Plan | None = None
    problem: str = "no plan is open. Begin on the page Start."

    @staticmethod
    def of(source: Path | str) -> Draft:
        """The plan of a file, or the shipped plan of that name, paths in it made whole; PlanError if there is no such file."""
        path = file_of(source)
        return Draft(path=path).with_text(_whole(text_of(path), path))

    def with_text(self, text: str) -> Draft:
        """The draft with another text."""
        try:
            return Draft(text=text, path=self.path, plan=plan_of(toml_table(text, SOURCE), SOURCE), problem="")
        except WardroundError as error:
            return Draft(text=text, path=self.path, plan=None, problem=str(error))

    def with_key(self, key: str, value: Any) -> Draft:
        """The draft with "section.key" or "key" set, comments kept; None takes the key out. PlanError if the text is no TOML."""
        document = _parsed(self.text)
        *section, name = key.split(".")
        table: Any = document
        for part in section:
            if part not in table:
                table[part] = tomlkit.table()
            table = table[part]
        if value is None:
            table.pop(name, None)
        else:
            table[name] = _plain(value)
        return self.with_text(tomlkit.dumps(document))

    def value(self, key: str) -> Any:
        """What the plan says of "section.key" or "key", its default included; None without a plan or such a key."""
        found: Any = self.plan
        for part in key.split("."):
            extra = getattr(found, "__pydantic_extra__", None) or {}
            found = extra[part] if part in extra else getattr(found, part, None)
        return found

    def is_set(self, key: str) -> bool:
        """Whether the text itself says it."""
        table: Any = self.table()
        for part in key.split("."):
            if not isinstance(table, Mapping) or part not in table:
                return False
            table = table[part]
        return True

    def table(self) -> Mapping[str, Any]:
        """What the text holds as TOML, {} if it is none."""
        try:
            return toml_table(self.text, SOURCE)
        except PlanError:
            return {}

    @property
    def name(self) -> str:
        return self.plan.name if self.plan is not None else ""


def _parsed(text: str) -> TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise PlanError(f"{SOURCE} is not valid TOML: {str(error)[:200]}. Mend the text on the page Plan first.") from error


def _whole(text: str, path: Path) -> str:
    """The text with paths that do not depend on the file's folder, so that it may be saved elsewhere."""
    try:
        before = toml_table(text, str(path))
    except PlanError:
        return text
    after, document = with_full_paths(before, path.parent), _parsed(text)
    changed = [(section, key, value) for section, part in after.items() if isinstance(part, Mapping)
               for key, value in part.items() if before[section].get(key) != value]
    for section, key, value in changed:
        document[section][key] = value
    return tomlkit.dumps(document) if changed else text


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value
