"""Rows -> sites. Every kind but "column" is a table of shares, class by site; whole groups are dealt to come near it.

The same shares hold for train, val and test, so a site is tested on what it trains on. A group (patient, near-duplicates) is
never torn: rows that leak from the published test split follow their group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wardround.data.catalogue import UNKNOWN, text_column
from wardround.data.split import LEAK, SPLITS, deal, label_counts
from wardround.errors import PartitionError
from wardround.lookup import suggestion
from wardround.plan.schema import SitesPlan
from wardround.rng import stream

MAX_DRAWS = 200  # draws of a Dirichlet until every site gets training images
MIN_ROWS = 10  # training images that a drawn site must expect, where there are enough for all

Shares = Callable[[np.ndarray, SitesPlan, Sequence[str], np.random.Generator], np.ndarray]


def partition(labels: np.ndarray, groups: np.ndarray, split: np.ndarray, plan: SitesPlan, *, classes: Sequence[str], seed: int,
              column: np.ndarray | None = None) -> np.ndarray:
    """The home site of every row that takes part, "" for the others. (n,) text.

    labels: (n,) int64. groups: (n,) int64. split: (n,) text. column: (n,) text, the values of plan.column for partition "column";
    rows whose value is not named in plan.names have no home. PartitionError if a site is left without training images or the
    request is impossible.
    """
    if plan.partition == "column":
        homes, names = _by_column(groups, split, plan, column)
    else:
        names = site_names(plan)
        homes = _by_shares(labels, groups, split, plan, classes, seed)
    _check_train(homes, split, names, plan)
    return homes


def site_names(plan: SitesPlan) -> tuple[str, ...]:
    """The plan's names, or site-1, site-2, ..."""
    return plan.names or tuple(f"site-{index + 1}" for index in range(plan.num))


def _by_shares(labels: np.ndarray, groups: np.ndarray, split: np.ndarray, plan: SitesPlan, classes: Sequence[str], seed: int) -> np.ndarray:
    names = text_column([*site_names(plan), UNKNOWN])
    _, group = np.unique(groups, return_inverse=True)
    takes_part = np.isin(split, SPLITS)
    train = split == "train"
    num_groups = len(np.unique(group[train]))
    if num_groups < plan.num:
        raise PartitionError(f"{plan.num} sites, but the training images form only {num_groups} groups (patients or near-duplicates), which "
                             "are never torn. Ask for fewer sites (sites.num), or use more images.")
    shares = SHARES[plan.partition](np.bincount(labels[train], minlength=len(classes)), plan, classes, stream(seed, "partition"))
    home = np.full(int(group.max()) + 1, -1, np.int64)  # of each group; -1: none
    for name in SPLITS:
        rows = takes_part & (split == name)
        if rows.any():
            members, own = np.unique(group[rows], return_inverse=True)
            counts = label_counts(labels[rows], own, len(classes))
            home[members] = deal(counts, shares * counts.sum(0), stream(seed, "partition", name))
    homes: np.ndarray = names[np.where(takes_part | (split == LEAK), home[group], -1)]
    return homes


