"""How a plan shares its images out to sites, quickly enough to follow a slider: what takes long is kept for the next question."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wardround.app.views.grid import Grid
from wardround.app.views.site_remarks import Remark, remarks_of
from wardround.core.events import Watch, silent
from wardround.core.wording import PHANTOM
from wardround.errors import DataError
from wardround.plan.schema import Plan

if TYPE_CHECKING:
    from wardround.data.prepare import Prepared, Undealt

SPLITS = ("train", "val", "test")
MOST_FOLDERS = 2000  # whose times are looked at, to see whether the images have changed
MOST_COLOURS = 8  # that are told apart in a chart
MOST_NAMES = 8  # that fit below the bars in full
SIDE = 112  # pixels of an example's longer side
ALIKE = ((0.05, "nearly alike"), (0.15, "somewhat different"), (0.35, "different"))  # up to this distance; our words
LAST_WORD = "very different"
EVERYWHERE = "all sites"  # the last row


@dataclass(frozen=True, kw_only=True)
class SharedOut:
    """Who holds what. counts: split -> (S, C) images. num_images: split -> (S,). patients: (S,) groups that are never torn, of all splits.

    problem: why nothing could be dealt, "" where it was; classes and columns (name -> number of values) are known even then.
    distance: the mean over sites of half the sum of |share of a class at the site - share in all|, 0 (equal) to 1, of training images;
    None where there is one kind of images. chart_counts: (S, K) training images of at most MOST_COLOURS
    chart_classes, the rarest as one; chart_sites: short where there are many."""

    classes: tuple[str, ...]
    columns: Mapping[str, int]
    notice: str
    unit: str
    sites: tuple[str, ...] = ()
    counts: Mapping[str, np.ndarray] = field(default_factory=dict)
    num_images: Mapping[str, np.ndarray] = field(default_factory=dict)
    patients: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    remarks: tuple[Remark, ...] = ()
    distance: float | None = None
    distance_word: str = ""
    chart_sites: tuple[str, ...] = ()
    chart_classes: tuple[str, ...] = ()
    chart_counts: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    table: Grid = field(default_factory=lambda: Grid(columns=(), rows=()))
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Training images of a site. images: (H, W) or (H, W, 3) uint8 each; captions: one text each."""

    site: str
    images: tuple[np.ndarray, ...]
    captions: tuple[str, ...]


def shared_out(plan: Plan, *, watch: Watch = silent) -> SharedOut:
    """The deal in numbers. The first time the images are decoded, afterwards a change of `sites` or `seed` is answered at once."""
    ready = _ready(plan, watch)
    known: dict[str, Any] = {"classes": ready.usable.strata, "columns": _columns(ready),
                             "notice": PHANTOM if ready.usable.phantom else "",
                             "unit": "patients" if (ready.usable.patients != "").any() else "groups"}
    try:
        return SharedOut(**known, **_numbers(_dealt(ready, plan), known["unit"]))
    except DataError as error:
        return SharedOut(**known, problem=_with_remedy(str(error), plan, known["columns"]))


def examples(plan: Plan, sites: Sequence[str], each: int, *, watch: Watch = silent) -> tuple[Examples, ...]:
    """So many training images of each of these sites, class after class in turn, as its scanner shows them. Unknown sites have none."""
    ready = _ready(plan, watch)
    prepared = _dealt(ready, plan)
    return tuple(_examples(prepared, plan, site, each) for site in sites if site in prepared.site_names)


def label_distance(counts: np.ndarray) -> float | None:
    """See SharedOut. counts: (S, C) training images."""
    if counts.shape[1] < 2 or not counts.sum():
        return None
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return float(np.abs(shares - counts.sum(0) / counts.sum()).sum(1).mean() / 2)


def word_of(distance: float) -> str:
    """The distance in words."""
    return next((word for most, word in ALIKE if distance <= most), LAST_WORD)


def short(sites: tuple[str, ...]) -> tuple[str, ...]:
    """Names that fit below the bars of a chart: of many sites "3" for "site-3", and the beginning of other names."""
    if len(sites) <= MOST_NAMES:
        return sites
    return tuple(site.removeprefix("site-") if site.removeprefix("site-").isdigit() else site[:5] for site in sites)


