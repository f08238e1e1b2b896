"""The plans that ship with wardround, by name: `load_plan("demo")` needs no path."""

from __future__ import annotations

from pathlib import Path

from wardround.errors import UnknownName
from wardround.lookup import suggestion


def starters() -> dict[str, Path]:
    """Name -> file of every shipped plan, sorted: beside this module in an installed wheel, else in the checkout's plans/."""
    beside = Path(__file__).with_name("shipped")
    folder = beside if beside.is_dir() else Path(__file__).parents[2] / "plans"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def starter(name: str) -> Path:
    """The file of a shipped plan, or UnknownName with the nearest one."""
    known = starters()
    if name not in known:
        raise UnknownName(f"no shipped plan '{name}'.{suggestion(name, list(known))} Shipped plans: {', '.join(known)}.")
    return known[name]
