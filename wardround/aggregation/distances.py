"""Distances between updates, in float64, also where they are small beside the updates or where one update is huge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wardround.aggregation.spans import summed, wide

CANCELS = 1e-6  # |a|^2 + |b|^2 - 2ab keeps ten digits if it is at least this share of |a|^2 + |b|^2


def squared_distances(rows: Sequence[Tensor]) -> np.ndarray:
    """(n, n) float64. By products of all pairs, and where these would cancel by the differences themselves.

    In float32, as elsewhere, vectors of 1000 that differ by 0.001 come out equal.
    """
    products = summed(len(rows[0]), len(rows), lambda span: _products(wide(rows, span)))
    squares = np.diag(products)
    sums = squares[:, None] + squares[None, :]
    found: np.ndarray = sums - 2 * products
    pairs = np.argwhere(np.triu(found <= CANCELS * sums, k=1))
    if len(pairs):
        direct = summed(len(rows[0]), len(rows), lambda span: _differences(rows, pairs, span))
        found[pairs[:, 0], pairs[:, 1]] = found[pairs[:, 1], pairs[:, 0]] = direct
    np.fill_diagonal(found, 0.0)
    return found


def products_about(rows: Sequence[Tensor], centre: Tensor) -> np.ndarray:
    """(n, n) float64: <x_i - c, x_j - c>. With c among the honest rows an entry of theirs owes nothing to rows far away."""
    return summed(len(centre), len(rows), lambda span: _products(wide(rows, span) - centre[span].double()))


def gaps(products: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) |x_k - z| where z = c + sum_i weights_i (x_i - c). products: those about c."""
    pulled = products @ weights
    found: np.ndarray = np.sqrt(np.maximum(np.diag(products) - 2 * pulled + weights @ pulled, 0))
    return found


def norms(rows: Sequence[Tensor], centre: Tensor | None = None) -> np.ndarray:
    """(n,) float64: L2 norms of the rows, or of their differences from the centre."""
    def work(span: slice) -> Tensor:
        chunk = wide(rows, span)
        return (chunk if centre is None else chunk - centre[span].double()).square_().sum(1)

    found: np.ndarray = np.sqrt(summed(len(rows[0]), len(rows), work))
    return found


def _products(chunk: Tensor) -> Tensor:
    return chunk @ chunk.T


def _differences(rows: Sequence[Tensor], pairs: np.ndarray, span: slice) -> Tensor:
    return torch.stack([(rows[i][span].double() - rows[j][span].double()).square_().sum() for i, j in pairs.tolist()])
