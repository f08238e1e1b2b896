"""MedMNIST: one .npz with {train,val,test}_{images,labels}. A further set of its kind is one more MedMnist(...) below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wardround.core.events import Watch, silent
from wardround.data.catalogue import UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets.base import draw_phantom, existing, is_phantom
from wardround.data.readers.arrays import ArrayFile, open_arrays
from wardround.errors import CatalogueError, ImageError

SPLITS = ("train", "val", "test")
Draw = Callable[[Path, int, int, Watch], None]  # file, number of images, seed, watch


@dataclass(frozen=True, kw_only=True)
class MedMnist:
    """A binary or multi-class 2-D set of MedMNIST; the folder holding the file, or the file itself, is its place.

    classes: names of labels 0, 1 ... draw: writes a phantom of the file. The file is never unpickled.
    """

    name: str
    title: str
    file: str
    classes: tuple[str, ...]
    url: str = "https://medmnist.com"
    licence: str = "CC BY 4.0"
    citation: str = ("Yang J et al. MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical image classification. "
                     "Scientific Data 10 (2023)")
    draw: Draw | None = None

    @property
    def task(self) -> Task:
        """Binary for two classes."""
        return "binary" if len(self.classes) == 2 else "multiclass"

    def matches(self, folder: Path) -> bool:
        """Whether the file is there, or is this one."""
        return self._file(folder).is_file() and self._file(folder).name == self.file

    def read(self, folder: Path) -> Catalogue:
        """The catalogue: train, val and test in the order of the file; no patients."""
        path = self._file(existing(folder, self.title))
        if not path.is_file():
            raise CatalogueError(f"{folder}: no file {self.file}. Name the folder that holds it, or the file.")
        try:
            arrays = open_arrays(path)
            labels = {split: self._labels(arrays, split) for split in SPLITS}
        except ImageError as error:
            raise CatalogueError(str(error)) from error
        images = [f"{path.name}#{split}_images/{row}" for split in SPLITS for row in range(len(labels[split]))]
        splits = [split for split in SPLITS for _ in range(len(labels[split]))]
        return Catalogue(name=self.name, root=path.parent, classes=self.classes, images=text_column(images),
                         labels=np.concatenate([labels[split] for split in SPLITS]), patients=text_column([UNKNOWN] * len(images)),
                         splits=text_column(splits), licence=self.licence, citation=self.citation, phantom=is_phantom(path.parent))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """A synthetic file of the same name and keys; CatalogueError rather than replace a file of real images."""
        draw, path = self.draw, folder / self.file
        if draw is None:
            raise CatalogueError(f"'{self.name}' has no phantoms. Name the folder of {self.file} with --data DIR.")
        if path.exists() and not is_phantom(folder):
            raise CatalogueError(f"{path}: was not drawn by wardround; a phantom would replace it. Name an empty folder.")
        draw_phantom(folder, dataset=self.name, num=num, seed=seed, draw=lambda: draw(path, num, seed, watch))

    def _file(self, folder: Path) -> Path:
        return folder / self.file if folder.is_dir() else folder

    def _labels(self, arrays: ArrayFile, split: str) -> np.ndarray:
        """(n,) int64 labels of a split, checked against the header of its images."""
        headers = arrays.headers()
        for key in (f"{split}_images", f"{split}_labels"):
            if key not in headers:
                raise CatalogueError(f"{arrays.path}: no array '{key}'. MedMNIST files have {{train,val,test}}_{{images,labels}}; found: "
                                     f"{', '.join(sorted(headers)) or 'none'}.")
        shape, dtype = headers[f"{split}_images"]
        if dtype != np.uint8 or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3):
            raise CatalogueError(f"{arrays.path}: '{split}_images' is {shape} {dtype}; expected (N, H, W) or (N, H, W, 3) uint8. "
                                 "Volumes (MedMNIST 3D) are not read.")
        found = arrays.array(f"{split}_labels")
        if found.dtype.kind not in "ui" or found.shape not in ((shape[0],), (shape[0], 1)):
            raise CatalogueError(f"{arrays.path}: '{split}_labels' is {found.shape} {found.dtype}; expected ({shape[0]}, 1) whole numbers, "
                                 f"one for each of '{split}_images'.")
        labels = found.reshape(-1).astype(np.int64)
        if labels.size and (labels.min() < 0 or labels.max() >= len(self.classes)):
            raise CatalogueError(f"{arrays.path}: '{split}_labels' holds {labels.min()} to {labels.max()}; '{self.name}' has the labels "
                                 f"0 to {len(self.classes) - 1} ({', '.join(self.classes)}). Is it another set's file?")
        return labels


def _draw_pneumonia(file: Path, num: int, seed: int, watch: Watch) -> None:
    from wardround.data.phantoms import chest

    chest.write_npz(file, num, seed, watch)


PNEUMONIA = MedMnist(name="pneumoniamnist", title="PneumoniaMNIST (MedMNIST v2)", file="pneumoniamnist.npz",
                     classes=("normal", "pneumonia"), draw=_draw_pneumonia)
