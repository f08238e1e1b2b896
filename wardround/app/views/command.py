"""The command that does what a page does with the plan as it stands, saved or not."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from wardround.app.views.draft import Draft
from wardround.errors import WardroundError
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan
from wardround.plan.starters import starters

_PLAIN = re.compile(r"[A-Za-z/~][\w./+-]*")
_OTHERS = ("none", "true", "false", "inf", "nan")  # TOML, or `--set`, takes them for something else than text


def command_of(draft: Draft, verb: str) -> str:
    """ "wardround VERB PLAN --set KEY=VALUE ...": the plan's file or shipped name, and what differs from it. "" without a plan."""
    if draft.plan is None or draft.path is None:
        return ""
    shipped = {path: name for name, path in starters().items()}
    try:
        changes = [part for key, value in _differences(load_plan(draft.path), draft.plan) for part in ("--set", f"{key}={value}")]
    except WardroundError:
        return ""  # the file is gone, or somebody has spoilt it meanwhile
    return shlex.join(["wardround", verb, shipped.get(draft.path, str(draft.path)), *changes])


def _differences(before: Plan, after: Plan) -> Iterator[tuple[str, str]]:
    """Keys that differ, and their new values as TOML."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    for key in new:
        if not isinstance(new[key], Mapping):
            if new[key] != old[key]:
                yield key, _toml(new[key])
            continue
        for part in {**old[key], **new[key]}:
            if old[key].get(part) != new[key].get(part):
                yield f"{key}.{part}", _toml(new[key].get(part))


def _toml(value: Any) -> str:
    """A value as `--set` reads it: a plain word or path needs no quotes."""
    if value is None:
        return "none"
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value not in _OTHERS
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)
