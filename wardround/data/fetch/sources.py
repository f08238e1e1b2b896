"""Where each public data set is published. Its licence and citation are its reader's; sizes are round, for the check of free space."""

from __future__ import annotations

from dataclasses import dataclass

from wardround.data.datasets import DATASETS
from wardround.data.datasets.base import Reader
from wardround.errors import UnknownName
from wardround.lookup import suggestion

KAGGLE = "https://www.kaggle.com"
MB = 10**6
GB = 10**9


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set as one file. page: for people; url: of the file; md5: as published, "" where none is.

    size: bytes of the file; packed_times: how many times larger it is unpacked. dataset: whose reader reads it; licence and
    citation: where they differ from that reader's.
    """

    dataset: str
    page: str
    url: str
    file: str
    size: int
    packed_times: float = 1.5
    md5: str = ""
    licence: str = ""
    citation: str = ""

    @property
    def reader(self) -> Reader:
        """The reader that must know the folder."""
        found: Reader = DATASETS.find(self.dataset)
        return found

    @property
    def is_kaggle(self) -> bool:
        """Whether it needs Kaggle's token."""
        return self.page.startswith(KAGGLE)

    def terms(self) -> dict[str, str]:
        """What a person must know before accepting, by its name."""
        size = f"{self.size / GB:.1f} GB" if self.size >= GB else f"{self.size / MB:.0f} MB"
        return {"page": self.page, "size": f"about {size}", "licence": self.licence or self.reader.licence,
                "citation": self.citation or self.reader.citation}


def _kaggle(dataset: str, slug: str, *, size: int, packed_times: float = 1.5, licence: str = "", citation: str = "") -> Source:
    """A data set of Kaggle, OWNER/NAME. Kaggle publishes no checksum."""
    return Source(dataset=dataset, page=f"{KAGGLE}/datasets/{slug}", url=f"{KAGGLE}/api/v1/datasets/download/{slug}",
                  file=slug.partition("/")[2] + ".zip", size=size, packed_times=packed_times, licence=licence, citation=citation)


SOURCES: dict[str, Source] = {
    "chest-xray": _kaggle("chest-xray", "paultimothymooney/chest-xray-pneumonia", size=2460 * MB),
    "brain-tumour-mri": _kaggle("brain-tumour-mri", "masoudnickparvar/brain-tumor-mri-dataset", size=156 * MB),
    "brain-tumour-sartaj": _kaggle(
        "brain-tumour-mri", "sartajbhuvaji/brain-tumor-classification-mri", size=91 * MB, licence="as its publisher states it on the page",
        citation="Bhuvaji S, Kadam A, Bhumkar P, Dedge S, Kanchan S. Brain Tumor Classification (MRI). Kaggle 2020"),
    "brats2020": _kaggle("brats2020", "awsaf49/brats20-dataset-training-validation", size=4470 * MB, packed_times=11),  # plain .nii in it
    "nih-chestxray14": _kaggle("nih-chestxray14", "nih-chest-xrays/data", size=45 * GB),
    "lgg-mri": _kaggle("lgg-mri", "mateuszbuda/lgg-mri-segmentation", size=750 * MB, packed_times=2.5),  # it holds every slice twice
    "pneumoniamnist": Source(
        dataset="pneumoniamnist", page="https://zenodo.org/records/10519652", file="pneumoniamnist.npz", size=4170 * 1000,
        url="https://zenodo.org/records/10519652/files/pneumoniamnist.npz",
        md5="28209eda62fecd6e6a2d98b1501bb15f"),  # medmnist/info.py
    "decathlon-brain": Source(
        dataset="decathlon-brain", page="http://medicaldecathlon.com", file="Task01_BrainTumour.tar", size=7608266240, packed_times=1,
        url="https://msd-for-monai.s3-us-west-2.amazonaws.com/Task01_BrainTumour.tar",
        md5="240a19d752f0d9e9101544901065d872"),  # monai/apps/datasets.py, DecathlonDataset
}


def source_of(name: str) -> Source:
    """The source of this name, or UnknownName with the nearest one."""
    if name not in SOURCES:
        raise UnknownName(f"no public data set '{name}'.{suggestion(name, list(SOURCES))} Known: {', '.join(SOURCES)}.")
    return SOURCES[name]
