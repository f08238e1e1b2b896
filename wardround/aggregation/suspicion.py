"""How far each site's update stands apart from what was accepted: a number to look into, no verdict."""

from __future__ import annotations

import numpy as np

from wardround.aggregation.distances import norms
from wardround.aggregation.stack import Stack
from wardround.core.params import Params

MOST = 1000.0  # what is further is told as this


def suspicion(stack: Stack, accepted: Params) -> dict[str, float]:
    """Site -> distance of its trained numbers from the accepted change, in medians of these distances; 1 is the middle site, at most MOST.

    Ours; Krum's scores measure the same thing among the updates. A malicious site that keeps close has an ordinary number, and a hospital
    whose patients or scanners differ has a high one.
    """
    lengths = norms(stack.trained, accepted.trainable)
    middle = float(np.median(lengths))
    apart = np.divide(lengths, middle, out=np.where(lengths > 0, MOST, 1.0), where=middle > 0)
    return {site: float(min(score, MOST)) for site, score in zip(stack.sites, apart, strict=True)}
