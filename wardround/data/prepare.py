"""From a plan to everything an arm needs of the data: decoded images, split, sites, and an account of what was left out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wardround.core.events import Note, Watch, silent
from wardround.data.cache import writing
from wardround.data.catalogue import UNKNOWN, Catalogue, text_column
from wardround.data.datasets import DATASETS
from wardround.data.datasets.base import Reader
from wardround.data.decode import Decoded
from wardround.data.duplicates import conflicts, groups, keys, near_duplicates
from wardround.data.harmonise import Greys, learn
from wardround.data.hospitals import OWNER, at, decode_apart, parts, read_all, read_one
from wardround.data.ledger import Ledger
from wardround.data.partition import partition, site_names
from wardround.data.scanners import apply, scanner_for
from wardround.data.split import OUT, SPLITS, LeakReport, check_no_leak, find_leaks, split
from wardround.data.volumes import Volumes
from wardround.errors import CatalogueError, PartitionError, PlanError
from wardround.places import cache_root
from wardround.plan.schema import Plan, SplitPlan


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """All rows of the catalogue, those that take part in no arm included.

    pixels: (n, C, H, W) uint8, of volumes none. masks: (n, H, W) uint8 class of each pixel, where pictures have masks. groups: (n,)
    int64, patient or near-duplicates, -1 for unreadable images. split: (n,) text: train,
    val, test, test-leak or out. homes: (n,) text, the site of a row, "" for none. leaks: what the published split would leak.
    greys: what `data.harmonise` has learnt; pixels are as they were.
    """

    catalogue: Catalogue
    pixels: np.ndarray
    masks: np.ndarray | None = None
    volumes: Volumes | None = None
    groups: np.ndarray
    split: np.ndarray
    homes: np.ndarray
    site_names: tuple[str, ...]
    ledger: Ledger
    leaks: LeakReport
    fingerprint: str
    greys: Greys | None = None

    def rows(self, site: str | None, split: str) -> np.ndarray:
        """Sorted row numbers of a split at a site, or at all sites (None)."""
        at_site = self.homes != UNKNOWN if site is None else self.homes == site
        return np.flatnonzero(at_site & (self.split == split))

    def counts(self, split: str = "train") -> dict[str, dict[str, int]]:
        """Images of each class (stratum of the catalogue) at each site."""
        return {site: self.catalogue.counts(self.rows(site, split)) for site in self.site_names}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What `wardround data check` tells. Leaks are those of the published split; rows are counted, never named."""

    images: int
    used: int
    failed: Mapping[str, int]
    published: Mapping[str, Mapping[str, int]]  # split -> class -> images
    patients_known: bool
    num_groups: int
    num_identical: int  # images whose pixels occur more than once
    num_near: int  # images that have a near-duplicate
    num_conflicting: int  # images whose pixels also occur under another label
    leaks: LeakReport


@dataclass(frozen=True, kw_only=True, eq=False)
class Undealt:
    """What `prepare` finds before anything is dealt to sites: it depends on neither `sites` nor `seed` of the plan, unless its partition is
    "folders".

    good: (m,) row numbers of the images that could be read, usable: these. groups, split: (m,) as in Prepared. masks: of each row of
    the catalogue the digest of its mask, "" without one.
    """

    catalogue: Catalogue
    found: Decoded
    good: np.ndarray
    usable: Catalogue
    groups: np.ndarray
    split: np.ndarray
    leaks: LeakReport
    masks: tuple[str, ...]


def prepare(plan: Plan, watch: Watch = silent) -> Prepared:
    """Read, decode, group, split and partition, in the plan's ways; DataError where the plan cannot be carried out honestly.

    With sites.partition = "folders" each site's folder is grouped, split and checked for leaks on its own, as that hospital would do in
    a network: that no patient and no image is at two sites is not checked."""
    return dealt(undealt(plan, watch), plan)


def prepare_at(plan: Plan, site: str, folder: Path, watch: Watch = silent) -> Prepared:
    """What one hospital of a study prepares, from its own folder alone: this site's part of `prepare` with sites.partition = "folders".

    Images, labels, split and the order of rows are the same, so training on it gives the same bits. data.folder is not looked at."""
    return dealt(_undealt(plan, read_one(DATASETS.find(plan.data.dataset), plan, site, folder), watch), plan)


def undealt(plan: Plan, watch: Watch = silent) -> Undealt:
    """The part of `prepare` that takes long: read, decode, group and split."""
    return _undealt(plan, read_catalogue(plan, watch), watch)


