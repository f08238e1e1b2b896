"""What is hidden because it rests on few images: counts of 1 to SMALL_COUNT, and rates of so few.

A reader of the results shall not learn that a hospital has, say, 3 images of a class, nor how these 3 came out. The rule is that of cell
suppression: small cells are hidden, and so are totals from which a single one could be worked out by subtraction (Hundepool et al. 2012,
Statistical Disclosure Control, chapter 4). It does not cover the arithmetic of rates: who knows that 97.6 % of 42 images were named
rightly knows that one was not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wardround.data.catalogue import Task
from wardround.report.words import SMALL_COUNT

FEW: Mapping[str, Any] = {"value": None, "low": None, "high": None, "reason": "few"}
DECIMALS = 3  # of a hospital's own rates: more would tell the fraction, and so its counts


def is_few(count: float) -> bool:
    """Whether there are some, but not enough to be told."""
    return 1 <= count <= SMALL_COUNT


def told(count: int) -> int | None:
    """The count, None if it is hidden."""
    return None if is_few(count) else int(count)


def told_total(counts: Sequence[int]) -> int | None:
    """The sum of counts of which each is told apart, None if a hidden one could be worked out of it."""
    small = [count for count in counts if is_few(count)]
    return told(sum(counts)) if not small or (len(small) > 1 and not is_few(sum(small))) else None


def told_parts(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Counts whose sum is told too: where a hidden one would be what the others leave of it, the smallest of the others is hidden."""
    shown = {name: told(count) for name, count in counts.items()}
    hidden = [name for name, count in shown.items() if count is None]
    others = sorted((name for name, count in shown.items() if count), key=lambda name: counts[name])
    if hidden and others and (len(hidden) == 1 or is_few(sum(counts[name] for name in hidden))):
        shown[others[0]] = None
    return shown


def told_counts(counts: Mapping[str, int]) -> dict[str, Any]:
    """The counts, and under "hidden" whether a None among them is a hidden count."""
    shown = {name: told(count) for name, count in counts.items()}
    return {**shown, "hidden": None in shown.values()}


def told_table(table: np.ndarray) -> list[list[int | None]]:
    """A hospital's confusion, (C, C), whole or not at all: of a table with one gap a row's rate and its other cells tell the gap."""
    hidden = any(map(is_few, table.flat))
    return [[None if hidden else int(cell) for cell in row] for row in table]


def told_tables(tables: Mapping[str, np.ndarray]) -> tuple[dict[str, list[list[int | None]]], list[list[int | None]]]:
    """Each site's confusion, and the sum, such that no hidden cell follows from the others.

    One hidden table would be the sum less all others, so then the smallest other one is hidden too. A cell of the sum is hidden where it
    is small, or where what the hidden tables have in it is."""
    shown = {site: told_table(table) for site, table in tables.items()}
    hidden = [site for site, table in shown.items() if table[0][0] is None]
    others = sorted((site for site in tables if site not in hidden and tables[site].any()), key=lambda site: tables[site].sum())
    if len(hidden) == 1 and others:
        hidden.append(others[0])
        shown[others[0]] = [[None] * len(row) for row in shown[others[0]]]
    total = sum(tables.values(), np.zeros_like(next(iter(tables.values()))))
    inside = sum((tables[site] for site in hidden), np.zeros_like(total))
    is_hidden = _covered(total, _small(total) | _small(inside) | (len(hidden) == 1))
    if told_total([int(table.sum()) for table in tables.values()]) is None:  # which the whole sum would tell
        is_hidden = is_hidden | np.eye(len(total), dtype=bool)
    return shown, [[None if gap else int(cell) for cell, gap in zip(*rows, strict=True)] for rows in zip(total, is_hidden, strict=True)]


def _covered(table: np.ndarray, is_hidden: np.ndarray) -> np.ndarray:
    """Which cells to hide, so that neither a row's rate, which is told, nor the number of all rows gives a hidden cell away."""
    is_hidden = is_hidden | (np.eye(len(table), dtype=bool) & is_hidden.any(1, keepdims=True))
    for row, gaps in zip(table, is_hidden, strict=True):
        others = np.flatnonzero(~gaps & (row > 0))
        if gaps.sum() == 1 and len(others):  # the diagonal alone
            gaps[others[row[others].argmin()]] = True
    return is_hidden | is_few(table[is_hidden].sum())


def few_metrics(task: Task, classes: Sequence[str], support: Mapping[str, int], num: int) -> frozenset[str]:
    """Names of the metrics that rest on few images. support: test images of each class or finding, among num in all.

    Means over classes rest on the rarest of them: with the other classes' rates beside it, a mean would tell the rare one's. Of several
    findings an image the means leave the rare ones out instead, see `common_findings`. Of segmentations, "dice" and all others."""
    if is_few(num):
        return frozenset({"*"})
    rare = [name for name in classes if is_few(support.get(name, 0))]
    if task == "multilabel":
        common = common_findings(classes, support, num)
        return frozenset(f"{kind}_{name}" for name in classes if name not in common for kind in ("auroc", "auprc"))
    if task == "segmentation" or not rare:
        return frozenset()
    means = {"balanced_accuracy", "auroc", "auprc", "f1"}
    own = {"sensitivity": classes[1], "specificity": classes[0]} if task == "binary" else {f"recall_{name}": name for name in classes}
    return frozenset(means | {metric for metric, name in own.items() if name in rare})


def common_findings(classes: Sequence[str], support: Mapping[str, int], num: int) -> list[str]:
    """Findings of which neither the images with nor those without are few."""
    return [name for name in classes if not is_few(support.get(name, 0)) and not is_few(num - support.get(name, 0))]


def told_metrics(metrics: Mapping[str, Mapping[str, Any]], few: frozenset[str], decimals: int | None = None) -> dict[str, Any]:
    """Scores with those that rest on few images hidden, the others rounded if decimals are given."""
    def part(value: Any) -> Any:
        return round(value, decimals) if isinstance(value, float) and decimals is not None else value

    return {name: dict(FEW) if name in few or "*" in few else {key: part(value) for key, value in entry.items()}
            for name, entry in metrics.items()}


def decimals_of(num: int) -> int:
    """So many decimals that a rate of about num rows does not tell how many exactly: each of num - 10 to num + 10 has such a rate."""
    return min(DECIMALS, int(math.log10(max(num, 1))))


def _small(table: np.ndarray) -> np.ndarray:
    return np.asarray((table >= 1) & (table <= SMALL_COUNT))

