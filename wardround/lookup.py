"""From a name in a plan to an object: a table, then entry points, then `package.module:Name`, then `file.py:Name`."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from wardround.errors import PlanError, UnknownName


@dataclass(frozen=True)
class Names:
    """The known names of one kind of thing (`strategy`, `model`, ...) and where each lives.

    table: name -> "package.module:Name", imported when found. group: entry-point group of other packages.
    """

    kind: str
    table: Mapping[str, str]
    group: str

    def known(self) -> list[str]:
        """Names that `find` accepts without a colon, sorted."""
        return sorted({*self.table, *(point.name for point in entry_points(group=self.group))})

    def find(self, name: str) -> Any:
        """Return the object of this name, or raise UnknownName with the nearest known one."""
        if name in self.table:
            return _attribute(self.table[name], self.kind)
        for point in entry_points(group=self.group):
            if point.name == name:
                return point.load()
        if ":" in name:
            return _attribute(name, self.kind)
        raise UnknownName(f"no {self.kind} '{name}'.{suggestion(name, self.known())} Known: {', '.join(self.known())}. "
                          f"Your own: 'package.module:Name' or 'file.py:Name'.")


def suggestion(name: str, known: list[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known name, or "" if none is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def _attribute(target: str, kind: str) -> Any:
    place, _, name = target.rpartition(":")
    module = _module_from_file(Path(place)) if place.endswith(".py") else _module(place, kind)
    try:
        return getattr(module, name)
    except AttributeError:
        raise UnknownName(f"{kind} '{target}': {place} has no '{name}'.{suggestion(name, dir(module))}") from None


def _module(place: str, kind: str) -> Any:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and not place.startswith(error.name):
            raise
        raise UnknownName(f"{kind}: no Python module '{place}'. Is it installed, or did you mean a file "
                          f"'{place}.py:Name'?") from error


def _module_from_file(path: Path) -> Any:
    """Import a file under a name of its own, once: two files of the same name do not meet."""
    full = path.expanduser().resolve()
    if not full.is_file():
        raise UnknownName(f"no file {path} (looked for {full}). Paths in a plan are relative to the plan's folder.")
    name = f"wardround_user_{full.stem}_{hashlib.blake2b(str(full).encode(), digest_size=4).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, full)
    if spec is None or spec.loader is None:
        raise PlanError(f"{path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
