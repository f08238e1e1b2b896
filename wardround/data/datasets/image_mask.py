"""Any folder of images beside a folder of masks, as MONAI's tutorials and many public sets have it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wardround.core.events import Watch, silent
from wardround.core.untrusted import parsed_json
from wardround.data.catalogue import UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets import manifest
from wardround.data.datasets.base import existing, is_phantom
from wardround.data.datasets.folder import SPLITS
from wardround.data.datasets.layout import image_names, locate, split_folders, subfolders
from wardround.data.datasets.pairs import left_out, pair, stem
from wardround.data.datasets.tables import read_rows
from wardround.errors import CatalogueError

log = logging.getLogger(__name__)

CLASSES_FILE, PATIENTS_FILE = "classes.json", "patients.csv"
BINARY = ("background", "foreground")
BINARY_VALUES = {0: 0, 1: 1, 255: 1}

_FOLDERS = (("images", "masks"), ("images", "labels"), ("imagestr", "labelstr"))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One image with its mask: paths relative to the root."""

    image: str
    mask: str
    split: str


class ImageMask:
    """images/NAME with masks/NAME (or labels/; or imagesTr/ with labelsTr/), alone or in {train,val,test}/.

    Suffixes may differ, and a mask may be called NAME_mask, NAME_seg or NAME_label. Masks are binary (0; 1 or 255) unless
    classes.json says {"classes": ["background", "liver"], "values": {"0": 0, "255": 1}}. Patients are known where patients.csv has
    the columns image and patient; its other columns (site, age ...) become columns of the catalogue.
    """

    name = "image-mask"
    title = "Any folder of images with a folder of masks"
    task: Task = "segmentation"
    classes: tuple[str, ...] = ()
    licence = ""
    citation = ""
    url = ""

    def matches(self, folder: Path) -> bool:
        """Whether images lie beside masks, with neither a manifest nor a dataset.json that would say more."""
        return folder.is_dir() and not manifest.READER.matches(folder) and locate(folder, SPLITS, _fits) is not None

    def read(self, folder: Path) -> Catalogue:
        """The catalogue; files without a partner are left out and logged. CatalogueError if no image has a mask."""
        root = locate(existing(folder, self.title), SPLITS, _fits)
        if root is None:
            raise CatalogueError(f"{folder}: not the layout of '{self.name}'. Expected images/NAME.png with masks/NAME.png (or labels/), "
                                 "or {train,val,test}/images with {train,val,test}/masks. With a dataset.json beside imagesTr and "
                                 "labelsTr use dataset = \"decathlon-brain\".")
        rows = _rows(root)
        classes, values = _classes(root / CLASSES_FILE)
        columns = _table(root / PATIENTS_FILE, [row.image for row in rows])
        patients = columns.pop("patient", [UNKNOWN] * len(rows))
        return Catalogue(name=self.name, root=root, classes=classes, images=text_column([row.image for row in rows]),
                         labels=np.zeros(len(rows), np.int64), patients=text_column(patients),
                         splits=text_column([row.split for row in rows]),
                         columns={name: text_column(cells) for name, cells in columns.items()},
                         masks=text_column([row.mask for row in rows]), mask_values=values, phantom=is_phantom(folder) or is_phantom(root))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """CatalogueError: a folder of one's own has no phantom."""
        raise CatalogueError(f"'{self.name}' has no phantoms. Name a folder of images and masks with --data DIR, or use the phantoms of "
                             "'lgg-mri' or 'brats2020'.")


def _places(root: Path) -> Iterator[tuple[str, str, str]]:
    """(folder of images, folder of masks, published split): those of the folder itself, or else of its split folders."""
    own = _folders(root, "")
    if own:
        yield *own, UNKNOWN
        return
    for folder, split in split_folders(root, SPLITS):
        inside = _folders(root, f"{folder}/")
        if inside:
            yield *inside, split
        elif "images" in {name.lower() for name in subfolders(root / folder)}:
            log.warning("data set 'image-mask': images without a folder of masks are left out, in '%s'", folder)


