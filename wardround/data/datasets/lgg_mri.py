"""Lower-grade glioma of TCGA (Buda 2019): MRI slices with masks of the FLAIR abnormality, in the folders of the Kaggle release."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wardround.core.events import Watch, silent
from wardround.data.catalogue import UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets.base import draw_phantom, existing, is_phantom
from wardround.data.datasets.layout import image_names, locate, subfolders
from wardround.data.datasets.pairs import left_out, pair, stem
from wardround.errors import CatalogueError

log = logging.getLogger(__name__)

_PATIENT = re.compile(r"TCGA_([A-Z0-9]+)_[A-Z0-9]+_\d+")  # TCGA_DU_5849_19950405: institution, patient, day


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One image with its mask: paths relative to the root. number: the slice's."""

    patient: str
    number: int
    image: str
    mask: str


class LggMri:
    """kaggle_3m/TCGA_SITE_PATIENT_DAY/..._SLICE.tif with ..._SLICE_mask.tif; channels pre-contrast, FLAIR, post-contrast.

    Columns: "site", the institution's code in TCGA (DU, HT, FG, CS, EZ), and "slice", its number.
    """

    name = "lgg-mri"
    title = "LGG MRI segmentation (TCGA), Buda 2019"
    task: Task = "segmentation"
    classes: tuple[str, ...] = ("background", "tumour")
    licence = "CC BY-NC-SA 4.0"
    citation = ("Buda M, Saha A, Mazurowski MA. Association of genomic subtypes of lower-grade gliomas with shape features automatically "
                "extracted by a deep learning algorithm. Comput Biol Med 109 (2019), doi:10.1016/j.compbiomed.2019.05.002")
    url = "https://www.kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation"

    def matches(self, folder: Path) -> bool:
        """Whether a folder named as a TCGA patient holds a mask, here or up to two levels below."""
        return locate(folder, {}, _fits) is not None

    def read(self, folder: Path) -> Catalogue:
        """The catalogue by patient, then slice number; files without a partner are left out and logged."""
        root = locate(existing(folder, self.title), {}, _fits)
        if root is None:
            raise CatalogueError(f"{folder}: not the layout of '{self.name}'. Expected kaggle_3m/TCGA_SITE_PATIENT_DAY/ with "
                                 f"NAME_SLICE.tif and NAME_SLICE_mask.tif. 'wardround data inspect {folder}' says what it looks like.")
        slices = _slices(root)
        return Catalogue(name=self.name, root=root, classes=self.classes, images=text_column([row.image for row in slices]),
                         labels=np.zeros(len(slices), np.int64), patients=text_column([row.patient for row in slices]),
                         splits=text_column([UNKNOWN] * len(slices)),
                         columns={"site": text_column([site_of(row.patient) for row in slices]),
                                  "slice": text_column([str(row.number) for row in slices])},
                         masks=text_column([row.mask for row in slices]), mask_values={0: 0, 255: 1}, licence=self.licence,
                         citation=self.citation, phantom=is_phantom(folder) or is_phantom(root))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """Synthetic slices with lesions, of patients of several institutions."""
        from wardround.data.phantoms import glioma

        draw_phantom(folder, dataset=self.name, num=num, seed=seed, draw=lambda: glioma.write_lgg(folder, num, seed, watch))


def site_of(patient: str) -> str:
    """The institution in a patient's name, "" if it has another form."""
    found = _PATIENT.fullmatch(patient)
    return found[1] if found else UNKNOWN


def _patients(root: Path) -> list[str]:
    return [folder for folder in subfolders(root) if _PATIENT.fullmatch(folder)]


def _files(root: Path, patient: str) -> tuple[list[str], list[str]]:
    """Names of a patient's slices and of their masks."""
    names = [name for name in image_names(root / patient) if name.lower().endswith((".tif", ".tiff"))]
    return [name for name in names if not _is_mask(name)], [name for name in names if _is_mask(name)]


def _is_mask(name: str) -> bool:
    return stem(name).endswith("_mask")


def _fits(root: Path) -> bool:
    return any(_files(root, patient)[1] for patient in _patients(root))


def _slices(root: Path) -> list[Slice]:
    slices: list[Slice] = []
    alone: list[str] = []
    for patient in _patients(root):
        pairs = pair(root / patient, *_files(root, patient))
        slices += [Slice(patient=patient, number=_number(root / patient, image), image=f"{patient}/{image}", mask=f"{patient}/{mask}")
                   for image, mask in zip(pairs.images, pairs.masks, strict=True)]
        alone += [f"{patient}/{name}" for name in pairs.alone]
    if not slices:
        raise CatalogueError(f"{root}: no slice has both image and mask ({left_out(alone)}, e.g. {alone[0]}). Expected NAME_SLICE.tif and "
                             "NAME_SLICE_mask.tif. Was the archive unpacked to its end?")
    if alone:
        log.warning("data set 'lgg-mri': %s", left_out(alone))
    return sorted(slices, key=lambda row: (row.patient, row.number))


def _number(place: Path, image: str) -> int:
    number = stem(image).rpartition("_")[2]
    if not number.isdecimal():
        raise CatalogueError(f"{place / image}: the name does not end with the slice's number. Expected NAME_SLICE.tif; take other images "
                             "out of the folder.")
    return int(number)


READER = LggMri()
