"""Metrics: hand-worked values, ties, absent classes, and weights that equal repeated rows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardround.core.tally import ClassTally, total
from wardround.errors import WardroundError
from wardround.evaluation import metrics
from wardround.rng import stream

RANKED = {"auroc": metrics.auroc, "auprc": metrics.auprc, "brier": metrics.brier, "log_loss": metrics.log_loss, "ece": metrics.ece}
DECIDED = {"accuracy": metrics.accuracy, "balanced_accuracy": metrics.balanced_accuracy, "macro_f1": metrics.macro_f1,
           "f1": metrics.f1, "sensitivity": metrics.sensitivity, "specificity": metrics.specificity}


def binary(*scores: float) -> np.ndarray:
    p = np.array(scores)
    return np.stack([1 - p, p], 1)


def random_rows(num: int, num_classes: int, *parts: object, decimals: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Truth and informative probabilities, rounded so that ties occur."""
    rng = stream(7, "rows", num, num_classes, *parts)
    truth = rng.integers(num_classes, size=num)
    logits = rng.normal(size=(num, num_classes)) + 1.5 * np.eye(num_classes)[truth]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    if num_classes == 2:
        return truth, binary(*np.round(p[:, 1], decimals))
    return truth, p


def test_auroc_by_hand() -> None:
    # positives .8 .4, negatives .6 .2: 3 of 4 pairs in order
    assert metrics.auroc(np.array([1, 1, 0, 0]), binary(0.8, 0.4, 0.6, 0.2)) == 0.75


def test_a_tied_pair_counts_one_half_in_auroc() -> None:
    assert metrics.auroc(np.array([1, 0, 0]), binary(0.5, 0.5, 0.1)) == 0.75
    assert metrics.auroc(np.array([1, 0, 1, 0]), binary(0.3, 0.3, 0.3, 0.3)) == 0.5


def test_auroc_is_the_share_of_ordered_pairs() -> None:
    truth, p = random_rows(60, 2)
    pairs = [(a > b) + (a == b) / 2 for a in p[truth == 1, 1] for b in p[truth == 0, 1]]
    assert metrics.auroc(truth, p) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_average_precision_by_hand() -> None:
    # by falling score: + - + -, precision 1 at recall 1/2 and 2/3 at recall 1
    assert metrics.auprc(np.array([1, 0, 1, 0]), binary(0.9, 0.8, 0.7, 0.1)) == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_of_all_tied_scores_is_the_prevalence() -> None:
    assert metrics.auprc(np.array([1, 0, 0, 0]), binary(0.5, 0.5, 0.5, 0.5)) == 0.25


def test_macro_auroc_is_the_mean_of_one_vs_rest() -> None:
    truth, p = random_rows(80, 4)
    each = [metrics.ranked_auroc(truth == label, p[:, label]) for label in range(4)]
    assert metrics.auroc(truth, p) == pytest.approx(np.mean(each))


def test_decisions_by_hand() -> None:
    truth, p = np.array([1, 1, 1, 0, 0]), binary(0.9, 0.6, 0.2, 0.7, 0.1)  # at 0.5: TP 2, FN 1, FP 1, TN 1
    assert metrics.accuracy(truth, p, 0.5) == 0.6
    assert metrics.sensitivity(truth, p, 0.5) == pytest.approx(2 / 3)
    assert metrics.specificity(truth, p, 0.5) == 0.5
    assert metrics.balanced_accuracy(truth, p, 0.5) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert metrics.f1(truth, p, 0.5) == pytest.approx(4 / 6)
    assert metrics.macro_f1(truth, p, 0.5) == pytest.approx((4 / 6 + 2 / 4) / 2)


def test_the_threshold_itself_is_called_positive() -> None:
    assert metrics.decide(binary(0.3, 0.29), 0.3).tolist() == [1, 0]


