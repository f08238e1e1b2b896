"""Public data sets by name. DATASETS.find(name) is a module-level Reader: see wardround.data.datasets.base."""

from wardround.lookup import Names

DATASETS = Names("dataset", {
    "brain-tumour-mri": "wardround.data.datasets.brain_tumour_mri:READER",
    "chest-xray": "wardround.data.datasets.chest_xray:READER",
    "nih-chestxray14": "wardround.data.datasets.nih_chestxray14:READER",
    "brats2020": "wardround.data.datasets.brats:READER",
    "decathlon-brain": "wardround.data.datasets.decathlon:READER",
    "lgg-mri": "wardround.data.datasets.lgg_mri:READER",
    "pneumoniamnist": "wardround.data.datasets.medmnist:PNEUMONIA",
    "image-mask": "wardround.data.datasets.image_mask:READER",
    "folder": "wardround.data.datasets.folder:READER",
    "manifest": "wardround.data.datasets.manifest:READER",
}, group="wardround.datasets")
