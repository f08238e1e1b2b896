"""Reliability bins and logistic recalibration."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from wardround.core.predictions import Predictions
from wardround.evaluation import calibration, metrics
from wardround.rng import stream

Make = Callable[..., Predictions]


def with_scores(make: Make, truth: np.ndarray, score: np.ndarray) -> Predictions:
    return replace(make(len(truth)), truth=truth.astype(np.int64), probabilities=np.stack([1 - score, score], 1))


def simulated(make: Make, slope: float, intercept: float, num: int = 20000) -> Predictions:
    """Rows whose truth is drawn so that recalibration has this slope and intercept."""
    rng = stream(11, "calibration")
    logit = rng.normal(size=num) * 1.5
    truth = rng.random(num) < 1 / (1 + np.exp(-(intercept + slope * logit)))
    return with_scores(make, truth, 1 / (1 + np.exp(-logit)))


def test_bins_by_hand(make_predictions: Make) -> None:
    rows = with_scores(make_predictions, np.array([0, 1, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    low, high = calibration.reliability(rows, bins=2)
    assert (low.count, low.observed, high.observed) == (2, 0.5, 1.0)
    assert (low.predicted, high.predicted) == pytest.approx((0.15, 0.85))


@pytest.mark.parametrize("num_classes", [2, 4])
def test_bins_have_equal_mass_and_their_gaps_are_the_ece(make_predictions: Make, num_classes: int) -> None:
    rows = make_predictions(300, num_classes)
    bins = calibration.reliability(rows)
    assert [found.count for found in bins] == [20] * 15
    gap = sum(found.count * abs(found.predicted - found.observed) for found in bins) / 300
    assert gap == pytest.approx(float(metrics.ece(rows.truth, rows.probabilities)))


def test_tied_rows_share_a_bin(make_predictions: Make) -> None:
    bins = calibration.reliability(with_scores(make_predictions, np.arange(40) % 2, np.repeat([0.2, 1.0], [10, 30])))
    assert [(found.count, found.predicted) for found in bins] == [(10, pytest.approx(0.2)), (30, 1.0)]


def test_the_middle_of_tied_rows_decides_their_bin(make_predictions: Make) -> None:
    rows = with_scores(make_predictions, np.arange(40) % 2, np.repeat([0.2, 0.3, 1.0], [15, 15, 10]))
    assert [found.count for found in calibration.reliability(rows, bins=2)] == [15, 25]  # .3 lies on 15..30 of 40


def test_no_rows_no_bins(make_predictions: Make) -> None:
    assert calibration.reliability(make_predictions().take(np.zeros(0, int))) == []


def test_wilson_interval_against_published_values() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
    assert calibration.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert calibration.wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert calibration.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert calibration.wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_interval_stays_within_0_and_1() -> None:
    assert calibration.wilson(5, 5)[1] == 1.0
    assert calibration.wilson(0, 5)[0] == 0.0


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.5, 0.0), (2.0, -1.0)])
def test_slope_and_intercept_are_recovered(make_predictions: Make, slope: float, intercept: float) -> None:
    found = calibration.recalibration(simulated(make_predictions, slope, intercept))
    assert found == pytest.approx((slope, intercept), abs=0.08)


def test_two_scores_have_a_fit_that_can_be_worked_by_hand(make_predictions: Make) -> None:
    # 1 of 4 at p = .2 (logit -ln 4), 3 of 4 at p = .8 (logit ln 4): the fit passes through logit -ln 3 and ln 3
    rows = with_scores(make_predictions, np.array([1, 0, 0, 0, 1, 1, 1, 0]), np.repeat([0.2, 0.8], 4))
    assert calibration.recalibration(rows) == pytest.approx((math.log(3) / math.log(4), 0.0))


def test_certain_mistakes_are_fitted_too(make_predictions: Make) -> None:
    rows = with_scores(make_predictions, np.array([0, 0, 1, 1, 0, 1]), np.array([0.0, 0.0, 1.0, 1.0, 1.0, 0.0]))
    assert calibration.recalibration(rows)[0] == pytest.approx(math.log(2) / math.log(1e7), rel=1e-6)


@pytest.mark.parametrize(("truth", "score"), [
    ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),  # a threshold separates the classes
    ([0, 1, 1, 1], [0.1, 0.1, 0.8, 0.9]),  # but for a tie
    ([1, 1, 1, 1], [0.1, 0.2, 0.8, 0.9]),  # one class
    ([0, 1, 0, 1], [0.4, 0.4, 0.4, 0.4]),  # no spread
])
def test_no_single_best_fit_is_nan(make_predictions: Make, truth: list[int], score: list[float]) -> None:
    assert np.isnan(calibration.recalibration(with_scores(make_predictions, np.array(truth), np.array(score)))).all()


def test_steps_that_do_not_end_are_nan(make_predictions: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "NEWTON_STEPS", 1)
    assert np.isnan(calibration.recalibration(make_predictions())).all()


def test_scores_that_hardly_differ_are_fitted(make_predictions: Make) -> None:
    rows = with_scores(make_predictions, np.array([1, 0, 0, 0, 1, 1, 1, 0]), np.repeat([0.5, 0.5 + 1e-9], 4))
    assert calibration.recalibration(rows)[0] == pytest.approx(2 * math.log(3) / 4e-9, rel=1e-3)


def test_one_far_score_does_not_make_the_steps_overshoot(make_predictions: Make) -> None:
    # a full Newton step from here ends where every row is certain, and the next cannot be taken
    logit = np.r_[-0.2, 0.01, np.zeros(59), 0.02, 6.0]
    slope, _ = calibration.recalibration(with_scores(make_predictions, np.r_[0, 0, np.ones(61)], 1 / (1 + np.exp(-logit))))
    assert np.isfinite(slope)
