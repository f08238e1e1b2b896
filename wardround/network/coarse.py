"""Calibration and ROC curves of sums, so coarse that every point rests on more than SMALL_COUNT images."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from wardround.evaluation.metrics import ECE_BINS
from wardround.network.few import DECIMALS, is_few
from wardround.report.words import SMALL_COUNT


def calibration_of(held: np.ndarray, *, pairs: int = 1) -> list[dict[str, Any]]:
    """At most ECE_BINS bins {"predicted", "observed", "count"} of about equal mass, by rising confidence; [] of few rows.

    held: (3, bins) rows, summed confidence, hits. pairs: how many rows an image gives, of several findings."""
    counts = held[0]
    ends = _ends(counts, max((SMALL_COUNT + 1) * pairs, float(counts.sum()) / ECE_BINS))
    found = []
    for start, end in pairwise(ends):
        count, confidence, hits = held[:, start:end].sum(1).tolist()
        found.append({"predicted": round(confidence / count, DECIMALS), "observed": round(hits / count, DECIMALS), "count": round(count)})
    return found


def roc_of(scores: np.ndarray) -> dict[str, list[float]] | None:
    """{"fpr", "tpr"} from (0, 0) to (1, 1); None where a kind of rows is absent or few.

    scores: (2, bins) counts of rows without the class and with it, by rising score."""
    negatives, positives = scores.sum(1).tolist()
    if not negatives or not positives or is_few(negatives) or is_few(positives):
        return None
    falling = scores[:, ::-1]
    ends = _ends(falling.sum(0), SMALL_COUNT + 1)
    reached = np.concatenate([np.zeros((2, 1)), falling.cumsum(1)], axis=1)[:, ends]
    fpr, tpr = (reached / [[negatives], [positives]]).round(DECIMALS).tolist()
    return {"fpr": fpr, "tpr": tpr}


def _ends(counts: np.ndarray, least: float) -> list[int]:
    """Limits of stretches of at least so many rows, from 0 to len(counts); what is left over joins the last. [0] where all are fewer."""
    ends, held = [0], 0.0
    for place, count in enumerate(counts.tolist(), start=1):
        held += count
        if held >= least:
            ends.append(place)
            held = 0.0
    return ends if len(ends) == 1 else [*ends[:-1], len(counts)]
