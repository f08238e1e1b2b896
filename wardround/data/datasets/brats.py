"""BraTS: four MRI sequences and a tumour mask of each patient, in the folders of 2020 and 2021 or with the names of 2023."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wardround.core.events import Watch, silent
from wardround.data.catalogue import UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets.base import draw_phantom, existing, is_phantom
from wardround.data.datasets.layout import image_names, locate, subfolders
from wardround.data.datasets.pairs import stem
from wardround.data.datasets.tables import read_rows
from wardround.errors import CatalogueError

log = logging.getLogger(__name__)

CLASSES = ("background", "oedema", "enhancing tumour", "necrotic core")
MASK_VALUES = {0: 0, 1: 3, 2: 1, 4: 2, 3: 2}  # in the file: 1 necrotic core, 2 oedema, 4 enhancing tumour, or 3 where it was renumbered
REGIONS = {"WT": (1, 2, 3), "TC": (2, 3), "ET": (2,)}  # whole tumour, tumour core, enhancing tumour

_SEQUENCES = (("_flair", "_t1", "_t1ce", "_t2"), ("-t2f", "-t1n", "-t1c", "-t2w"))  # until 2021, since 2023: FLAIR, T1, T1 + contrast, T2
_TIME_POINT = re.compile(r"-\d{3}$")  # BraTS-GLI-00003-001 is the second scan of patient BraTS-GLI-00003
_OLD_ID = re.compile(r"brats1[789]_([a-z0-9]+)_", re.IGNORECASE)  # BraTS19_CBICA_AAB_1, Brats17_TCIA_131_1
_MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Case:
    """A patient's folder. image: in brace notation, mask: a path; both relative to the root, "" where files are absent."""

    folder: str
    is_2023: bool
    image: str
    mask: str
    lacks: tuple[str, ...]

    @property
    def patient(self) -> str:
        """The case, less the time point that names have since 2023: two scans of a patient stay on one side of a split."""
        return _TIME_POINT.sub("", self.folder) if self.is_2023 else self.folder


class Brats:
    """CASE/CASE_{flair,t1,t1ce,t2,seg}.nii.gz or .nii; channels always in the order FLAIR, T1, T1 with contrast, T2.

    Columns, where the tables of 2020 lie beside the cases: "grade" and "site" (the institution in the case's older names) of
    name_mapping.csv, "age" and "survival_days" of survival_info.csv.
    """

    name = "brats2020"
    title = "BraTS 2020, brain tumour segmentation (also 2021 and the names of 2023)"
    task: Task = "segmentation"
    classes: tuple[str, ...] = CLASSES
    licence = "BraTS data terms (CBICA): free for research, with citation"
    citation = ("Menze BH et al. The Multimodal Brain Tumor Image Segmentation Benchmark (BRATS). IEEE TMI 34 (2015), "
                "doi:10.1109/TMI.2014.2377694; Bakas S et al. Advancing The Cancer Genome Atlas glioma MRI collections with expert "
                "segmentation labels and radiomic features. Sci Data 4 (2017), doi:10.1038/sdata.2017.117; Bakas S et al. Identifying "
                "the Best Machine Learning Algorithms for Brain Tumor Segmentation. arXiv:1811.02629 (2018)")
    url = "https://www.kaggle.com/datasets/awsaf49/brats20-dataset-training-validation"

    def matches(self, folder: Path) -> bool:
        """Whether a folder holds a sequence that bears the folder's name, here or up to two levels below."""
        return _root(folder) is not None

    def read(self, folder: Path) -> Catalogue:
        """The catalogue of the complete cases, the others being logged; CatalogueError if no case is complete."""
        root = _root(existing(folder, self.title))
        if root is None:
            raise CatalogueError(f"{folder}: not the layout of '{self.name}'. Expected one folder of cases, each as "
                                 "CASE/CASE_flair.nii.gz, _t1, _t1ce, _t2 and _seg (2023: CASE-t2f.nii.gz, -t1n, -t1c, -t2w "
                                 f"and -seg). If there are several, name one. 'wardround data inspect {folder}' says what it looks like.")
        found = list(cases(root))
        complete = [case for case in found if not case.lacks]
        _tell_incomplete(root, found)
        # since 2024 a 4 is the resection cavity: with the new names it must not pass for enhancing tumour
        values = MASK_VALUES if any(not case.is_2023 for case in complete) else {old: new for old, new in MASK_VALUES.items() if old != 4}
        return Catalogue(name=self.name, root=root, classes=self.classes, images=text_column([case.image for case in complete]),
                         labels=np.zeros(len(complete), np.int64), patients=text_column([case.patient for case in complete]),
                         splits=text_column([UNKNOWN] * len(complete)), columns=_columns(root, [case.folder for case in complete]),
                         masks=text_column([case.mask for case in complete]), mask_values=values, regions=REGIONS, licence=self.licence,
                         citation=self.citation, phantom=is_phantom(folder) or is_phantom(root))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """Synthetic brains with glioma, in the layout of 2020."""
        from wardround.data.phantoms import glioma

        draw_phantom(folder, dataset=self.name, num=num, seed=seed, draw=lambda: glioma.write_brats(folder, num, seed, watch))