def iid(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Equal shares of every class. Returns (sites, classes), columns sum to 1, like all below."""
    return np.full((plan.num, len(classes)), 1 / plan.num)


def dirichlet(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Each class is shared among sites as Dir(alpha): Hsu et al. 2019, section 3 (arXiv:1909.06335)."""
    return _drawn(lambda: rng.dirichlet(np.full(plan.num, plan.alpha), len(classes)).T, counts, plan)


def quantity(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Sites of Dir(alpha) size with the same mixture of classes: Li et al. 2022, section 4 (arXiv:2102.02079)."""
    return _drawn(lambda: np.repeat(rng.dirichlet(np.full(plan.num, plan.alpha))[:, None], len(classes), 1), counts, plan)


def shards(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Images sorted by label and cut into num * shards equal pieces, plan.shards a site: McMahan et al. 2017, section 3."""
    pieces = plan.num * plan.shards
    cuts = np.linspace(0, counts.sum(), pieces + 1)
    ends = np.cumsum(counts)
    overlap = np.minimum(cuts[1:, None], ends) - np.maximum(cuts[:-1, None], ends - counts)  # (pieces, classes)
    dealt = rng.permutation(pieces).reshape(plan.num, plan.shards)
    return np.asarray(np.maximum(overlap, 0)[dealt].sum(1) / np.maximum(counts, 1))


def missing_classes(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """plan.common classes are shared equally; each other class is held by one site, dealt in turn."""
    for name in plan.common:
        if name not in classes:
            raise PartitionError(f"sites.common names a class '{name}' that the data do not have.{suggestion(name, list(classes))} "
                                 f"Classes: {', '.join(classes)}.")
    shares = np.zeros((plan.num, len(classes)))
    others = [index for index, name in enumerate(classes) if name not in plan.common]
    for turn, index in enumerate(others):
        shares[turn % plan.num, index] = 1
    for name in plan.common:
        shares[:, classes.index(name)] = 1 / plan.num
    return shares


SHARES: dict[str, Shares] = {"iid": iid, "dirichlet": dirichlet, "quantity": quantity, "shards": shards, "missing-classes": missing_classes,
                             "feature-shift": iid}


def _drawn(draw: Callable[[], np.ndarray], counts: np.ndarray, plan: SitesPlan) -> np.ndarray:
    """Draw until every site can expect a few training images; PartitionError if that never happens."""
    least = min(MIN_ROWS, counts.sum() / (4 * plan.num))
    for _ in range(MAX_DRAWS):
        shares = draw()
        if (shares @ counts).min() >= least:
            return shares
    raise PartitionError(f"{MAX_DRAWS} draws of sites.partition = '{plan.partition}' with alpha = {plan.alpha} each left one of {plan.num} "
                         f"sites with fewer than {least:.0f} training images. Raise sites.alpha, or ask for fewer sites (sites.num).")


def _by_column(groups: np.ndarray, split: np.ndarray, plan: SitesPlan, column: np.ndarray | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Each group lives where most of its rows do; among equals, at the first name."""
    if column is None:
        raise PartitionError(f"sites.partition = 'column' needs the column '{plan.column}' in the data")
    values = column.astype(str)
    names = plan.names or tuple(sorted(set(values) - {UNKNOWN}))
    absent = [name for name in names if name not in values]
    if absent or not names:
        found = ", ".join(sorted(set(values) - {UNKNOWN})[:12]) or "only empty cells"
        raise PartitionError(f"column '{plan.column}' has no rows of site {', '.join(absent) or '(any)'}. It holds: {found}.")
    _, group = np.unique(groups, return_inverse=True)
    votes = np.zeros((int(group.max()) + 1, len(names)), np.int64)
    index = {name: place for place, name in enumerate(names)}
    named = np.flatnonzero([value in index for value in values])
    np.add.at(votes, (group[named], [index[values[row]] for row in named]), 1)
    place = np.where(votes.any(1), votes.argmax(1), -1)[group]
    place[~np.isin(split, (*SPLITS, LEAK)) | ~np.isin(values, names)] = -1
    return text_column([*names, UNKNOWN])[place], names


def _check_train(homes: np.ndarray, split: np.ndarray, names: Sequence[str], plan: SitesPlan) -> None:
    held = {name: int(((homes == name) & (split == "train")).sum()) for name in names}
    empty = [name for name, num in held.items() if num == 0]
    if empty:
        counts = ", ".join(f"{name} {num}" for name, num in held.items())
        raise PartitionError(f"no training images are left for {', '.join(empty)} (sites.partition = '{plan.partition}'; training images: {counts}). "
                             "Ask for fewer sites (sites.num), a milder skew (sites.alpha), or leave the site out (sites.names).")
