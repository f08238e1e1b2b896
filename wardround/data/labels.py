"""Names of classes as data sets write them, and how many images each has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SYNONYMS = {
    "glioma_tumor": "glioma", "glioma_tumour": "glioma",
    "meningioma_tumor": "meningioma", "meningioma_tumour": "meningioma",
    "pituitary_tumor": "pituitary", "pituitary_tumour": "pituitary",
    "no_tumor": "notumor", "no_tumour": "notumor", "notumour": "notumor", "healthy": "notumor",
}
MAX_FINDING_WEIGHT = 20.0  # one image of a very rare finding does not outweigh a batch


def canonical(name: str) -> str:
    """The one spelling of a class name: lower case, "_" for spaces and hyphens, synonyms replaced."""
    plain = "_".join(name.strip().lower().replace("-", " ").replace("_", " ").split())
    return SYNONYMS.get(plain, plain)


def class_index(name: str, classes: Sequence[str]) -> int | None:
    """The class that this name means: the same name, else another spelling of it; None if it is none of them."""
    if name in classes:
        return classes.index(name)
    wanted = canonical(name)
    return next((index for index, known in enumerate(classes) if canonical(known) == wanted), None)


def class_counts(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Images of each class: (num_classes,) int64, from (n,) labels in 0..num_classes-1."""
    return np.bincount(np.asarray(labels, dtype=np.int64), minlength=num_classes).astype(np.int64)


def balanced_weights(counts: np.ndarray) -> np.ndarray:
    """Weight of each class in the loss, n / (C * n_c) over the C classes present (King & Zeng 2001), scaled to a mean of 1
    over these; 0 for an absent class. counts: (num_classes,) >= 0. Returns float64; all 0 if there are no images."""
    counts = np.asarray(counts, dtype=np.float64)
    is_present = counts > 0
    if not is_present.any():
        return np.zeros_like(counts)
    weights = np.zeros_like(counts)
    weights[is_present] = 1.0 / counts[is_present]
    weights /= weights[is_present].mean()
    return weights


def finding_weights(counts: np.ndarray, total: int) -> np.ndarray:
    """Weight of an image that has a finding, where one that has it not weighs 1: negatives / positives, kept within 1/20 ... 20.

    counts: (C,) images with each finding, of `total`. Returns (C,) float64; 1 for a finding that no image has."""
    counts = np.asarray(counts, dtype=np.float64)
    weights = np.ones_like(counts)
    np.divide(total - counts, counts, out=weights, where=counts > 0)
    return np.asarray(np.clip(weights, 1 / MAX_FINDING_WEIGHT, MAX_FINDING_WEIGHT))