def _folders(root: Path, prefix: str) -> tuple[str, str] | None:
    """The folders of images and of masks, if both hold some: text files beside images are boxes, not masks."""
    name_of = {name.lower(): prefix + name for name in subfolders(root / prefix)}
    for images, masks in _FOLDERS:
        if images in name_of and masks in name_of and image_names(root / name_of[images]) and image_names(root / name_of[masks]):
            return name_of[images], name_of[masks]
    return None


def _fits(root: Path) -> bool:
    return not (root / "dataset.json").is_file() and any(_folders(root, prefix) for prefix in
                                                         ("", *(f"{folder}/" for folder, _ in split_folders(root, SPLITS))))


def _rows(root: Path) -> list[Row]:
    rows: list[Row] = []
    for images, masks, split in _places(root):
        pairs = pair(root / images, image_names(root / images), image_names(root / masks))
        rows += [Row(image=f"{images}/{image}", mask=f"{masks}/{mask}", split=split)
                 for image, mask in zip(pairs.images, pairs.masks, strict=True)]
        if pairs.alone:
            log.warning("data set 'image-mask': %s", left_out(pairs.alone))
    if not rows:
        raise CatalogueError(f"{root}: no image has a mask of the same name. Expected images/NAME.png with masks/NAME.png, or a mask "
                             "called NAME_mask, NAME_seg or NAME_label. Rename one side.")
    return rows


def _classes(path: Path) -> tuple[tuple[str, ...], Mapping[int, int]]:
    """Classes, and the class of each value in a mask; binary without the file."""
    if not path.is_file():
        return BINARY, BINARY_VALUES
    try:
        record = parsed_json(path.read_text(encoding="utf-8-sig"))
        classes = tuple(str(name) for name in record["classes"])
        values = {int(value): int(index) for value, index in record["values"].items()}
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read ({error.strerror or type(error).__name__}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CatalogueError(f"{path}: not of the form {{\"classes\": [\"background\", \"liver\"], \"values\": {{\"0\": 0, \"255\": 1}}}}: "
                             "names of the classes, and the class of each value in a mask.") from error
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise CatalogueError(f"{path}: {len(classes)} classes, {len(set(classes))} of them different. Expected the background and at least "
                             "one more, each with a name of its own.")
    wrong = [index for index in values.values() if not 0 <= index < len(classes)]
    if wrong or set(values.values()) != set(range(len(classes))):
        raise CatalogueError(f"{path}: 'values' gives the classes {sorted(set(values.values()))}. Expected each of 0..{len(classes) - 1} "
                             "at least once: 0 is the first of 'classes', the background.")
    return classes, values


def _table(path: Path, images: Sequence[str]) -> dict[str, list[str]]:
    """Columns of patients.csv in the order of the images, without "image"; none if there is no table.

    A cell of "image" is a path, a file name or a name without suffix. CatalogueError unless every image has one patient.
    """
    if not path.is_file():
        return {}
    rows = [{name.lower() if name.lower() in ("image", "patient", "site") else name: cell for name, cell in row.items()}
            for row in read_rows(path)]
    found = list(rows[0]) if rows else []
    if not {"image", "patient"} <= set(found):
        raise CatalogueError(f"{path}: expected the columns image and patient, found {', '.join(found) or 'no rows'}. Name them so, or "
                             "take the table out if no patient is known.")
    row_of: dict[str, dict[str, str]] = {}
    for row in rows:
        key = row["image"].replace("\\", "/").removeprefix("./")
        if row_of.setdefault(key, row) != row:
            raise CatalogueError(f"{path}: the rows of image '{key}' contradict each other. Keep one of them.")
    told = [next((row_of[key] for key in _keys(image) if key in row_of), {}) for image in images]
    unknown = [image for image, row in zip(images, told, strict=True) if not row.get("patient")]
    if unknown:
        raise CatalogueError(f"{path}: no patient for {len(unknown)} of {len(images)} images (first: {unknown[0]}). Splits are by patient, "
                             "so every image needs one. Add the rows, or take the table out if no patient is known.")
    return {name: [row[name] for row in told] for name in found if name != "image"}


def _keys(image: str) -> tuple[str, str, str]:
    name = image.rpartition("/")[2]
    return image, name, stem(name)


READER = ImageMask()
