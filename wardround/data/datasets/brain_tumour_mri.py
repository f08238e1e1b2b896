"""Brain MRI slices of four classes, in both layouts that are passed around: glioma ... and glioma_tumor ..."""

from __future__ import annotations

from pathlib import Path

from wardround.core.events import Watch, silent
from wardround.data.catalogue import UNKNOWN, Catalogue, Task, text_column
from wardround.data.datasets.base import draw_phantom, existing, is_phantom
from wardround.data.datasets.layout import list_classes, locate, split_folders, subfolders
from wardround.data.labels import class_index
from wardround.errors import CatalogueError

SPLITS = {"Training": "train", "Testing": "test"}


class BrainTumourMri:
    """{Training,Testing}/CLASS/image. The files name no patient; the published split holds near-copies on both sides."""

    name = "brain-tumour-mri"
    title = "Brain Tumor MRI Dataset (4 classes)"
    task: Task = "multiclass"
    classes: tuple[str, ...] = ("glioma", "meningioma", "notumor", "pituitary")
    licence = "CC0 as stated by its publisher; the figshare part CC BY 4.0"
    citation = ("Nickparvar M. Brain Tumor MRI Dataset. Kaggle, doi:10.34740/kaggle/dsv/2645886; a mixture of Cheng J. Brain tumor "
                "dataset. figshare 2017, doi:10.6084/m9.figshare.1512427, SARTAJ and Br35H")
    url = "https://www.kaggle.com/datasets/masoudnickparvar/brain-tumor-mri-dataset"

    def matches(self, folder: Path) -> bool:
        """Whether two or more of the tumour classes lie in a Training or Testing folder."""
        return locate(folder, SPLITS, self._fits) is not None

    def read(self, folder: Path) -> Catalogue:
        """The catalogue; patients are unknown."""
        root = locate(existing(folder, self.title), SPLITS, self._fits)
        if root is None:
            raise CatalogueError(f"{folder}: not the layout of '{self.name}'. Expected {{Training,Testing}}/"
                                 f"{{{','.join(self.classes)}}}/*.jpg, also with names like glioma_tumor. 'wardround data inspect "
                                 f"{folder}' says what it looks like; for your own classes use dataset = \"folder\".")
        listing = list_classes(root, split_folders(root, SPLITS), self.classes, self.name)
        return Catalogue(name=self.name, root=root, classes=self.classes, images=text_column(listing.images), labels=listing.label_array(),
                         patients=text_column([UNKNOWN] * len(listing.images)), splits=text_column(listing.splits),
                         licence=self.licence, citation=self.citation, phantom=is_phantom(folder) or is_phantom(root))

    def write_phantom(self, folder: Path, num: int, seed: int, watch: Watch = silent) -> None:
        """Synthetic slices in the first of the two layouts."""
        from wardround.data.phantoms import brain

        draw_phantom(folder, dataset=self.name, num=num, seed=seed, draw=lambda: brain.write(folder, num, seed, watch))

    def _fits(self, root: Path) -> bool:
        return any(sum(class_index(name, self.classes) is not None for name in subfolders(root / folder)) > 1
                   for folder, _ in split_folders(root, SPLITS))


READER = BrainTumourMri()
