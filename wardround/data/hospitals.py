"""Hospitals with data folders of their own, as in a network: `sites.partition = "folders"`.

Every folder is read by the plan's reader. Rows know their owner by a column of the catalogue, and what follows treats the `parts` of the
owners each on its own: in a network nobody can compare a patient or an image of one hospital with those of another. So a patient who was
at two of them may be trained on at one and tested on at the other. Within a hospital no patient and no near-duplicate is on two sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wardround.core.events import Watch
from wardround.data.catalogue import UNKNOWN, Catalogue, text_column
from wardround.data.datasets.base import Reader, existing, is_phantom
from wardround.data.datasets.layout import class_order, subfolders
from wardround.data.decode import Decoded, decode
from wardround.data.volumes import Volumes
from wardround.errors import CatalogueError, DataError, PlanError
from wardround.lookup import suggestion
from wardround.plan.schema import DataPlan, Plan

OWNER = "site folder"  # the catalogue's column that names the hospital whose folder a row lies in
_NOT_IN_NAMES = "{}#"  # they mean something in a catalogue's image names


def read_all(reader: Reader, plan: Plan) -> Catalogue:
    """One catalogue of all hospitals in the order of sites.names. Paths and patients begin with the site, so that they stay apart.

    PlanError without names or data folder; CatalogueError naming a site whose folder is missing or does not fit the others'."""
    names, root = plan.sites.names, plan.data.folder
    if not names:
        raise PlanError("sites.partition = 'folders' needs sites.names: the name of each hospital, which is the name of its sub-folder of "
                        "data.folder.")
    if root is None:
        raise PlanError("sites.partition = 'folders' needs data.folder: the folder that holds one sub-folder a site. 'wardround sites PLAN "
                        "--deal DIR' makes one from a data set or its phantoms, of a plan with another sites.partition.")
    found = {site: _read(reader, existing(root, reader.title), site) for site in names}
    classes = plan.data.classes or _union([part.classes for part in found.values()])
    parts = {site: _fitted(part, classes, reader, site, is_asked=bool(plan.data.classes)) for site, part in found.items()}
    _check_alike(parts)
    return _joined([_owned(part, site, f"{part.root.relative_to(root).as_posix()}/") for site, part in parts.items()], root)


def read_one(reader: Reader, plan: Plan, site: str, folder: Path) -> Catalogue:
    """The catalogue of one hospital of a study: the rows that `read_all` has of it, in the same order; paths are below its own folder.

    PlanError if the plan leaves open what a hospital alone cannot know."""
    names = plan.sites.names or ()
    if plan.sites.partition != "folders":
        raise PlanError(f"sites.partition = '{plan.sites.partition}' divides one data set. In a study each hospital has its own folder: "
                        "sites.partition = 'folders'.")
    if site not in names:
        raise PlanError(f"no site '{site}' in sites.names.{suggestion(site, list(names))} Sites: {', '.join(names) or 'none'}.")
    if plan.data.harmonise != "none":
        raise PlanError(f"data.harmonise = '{plan.data.harmonise}' needs the grey values of all sites, and a study does not exchange them. "
                        "Leave it out.")
    if not (plan.data.classes or reader.classes or reader.task == "segmentation"):
        raise PlanError(f"data set '{reader.name}' takes its classes from what is found, and a hospital cannot know what the others hold. "
                        "Name all of them in data.classes.")
    with at(site):
        catalogue = reader.read(folder)
    classes = plan.data.classes or catalogue.classes
    return _owned(_fitted(catalogue, classes, reader, site, is_asked=bool(plan.data.classes)), site, "")


def is_folder_name(site: str) -> bool:
    """Whether a site of this name can have a sub-folder named like it."""
    return site not in ("", ".", "..") and not any(sign in site for sign in f"/\\{_NOT_IN_NAMES}")


def parts(catalogue: Catalogue) -> list[tuple[str, np.ndarray]]:
    """(site, its sorted rows) of each hospital's folder, in the catalogue's order; ("", all rows) of a data set that is one."""
    owners = catalogue.columns.get(OWNER)
    if owners is None:
        return [(UNKNOWN, np.arange(len(catalogue)))]
    return [(site, np.flatnonzero(owners == site)) for site in dict.fromkeys(owners.tolist())]


def decode_apart(catalogue: Catalogue, plan: DataPlan, watch: Watch) -> Decoded:
    """Decode as each hospital does; equal pixels of two hospitals have digests that differ.

    Which voxels of a mask are remembered, for patches around them, depends on a volume's row: those are decoded hospital by hospital."""
    held = parts(catalogue)
    if held[0][0] == UNKNOWN:
        return decode(catalogue, plan, watch)
    is_apart = plan.dims == 3 and catalogue.task == "segmentation"
    found = _together([decode(catalogue.take(rows), plan, watch) for _, rows in held]) if is_apart else decode(catalogue, plan, watch)
    owners = catalogue.column(OWNER)
    digests = [f"{site}/{digest}" if digest else UNKNOWN for site, digest in zip(owners, found.digests, strict=True)]
    return replace(found, digests=text_column(digests))


@contextmanager
def at(site: str) -> Iterator[None]:
    """A DataError from inside the block names the site; "": it stays as it is."""
    try:
        yield
    except DataError as error:
        if site == UNKNOWN:
            raise
        kind = CatalogueError if isinstance(error, CatalogueError) else DataError
        raise kind(f"site '{site}': {error}") from error