def dealt(ready: Undealt, plan: Plan) -> Prepared:
    """The part of `prepare` that is quick: deal to sites. The plan may differ in `sites` and `seed` from the one that `ready` was made of.

    PartitionError where that cannot be done, PlanError from or to the partition "folders", which is another catalogue."""
    if (plan.sites.partition == "folders") != (OWNER in ready.catalogue.columns):
        raise PlanError(f"sites.partition = '{plan.sites.partition}': hospitals' own folders are read anew, and so is one data set after "
                        "them. Prepare the plan from its beginning.")
    n, good, found = len(ready.catalogue), ready.good, ready.found
    names, homes = _homes(ready.usable, ready.groups, ready.split, plan)
    whole_split, whole_homes = _spread(ready.split, good, n, OUT), _spread(homes, good, n, UNKNOWN)
    whole_groups = np.full(n, -1, np.int64)
    whole_groups[good] = ready.groups
    pixels = _as_scanned(plan, found.pixels, whole_homes, names)
    is_labelled = found.masks is None and found.volumes is None  # others are refused before they are trained on
    greys = _greys(plan, pixels, whole_homes, whole_split, names) if is_labelled else None
    ledger = Ledger.of(ready.catalogue.images, failed=found.reasons, detail=found.details,
                       skipped=_spread(_skipped(ready.split, homes), good, n, UNKNOWN))
    return Prepared(catalogue=ready.catalogue, pixels=pixels, masks=found.masks, greys=greys, volumes=found.volumes,
                    groups=whole_groups, split=whole_split, homes=whole_homes, site_names=names, ledger=ledger, leaks=ready.leaks,
                    fingerprint=_fingerprint(plan, ready, whole_split, whole_homes))


def _undealt(plan: Plan, catalogue: Catalogue, watch: Watch) -> Undealt:
    found = decode_apart(catalogue, plan.data, watch)
    _check_failed(catalogue, found, plan.data.max_failed)
    good = np.flatnonzero(found.reasons == UNKNOWN)
    usable, digests = catalogue.take(good), found.digests[good]
    near, own = _related(usable, found, good, plan)
    chosen = _split(usable, own, plan.split)
    check_no_leak(chosen, own)
    return Undealt(catalogue=catalogue, found=found, good=good, usable=usable, groups=own, split=chosen,
                   leaks=find_leaks(usable.splits, patients=usable.patients, digests=digests, near=near, groups=own),
                   masks=tuple(found.mask_digest(row) for row in range(len(catalogue))))


def _split(usable: Catalogue, groups: np.ndarray, plan: SplitPlan) -> np.ndarray:
    """(n,) text, of hospitals' own folders each drawn on its own; PartitionError naming one that is too small to be split."""
    chosen = text_column([UNKNOWN] * len(usable))
    for site, rows in parts(usable):
        try:
            chosen[rows] = split(usable.take(rows), groups[rows] - groups[rows[0]], plan)  # a part's groups follow one another
        except CatalogueError as error:
            if site == UNKNOWN:
                raise
            raise PartitionError(f"site '{site}': {error}") from error
    return chosen


def _homes(usable: Catalogue, groups: np.ndarray, chosen: np.ndarray, plan: Plan) -> tuple[tuple[str, ...], np.ndarray]:
    """The sites' names, and the home of every row, (n,) text."""
    if plan.sites.partition == "folders":
        return tuple(site for site, _ in parts(usable)), np.where(chosen == OUT, UNKNOWN, usable.column(OWNER))
    column = usable.column(plan.sites.column) if plan.sites.partition == "column" else None
    homes = partition(usable.stratum_table(), groups, chosen, plan.sites, classes=usable.strata, seed=plan.seed, column=column)
    return site_names(plan.sites) if column is None or plan.sites.names else tuple(sorted(set(homes) - {UNKNOWN})), homes


def _greys(plan: Plan, pixels: np.ndarray, homes: np.ndarray, split: np.ndarray, names: Sequence[str]) -> Greys | None:
    """What `data.harmonise` learns from each site's training rows; None where it is off, and then no row is looked up."""
    how = plan.data.harmonise
    if how == "none":
        return None
    return learn(how, pixels, {site: np.flatnonzero((homes == site) & (split == "train")) for site in names})


