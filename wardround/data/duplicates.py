"""Which images belong together: the same patient, the same pixels, or nearly the same picture."""

from __future__ import annotations

import numpy as np

from wardround.data.catalogue import UNKNOWN

HASH_BITS = 256
BLOCK = 2048  # rows compared at once: a block of distances takes 16 MB


def near_duplicates(hashes: np.ndarray, max_bits: int) -> np.ndarray:
    """Components of images whose perceptual hashes differ in at most max_bits bits, directly or through others.

    hashes: (n, 32) uint8, 256 packed bits. Returns (n,) int64, components counted from 0 in order of their first row. All pairs
    are compared, block by block: for vectors of +-1 the number of differing bits is (256 - dot product) / 2.
    """
    signs = np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1
    parents = np.arange(len(signs))
    for start in range(0, len(signs), BLOCK):
        for other in range(start, len(signs), BLOCK):
            dots = signs[start : start + BLOCK] @ signs[other : other + BLOCK].T
            left, right = np.nonzero(dots >= HASH_BITS - 2 * max_bits)
            parents = joined(parents, left + start, right + other)
    return numbered(parents)


def groups(patients: np.ndarray, digests: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Components of images with the same known patient, identical pixels or near-duplicate pictures: (n,) int64 from 0.

    patients, digests: (n,) text, "" where unknown. near: (n,) int64, see near_duplicates. A group is what no split and no
    partition may tear apart.
    """
    return merged(keys(patients), keys(digests), near)


def merged(*groupings: np.ndarray) -> np.ndarray:
    """The finest grouping in which rows that share a group in any of the given groupings share one. Each: (n,) int64 from 0."""
    parents = np.arange(len(groupings[0]))
    for grouping in groupings:
        _, first, inverse = np.unique(grouping, return_index=True, return_inverse=True)
        parents = joined(parents, np.arange(len(grouping)), first[inverse])
    return numbered(parents)


def keys(values: np.ndarray) -> np.ndarray:
    """Number equal texts alike, in order of their first row; each unknown value ("") is alone. (n,) text -> (n,) int64."""
    found: dict[object, int] = {}
    named = (row if value == UNKNOWN else value for row, value in enumerate(values))
    return np.array([found.setdefault(name, len(found)) for name in named], np.int64)


def conflicts(digests: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rows, sorted, whose pixels occur again under another label: at least one of those labels is wrong."""
    same = keys(digests)
    pairs = np.unique(np.stack([same, labels], axis=1), axis=0)
    images, num_labels = np.unique(pairs[:, 0], return_counts=True)
    return np.flatnonzero(np.isin(same, images[num_labels > 1]))


def joined(parents: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Join the trees of left[i] and right[i]. parents: (n,), each row's root (a union-find forest kept flat)."""
    while True:
        roots, others = parents[left], parents[right]
        apart = roots != others
        if not apart.any():
            return parents
        left, right = left[apart], right[apart]
        parents = parents.copy()
        np.minimum.at(parents, np.maximum(roots, others)[apart], np.minimum(roots, others)[apart])
        while not np.array_equal(parents, parents[parents]):
            parents = parents[parents]


def numbered(parents: np.ndarray) -> np.ndarray:
    """Number the trees from 0 in order of their roots, which are their first rows."""
    return np.unique(parents, return_inverse=True)[1].astype(np.int64)
