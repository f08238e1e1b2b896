"""Lists labelled folders, SPLIT/CLASS/image: names only, no file is opened or asked for its size."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wardround.data.labels import class_index
from wardround.errors import CatalogueError
from wardround.lookup import suggestion

# GIF, WebP and JPEG 2000 are not read: as rows they reach the ledger as failed, instead of being missed by nobody
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".nii", ".gif", ".webp", ".jp2"})
_LONGEST_NUMBER = 18  # digits
_NO_FOLDERS = frozenset({"__MACOSX", "@eaDir", "__pycache__"})  # left by archivers, file servers and Python


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Rows of labelled folders. images: paths below root; labels: index into classes; splits: "" where the layout has none."""

    classes: tuple[str, ...]
    images: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)

    def label_array(self) -> np.ndarray:
        """(n,) int64."""
        return np.asarray(self.labels, dtype=np.int64)


def is_image_name(name: str) -> bool:
    """Whether a file of this name counts as an image: by suffix, or, as DICOM exports have it, a number instead of one."""
    if name.startswith("."):
        return False
    lower = name.lower()
    dot = lower.rfind(".")
    suffix = lower[dot:] if 0 < dot < len(lower) - 1 else ""  # as pathlib has it, in a tenth of the time
    if suffix:
        return suffix in _SUFFIXES or suffix[1:].isdecimal() or lower.endswith(".nii.gz")
    return any(sign.isdecimal() for sign in lower)


def subfolders(folder: Path) -> list[str]:
    """Names of the visible folders in a folder, sorted; none if it is a file."""
    return _names(folder, lambda entry: entry.is_dir() and not entry.name.startswith(".") and entry.name not in _NO_FOLDERS)


def image_names(folder: Path) -> list[str]:
    """Names of the images directly in a folder, sorted."""
    return _names(folder, lambda entry: is_image_name(entry.name) and entry.is_file())


def split_folders(root: Path, splits: Mapping[str, str]) -> list[tuple[str, str]]:
    """(folder, published split) of the split folders there are, in the order of splits; upper and lower case are equal."""
    found = {name.lower(): name for name in subfolders(root)}
    return [(found[name.lower()], split) for name, split in splits.items() if name.lower() in found]


def locate(given: Path, splits: Mapping[str, str], fits: Callable[[Path], bool]) -> Path | None:
    """The folder meant: the given one, the only one inside it that fits (two levels deep), or the one it is a split folder of."""
    if fits(given):
        return given
    inside = [given / name for name in subfolders(given)]
    for level in (inside, [folder / name for folder in inside for name in subfolders(folder)]):
        fitting = [folder for folder in level if fits(folder)]
        if fitting:
            return fitting[0] if len(fitting) == 1 else None
    is_split = given.resolve().name.lower() in {name.lower() for name in splits}
    return given.resolve().parent if is_split and fits(given.resolve().parent) else None


def list_classes(root: Path, folders: Sequence[tuple[str, str]], classes: tuple[str, ...], name: str) -> Listing:
    """Every image of the class folders in these (folder, split) of root; folder "" is root itself.

    CatalogueError for a folder that means none of the classes, and for a class folder without images.
    """
    listing = Listing(classes=classes)
    for split_folder, split in folders:
        for class_folder in sorted(subfolders(root / split_folder), key=lambda folder: _rank(folder, classes)):
            index = class_index(class_folder, classes)
            place = root / split_folder / class_folder
            if index is None:
                raise CatalogueError(f"{place}: '{class_folder}' is no class of '{name}'.{suggestion(class_folder, list(classes))} "
                                     f"Classes: {', '.join(classes)}. Rename the folder or move it out.")
            images = image_names(place)
            if not images:
                raise CatalogueError(f"{place}: the folder of class '{classes[index]}' holds no image. Was the copy cut short? Put "
                                     "its images directly into it, or remove the empty folder.")
            prefix = f"{split_folder}/{class_folder}/" if split_folder else f"{class_folder}/"
            listing.images.extend([prefix + image for image in images])
            listing.labels.extend([index] * len(images))
            listing.splits.extend([split] * len(images))
    return listing


def class_order(names: set[str]) -> tuple[str, ...]:
    """Class names sorted; by value if all are whole numbers, so that "10" follows "9"."""
    if all(name.isdecimal() and len(name) <= _LONGEST_NUMBER for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _rank(folder: str, classes: Sequence[str]) -> tuple[int, str]:
    index = class_index(folder, classes)
    return (len(classes) if index is None else index, folder)


def _names(folder: Path, wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if wanted(entry))
    except NotADirectoryError:
        return []
    except OSError as error:
        raise CatalogueError(f"{folder}: the folder cannot be listed ({error.strerror or type(error).__name__}). May this user read "
                             "it?") from error
