"""Any labelled folder: CLASS/image, or {train,val,test}/CLASS/image."""

from __future__ import annotations

from pathlib import Path

from wardround.core.events import Watch, silent
from wardround.data.catalogue import UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets import manifest
from wardround.data.datasets.base import existing, is_phantom
from wardround.data.datasets.layout import class_order, image_names, list_classes, split_folders, subfolders
from wardround.errors import CatalogueError

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}


class LabelledFolder:
    """Classes are the folders' names, sorted. It knows no patients: with several images of one, a manifest is the safer way."""

    name = "folder"
    title = "Any labelled folder"
    task: Task = "multiclass"
    classes: tuple[str, ...] = ()
    licence = ""
    citation = ""
    url = ""

    def matches(self, folder: Path) -> bool:
        """Whether two or more folders with images are there, and no manifest that would say more."""
        if not folder.is_dir() or manifest.READER.matches(folder):
            return False
        places = [place / name for place in self._places(folder) for name in subfolders(place)]
        return len({place.name for place in places if image_names(place)}) > 1

    def read(self, folder: Path) -> Catalogue:
        """The catalogue; CatalogueError if there is no class folder, or one is empty."""
        existing(folder, self.title)
        classes = class_order({name for place in self._places(folder) for name in subfolders(place)})
        if not classes:
            raise CatalogueError(f"{folder}: no class folders. Expected CLASS/image.png or {{train,val,test}}/CLASS/image.png. For a "
                                 "table of images use dataset = \"manifest\".")
        listing = list_classes(folder, split_folders(folder, SPLITS) or [("", UNKNOWN)], classes, self.name)
        return Catalogue(name=self.name, root=folder, classes=classes, images=text_column(listing.images), labels=listing.label_array(),
                         patients=text_column([UNKNOWN] * len(listing.images)), splits=text_column(listing.splits),
                         phantom=is_phantom(folder))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """CatalogueError: a folder of one's own has no phantom."""
        raise CatalogueError("'folder' has no phantoms. Name a folder of images with --data DIR, or use the phantoms of "
                             "'brain-tumour-mri' or 'chest-xray'.")

    def _places(self, folder: Path) -> list[Path]:
        """The folders that hold class folders: the splits, or the folder itself."""
        return [folder / name for name, _ in split_folders(folder, SPLITS)] or [folder]


READER = LabelledFolder()