def charted(classes: tuple[str, ...], counts: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """At most MOST_COLOURS kinds in their order, (S, K); of more classes the rarest are summed as the last one."""
    if len(classes) <= MOST_COLOURS:
        return classes, counts
    kept = np.sort(np.argsort(-counts.sum(0), kind="stable")[: MOST_COLOURS - 1])
    rest = np.delete(counts, kept, axis=1)
    names = (*(classes[c] for c in kept), f"{rest.shape[1]} rarer ones")
    return names, np.column_stack([counts[:, kept], rest.sum(1)])


def _numbers(prepared: Prepared, unit: str) -> dict[str, Any]:
    """What SharedOut says of a deal."""
    sites, classes, table = prepared.site_names, prepared.catalogue.strata, prepared.catalogue.stratum_table()
    rows = {split: [prepared.rows(site, split) for site in sites] for split in SPLITS}
    counts = {split: np.stack([table[held].sum(0) for held in parts]) for split, parts in rows.items()}
    num_images = {split: np.array([len(held) for held in parts]) for split, parts in rows.items()}
    patients = np.array([len(np.unique(prepared.groups[prepared.homes == site])) for site in sites])
    distance, judges_patients = label_distance(counts["train"]), prepared.catalogue.task == "segmentation"
    tested = np.array([len(np.unique(prepared.groups[held])) for held in rows["test"]]) if judges_patients else num_images["test"]
    remarks = remarks_of(sites, classes, counts, num_images, tested=tested, unit=unit if judges_patients else "images",
                         homeless=prepared.ledger.reasons().get("no_site", 0))
    chart_classes, chart_counts = charted(classes, counts["train"])
    return {"sites": sites, "chart_sites": short(sites), "counts": counts, "num_images": num_images, "patients": patients,
            "distance": distance, "remarks": remarks, "distance_word": "" if distance is None else word_of(distance),
            "chart_classes": chart_classes, "chart_counts": chart_counts,
            "table": _grid(sites, classes, counts["train"], num_images, patients, unit)}


def _grid(sites: Sequence[str], classes: Sequence[str], train: np.ndarray, num_images: Mapping[str, np.ndarray], patients: np.ndarray,
          unit: str) -> Grid:
    """A row a site and one of all: its images of each split, then those for training by class."""
    kinds = train if len(classes) > 1 else train[:, :0]
    numbers = np.column_stack([*(num_images[split] for split in SPLITS), patients, kinds])
    rows = [(site, *(f"{value:,}" for value in row)) for site, row in zip((*sites, EVERYWHERE), (*numbers, numbers.sum(0)), strict=True)]
    columns = ("Site", "Training", "Validation", "Test", unit.capitalize(), *classes[:kinds.shape[1]])
    return Grid(columns=columns, rows=tuple(rows), caption=_counted(kinds.shape[1] > 0, unit == "patients"),
                numeric=(False, *[True] * (len(columns) - 1)))


def _counted(has_classes: bool, knows_patients: bool) -> str:
    """The caption, in whole texts that can be translated."""
    if has_classes:
        caption = "Images of each split, then training images of each class."
        note = ("Images of each split, then training images of each class. Groups are images that are nearly the same; patients are not "
                "known.")
    else:
        caption = "Images of each split."
        note = "Images of each split. Groups are images that are nearly the same; patients are not known."
    return caption if knows_patients else note


def _examples(prepared: Prepared, plan: Plan, site: str, each: int) -> Examples:
    rows = prepared.rows(site, "train")
    rows = rows[np.argsort(off_centre(prepared.groups[rows]), kind="stable")]  # another patient each time, as long as there are any
    table = prepared.catalogue.stratum_table()[rows]
    turn = np.cumsum(table, axis=0) * table  # (n, C): a row is the k-th of its class
    first = np.where(turn > 0, turn, len(rows) + 1).min(1)
    chosen = rows[np.lexsort((table.argmax(1), first))[:each]]
    return Examples(site=site, images=tuple(_picture(prepared, plan, site, int(row)) for row in chosen),
                    captions=tuple(_caption(prepared, int(row)) for row in chosen))


def off_centre(groups: np.ndarray) -> np.ndarray:
    """How far each row is from the middle one of its group, in rows: of a patient's slices the middle ones show most. groups: (n,)."""
    _, own, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    place = np.empty(len(groups), np.int64)
    place[np.argsort(own, kind="stable")] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    distance: np.ndarray = np.abs(place - sizes[own] // 2)
    return distance


def _picture(prepared: Prepared, plan: Plan, site: str, row: int) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8, at most SIDE wide and high; of a volume the first channel's middle slice."""
    from PIL import Image

    from wardround.data.scanners import apply, scanner_for

    if prepared.volumes is not None:
        pixels = prepared.volumes.middle(row)[:1]
    else:
        pixels = prepared.pixels[row]
        if plan.sites.partition == "feature-shift" and plan.sites.strength:
            pixels = apply(pixels[None], np.array([row]), scanner_for(plan.seed, site, plan.sites.strength))[0]
    picture = Image.fromarray(np.moveaxis(pixels, 0, -1) if len(pixels) == 3 else pixels[0])
    picture.thumbnail((SIDE, SIDE))
    return np.asarray(picture)


def _caption(prepared: Prepared, row: int) -> str:
    """What an image shows, never whose it is."""
    catalogue = prepared.catalogue
    if catalogue.task == "segmentation":
        mask = prepared.volumes.mask(row) if prepared.volumes is not None else None if prepared.masks is None else prepared.masks[row]
        return "" if mask is None else f"mask {100 * (np.asarray(mask) > 0).mean():.1f} %"
    names = [name for name, held in zip(catalogue.strata, catalogue.take(np.array([row])).stratum_table()[0], strict=True) if held]
    return ", ".join(names)


def _with_remedy(problem: str, plan: Plan, columns: Mapping[str, int]) -> str:
    if plan.sites.partition == "column" and not columns:
        return f"{problem} Share the images out in another way, or use a data set whose table says where each image comes from."
    return problem


def _columns(ready: Undealt) -> dict[str, int]:
    """Columns that may name a site, and how many values each has."""
    return {name: len(set(values.tolist()) - {""}) for name, values in ready.usable.columns.items()}


_KEPT: dict[str, Undealt] = {}  # of the last data set only: what the next move of a slider needs again
_DEALT: dict[str, Prepared] = {}  # of it the last deal, whose examples are asked for next


def _ready(plan: Plan, watch: Watch) -> Undealt:
    """All but the deal, kept for the next call as long as the data and split of the plan, and the folder's files, are the same."""
    from wardround.data.prepare import undealt

    own = plan.sites.names if plan.sites.partition == "folders" else None
    key = repr((plan.data.model_dump(), plan.split.model_dump(), own, *_times(plan.data.folder)))
    if key not in _KEPT:
        found = undealt(plan, watch)
        _KEPT.clear()
        _DEALT.clear()
        _KEPT[key] = found
    return _KEPT[key]


def _dealt(ready: Undealt, plan: Plan) -> Prepared:
    """The deal. Neither grey values nor scanners change who holds what, and both take their time."""
    from wardround.data.prepare import dealt

    key = repr((plan.sites.model_dump(), plan.seed))
    if key not in _DEALT:
        sites, data = plan.sites, plan.data.model_copy(update={"harmonise": "none"})
        if sites.partition == "feature-shift" and data.dims == 2:
            sites = sites.model_copy(update={"partition": "iid"})
        found = dealt(ready, plan.model_copy(update={"data": data, "sites": sites}))
        _DEALT.clear()
        _DEALT[key] = found
    return _DEALT[key]


def _times(folder: Path | None) -> list[int]:
    """When the folder and those in it were changed last: adding or removing an image changes one of them."""
    if folder is None:
        return []
    found: list[int] = []
    for place, _, _ in os.walk(folder):
        with suppress(OSError):
            found.append(Path(place).stat().st_mtime_ns)
        if len(found) == MOST_FOLDERS:
            break
    return found
