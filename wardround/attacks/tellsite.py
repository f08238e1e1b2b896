"""Which hospital sent this update? Nearest centroid by cosine distance, for a server that should not know: audits only.

Sites' updates of one round have most in common, so what is compared is how an update differs from the mean of the known ones.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wardround.core.params import Layout
from wardround.rng import stream

DIMS = 512  # of a sketch


class Sketch:
    """Vectors of millions of numbers, so short that many can be kept; inner products are kept on average (Charikar et al. 2002).

    Every number is added, with a sign of its own, to one of `dims` sums."""

    def __init__(self, size: int, seed: int, dims: int = DIMS) -> None:
        rng = stream(seed, "sketch", size)
        self._places = torch.from_numpy(rng.integers(0, dims, size))
        self._signs = torch.from_numpy(rng.integers(0, 2, size).astype(np.float32) * 2 - 1)
        self._dims = dims

    def __call__(self, vector: Tensor) -> np.ndarray:
        """vector: (size,) on the CPU. Returns (dims,) float64."""
        sums = torch.zeros(self._dims).index_add_(0, self._places, vector * self._signs)
        return sums.double().numpy()


def last_layer(flat: Tensor, layout: Layout) -> Tensor:
    """The part of an update that belongs to the classifier: (numbers of the layer,)."""
    owner = layout.last_layer
    return torch.cat([flat[entry.offset : entry.offset + entry.size] for entry in layout.entries
                      if entry.is_trainable and entry.name.rpartition(".")[0] == owner])


def told(known: np.ndarray, sites: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """The site of each unknown update, (m,). known: (n, d) updates of these sites, (n,) int. unknown: (m, d)."""
    centre = known.mean(0)
    names = np.unique(sites)
    centroids = np.stack([_unit(known[sites == name] - centre).mean(0) for name in names])
    found: np.ndarray = names[(_unit(unknown - centre) @ _unit(centroids).T).argmax(1)]
    return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Each of length 1; of nothing nothing."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    shortened: np.ndarray = vectors / np.where(lengths > 0, lengths, 1.0)
    return shortened
