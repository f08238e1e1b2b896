"""Curves pass through every distinct score, and their areas are the metrics."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from wardround.core.predictions import Predictions
from wardround.evaluation import curves, metrics

Make = Callable[..., Predictions]
TRUTH, SCORE = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.8, 0.1])


def area(x: np.ndarray, y: np.ndarray) -> float:
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def test_roc_by_hand() -> None:
    fpr, tpr, thresholds = curves.roc(TRUTH, SCORE)
    assert fpr.tolist() == [0, 0, 0.5, 1]
    assert tpr.tolist() == [0, 0.5, 1, 1]
    assert thresholds.tolist() == [np.inf, 0.9, 0.8, 0.1]


def test_precision_recall_by_hand() -> None:
    precision, recall, thresholds = curves.precision_recall(TRUTH, SCORE)
    assert precision.tolist() == pytest.approx([1, 1, 2 / 3, 0.5])
    assert recall.tolist() == [0, 0.5, 1, 1]
    assert thresholds.tolist() == [np.inf, 0.9, 0.8, 0.1]


def test_areas_are_the_metrics(make_predictions: Make) -> None:
    rows = make_predictions(200)
    score = np.round(rows.probabilities[:, 1], 1)  # with ties
    fpr, tpr, _ = curves.roc(rows.truth == 1, score)
    assert area(fpr, tpr) == pytest.approx(float(metrics.ranked_auroc(rows.truth == 1, score)))
    precision, recall, _ = curves.precision_recall(rows.truth == 1, score)
    assert (np.diff(recall) * precision[1:]).sum() == pytest.approx(float(metrics.average_precision(rows.truth == 1, score)))


def test_a_rate_of_absent_rows_is_nan() -> None:
    fpr, tpr, _ = curves.roc(np.array([True, True]), np.array([0.2, 0.7]))
    assert np.isnan(fpr).all()
    assert tpr.tolist() == [0, 0.5, 1]
    assert np.isnan(curves.precision_recall(np.array([False]), np.array([0.2]))[1]).all()


def test_two_classes_have_one_curve_and_four_have_four(make_predictions: Make) -> None:
    assert list(curves.one_vs_rest(make_predictions())) == ["glioma"]
    assert list(curves.one_vs_rest(make_predictions(num_classes=4))) == ["no_tumor", "glioma", "meningioma", "pituitary"]
    assert list(curves.one_vs_rest(make_predictions(), curves.precision_recall)) == ["glioma"]


def test_a_class_without_rows_has_no_curve(make_predictions: Make) -> None:
    rows = make_predictions(num_classes=4)
    assert "pituitary" not in curves.one_vs_rest(rows.take(rows.truth != 3))
    assert curves.one_vs_rest(replace(make_predictions(), truth=np.ones(60, np.int64))) == {}


def test_area_of_the_macro_roc_is_macro_auroc(make_predictions: Make) -> None:
    rows = make_predictions(80, 4)
    fpr, tpr = curves.macro_roc(list(curves.one_vs_rest(rows).values()))
    assert area(fpr, tpr) == pytest.approx(float(metrics.auroc(rows.truth, rows.probabilities)))
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert (np.diff(fpr) >= 0).all()
    assert (np.diff(tpr) >= -1e-12).all()


def test_macro_roc_of_one_curve_is_that_curve() -> None:
    curve = curves.roc(TRUTH, SCORE)
    fpr, tpr = curves.macro_roc([curve])
    assert set(zip(curve[0].tolist(), curve[1].tolist(), strict=True)) == set(zip(fpr.tolist(), tpr.tolist(), strict=True))
