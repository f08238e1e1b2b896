"""Which images belong together: the same patient, the same pixels, or nearly the same picture."""

from __future__ import annotations

import numpy as np

from wardround.data.catalogue import UNKNOWN

HASH_BITS = 256
BLOCK = 2048  # rows compared at once: a block of dot products takes 16 MB
SHORT_RUN = 24  # rows of one key: longer runs are compared faster by a product of matrices than pair by pair


def near_duplicates(hashes: np.ndarray, max_bits: int) -> np.ndarray:
    """Components of images whose perceptual hashes differ in at most max_bits bits, directly or through others.

    hashes: (n, 32) uint8, 256 packed bits. Returns (n,) int64, components counted from 0 in order of their first row. The answer
    is that of comparing all pairs. Hashes that differ in k bits agree on one at least of k + 1 disjoint sets of bits, so only
    rows that share such a key are compared: multi-index hashing, Norouzi et al. 2012 (arXiv:1307.2982). Where most rows share
    keys (flat images, a large max_bits) all pairs are fewer, and are compared instead.
    """
    _, first, which = np.unique(np.ascontiguousarray(hashes).view(f"V{HASH_BITS // 8}")[:, 0], return_index=True, return_inverse=True)
    kinds = _Hashes(hashes[first], max_bits)
    parents = np.arange(len(first))
    if max_bits == 0:
        return merged(which)
    sorted_keys = [_sorted_key(kinds.bits, part, max(max_bits + 1, 4)) for part in range(max(max_bits + 1, 4))]
    num_compared = sum(int((sizes * (sizes - 1) // 2).sum()) for _, _, sizes in sorted_keys)
    if num_compared >= len(first) * (len(first) - 1) // 2:
        parents = _joined_in(parents, kinds, np.arange(len(first)))
    else:
        for order, starts, sizes in sorted_keys:
            parents = _joined_in_short_runs(parents, kinds, order, np.repeat(starts, sizes), np.repeat(sizes, sizes))
            for start, size in zip(starts[sizes > SHORT_RUN].tolist(), sizes[sizes > SHORT_RUN].tolist(), strict=True):
                parents = _joined_in(parents, kinds, order[start : start + size])
    return merged(parents[which])


class _Hashes:
    """Distinct hashes in the three forms that they are compared in."""

    def __init__(self, hashes: np.ndarray, max_bits: int) -> None:
        self.bits = np.unpackbits(hashes, axis=1)  # (n, 256) of 0 and 1
        self.signs = self.bits.astype(np.float32) * 2 - 1  # the dot product of two is 256 - 2 * bits that differ
        self.words = np.ascontiguousarray(hashes).view(np.uint64)  # (n, 4)
        self.max_bits = max_bits

    def near_pairs(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Whether row left[i] is near row right[i]."""
        near: np.ndarray = np.bitwise_count(self.words[left] ^ self.words[right]).sum(1, dtype=np.int64) <= self.max_bits
        return near

    def near_table(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All pairs (place in left, place in right) of near rows."""
        rows, columns = np.nonzero(self.signs[left] @ self.signs[right].T >= HASH_BITS - 2 * self.max_bits)
        return rows, columns


def _sorted_key(bits: np.ndarray, part: int, num: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in order of every num-th bit from bit `part`, where each run of equal ones starts, and how long it is.

    Neighbouring bits of a difference hash tend to agree, so bits from all over the picture make shorter runs. num: 4 or more.
    """
    packed = np.packbits(bits[:, part::num], axis=1)
    key = np.zeros((len(bits), 8), np.uint8)
    key[:, : packed.shape[1]] = packed
    numbers = key.view(np.uint64)[:, 0]
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=~numbers[order[:1]]))
    return order, starts, np.diff(starts, append=len(order))


def _joined_in_short_runs(parents: np.ndarray, kinds: _Hashes, order: np.ndarray, run: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Join near rows within every run of 2 to SHORT_RUN rows. run, size: of each place in the order."""
    places = np.flatnonzero((size > 1) & (size <= SHORT_RUN))
    for away in range(1, SHORT_RUN):
        places = places[places + away < len(run)]
        places = places[run[places + away] == run[places]]
        left, right = order[places], order[places + away]
        near = kinds.near_pairs(left, right)
        parents = joined(parents, left[near], right[near])
    return parents


def _joined_in(parents: np.ndarray, kinds: _Hashes, rows: np.ndarray) -> np.ndarray:
    """Join near rows among these, comparing all pairs, block by block."""
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    for number, block in enumerate(blocks):
        for other in blocks[number:]:
            roots = parents[block]
            if (roots == roots[0]).all() and (parents[other] == roots[0]).all():
                continue  # all joined: among flat images nearly every block
            left, right = kinds.near_table(block, other)
            parents = joined(parents, block[left], other[right])
    return parents


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
    """Rows, sorted, whose pixels occur again under another label: at least one of those labels is wrong. labels: (n,) or (n, C)."""
    same = keys(digests)
    pairs = np.unique(np.column_stack([same, labels]), axis=0)
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
