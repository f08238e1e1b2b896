"""Floats as whole numbers 0..2^B-1, rounded at random so that the mean is right: step 2C/(2^B-1), variance at most step^2/4."""

from __future__ import annotations

import numpy as np

from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.manifest import Manifest
from wardround.privacy.secagg.masks import KeyStream, pieces

MOST_CLIPPED = 0.001  # share of an update's numbers beyond the bound: above it, clipping would change what is learned


def quantise(vector: np.ndarray, weight: int, manifest: Manifest, key: bytes, out: np.ndarray) -> float:
    """Write weight * q(vector) to out, return the share of numbers beyond +-bound, which are clipped.

    vector: (size,) float32. key: 32 fresh random bytes, from which the rounding is drawn. out: (size,) uint32. SecureError for a
    wrong shape, type, NaN or inf, for a weight outside 1..most_weight, and where more than 0.1 % would be clipped.
    """
    check_vector(vector, manifest)
    if type(weight) is not int or not 1 <= weight <= manifest.most_weight:
        raise SecureError(f"a weight of {weight} is not a whole number from 1 to {manifest.most_weight}. Larger ones would overflow the "
                          "sum: scale the weights of all sites down.", fault="weight", stage="masked")
    num_clipped, random = 0, KeyStream(key, manifest.size)
    for piece in pieces(manifest.size):
        part = vector[piece].astype(np.float64)
        if not np.isfinite(part).all():
            raise SecureError("the update holds NaN or inf. Lower the learning rate.", fault="vector", stage="masked")
        np.divide(part, manifest.step, out=part)
        part += manifest.levels / 2
        num_clipped += int(np.count_nonzero((part < -1) | (part > manifest.levels + 1)))  # not what float32 rounds at the bound
        np.clip(part, 0, manifest.levels, out=part)
        part += (random.next(len(part)) >> 4) * 2.0**-28  # floor(v + u), u in [0, 1): its mean is v; 24 + 28 bits fit a float64
        np.multiply(part.astype(np.uint32), np.uint32(weight), out=out[piece])
    clipped = num_clipped / manifest.size
    if clipped > MOST_CLIPPED:
        raise SecureError(f"{clipped:.2%} of the update's numbers are beyond +-{manifest.bound:g}, more than {MOST_CLIPPED:.1%}. Raise "
                          "secure_range in [aggregation], or lower the learning rate.", fault="clipped", stage="masked")
    return clipped


def restore(total: np.ndarray, total_weight: int, manifest: Manifest) -> np.ndarray:
    """The weighted mean of a sum of weight * q(x): (size,) uint32 -> (size,) float32. SecureError where no sites could give such a sum."""
    if int(total.max()) > total_weight * manifest.levels:
        raise SecureError("the opened sum is larger than all sites together can make it: a site sent a wrong vector or masks. Run the "
                          "round again; if it recurs, ask without one site at a time.", fault="sum", stage="unmask")
    mean = np.empty(len(total), dtype=np.float32)
    for piece in pieces(len(total)):
        mean[piece] = (total[piece] / total_weight - manifest.levels / 2) * manifest.step
    return mean


def check_vector(vector: np.ndarray, manifest: Manifest) -> None:
    """SecureError unless the vector is (manifest.size,) float32."""
    if not isinstance(vector, np.ndarray) or vector.dtype != np.float32 or vector.shape != (manifest.size,):
        found = f"{vector.dtype} of shape {vector.shape}" if isinstance(vector, np.ndarray) else type(vector).__name__
        raise SecureError(f"the update is {found}, but the manifest says float32 of shape ({manifest.size},). The model is not the "
                          "approved one.", fault="vector", stage="masked")
