"""Chest X-rays of children, pneumonia or normal (Kermany 2018), in the folders of the Kaggle release."""

from __future__ import annotations

import re
from pathlib import Path

from wardround.core.events import Watch, silent
from wardround.data.catalogue import UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets.base import draw_phantom, existing, is_phantom
from wardround.data.datasets.layout import list_classes, locate, split_folders, subfolders
from wardround.errors import CatalogueError

SPLITS = {"train": "train", "val": "val", "test": "test"}

# person1_bacteria_2.jpeg and person1_virus_6.jpeg count as one child: too few groups is safe, too many leaks
_PNEUMONIA = re.compile(r"(person\d+)_(bacteria|virus)_")
_NORMAL = re.compile(r"((?:NORMAL\d*-)?IM-\d+)-")  # IM-0115-0001.jpeg, NORMAL2-IM-1427-0001-0002.jpeg


class ChestXray:
    """{train,val,test}/{NORMAL,PNEUMONIA}/image. Patients come from the file names; column "kind" is bacteria, virus or normal."""

    name = "chest-xray"
    title = "Chest X-Ray Images (Pneumonia), Kermany 2018"
    task: Task = "binary"
    classes: tuple[str, ...] = ("NORMAL", "PNEUMONIA")
    licence = "CC BY 4.0"
    citation = ("Kermany D, Zhang K, Goldbaum M. Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for Classification. "
                "Mendeley Data 2018, doi:10.17632/rscbjbr9sj; Kermany et al. Cell 172 (2018)")
    url = "https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia"

    def matches(self, folder: Path) -> bool:
        """Whether a split folder holds both NORMAL and PNEUMONIA."""
        return locate(folder, SPLITS, self._fits) is not None

    def read(self, folder: Path) -> Catalogue:
        """The catalogue; val or test may be absent. A file of another name has no patient."""
        root = locate(existing(folder, self.title), SPLITS, self._fits)
        if root is None:
            raise CatalogueError(f"{folder}: not the layout of '{self.name}'. Expected {{train,val,test}}/{{NORMAL,PNEUMONIA}}/*.jpeg. "
                                 f"'wardround data inspect {folder}' says what it looks like; for your own classes use "
                                 "dataset = \"folder\".")
        listing = list_classes(root, split_folders(root, SPLITS), self.classes, self.name)
        names = [image.rpartition("/")[2] for image in listing.images]
        kinds = ["normal" if label == 0 else kind_of(name) for name, label in zip(names, listing.labels, strict=True)]
        return Catalogue(name=self.name, root=root, classes=self.classes, images=text_column(listing.images), labels=listing.label_array(),
                         patients=text_column([patient_of(name) for name in names]), splits=text_column(listing.splits),
                         columns={"kind": text_column(kinds)}, licence=self.licence, citation=self.citation,
                         phantom=is_phantom(folder) or is_phantom(root))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """Synthetic X-rays with file names of the same form."""
        from wardround.data.phantoms import chest

        draw_phantom(folder, dataset=self.name, num=num, seed=seed, draw=lambda: chest.write_folders(folder, num, seed, watch))

    def _fits(self, root: Path) -> bool:
        return any({name.upper() for name in subfolders(root / folder)} >= set(self.classes) for folder, _ in split_folders(root, SPLITS))


def patient_of(name: str) -> str:
    """The patient in a file name: personN, IM-NNNN or NORMAL2-IM-NNNN; "" if it has another form."""
    found = _PNEUMONIA.match(name) or _NORMAL.match(name)
    return found[1] if found else UNKNOWN


def kind_of(name: str) -> str:
    """The cause in the file name of a pneumonia image: bacteria, virus or ""."""
    found = _PNEUMONIA.match(name)
    return found[2] if found else UNKNOWN


READER = ChestXray()
