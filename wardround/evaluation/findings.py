"""How good predictions of several findings an image are: each finding for itself, and the means over findings.

A finding that no row has, or every row, has no AUROC and no AUPRC: NaN, "not estimable". The means are over the findings that are
estimable, of a resample over those that are so in it: a rare finding that was not drawn drops out of that resample's mean, and moves it
by 1/C of its distance from the mean. No number is made up for it, and no resample is thrown away, which would favour samples rich in
rare findings. Brier score and calibration error need no positive row, so their means are always over all findings.
"""

from __future__ import annotations

import numpy as np

from wardround.core.predictions import Predictions
from wardround.evaluation import metrics


def measure_findings(predictions: Predictions, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return "auroc", "auprc", "brier" (0 to 1) and "ece", means over findings, and auroc_NAME and auprc_NAME of each finding.

    predictions: truth (n, C) of 0 and 1. weights, results: as in metrics.py. ECE compares a finding's p with how often it is there, in
    equal-mass bins."""
    by_metric: dict[str, list[np.ndarray]] = {"auroc": [], "auprc": [], "brier": [], "ece": []}
    for truth, p in zip(predictions.truth.T, predictions.probabilities.T, strict=True):
        two_classes = np.stack([1 - p, p], 1)
        for name, metric in (("auroc", metrics.auroc), ("auprc", metrics.auprc), ("brier", metrics.brier), ("ece", metrics.ece)):
            by_metric[name].append(metric(truth, two_classes, weights))
    found = {name: metrics.mean_estimable(np.stack(values, -1)) for name, values in by_metric.items()}
    for name in ("auroc", "auprc"):
        found |= {f"{name}_{finding}": value for finding, value in zip(predictions.classes, by_metric[name], strict=True)}
    return found
