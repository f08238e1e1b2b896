"""What a folder, a CSV or a plan's data set holds, image by image; nothing is decoded. And the plan that begins from it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wardround.app.views.draft import Draft
from wardround.app.views.grid import Grid
from wardround.core.events import Watch, silent
from wardround.errors import CatalogueError
from wardround.plan.schema import Plan

if TYPE_CHECKING:
    from wardround.data.catalogue import Catalogue

SPLITS = {"train": "Training", "val": "Validation", "test": "Test", "": "No split"}
TASKS = {"binary": "one of two classes", "multiclass": "one of several classes", "multilabel": "several findings an image",
         "segmentation": "outlines (segmentation)"}
EVERYTHING = "All images"  # the last row of counts
VOLUMES = (".nii", ".nii.gz")
CHANNELS = {"lgg-mri": ("pre-contrast", "FLAIR", "post-contrast"), "brats2020": ("FLAIR", "T1", "T1 with contrast", "T2"),
            "decathlon-brain": ("FLAIR", "T1", "T1 with contrast", "T2")}
OWN = ("folder", "manifest", "image-mask")  # layouts that anyone's images may have
STARTERS = {"binary": "chest-xray-pneumonia", "multiclass": "chest-xray-pneumonia", "multilabel": "nih-chestxray14",
            "segmentation": "lgg-mri"}
PREFERRED = ("brain-tumour-missing-types",)  # of several shipped plans for one data set


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """A data set as it lies on disk. Arrays have n rows, those of text "" where nothing is known.

    source: what was named. labels: class names, several joined by ", "; of masks only whether one is missing. members: (n, len(strata))
    bool. further: the other columns. masks: paths of masks. channel_names: () where the images are ordinary pictures."""

    source: Path
    root: Path
    dataset: str
    title: str
    task: str
    classes: tuple[str, ...]
    strata: tuple[str, ...]
    licence: str
    citation: str
    is_phantom: bool
    is_volume: bool
    channel_names: tuple[str, ...]
    images: np.ndarray
    labels: np.ndarray
    members: np.ndarray
    patients: np.ndarray
    splits: np.ndarray
    further: Mapping[str, np.ndarray]
    masks: np.ndarray | None
    mask_values: Mapping[int, int]
    counts: Grid
    facts: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A plan's text for a data set. start: the shipped plan that it was made from, "" if it is the one that was edited. note: what was
    done, in a sentence. offer: a shipped plan that would fit better, "" if none."""

    text: str
    start: str
    note: str
    offer: str = ""


def look(source: Path) -> Found:
    """What this folder or CSV holds; CatalogueError that says what is missing and what to do."""
    from wardround.data.datasets import manifest
    from wardround.data.datasets.base import detect

    source = source.expanduser()
    if not source.exists():
        raise CatalogueError(f"{source}: there is no such folder or file. Check the spelling, and whether the disk or network drive is "
                             "connected.")
    reader = detect(source)
    if reader is None and source.is_file():
        return _found(manifest.READER.read(source), source, manifest.READER.title)  # its error says which column is missing
    if reader is None:
        raise CatalogueError(f"{source}: like no known data set{_seen(source)}. Give each class a folder of its own (CLASS/image.png), put "
                             "masks beside images (images/, masks/), or choose a CSV that names the images: its columns can be mapped by "
                             "hand.")
    return _found(reader.read(source), source, reader.title)


def held(plan: Plan, *, watch: Watch = silent) -> Found:
    """What the plan's data set holds; without a folder its phantoms, which are drawn if they are not there."""
    from wardround.data.datasets import DATASETS
    from wardround.data.prepare import read_catalogue

    catalogue = read_catalogue(plan, watch)
    return _found(catalogue, plan.data.folder or catalogue.root, DATASETS.find(plan.data.dataset).title)


def fitting(dataset: str, task: str, is_volume: bool) -> str:
    """The shipped plan to begin from with a data set."""
    from wardround.plan.starters import starters

    plans = {name: tomllib.loads(path.read_text(encoding="utf-8")) for name, path in starters().items() if name != "demo"}
    own = [name for name, plan in plans.items() if plan["data"].get("dataset") == dataset]
    general = "brats2020" if is_volume and task == "segmentation" else STARTERS[task]
    return next((name for name in (*PREFERRED, *own) if name in own), general)


def begun(draft: Draft, found: Found) -> Begun:
    """The plan with this data set: the one that is edited, or where there is none the shipped one that fits."""
    name = fitting(found.dataset, found.task, found.is_volume)
    if not draft.text.strip() or draft.plan is None:
        return Begun(text=_fresh(name, found).text, start=name,
                     note=f"The plan begins as the shipped plan '{name}', with these images. Everything in it can be changed on the page "
                          "Plan.")
    is_other = draft.value("data.dataset") != found.dataset
    text = _with_data(draft, found).text
    return Begun(text=text, start="", note=f"The plan '{draft.name}' now uses these images.", offer=name if is_other else "")


def started(name: str, found: Found) -> Begun:
    """The shipped plan of this name with this data set."""
    return Begun(text=_fresh(name, found).text, start=name, note=f"The plan begins anew as the shipped plan '{name}', with these images.")


