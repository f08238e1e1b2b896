"""Images -> train, val and test, by group (patient or near-duplicate), never by image; and the gate that proves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wardround.data.catalogue import UNKNOWN, Catalogue, text_column
from wardround.data.duplicates import keys
from wardround.errors import CatalogueError, DataError
from wardround.plan.schema import SplitPlan
from wardround.rng import stream

SPLITS = ("train", "val", "test")
LEAK = "test-leak"  # a row of the published test split whose group is also in train or val: judged apart
OUT = "out"  # a row that takes no part
MIN_VAL = 0.02  # a published val smaller than this share of train is drawn anew (Kaggle's chest X-rays have 16 val images)
EXAMPLES = 10  # leaking pairs a report keeps of each kind


def split(catalogue: Catalogue, groups: np.ndarray, plan: SplitPlan) -> np.ndarray:
    """Assign every row to "train", "val", "test", "test-leak" or "out". groups: (n,) int64 from 0. Returns (n,) text.

    plan.val is a share of all rows under the policy "grouped", else of the rows that are not test.
    CatalogueError if train comes out empty, or a val or test that the plan asks for.
    """
    chosen = POLICIES[plan.policy](catalogue, groups, plan)
    wanted = {"train": True, "val": plan.val > 0, "test": plan.test > 0 or plan.policy != "grouped"}
    empty = [name for name in SPLITS if wanted[name] and not (chosen == name).any()]
    if empty:
        why = " All published test images belong to groups of train or val." if (chosen == LEAK).any() else ""
        raise CatalogueError(f"data set '{catalogue.name}': no image is left for {' and '.join(empty)}. The images form "
                             f"{len(np.unique(groups))} groups (patients or near-duplicates).{why} Change split.policy, split.val "
                             "or split.test, or lower split.near_duplicate_bits.")
    return chosen


def _grouped(catalogue: Catalogue, groups: np.ndarray, plan: SplitPlan) -> np.ndarray:
    shares = {"train": 1 - plan.val - plan.test, "val": plan.val, "test": plan.test}
    return _drawn(catalogue.stratum_table(), groups, shares, plan)


def _folds(catalogue: Catalogue, groups: np.ndarray, plan: SplitPlan) -> np.ndarray:
    counts = group_counts(catalogue.stratum_table(), groups)
    targets = np.full((plan.folds, 1), 1 / plan.folds) * counts.sum(0)
    is_test = (deal(counts, targets, stream(plan.seed, "split", "folds")) == plan.fold)[groups]
    chosen = np.where(is_test, "test", _redrawn(catalogue, groups, plan, ~is_test))
    return text_column(chosen.tolist())


def _published(catalogue: Catalogue, groups: np.ndarray, plan: SplitPlan) -> np.ndarray:
    chosen = _published_rows(catalogue)
    is_test = chosen == "test"
    if (chosen == "val").sum() < MIN_VAL * (chosen == "train").sum():
        chosen = _redrawn(catalogue, groups, plan, ~is_test)
    else:
        chosen[(chosen == "val") & np.isin(groups, groups[chosen == "train"])] = OUT
    chosen[is_test] = np.where(np.isin(groups[is_test], groups[np.isin(chosen, ("train", "val")) & ~is_test]), LEAK, "test")
    return chosen


POLICIES: dict[str, Callable[[Catalogue, np.ndarray, SplitPlan], np.ndarray]] = {
    "grouped": _grouped, "published": _published, "folds": _folds}


def _published_rows(catalogue: Catalogue) -> np.ndarray:
    """A copy of the published splits, or CatalogueError if they are not complete."""
    chosen = catalogue.splits.copy()
    unknown = ~np.isin(chosen, SPLITS)
    missing = [name for name in ("train", "test") if not (chosen == name).any()]
    if unknown.any() or missing:
        fault = f"{int(unknown.sum())} of {len(chosen)} images have none" if unknown.any() else f"it has no {missing[0]} images"
        raise CatalogueError(f"data set '{catalogue.name}' has no complete published split: {fault}. Let wardround split it by "
                             "patient: split.policy = \"grouped\".")
    return chosen


def _redrawn(catalogue: Catalogue, groups: np.ndarray, plan: SplitPlan, rows: np.ndarray) -> np.ndarray:
    """Draw train and val by group among the masked rows; (n,) text, "" elsewhere."""
    _, own = np.unique(groups[rows], return_inverse=True)
    chosen = text_column([UNKNOWN] * len(groups))
    if rows.any():
        shares = {"train": 1 - plan.val, "val": plan.val}
        chosen[rows] = _drawn(catalogue.stratum_table()[rows], own, shares, plan)
    return chosen


def _drawn(table: np.ndarray, groups: np.ndarray, shares: Mapping[str, float], plan: SplitPlan) -> np.ndarray:
    counts = group_counts(table, groups)
    kept = {name: share for name, share in shares.items() if share > 0}
    targets = np.array(list(kept.values()))[:, None] * counts.sum(0)
    bins = deal(counts, targets, stream(plan.seed, "split"))
    chosen: np.ndarray = text_column(list(kept))[bins[groups]]
    return chosen


def group_counts(table: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Rows of each stratum in each group: (G, S) int64. table: (n, S) of 0 and 1. groups: (n,) int64 in 0..G-1."""
    counts = np.zeros((int(groups.max()) + 1, table.shape[1]), np.int64)
    np.add.at(counts, groups, table)
    return counts