def cases(root: Path) -> Iterator[Case]:
    """The cases directly in a folder, sorted, incomplete ones among them."""
    found = (_case(root, folder) for folder in subfolders(root))
    return (case for case in found if case is not None)


def _case(root: Path, folder: str) -> Case | None:
    """The case of a folder, None if no sequence in it bears the folder's name."""
    file_of: dict[str, str] = {}
    for name in image_names(root / folder):
        if name.lower().endswith((".nii", ".nii.gz")):
            file_of.setdefault(stem(name), name)  # unpacked beside packed: .nii sorts first and is the faster one
    sequences = next((endings for endings in _SEQUENCES if any(folder + ending in file_of for ending in endings)), None)
    if sequences is None:
        return None
    lacks = [ending[1:] for ending in sequences if folder + ending not in file_of]
    masks = _masks(folder, file_of)
    if len(masks) != 1:
        lacks.append(f"one mask of {len(masks)}" if masks else "seg")
    files = [file_of.get(folder + ending, "") for ending in sequences]
    return Case(folder=folder, is_2023=sequences is _SEQUENCES[1], image="" if "" in files else f"{folder}/{_braces(folder, files)}",
                mask=f"{folder}/{masks[0]}" if len(masks) == 1 else "", lacks=tuple(lacks))


def _masks(folder: str, file_of: Mapping[str, str]) -> list[str]:
    """CASE_seg, or else every file with "seg" in its name: case 355 of 2020 came with W39_1998.09.19_Segm.nii."""
    proper = [file_of[folder + ending] for ending in ("_seg", "-seg") if folder + ending in file_of]
    return proper or [name for key, name in file_of.items() if "seg" in key.removeprefix(folder).lower()]


def _braces(folder: str, files: Sequence[str]) -> str:
    """CASE_{flair,t1,t1ce,t2}.nii.gz; with suffixes of two kinds CASE_{flair.nii,t1.nii.gz,...}."""
    start = len(folder) + 1
    suffixes = {name[len(stem(name)):] for name in files}
    shared = suffixes.pop() if len(suffixes) == 1 else ""
    return f"{files[0][:start]}{{{','.join(name[start:].removesuffix(shared) for name in files)}}}{shared}"


def _root(given: Path) -> Path | None:
    """The folder of the cases; that of the training beside that of the validation cases, which have no masks."""
    return locate(given, {}, lambda root: any(case.mask for case in cases(root))) or locate(given, {}, lambda root: any(cases(root)))


def _tell_incomplete(root: Path, found: Sequence[Case]) -> None:
    """Log how many cases lack which file; CatalogueError, with their names, if all do. Names tell patients and are not logged."""
    lacking = [f"{case.folder} ({', '.join(case.lacks)})" for case in found if case.lacks]
    more = f" and {len(lacking) - _MOST_NAMED} more" if len(lacking) > _MOST_NAMED else ""
    named = ", ".join(lacking[:_MOST_NAMED]) + more
    if len(lacking) == len(found):
        raise CatalogueError(f"{root}: none of the {len(found)} cases is complete. Each needs four sequences and a mask as NIfTI. Lacking: "
                             f"{named}. The validation sets of BraTS have no masks: name the training folder with --data DIR.")
    if lacking:
        counts = Counter(name for case in found for name in case.lacks)
        log.warning("data set 'brats2020': %d of %d cases lack a file and are left out: %s", len(lacking), len(found),
                    ", ".join(f"{name} {number}" for name, number in counts.most_common()))


def _columns(root: Path, folders: Sequence[str]) -> dict[str, np.ndarray]:
    """What the tables beside the cases tell, "" where they are silent; a column that would be empty is left out."""
    facts: dict[str, dict[str, str]] = {folder: {} for folder in folders}
    for row in _table(root / "name_mapping.csv"):
        ids = [row[name] for name in sorted(row, reverse=True) if name.lower().endswith("subject_id")]  # the newest name first
        sites = [known[1] for known in map(_OLD_ID.match, ids) if known]
        for case in facts.keys() & set(ids):
            facts[case] |= {"grade": _cell(row, "grade"), "site": sites[0] if sites else UNKNOWN}
    for row in _table(root / "survival_info.csv"):
        for case in facts.keys() & set(row.values()):
            facts[case] |= {"age": _cell(row, "age"), "survival_days": _cell(row, "survival_days")}
    names = ("grade", "site", "age", "survival_days")
    columns = {name: text_column([facts[folder].get(name, UNKNOWN) for folder in folders]) for name in names}
    return {name: values for name, values in columns.items() if any(values)}


def _table(path: Path) -> list[dict[str, str]]:
    return read_rows(path) if path.is_file() else []


def _cell(row: Mapping[str, str], column: str) -> str:
    """A cell by the column's name in any case; "" for NA."""
    found = next((value for name, value in row.items() if name.lower() == column), UNKNOWN)
    return UNKNOWN if found.upper() in ("NA", "N/A", "NAN") else found


READER = Brats()