def test_a_threshold_on_four_classes_is_refused() -> None:
    with pytest.raises(WardroundError, match="two classes, not 4"):
        metrics.accuracy(np.array([0]), np.full((1, 4), 0.25), 0.5)


def test_brier_by_hand() -> None:
    assert metrics.brier(np.array([1, 0]), binary(0.8, 0.4)) == pytest.approx((0.04 + 0.16) / 2)
    three = np.array([[0.5, 0.3, 0.2]])
    assert metrics.brier(np.array([0]), three) == pytest.approx(0.25 + 0.09 + 0.04)


def test_log_loss_by_hand_and_finite_for_a_certain_mistake() -> None:
    assert metrics.log_loss(np.array([1, 0]), binary(0.5, 0.75)) == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert metrics.log_loss(np.array([0]), binary(1.0)) == pytest.approx(-math.log(1e-15))


def test_ece_by_hand() -> None:
    # two bins of two rows: |.15 - .5| and |.85 - 1|
    assert metrics.ece(np.array([0, 1, 1, 1]), binary(0.1, 0.2, 0.8, 0.9), bins=2) == pytest.approx((0.35 + 0.15) / 2)


def test_ece_of_many_classes_uses_the_top_confidence() -> None:
    p = np.array([[0.6, 0.2, 0.2], [0.2, 0.2, 0.6]])
    assert metrics.ece(np.array([0, 1]), p) == pytest.approx(0.1)  # one tied bin: confidence .6, half right


def test_ece_of_rows_that_are_right_as_often_as_they_claim_is_zero() -> None:
    truth = np.array([1, 0, 0, 0] * 15 + [1, 1, 1, 0] * 15)
    assert metrics.ece(truth, binary(*[0.25] * 60, *[0.75] * 60)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only_is_not_estimable_rather_than_zero(label: int) -> None:
    truth, p = np.full(3, label), binary(0.2, 0.7, 0.9)
    assert np.isnan(metrics.auroc(truth, p))
    assert np.isnan(metrics.auprc(truth, p))
    assert np.isnan(metrics.recalls(truth, p)[1 - label])


def test_f1_of_a_class_neither_present_nor_predicted_is_not_estimable() -> None:
    assert np.isnan(metrics.f1(np.array([0, 0]), binary(0.1, 0.2), 0.5))


def test_balanced_accuracy_leaves_absent_classes_out() -> None:
    p = np.eye(3)[[0, 0, 1, 2]]
    assert metrics.balanced_accuracy(np.array([0, 0, 1, 1]), p) == 0.75


def test_macro_auroc_leaves_absent_classes_out() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.7, 0.1, 0.2]])
    assert metrics.auroc(np.array([0, 1, 0]), p) == 1.0


@pytest.mark.parametrize("num_classes", [2, 4])
def test_a_perfect_classifier(num_classes: int) -> None:
    truth = np.arange(40) % num_classes
    p = np.eye(num_classes)[truth]
    for name in ("auroc", "auprc"):
        assert RANKED[name](truth, p) == 1
    for name in ("brier", "log_loss", "ece"):
        assert RANKED[name](truth, p) == 0
    for metric in (metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1):
        assert metric(truth, p) == 1