def check(plan: Plan, watch: Watch = silent) -> Findings:
    """Look for what would make a result dishonest; nothing is changed or refused."""
    catalogue = read_catalogue(plan, watch)
    found = decode_apart(catalogue, plan.data, watch)
    _check_failed(catalogue, found, 1.0)
    failed = found.reasons[found.reasons != UNKNOWN]
    good = np.flatnonzero(found.reasons == UNKNOWN)
    usable, digests = catalogue.take(good), found.digests[good]
    near, own = _related(usable, found, good, plan)
    counts = {part: usable.counts(usable.splits == part) for part in (*SPLITS, UNKNOWN)}
    published = {part: held for part, held in counts.items() if any(held.values())}
    return Findings(images=len(catalogue), used=len(good), failed=Counter(failed.tolist()), published=published,
                    patients_known=bool((usable.patients != UNKNOWN).any()), num_groups=len(np.unique(own)),
                    num_identical=_num_repeated(keys(digests)), num_near=_num_repeated(near),
                    num_conflicting=0 if usable.task == "segmentation" else len(conflicts(digests, usable.stratum_table())),
                    leaks=find_leaks(usable.splits, patients=usable.patients, digests=digests, near=near, groups=own))


def read_catalogue(plan: Plan, watch: Watch = silent) -> Catalogue:
    """The plan's data set: the real folder, all hospitals' folders, or phantoms where the plan names none."""
    reader: Reader = DATASETS.find(plan.data.dataset)
    if plan.sites.partition == "folders":
        return read_all(reader, plan)
    folder = plan.data.folder or _phantoms(plan, reader, watch)
    catalogue = reader.read(folder)
    return catalogue.with_classes(plan.data.classes) if plan.data.classes else catalogue


def _check_failed(catalogue: Catalogue, found: Decoded, max_failed: float) -> None:
    """DataError if a larger share is unreadable, of all images or of one hospital's folder, or if all are, whatever is allowed."""
    for site, rows in parts(catalogue):
        failed = found.reasons[rows]
        with at(site):
            Ledger.of(catalogue.images[rows], failed=failed, detail=found.details[rows], skipped=failed).check(
                max_failed if (failed == UNKNOWN).any() else 0)


def _related(usable: Catalogue, found: Decoded, good: np.ndarray, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Near-duplicates, and groups of all kinds, of the images that could be read: two (len(good),) int64.

    Volumes have no perceptual hash: only equal voxels make them duplicates. Hospitals' own folders share no group."""
    near = np.arange(len(good))
    if found.hashes is not None:
        for _, rows in parts(usable):
            near[rows] = rows[0] + near_duplicates(found.hashes[good[rows]], plan.split.near_duplicate_bits)
    return near, groups(usable.patients, found.digests[good], near)


def _skipped(split: np.ndarray, homes: np.ndarray) -> np.ndarray:
    """Why a readable image takes no part, "" if it does: (n,) text."""
    return text_column(["leaks_into_train" if part == OUT else UNKNOWN if home else "no_site"
                        for part, home in zip(split, homes, strict=True)])


def _phantoms(plan: Plan, reader: Reader, watch: Watch) -> Path:
    """The folder of the data set's phantoms, written on first use."""
    folder = cache_root() / "phantoms" / f"{reader.name}-{plan.data.phantoms}-{plan.split.seed}"
    watch(Note(text=f"No data folder was given: {plan.data.phantoms} phantoms (synthetic images) of '{reader.title}' are used. "
                    "Results on phantoms say nothing about patients. Real images: --data DIR"))
    with writing(folder.parent):
        reader.write_phantom(folder, plan.data.phantoms, plan.split.seed, watch)
    return folder


def _as_scanned(plan: Plan, pixels: np.ndarray, homes: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """The images as their site's scanner shows them, for partition "feature-shift"; otherwise as they are."""
    if plan.sites.partition != "feature-shift" or plan.sites.strength == 0:
        return pixels
    if plan.data.dims == 3:
        raise PlanError("sites.partition = 'feature-shift' simulates scanners of pictures; for volumes choose another partition.")
    shown = np.array(pixels)
    for site in names:
        rows = np.flatnonzero(homes == site)
        shown[rows] = apply(shown[rows], rows, scanner_for(plan.seed, site, plan.sites.strength))
    return shown


def _spread(values: np.ndarray, rows: np.ndarray, n: int, fill: str) -> np.ndarray:
    whole = text_column([fill] * n)
    whole[rows] = values
    return whole


def _num_repeated(key: np.ndarray) -> int:
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    return int((counts[inverse] > 1).sum())


def _fingerprint(plan: Plan, ready: Undealt, split: np.ndarray, homes: np.ndarray) -> str:
    """A hash of images, labels, masks, split and sites: two runs with the same one used the same data in the same way."""
    catalogue = ready.catalogue
    shift = [plan.seed, plan.sites.strength] if plan.sites.partition == "feature-shift" else None
    digest = hashlib.sha256(repr((catalogue.classes, plan.data.size, plan.data.channels, shift)).encode())
    for row in zip(catalogue.images, ready.masks, catalogue.labels.tolist(), ready.found.digests, split, homes, strict=True):
        digest.update(repr(tuple(map(str, row))).encode())
    return digest.hexdigest()
