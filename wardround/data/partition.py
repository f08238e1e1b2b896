"""Rows -> sites. Every kind but "column" is a table of shares, site by class, and whole groups are dealt to come near it. (Of "folders"
nothing is dealt: data/hospitals.py.)

The same shares hold for train, val and test, so that a site is tested on what it trains on. A group (patient or near-duplicates)
is never torn: rows that leak from the published test split follow their group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wardround.data.catalogue import UNKNOWN, text_column
from wardround.data.split import LEAK, OUT, SPLITS, deal, group_counts
from wardround.errors import PartitionError
from wardround.lookup import suggestion
from wardround.plan.schema import SitesPlan
from wardround.rng import stream

MAX_DRAWS = 5000  # draws of a Dirichlet until every site can expect training images
MIN_ROWS = 10  # training images that a drawn site must expect, where there are enough for all

Shares = Callable[[np.ndarray, SitesPlan, Sequence[str], np.random.Generator], np.ndarray]


def partition(table: np.ndarray, groups: np.ndarray, split: np.ndarray, plan: SitesPlan, *, classes: Sequence[str], seed: int,
              column: np.ndarray | None = None) -> np.ndarray:
    """The home of every row: (n,) text, a site's name; "" for rows that are "out" or whose site the plan does not name.

    table: (n, S) of 0 and 1, the strata (classes) of each row. groups: (n,) int64. split: (n,) text. classes: names of the S
    strata. column: (n,) text, the catalogue's column plan.column for partition "column".
    PartitionError if the request is impossible or a site is left without training images.
    """
    rows = np.flatnonzero(split != OUT)
    homes = text_column([UNKNOWN] * len(table))
    _, own = np.unique(groups[rows], return_inverse=True)
    if plan.partition == "column":
        names, homes[rows] = _by_column(own, plan, None if column is None else column[rows])
    else:
        names = site_names(plan)
        homes[rows] = text_column(list(names))[_by_shares(table[rows], own, split[rows], plan, classes, seed)[own]]
    _check_train(homes, split, names, plan)
    return homes


def site_names(plan: SitesPlan) -> tuple[str, ...]:
    """The plan's names, or site-1, site-2, ...; not for partition "column" without names, where the column holds them."""
    return plan.names or tuple(f"site-{number}" for number in range(1, plan.num + 1))


def _by_shares(table: np.ndarray, groups: np.ndarray, split: np.ndarray, plan: SitesPlan, classes: Sequence[str],
               seed: int) -> np.ndarray:
    """The site of each group, (G,) int64. Train, val and test are dealt apart, so that every site gets its share of each."""
    weighs = split != LEAK  # a leaking row follows its group, in which split() has found rows of train or val
    counts = group_counts(table[weighs], groups[weighs])
    part = np.full(len(counts), len(SPLITS))  # of each group: the first split that has rows of it
    for place, name in reversed(list(enumerate(SPLITS))):
        part[groups[split == name]] = place
    num_train = int((part == 0).sum())
    if num_train < plan.num:
        raise PartitionError(f"{plan.num} sites cannot share {num_train} groups (patients or near-duplicates) of training images; a "
                             "group lies at one site. Lower sites.num, or use more images.")
    shares = SHARES[plan.partition](counts[part == 0].sum(0), plan, classes, stream(seed, "partition"))
    sites = np.zeros(len(counts), np.int64)
    for place in np.unique(part):
        dealt = counts[part == place]
        sites[part == place] = deal(dealt, shares * dealt.sum(0), stream(seed, "partition", int(place)))
    return sites


