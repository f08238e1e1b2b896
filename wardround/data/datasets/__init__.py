"""Public data sets by name. DATASETS.find(name) is a module-level Reader: see wardround.data.datasets.base."""

from wardround.lookup import Names

DATASETS = Names("dataset", {
    "brain-tumour-mri": "wardround.data.datasets.brain_tumour_mri:READER",
    "chest-xray": "wardround.data.datasets.chest_xray:READER",
    "pneumoniamnist": "wardround.data.datasets.medmnist:PNEUMONIA",
    "folder": "wardround.data.datasets.folder:READER",
    "manifest": "wardround.data.datasets.manifest:READER",
}, group="wardround.datasets")