def _fresh(name: str, found: Found) -> Draft:
    draft = _with_data(Draft.of(name), found)
    if Draft.of(name).value("data.dataset") == found.dataset:
        return draft
    slug = re.sub(r"[^a-z0-9]+", "-", found.source.stem.lower()).strip("-") or "study"
    is_split = {"train", "test"} <= set(found.splits.tolist()) <= set(SPLITS) - {""}
    by_site = "site" in found.further
    keys = {"name": slug, "title": f"{found.title}: {found.source.name}", "split.policy": "published" if is_split else "grouped",
            "sites.partition": "column" if by_site else "iid", "sites.column": "site" if by_site else None, "sites.names": None,
            "data.dims": 3 if found.is_volume else None, "data.channels": max(1, len(found.channel_names)), "data.phantoms": None,
            "model.weights": None}
    for key, value in keys.items():
        if value is not None or draft.is_set(key):
            draft = draft.with_key(key, value)
    return draft


def _with_data(draft: Draft, found: Found) -> Draft:
    draft = draft.with_key("data.dataset", found.dataset).with_key("data.folder", str(found.source.absolute()))
    return draft.with_key("data.classes", None) if draft.is_set("data.classes") else draft


def _found(catalogue: Catalogue, source: Path, title: str) -> Found:
    table = catalogue.stratum_table().astype(bool)
    return Found(source=source, root=catalogue.root, dataset=catalogue.name, title=title, task=catalogue.task, classes=catalogue.classes,
                 strata=catalogue.strata, licence=catalogue.licence, citation=catalogue.citation, is_phantom=catalogue.phantom,
                 is_volume=_is_volume(catalogue), channel_names=_channels(catalogue), images=catalogue.images,
                 labels=_labels(catalogue, table), members=table, patients=catalogue.patients, splits=catalogue.splits,
                 further=dict(catalogue.columns), masks=catalogue.masks, mask_values=dict(catalogue.mask_values),
                 counts=_counts(catalogue), facts=_facts(catalogue, title))


def _facts(catalogue: Catalogue, title: str) -> dict[str, str]:
    patients = len(set(catalogue.patients.tolist()) - {""})
    named = ", ".join(catalogue.classes[:8]) + (f" and {len(catalogue.classes) - 8} more" if len(catalogue.classes) > 8 else "")
    facts = {"Data set": f"{title} ({catalogue.name})", "Images": f"{len(catalogue):,}", "Task": TASKS[catalogue.task], "Classes": named,
             "Patients": f"{patients:,}" if patients else "not known: images that are nearly the same are kept together instead",
             "Further columns": ", ".join(sorted(catalogue.columns)) or "none", "Licence": catalogue.licence or "not stated"}
    if catalogue.phantom:
        facts["Caution"] = "phantoms: synthetic images that show no patient"
    return facts


def _counts(catalogue: Catalogue) -> Grid:
    """Classes by row, published splits by column."""
    parts = [part for part in SPLITS if (catalogue.splits == part).any()]
    return count_grid(catalogue.strata, {SPLITS[part]: catalogue.stratum_table()[catalogue.splits == part] for part in parts},
                      caption="Images of each class in the published split. Nothing has been decoded yet.")


def count_grid(strata: Sequence[str], tables: Mapping[str, np.ndarray], *, caption: str) -> Grid:
    """Classes by row, parts by column, and a last row of all images. tables: part -> (n, S) of 0 and 1."""
    per_class = np.stack([table.sum(0) for table in tables.values()], axis=1)  # (S, parts)
    totals = np.array([len(table) for table in tables.values()])
    rows = [(name, *(f"{value:,}" for value in counts), f"{counts.sum():,}") for name, counts in zip(strata, per_class, strict=True)]
    if len(strata) > 1:
        rows.append((EVERYTHING, *(f"{value:,}" for value in totals), f"{totals.sum():,}"))
    return Grid(columns=("Class", *tables, "All"), rows=tuple(rows), caption=caption, numeric=(False, *[True] * (len(tables) + 1)))


def _labels(catalogue: Catalogue, table: np.ndarray) -> np.ndarray:
    """(n,) text."""
    if catalogue.task == "multilabel":
        kinds, which = np.unique(table, axis=0, return_inverse=True)
        texts = [", ".join(name for name, is_there in zip(catalogue.strata, kind, strict=True) if is_there) for kind in kinds]
        joined: np.ndarray = np.array(texts, dtype=object)[which.ravel()]
        return joined
    if catalogue.masks is not None:
        drawn: np.ndarray = np.where(catalogue.masks == "", "no mask", "").astype(object)
        return drawn
    named: np.ndarray = np.array(catalogue.classes, dtype=object)[catalogue.labels]
    return named


def _is_volume(catalogue: Catalogue) -> bool:
    from wardround.data.catalogue import files_of

    return files_of(str(catalogue.images[0]))[0].lower().endswith(VOLUMES)


def _channels(catalogue: Catalogue) -> tuple[str, ...]:
    return CHANNELS.get(catalogue.name, ()) if catalogue.name != "decathlon-brain" or catalogue.regions else ()


def _seen(source: Path) -> str:
    """What lies there, for the error."""
    from wardround.data.datasets.layout import image_names, subfolders

    images, folders = len(image_names(source)), subfolders(source)
    parts = [f"{images} images without folders of classes"] * bool(images) + [f"the folders {', '.join(folders[:5])}"] * bool(folders)
    return f" (it holds {' and '.join(parts)})" if parts else " (it holds neither images nor folders)"
