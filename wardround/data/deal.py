"""A data set dealt out to hospitals' folders, in its original layout: the rehearsal of a network on one machine.

What `sites.partition = "folders"` then gives a site are exactly its dealt images; it splits them anew, on its own.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from wardround.core.events import Watch, silent
from wardround.core.untrusted import cell
from wardround.data.catalogue import UNKNOWN, Catalogue, files_of
from wardround.data.datasets import DATASETS
from wardround.data.datasets.base import MARKER
from wardround.data.datasets.image_mask import CLASSES_FILE, PATIENTS_FILE
from wardround.data.datasets.manifest import BETWEEN
from wardround.data.datasets.nih_chestxray14 import LISTS, TABLES
from wardround.data.datasets.tables import records_of
from wardround.data.hospitals import is_folder_name, parts, read_all
from wardround.data.prepare import Prepared, prepare
from wardround.errors import CatalogueError, DataError, PlanError
from wardround.plan.schema import Plan, SitesPlan

RECORD = "WARDROUND_DEAL.json"  # in the folder of the sites: it was written here, and may be replaced


def deal(plan: Plan, folder: Path, watch: Watch = silent) -> dict[str, Path]:
    """Prepare the plan as it is and give each site's images a folder of their own, folder/SITE; return these folders.

    Images of train, val and test are dealt, not those that take no part. An earlier deal in the same place is replaced as a whole.
    PlanError or CatalogueError where this cannot be done."""
    check_dealable(plan)
    return deal_out(plan, prepare(plan, watch), folder)


def deal_out(plan: Plan, prepared: Prepared, folder: Path) -> dict[str, Path]:
    """`deal` of a plan that is prepared already. Files are linked, or else copied."""
    check_dealable(plan)
    catalogue = prepared.catalogue
    _check_apart(folder, [catalogue.root, *([plan.data.folder] if plan.data.folder else [])])
    for site in prepared.site_names:
        if not is_folder_name(site) or site in (RECORD, MARKER):
            raise PlanError(f"site '{site}' cannot name a folder. Name the sites in sites.names, by letters, digits, '.', '_' and '-'.")
    held = {site: catalogue.take(prepared.homes == site) for site in prepared.site_names}
    with _replaced(folder) as part:
        for site, own in held.items():
            _write(own, part / site, SIDE_FILES[plan.data.dataset])
        (part / RECORD).write_text(json.dumps({"plan": plan.name, "dataset": plan.data.dataset,
                                               "sites": {site: len(own) for site, own in held.items()}}))
        _check_readable(dealt_plan(plan, prepared, part), held)
    return {site: folder / site for site in held}


def dealt_plan(plan: Plan, prepared: Prepared, folder: Path) -> Plan:
    """The plan as it is run on the dealt folders, on this machine or by a network: with all that a hospital alone cannot know."""
    is_found = not DATASETS.find(plan.data.dataset).classes and prepared.catalogue.task != "segmentation"
    classes = prepared.catalogue.classes if is_found else plan.data.classes
    sites = SitesPlan(partition="folders", names=prepared.site_names, num=len(prepared.site_names))
    return plan.model_copy(update={"data": plan.data.model_copy(update={"folder": folder, "classes": classes}), "sites": sites})


def check_dealable(plan: Plan) -> None:
    """PlanError for a partition that no files can show, CatalogueError for a data set that is not one file an image."""
    if plan.sites.partition == "feature-shift":
        raise PlanError("sites.partition = 'feature-shift' changes images as they are read, and files are dealt as they are. Choose "
                        "another sites.partition.")
    if plan.sites.partition == "folders":
        raise PlanError("sites.partition = 'folders': every site has a folder already, there is nothing to deal out.")
    if plan.data.dataset not in SIDE_FILES:
        raise CatalogueError(f"data set '{plan.data.dataset}' cannot be dealt out: its images, or what is known of them, lie in one file "
                             f"that cannot be shared out here. These can: {', '.join(SIDE_FILES)}.")


def _write(own: Catalogue, folder: Path, write_side_files: Callable[[Catalogue, Path], None]) -> None:
    """A site's files at their places below the data set's root, and what its reader needs beside them."""
    masks = [] if own.masks is None else own.masks.tolist()
    for file in dict.fromkeys(file for name in (*own.images.tolist(), *masks) for file in files_of(name)):
        _put(own.root / file, folder / file)
    write_side_files(own, folder)
    if own.phantom:
        (folder / MARKER).write_text(json.dumps({"phantom": True, "site": folder.name}))


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source.resolve())
    except OSError:  # another disk, another owner, a file system without links
        shutil.copy2(source, target)


def _nothing(own: Catalogue, folder: Path) -> None:
    """The layout says it all."""


def _brats_tables(own: Catalogue, folder: Path) -> None:
    cases = {image.partition("/")[0] for image in own.images}
    for name in ("name_mapping.csv", "survival_info.csv"):
        _filtered(own.root / name, folder / name, cases, num_header=1)


def _nih_tables(own: Catalogue, folder: Path) -> None:
    images = {PurePosixPath(image).name for image in own.images}
    for name in (*TABLES, *LISTS):
        _filtered(own.root / name, folder / name, images, num_header=int(name in TABLES))


def _mask_tables(own: Catalogue, folder: Path) -> None:
    if (own.root / CLASSES_FILE).is_file():
        shutil.copy2(own.root / CLASSES_FILE, folder / CLASSES_FILE)
    if (own.root / PATIENTS_FILE).is_file():
        _table(folder / PATIENTS_FILE, {"image": own.images, "patient": own.patients, **own.columns})


def _manifest(own: Catalogue, folder: Path) -> None:
    """With several findings an image every label has a "|", by which they are known where no image of the site has two of them."""
    table = np.eye(len(own.classes), dtype=np.int64)[own.labels] if own.labels.ndim == 1 else own.labels
    end = BETWEEN if own.labels.ndim == 2 else ""
    labels = [BETWEEN.join(own.classes[index] for index in np.flatnonzero(row)) + end for row in table]
    patients = {"patient": own.patients} if (own.patients != UNKNOWN).any() else {}
    _table(folder / "manifest.csv", {"image": own.images, "label": labels, **patients, "split": own.splits, **own.columns})


SIDE_FILES: dict[str, Callable[[Catalogue, Path], None]] = {  # what can be dealt out -> writes what lies beside the images
    "brain-tumour-mri": _nothing, "chest-xray": _nothing, "nih-chestxray14": _nih_tables, "brats2020": _brats_tables, "lgg-mri": _nothing,
    "image-mask": _mask_tables, "folder": _nothing, "manifest": _manifest}


def _table(path: Path, columns: dict[str, Iterable[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(cell, columns))
        writer.writerows(map(cell, row) for row in zip(*columns.values(), strict=True))


def _filtered(source: Path, target: Path, keys: set[str], *, num_header: int) -> None:
    """Those rows of a table, if there is one, that have one of the keys in a cell."""
    if not source.is_file():
        return
    with source.open(newline="", encoding="utf-8-sig") as file:
        delimiter = max(",;\t", key=file.readline().count)
    records = records_of(source, delimiter)
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        kept = [*records[:num_header], *(record for record in records[num_header:] if keys & {text.strip() for text in record})]
        writer.writerows(map(cell, record) for record in kept)


def _check_apart(folder: Path, sources: Sequence[Path]) -> None:
    """PlanError if what is dealt would lie in the data set, or the data set in what is replaced."""
    target = folder.resolve()
    for source in (source.resolve() for source in sources):
        if target.is_relative_to(source) or source.is_relative_to(target):
            raise PlanError(f"{folder}: the sites' folders cannot lie in the data folder, nor it in them. Name a folder elsewhere.")


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """An empty folder that takes this one's place when the block ends well: no deal is ever half there, or mixed with another.

    PlanError if something else than an earlier deal lies there; DataError if the disk refuses."""
    place = folder.resolve()
    part = place.with_name(f".{place.name}.part")
    if place.exists() and not _is_deal(place):
        raise PlanError(f"{folder} is there and is not, or not only, what an earlier deal has written. Name a new folder, or an empty one.")
    try:
        shutil.rmtree(part, ignore_errors=True)  # left by a deal that was killed
        part.mkdir(parents=True)
        yield part
        if place.exists():
            shutil.rmtree(place)
        part.rename(place)
    except OSError as error:
        raise DataError(f"{folder}: the sites' images cannot be written ({error.strerror or error}). Name a folder on another disk, or one "
                        "that this user may write.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _is_deal(place: Path) -> bool:
    """Whether a folder is empty, or holds nothing but the sites of an earlier deal."""
    try:
        found = {path.name for path in place.iterdir()}
        return not found or found == {RECORD, *json.loads((place / RECORD).read_text())["sites"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _check_readable(plan: Plan, held: dict[str, Catalogue]) -> None:
    """CatalogueError unless each site's folder is read as the images that it was dealt; a folder without some class may be none."""
    try:
        found = read_all(DATASETS.find(plan.data.dataset), plan)
    except CatalogueError as error:
        raise CatalogueError("the images cannot be dealt out: a site's folder would not be read as this data set, perhaps for want of "
                             f"a class ({error}). Choose a less skewed sites.partition, or fewer sites.") from error
    for site, rows in parts(found):
        dealt = sorted(f"{site}/{image}" for image in held[site].images)
        if sorted(found.images[rows].tolist()) != dealt:
            raise CatalogueError(f"site '{site}': {len(dealt)} images would be dealt, but {len(rows)} others would be read from its folder "
                                 f"as data set '{found.name}'. Choose another sites.partition.")
