"""What a report shows of one task beside what it shows of every task: `classes.py`, `findings.py` and `segmentation.py` each have one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wardround.report.checklist import Facts
from wardround.report.figures import Figures
from wardround.report.material import Comparison
from wardround.report.page import Block, Section


def nothing(facts: Facts, comparison: Comparison | None) -> list[Block]:
    """No blocks."""
    return []


@dataclass(frozen=True, kw_only=True)
class View:
    """details: below the summary of "How good". meanings: terms of "What the words mean" beside those of the metrics.
    hospital_columns: further columns of the table of hospitals, heading -> site -> text. hospital_note: a sentence on the results by
    site. errors, calibration: their sections; calibration may be none."""

    details: Callable[[Facts, Comparison | None], list[Block]] = nothing
    meanings: Callable[[Facts], list[tuple[str, str]]] = lambda facts: []
    hospital_columns: Callable[[Facts], Mapping[str, Mapping[str, str]]] = lambda facts: {}
    hospital_note: Callable[[Mapping[str, float]], str] = lambda known: ""
    errors: Callable[[Facts, Comparison | None, Figures], Section]
    calibration: Callable[[Facts, Figures], list[Section]]


def gap_note(known: Mapping[str, float]) -> str:
    """The distance between the best and the worst hospital. known: site -> value, of two or more."""
    return f" The gap between the best and the worst is {max(known.values()) - min(known.values()):.3f}."
