"""What an attack on one's own run came to, beside the same attack on a planted victim that nothing defends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

Verdict = Literal["leaks", "resists", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measured number. low, high: its 95 % interval, where there is one. threshold: from which on the attack counts as successful.
    count: cases behind it. value: None where nothing could be measured."""

    name: str
    value: float | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    count: int | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One attack. question: what it asks, in plain words. canary: on the planted victim. result: on the run's own model and recipe.

    says_not: what may not be concluded. rows: a table of more numbers, its keys the columns. figures: names of pictures in the run's
    figures folder. settings: all that is needed to repeat it.
    """

    attack: str
    question: str
    settings: Mapping[str, Any]
    canary: Measure
    result: Measure
    verdict: Verdict
    says_not: str
    rows: Sequence[Mapping[str, Any]] = ()
    figures: Sequence[str] = ()

    def record(self) -> dict[str, Any]:
        """As in audit.json, which holds no NaN and no infinity: what is neither is null."""
        known: dict[str, Any] = _known(asdict(self))
        return known


def _known(value: Any) -> Any:
    """The value with null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _known(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_known(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def verdict(*, is_canary_broken: bool, is_broken: bool) -> Verdict:
    """An attack that cannot even break its planted victim proves nothing: then "inconclusive", never "resists"."""
    if is_broken:
        return "leaks"
    return "resists" if is_canary_broken else "inconclusive"
