"""Medical Segmentation Decathlon: Task01, brain tumours, and the other tasks in the same folders."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from wardround.core.events import Watch, silent
from wardround.core.untrusted import parsed_json
from wardround.data.catalogue import UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets.base import existing, is_phantom
from wardround.data.datasets.brats import CLASSES, REGIONS
from wardround.data.datasets.layout import image_names, locate, subfolders
from wardround.data.datasets.pairs import left_out, pair, stem
from wardround.errors import CatalogueError

log = logging.getLogger(__name__)

IMAGES, MASKS, DESCRIPTION = "imagesTr", "labelsTr", "dataset.json"

# Task01 numbers the parts of a glioma otherwise than BraTS, and names them otherwise
_GLIOMA = {"background": "background", "oedema": "oedema", "non-enhancing tumour": "necrotic core", "enhancing tumour": "enhancing tumour"}


class Decathlon:
    """imagesTr/CASE.nii.gz (4-D: channels FLAIR, T1, T1 with contrast, T2 in Task01), labelsTr/CASE.nii.gz, dataset.json.

    Task01 has the classes and regions of BraTS; other tasks have those of dataset.json, in the order of their numbers. Each case
    counts as a patient. imagesTs has no masks and is not read.
    """

    name = "decathlon-brain"
    title = "Medical Segmentation Decathlon, Task01 brain tumour (and other tasks)"
    task: Task = "segmentation"
    classes: tuple[str, ...] = ()  # of the task found on disk
    licence = "CC BY-SA 4.0"
    citation = "Antonelli M et al. The Medical Segmentation Decathlon. Nat Commun 13, 4128 (2022), doi:10.1038/s41467-022-30695-9"
    url = "http://medicaldecathlon.com"

    def matches(self, folder: Path) -> bool:
        """Whether imagesTr and labelsTr lie beside a dataset.json."""
        return locate(folder, {}, _fits) is not None

    def read(self, folder: Path) -> Catalogue:
        """The catalogue; an image without mask is left out and logged. CatalogueError if dataset.json does not tell the classes."""
        root = locate(existing(folder, self.title), {}, _fits)
        if root is None:
            raise CatalogueError(f"{folder}: not the layout of '{self.name}'. Expected one task: {IMAGES}/CASE.nii.gz, {MASKS}/CASE.nii.gz "
                                 f"and {DESCRIPTION}. If there are several tasks, name the folder of one.")
        classes, values = _classes(root / DESCRIPTION)
        pairs = pair(root, image_names(root / IMAGES), image_names(root / MASKS))
        if not pairs.images:
            raise CatalogueError(f"{root}: no file of {IMAGES} has a namesake in {MASKS}. Was the archive unpacked to its end?")
        if pairs.alone:
            log.warning("data set '%s': %s", self.name, left_out(pairs.alone))
        n = len(pairs.images)
        return Catalogue(name=self.name, root=root, classes=classes, images=text_column([f"{IMAGES}/{name}" for name in pairs.images]),
                         labels=np.zeros(n, np.int64), patients=text_column([stem(name) for name in pairs.images]),
                         splits=text_column([UNKNOWN] * n), masks=text_column([f"{MASKS}/{name}" for name in pairs.masks]),
                         mask_values=values, regions=REGIONS if classes == CLASSES else {}, licence=self.licence, citation=self.citation,
                         phantom=is_phantom(folder) or is_phantom(root))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """CatalogueError: the Decathlon has no phantom."""
        raise CatalogueError(f"'{self.name}' has no phantoms. Name its folder with --data DIR, or use the phantoms of 'brats2020'.")


def _fits(root: Path) -> bool:
    return {IMAGES, MASKS} <= set(subfolders(root)) and (root / DESCRIPTION).is_file()


def _classes(path: Path) -> tuple[tuple[str, ...], dict[int, int]]:
    """Classes, and the class of each value in a mask. CatalogueError unless "labels" is {"0": background, "1": name, ...}."""
    try:
        labels = parsed_json(path.read_text(encoding="utf-8-sig"))["labels"]
        name_of = {int(number): str(name) for number, name in labels.items()}
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read ({error.strerror or type(error).__name__}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CatalogueError(f"{path}: 'labels' does not tell the classes. Expected {{\"labels\": {{\"0\": \"background\", \"1\": NAME, "
                             "...}} as the Decathlon has it, numbers first.") from error
    numbers = sorted(name_of)
    if len(numbers) < 2 or numbers[0] != 0 or len(set(name_of.values())) < len(numbers):
        raise CatalogueError(f"{path}: 'labels' has {len(numbers)} entries from {min(numbers, default='none')}. Expected \"0\" for the "
                             "background and at least one more, each with a name of its own.")
    british = {number: _british(name) for number, name in name_of.items()}
    if set(british.values()) == set(_GLIOMA):
        return CLASSES, {number: CLASSES.index(_GLIOMA[british[number]]) for number in numbers}
    return tuple(name_of[number] for number in numbers), {number: index for index, number in enumerate(numbers)}


def _british(name: str) -> str:
    """One spelling of a name: Task01 writes both tumor and tumour."""
    return re.sub(r"\bedema", "oedema", name.strip().lower().replace("tumor", "tumour"))


READER = Decathlon()
