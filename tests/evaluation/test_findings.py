"""Several findings an image: each alone, their means, and what is not estimable."""

import math
from dataclasses import replace

import numpy as np
import pytest

from wardround.core.predictions import Predictions
from wardround.core.tally import FindingTally, total
from wardround.evaluation import metrics
from wardround.evaluation.findings import measure_findings
from wardround.rng import stream


def predictions(truth: np.ndarray, probabilities: np.ndarray) -> Predictions:
    rows = np.arange(len(truth)).astype(str)
    names = tuple(f"finding {i}" for i in range(truth.shape[1]))
    return Predictions(cases=rows, groups=rows, sites=rows, splits=rows, classes=names, truth=truth, probabilities=probabilities)


def drawn(num: int = 60) -> Predictions:
    rng = stream(3, "findings")
    truth = (rng.random((num, 3)) < (0.5, 0.3, 0.1)).astype(np.int64)
    return predictions(truth, np.round(np.clip(0.3 * truth + 0.7 * rng.random((num, 3)), 0, 1), 2))


RARE = predictions(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]),
                   np.array([[0.9, 0.8, 0.1], [0.4, 0.9, 0.2], [0.6, 0.1, 0.3], [0.2, 0.2, 0.4]]))


def test_by_hand() -> None:
    found = measure_findings(RARE)
    assert float(found["auroc_finding 0"]) == 0.75  # .9 .4 against .6 .2: 3 of 4 pairs in order
    assert float(found["auroc_finding 1"]) == pytest.approx(2 / 3)  # .8 against .9 .1 .2
    assert float(found["auprc_finding 1"]) == 0.5
    squares = [0.01 + 0.36 + 0.36 + 0.04, 0.04 + 0.81 + 0.01 + 0.04, 0.01 + 0.04 + 0.09 + 0.16]
    assert float(found["brier"]) == pytest.approx(sum(squares) / 12)


def test_each_finding_is_a_two_class_problem_of_its_own() -> None:
    whole = drawn()
    found = measure_findings(whole)
    for place, name in enumerate(whole.classes):
        is_there, p = whole.truth[:, place] == 1, whole.probabilities[:, place]
        assert found[f"auroc_{name}"] == metrics.ranked_auroc(is_there, p)
        assert found[f"auprc_{name}"] == metrics.average_precision(is_there, p)
    assert found["auroc"] == pytest.approx(np.mean([found[f"auroc_{name}"] for name in whole.classes]))
    pairs = [np.stack([1 - p, p], 1) for p in whole.probabilities.T]
    assert found["ece"] == pytest.approx(np.mean([metrics.ece(t, pair) for t, pair in zip(whole.truth.T, pairs, strict=True)]))


def test_an_absent_finding_is_not_estimable_and_not_in_the_mean() -> None:
    found = measure_findings(RARE)
    assert math.isnan(found["auroc_finding 2"])
    assert math.isnan(found["auprc_finding 2"])
    assert float(found["auroc"]) == pytest.approx((0.75 + 2 / 3) / 2)


def test_a_finding_in_every_image_is_not_estimable() -> None:
    assert math.isnan(measure_findings(replace(RARE, truth=np.ones_like(RARE.truth)))["auroc"])


def test_a_resample_without_a_finding_has_the_mean_of_the_others() -> None:
    found = measure_findings(RARE, np.array([[0.0, 1, 1, 1], [1, 1, 1, 1]]))
    assert math.isnan(found["auroc_finding 1"][0])
    assert found["auroc"][0] == found["auroc_finding 0"][0] == 0.5  # .4 against .6 .2
    assert found["auroc"][1] == measure_findings(RARE)["auroc"]


def test_weights_equal_repeated_rows() -> None:
    whole = drawn()
    weights = stream(1, "weights").integers(0, 3, size=(4, len(whole)))
    found = measure_findings(whole, weights.astype(float))
    for row, weight in enumerate(weights):
        again = measure_findings(whole.take(np.repeat(np.arange(len(whole)), weight)))
        for name, values in found.items():
            assert values[row] == pytest.approx(float(again[name]), abs=1e-12, nan_ok=True), name


def test_tallies_of_sites_agree_with_the_exact_mean() -> None:
    whole = drawn(600)
    parts = [whole.take(np.arange(0, 200)), whole.take(np.arange(200, 600))]
    halves = [FindingTally.of(part.probabilities, part.truth, np.ones(len(part.truth))) for part in parts]
    found = metrics.from_tally(total(halves))
    assert set(found) == {"loss", "auroc"}
    assert found["loss"] == 1.0
    assert found["auroc"] == pytest.approx(float(measure_findings(whole)["auroc"]), abs=1e-9)  # scores of two decimals: a bin each


def test_a_tally_leaves_absent_findings_out_and_of_no_rows_knows_nothing() -> None:
    found = metrics.from_tally(FindingTally.of(RARE.probabilities, RARE.truth, np.ones(len(RARE.truth))))
    assert found["auroc"] == pytest.approx((0.75 + 2 / 3) / 2)
    empty = metrics.from_tally(FindingTally.of(np.zeros((0, 3)), np.zeros((0, 3), np.int64), np.zeros(0)))
    assert all(math.isnan(value) for value in empty.values())
