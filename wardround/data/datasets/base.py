"""What a data set's reader offers, and the marker that makes a folder of phantoms known as such."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, Protocol

from wardround.core.events import Watch, silent
from wardround.data.catalogue import Catalogue
from wardround.errors import CatalogueError

MARKER = "WARDROUND_PHANTOM.json"


class Reader(Protocol):
    """Reads one public data set, in its original layout, into a catalogue. No pixel is decoded."""

    name: str
    title: str
    task: Literal["binary", "multiclass"]
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


def is_phantom(folder: Path) -> bool:
    """Whether the images of this folder are synthetic."""
    return (folder / MARKER).is_file()


def has_phantom(folder: Path, *, dataset: str, num: int, seed: int) -> bool:
    """Whether exactly this phantom was written here to its end."""
    try:
        return bool(json.loads((folder / MARKER).read_text()) == _record(dataset, num, seed))
    except (OSError, ValueError):
        return False


def mark_phantom(folder: Path, *, dataset: str, num: int, seed: int) -> None:
    """Mark a phantom as whole. Call last: a folder without the mark is written anew."""
    part = folder / (MARKER + ".part")
    part.write_text(json.dumps(_record(dataset, num, seed)))
    part.replace(folder / MARKER)


def existing(folder: Path, title: str) -> Path:
    """The folder, or CatalogueError if it does not exist."""
    if not folder.exists():
        raise CatalogueError(f"the data folder {folder} does not exist. Name the folder of '{title}' with --data DIR, or leave it out "
                             "to use phantoms. Known data sets: wardround data list")
    return folder


def _record(dataset: str, num: int, seed: int) -> dict[str, object]:
    return {"phantom": True, "dataset": dataset, "num": num, "seed": seed}
