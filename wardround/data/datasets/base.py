"""What a data set's reader offers, and the marker that makes a folder of phantoms known as such."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from wardround.core.events import Watch, silent
from wardround.data.catalogue import Catalogue, Task
from wardround.data.datasets import DATASETS
from wardround.errors import CatalogueError

MARKER = "WARDROUND_PHANTOM.json"
BEGUN = ".drawn-by-wardround"  # put down by phantoms/drawing.py before its first image


class Reader(Protocol):
    """Reads one public data set, in its original layout, into a catalogue. No pixel is decoded."""

    name: str
    title: str
    task: Task
    classes: tuple[str, ...]  # empty where they are found on disk
    licence: str
    citation: str
    url: str

    def matches(self, folder: Path) -> bool:
        """Whether the folder looks like this data set."""
        ...

    def read(self, folder: Path) -> Catalogue:
        """The catalogue, in sorted order; CatalogueError naming what is missing and what to do."""
        ...

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """Write num synthetic images in this layout; nothing is done if exactly these are there. CatalogueError where there are none."""
        ...


def detect(folder: Path) -> Reader | None:
    """The reader of the data set that this folder (or file) looks like: our own in the order of their table, then those of plug-ins."""
    names = [*DATASETS.table, *(name for name in DATASETS.known() if name not in DATASETS.table)]
    readers: Iterator[Reader] = (DATASETS.find(name) for name in names)
    return next((reader for reader in readers if _matches(reader, folder)), None)


def is_phantom(folder: Path) -> bool:
    """Whether the images of this folder are synthetic, whole or half drawn."""
    return (folder / MARKER).is_file() or (folder / BEGUN).is_file()


def has_phantom(folder: Path, *, dataset: str, num: int, seed: int) -> bool:
    """Whether exactly this phantom was written here to its end."""
    try:
        return bool(json.loads((folder / MARKER).read_text()) == _record(dataset, num, seed))
    except (OSError, ValueError):
        return False


def mark_phantom(folder: Path, *, dataset: str, num: int, seed: int) -> None:
    """Mark a phantom as whole. Call last: a folder without the mark is written anew."""
    _mark(folder, _record(dataset, num, seed))


def draw_phantom(folder: Path, *, dataset: str, num: int, seed: int, draw: Callable[[], None]) -> None:
    """Draw a phantom unless exactly this one is there. Stopped half-way, it is known as a phantom but not as a whole one."""
    if has_phantom(folder, dataset=dataset, num=num, seed=seed):
        return
    if (folder / MARKER).is_file():
        _mark(folder, {"phantom": True})  # another phantom is drawn over
    draw()
    mark_phantom(folder, dataset=dataset, num=num, seed=seed)


def existing(folder: Path, title: str) -> Path:
    """The folder, or CatalogueError if it does not exist."""
    if not folder.exists():
        raise CatalogueError(f"the data folder {folder} does not exist. Name the folder of '{title}' with --data DIR, or leave it out "
                             "to use phantoms. Known data sets: wardround data list")
    return folder


def _matches(reader: Reader, folder: Path) -> bool:
    try:
        return reader.matches(folder)
    except CatalogueError:  # a folder somewhere inside may not be listed: no reason to stop looking
        return False


def _mark(folder: Path, record: dict[str, object]) -> None:
    part = folder / (MARKER + ".part")
    part.write_text(json.dumps(record))
    part.replace(folder / MARKER)


def _record(dataset: str, num: int, seed: int) -> dict[str, object]:
    return {"phantom": True, "dataset": dataset, "num": num, "seed": seed}