def deal(counts: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal whole groups to bins so that each bin comes near its target number of rows of every stratum (catalogue.py).

    counts: (G, C) rows of each stratum in a group; a group without rows goes to bin 0. targets: (K, C) wanted rows. Returns (G,)
    int64 in 0..K-1. Groups come in random order, the largest first; each goes where it lowers the squared error, relative to the
    target, most: the sum over strata of (have - target)^2 / target. With single-row groups every bin ends within a row or so of
    its target for each stratum.
    """
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    scale = 1 / np.maximum(targets, 1e-9)  # a bin that wants none of a label is the last to get it
    remaining = targets.astype(np.float64)
    bins = np.zeros(len(counts), np.int64)
    for group in order:
        rows = counts[group]
        bins[group] = chosen = int(np.argmin((rows * (rows - 2 * remaining) * scale).sum(1)))
        remaining[chosen] -= rows
    return bins


@dataclass(frozen=True, kw_only=True)
class LeakReport:
    """Rows of a split that share a group with rows they must not know.

    Kinds: "patient", "identical" (pixels), "near-duplicate", and "any" (the group they all form together, chains included).
    test: kind -> number of test rows that leak into train or val. val: kind -> number of val rows that leak into train.
    examples: kind -> up to ten pairs (leaking row, a row it shares the group with): row numbers, never patient ids.
    """

    test: Mapping[str, int]
    val: Mapping[str, int]
    examples: Mapping[str, tuple[tuple[int, int], ...]]


def find_leaks(splits: np.ndarray, *, patients: np.ndarray, digests: np.ndarray, near: np.ndarray,
               groups: np.ndarray) -> LeakReport:
    """Count what leaks between the rows of "train", "val" and "test"; other rows are ignored. Nothing is changed.

    splits, patients, digests: (n,) text. near: near-duplicate components, groups: components of all kinds, both (n,) int64.
    """
    kinds = {"patient": keys(patients), "identical": keys(digests), "near-duplicate": near, "any": groups}
    is_train, is_val, is_test = (splits == name for name in SPLITS)
    test = {kind: _shared(key, is_test, is_train | is_val) for kind, key in kinds.items()}
    val = {kind: _shared(key, is_val, is_train) for kind, key in kinds.items()}
    return LeakReport(test={kind: len(test[kind]) for kind in kinds}, val={kind: len(val[kind]) for kind in kinds},
                      examples={kind: tuple((test[kind] + val[kind])[:EXAMPLES]) for kind in kinds})


def _shared(key: np.ndarray, held: np.ndarray, known: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (row of `held`, first row of `known` with the same key). held, known: (n,) masks."""
    first: dict[int, int] = {}
    for row in np.flatnonzero(known).tolist():
        first.setdefault(key[row], row)
    return [(row, first[key[row]]) for row in np.flatnonzero(held).tolist() if key[row] in first]


def check_no_leak(splits: np.ndarray, groups: np.ndarray) -> None:
    """Raise DataError if a group has rows in two of train, val and test. Every run passes this gate before it trains."""
    kept = np.isin(splits, SPLITS)
    pairs = {(group, name) for group, name in zip(groups[kept].tolist(), splits[kept].tolist(), strict=True)}
    torn = len(pairs) - len({group for group, _ in pairs})
    if torn:
        raise DataError(f"the split leaks: groups (patients or near-duplicates) lie on both sides of it {torn} times, so a model "
                        "would be tested on what it has learnt. None is trained. Split by group: split.policy = \"grouped\".")