def iid(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Equal shares of every class; also for feature-shift, whose images change and not their places.

    counts: (C,) training images of each class. Returns (sites, C); its columns sum to 1. So do all of SHARES.
    """
    return np.full((plan.num, len(classes)), 1 / plan.num)


def dirichlet(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Each class is shared among the sites as Dir(alpha): Yurochkin et al. 2019, section 4 (arXiv:1905.12022). Hsu et al. 2019
    (arXiv:1909.06335) draw the mix of classes of each site instead."""
    return _drawn(lambda: rng.dirichlet(np.full(plan.num, plan.alpha), size=len(classes)).T, counts, plan)


def quantity(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Sites differ in size as Dir(alpha), with the same mix of classes: Li et al. 2022, section 4 (arXiv:2102.02079)."""
    return _drawn(lambda: np.repeat(rng.dirichlet(np.full(plan.num, plan.alpha))[:, None], len(classes), axis=1), counts, plan)


def shards(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Images sorted by class and cut into num * shards equal pieces, of which a site gets `shards` random ones: McMahan et al.
    2017, section 3 (arXiv:1602.05629)."""
    pieces = plan.num * plan.shards
    cuts = np.linspace(0, counts.sum(), pieces + 1)
    ends = np.cumsum(counts)
    overlap = np.minimum(cuts[1:, None], ends) - np.maximum(cuts[:-1, None], ends - counts)  # (pieces, C) images
    dealt = rng.permutation(pieces).reshape(plan.num, plan.shards)
    held = np.maximum(overlap, 0)[dealt].sum(1)  # (sites, C) images
    return np.where(counts > 0, held / np.maximum(counts, 1), 1 / plan.num)


def missing_classes(counts: np.ndarray, plan: SitesPlan, classes: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Every site holds an equal part of the common classes; each other class lies wholly at one site, dealt in turn."""
    for name in plan.common:
        if name not in classes:
            raise PartitionError(f"sites.common: the data have no class '{name}'.{suggestion(name, list(classes))} Classes: "
                                 f"{', '.join(classes)}.")
    shares = np.zeros((plan.num, len(classes)))
    shares[:, [classes.index(name) for name in plan.common]] = 1 / plan.num
    for turn, name in enumerate(name for name in classes if name not in plan.common):
        shares[turn % plan.num, classes.index(name)] = 1
    return shares


SHARES: dict[str, Shares] = {"iid": iid, "feature-shift": iid, "dirichlet": dirichlet, "quantity": quantity, "shards": shards,
                             "missing-classes": missing_classes}


def _drawn(draw: Callable[[], np.ndarray], counts: np.ndarray, plan: SitesPlan) -> np.ndarray:
    """Draw until every site can expect a few training images; PartitionError if that never happens."""
    least = min(MIN_ROWS, counts.sum() / (4 * plan.num))
    for _ in range(MAX_DRAWS):
        shares = draw()
        if (shares @ counts).min() >= least:
            return shares
    raise PartitionError(f"{MAX_DRAWS} draws of sites.partition = \"{plan.partition}\" with sites.alpha = {plan.alpha} each left one of "
                         f"{plan.num} sites with fewer than {least:.0f} training images. Raise sites.alpha or lower sites.num.")


def _by_column(groups: np.ndarray, plan: SitesPlan, column: np.ndarray | None) -> tuple[tuple[str, ...], np.ndarray]:
    """Site names and homes by the column's values. A group with several named values goes to the most frequent, the first by name
    if two are equal; rows whose own value is not a site's name have no home."""
    if column is None:
        raise PartitionError(f"the data set has no column '{plan.column}' to tell the sites apart. Set sites.column to a column it "
                             "has (wardround data inspect lists them), or choose another sites.partition.")
    found = sorted({str(value) for value in column} - {UNKNOWN})
    names = plan.names or tuple(found)
    for name in names:
        if name not in found:
            raise PartitionError(f"sites.names: no image has '{name}' in column '{plan.column}'.{suggestion(name, found)} Values: "
                                 f"{', '.join(found[:20]) or 'none'}.")
    if not names:
        raise PartitionError(f"column '{plan.column}' is empty, so no image has a site. Fill it, or choose another sites.partition.")
    numbers = {name: number for number, name in enumerate(names)}
    own = np.array([numbers.get(str(value), -1) for value in column], np.int64)
    named = own >= 0
    votes = np.zeros((int(groups.max()) + 1, len(names)), np.int64)
    np.add.at(votes, (groups[named], own[named]), 1)
    homes = text_column(list(names))[votes.argmax(1)[groups]]
    homes[~named] = UNKNOWN
    return names, homes


def _check_train(homes: np.ndarray, split: np.ndarray, names: Sequence[str], plan: SitesPlan) -> None:
    counts = {name: int(((homes == name) & (split == "train")).sum()) for name in names}
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        remedy = {"dirichlet": "Raise sites.alpha or lower sites.num.", "quantity": "Raise sites.alpha or lower sites.num.",
                  "missing-classes": "Lower sites.num, or name classes for all sites in sites.common.",
                  "column": "Take it out of sites.names, or change the split."}.get(plan.partition, "Lower sites.num.")
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise PartitionError(f"sites.partition = \"{plan.partition}\" leaves {', '.join(empty)} without training images (training "
                             f"images: {listed}). {remedy}")