@dataclass(frozen=True, kw_only=True, eq=False)
class JoinedVolumes(Volumes):
    """Volumes with masks of several hospitals, those of the first one first."""

    members: tuple[Volumes, ...]

    def _path(self, row: int, kind: str) -> Path:
        for member in self.members:
            if row < len(member.reasons):
                return member._path(row, kind)
            row -= len(member.reasons)
        raise IndexError(row)


def _read(reader: Reader, root: Path, site: str) -> Catalogue:
    """A hospital's sub-folder by the reader; CatalogueError if it is not there, or the reader looks elsewhere."""
    if not is_folder_name(site):
        raise PlanError(f"sites.names: '{site}' cannot name a sub-folder of data.folder. Use letters, digits, '.', '_' and '-'.")
    if not (root / site).is_dir():
        known = subfolders(root)
        raise CatalogueError(f"{root / site}: site '{site}' has no folder here.{suggestion(site, known)} With sites.partition = 'folders' "
                             f"data.folder holds one sub-folder a site, named like it. Found: {', '.join(known[:20]) or 'none'}.")
    with at(site):
        catalogue = reader.read(root / site)
    if not catalogue.root.is_relative_to(root / site) or any(sign in str(catalogue.root.relative_to(root)) for sign in _NOT_IN_NAMES):
        raise CatalogueError(f"site '{site}': its images are looked for in {catalogue.root}. Put them into {root / site} in the layout of "
                             f"'{reader.name}', in folders without {' '.join(_NOT_IN_NAMES)} in their names.")
    return catalogue


def _union(found: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The classes of all sites in the reader's order: those they agree on, or else sorted as readers do that find them on disk."""
    return found[0] if len(set(found)) == 1 else class_order({name for classes in found for name in classes})


def _fitted(catalogue: Catalogue, classes: tuple[str, ...], reader: Reader, site: str, *, is_asked: bool) -> Catalogue:
    """A hospital's catalogue with the study's classes. A finding that none of its images has is absent there, and no mistake.

    is_asked: the plan names the classes; of masks it must not."""
    if catalogue.task == "segmentation" and not is_asked:
        return catalogue
    if catalogue.task == "multilabel" and not reader.classes:
        absent = tuple(name for name in classes if name not in catalogue.classes)
        zeros = np.zeros((len(catalogue), len(absent)), np.int64)
        catalogue = replace(catalogue, classes=(*catalogue.classes, *absent), labels=np.concatenate([catalogue.labels, zeros], axis=1))
    with at(site):
        return catalogue.with_classes(classes)


def _check_alike(parts: Mapping[str, Catalogue]) -> None:
    """CatalogueError unless one model can answer for all sites."""
    (first_site, first), *others = parts.items()
    for site, part in others:
        if part.task != first.task:
            raise CatalogueError(f"site '{site}' has {part.task} images, but site '{first_site}' {first.task} ones. All sites must hold "
                                 "the same kind of images and labels (a table of several findings has '|' in a label).")
        if part.classes != first.classes:
            raise CatalogueError(f"site '{site}' has masks of the classes {', '.join(part.classes)}, but site '{first_site}' of "
                                 f"{', '.join(first.classes)}. All sites must draw the same classes.")
        if (part.mask_values, part.regions) != (first.mask_values, first.regions):
            raise CatalogueError(f"the values in the masks of site '{site}' mean other classes than in those of site '{first_site}'. "
                                 "Convert one side, so that all sites number their classes alike.")


def _owned(catalogue: Catalogue, site: str, prefix: str) -> Catalogue:
    """The catalogue with its owner told. prefix: put before paths."""
    masks = None if catalogue.masks is None else _prefixed(catalogue.masks, prefix)
    return replace(catalogue, images=_prefixed(catalogue.images, prefix), masks=masks, patients=_prefixed(catalogue.patients, f"{site}/"),
                   columns={**catalogue.columns, OWNER: text_column([site] * len(catalogue))})


def _prefixed(values: np.ndarray, prefix: str) -> np.ndarray:
    return text_column([prefix + value if value else UNKNOWN for value in values])


def _joined(parts: Sequence[Catalogue], root: Path) -> Catalogue:
    """One catalogue, rows in the order of the parts; a column that only some of them have is "" in the others."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    empty = [text_column([UNKNOWN] * len(part)) for part in parts]
    columns = {name: np.concatenate([part.columns.get(name, none) for part, none in zip(parts, empty, strict=True)]) for name in names}
    masks = [part.masks for part in parts if part.masks is not None]
    return replace(parts[0], root=root, images=np.concatenate([part.images for part in parts]),
                   labels=np.concatenate([part.labels for part in parts]), patients=np.concatenate([part.patients for part in parts]),
                   splits=np.concatenate([part.splits for part in parts]), masks=np.concatenate(masks) if masks else None, columns=columns,
                   phantom=is_phantom(root) or any(part.phantom for part in parts))


def _together(found: Sequence[Decoded]) -> Decoded:
    """Volumes with masks, decoded hospital by hospital, as one."""
    members = tuple(part.volumes for part in found if part.volumes is not None)
    reasons, details, digests = (np.concatenate([getattr(part, name) for part in members]) for name in ("reasons", "details", "digests"))
    volumes = JoinedVolumes(folder=members[0].folder, reasons=reasons, details=details, digests=digests,
                            spacings=np.concatenate([part.spacings for part in members]),
                            geometries=tuple(found for part in members for found in part.geometries), stack=None, members=members)
    return replace(found[0], volumes=volumes, reasons=reasons, details=details, digests=digests)