@pytest.mark.parametrize("num_classes", [2, 4])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_weights_equal_repeated_rows(num_classes: int, seed: int) -> None:
    truth, p = random_rows(30, num_classes, seed, decimals=1)
    weights = stream(seed, "weights").integers(0, 4, size=(3, 30))
    threshold = 0.4 if num_classes == 2 else None
    for name, metric in RANKED.items():
        repeated = [metric(np.repeat(truth, w), np.repeat(p, w, axis=0)) for w in weights]
        np.testing.assert_allclose(metric(truth, p, weights), repeated, rtol=1e-9, atol=1e-12, err_msg=name)
    for name, metric in DECIDED.items():
        repeated = [metric(np.repeat(truth, w), np.repeat(p, w, axis=0), threshold) for w in weights]
        np.testing.assert_allclose(metric(truth, p, threshold, weights), repeated, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("num_classes", [2, 4])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_rows_does_not_matter(num_classes: int, seed: int) -> None:
    truth, p = random_rows(40, num_classes, seed, decimals=1)
    order = stream(seed, "order").permutation(40)
    for name, metric in {**RANKED, **DECIDED}.items():
        assert metric(truth[order], p[order]) == pytest.approx(metric(truth, p), nan_ok=True), name


def test_results_have_the_leading_shape_of_the_weights() -> None:
    truth, p = random_rows(20, 2)
    for metric in (*RANKED.values(), *DECIDED.values()):
        assert metric(truth, p).shape == ()
    assert metrics.ece(truth, p, np.ones((5, 20))).shape == (5,)
    assert metrics.recalls(truth, p, None, np.ones((5, 20))).shape == (5, 2)


def test_agrees_with_monai_on_auroc_and_average_precision() -> None:
    import torch
    from monai.metrics import compute_average_precision, compute_roc_auc

    truth, p = random_rows(200, 2)
    score, label = torch.tensor(p[:, 1]), torch.tensor(truth)
    assert metrics.auroc(truth, p) == pytest.approx(float(compute_roc_auc(score, label)), abs=1e-6)
    distinct, p = random_rows(200, 2, decimals=12)  # MONAI ranks tied scores in file order
    score, label = torch.tensor(p[:, 1]), torch.tensor(distinct)
    assert metrics.auprc(distinct, p) == pytest.approx(float(compute_average_precision(score, label)), abs=1e-6)


@pytest.mark.parametrize("num_classes", [2, 4])
def test_tally_agrees_with_exact_metrics(num_classes: int) -> None:
    truth, p = random_rows(1000, num_classes, decimals=9)
    losses = -np.log(p[np.arange(1000), truth])
    found = metrics.from_tally(total(ClassTally.of_parts(p, truth, losses, [500, 500])))
    assert found["accuracy"] == pytest.approx(metrics.accuracy(truth, p))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy(truth, p))
    assert found["loss"] == pytest.approx(metrics.log_loss(truth, p))
    assert found["auroc"] == pytest.approx(metrics.auroc(truth, p), abs=1 / 1024)


def test_tally_counts_scores_of_one_bin_as_ties() -> None:
    p = binary(0.50001, 0.50002)
    assert metrics.from_tally(ClassTally.of(p, np.array([0, 1]), np.ones(2)))["auroc"] == 0.5


def test_tally_of_one_class_has_no_auroc_and_of_no_rows_nothing() -> None:
    one = metrics.from_tally(ClassTally.of(binary(0.9, 0.8), np.array([1, 1]), np.ones(2)))
    assert math.isnan(one["auroc"])
    assert one["balanced_accuracy"] == 1.0
    empty = metrics.from_tally(ClassTally.of(np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros(0)))
    assert all(math.isnan(value) for value in empty.values())


def test_areas_of_bins_are_those_of_rows_tied_within_a_bin() -> None:
    rng = stream(2, "bins")
    place, is_positive = rng.integers(6, size=80), rng.random(80) < 0.4
    scores = np.stack([np.bincount(place[~is_positive], minlength=6), np.bincount(place[is_positive], minlength=6)])
    assert metrics.binned_auroc(scores) == pytest.approx(metrics.ranked_auroc(is_positive, place / 6))
    assert metrics.binned_average_precision(scores) == pytest.approx(metrics.average_precision(is_positive, place / 6))


def test_areas_of_bins_without_one_kind_are_not_estimable() -> None:
    one_kind = np.array([[[3, 1], [0, 0]], [[0, 0], [2, 2]]])
    assert np.isnan(metrics.binned_auroc(one_kind)).all()
    assert np.isnan(metrics.binned_average_precision(one_kind)).all()
