"""The decision threshold is chosen on validation rows, in the middle of the best range."""

from dataclasses import replace

import numpy as np
import pytest

from wardround.core.predictions import Predictions
from wardround.errors import WardroundError
from wardround.evaluation import metrics
from wardround.evaluation.operating_point import threshold, threshold_of_counts
from wardround.rng import stream


def validation(truth: list[int], scores: list[float], split: str = "val") -> Predictions:
    p = np.array(scores, np.float64)
    names = np.array([f"case-{i}" for i in range(len(p))], dtype=object)
    sites, splits = np.full(len(p), "north", object), np.full(len(p), split, object)
    return Predictions(classes=("NORMAL", "PNEUMONIA"), cases=names, groups=names, sites=sites, splits=splits,
                       truth=np.array(truth, np.int64), probabilities=np.stack([1 - p, p], 1))


def test_between_two_separated_classes_it_is_the_midpoint() -> None:
    assert threshold(validation([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9])) == pytest.approx(0.4)


def test_it_maximises_balanced_accuracy() -> None:
    rng = stream(3, "threshold")
    truth = (rng.random(200) < 0.2).astype(int)
    scores = np.round(np.clip(rng.normal(0.3 + 0.3 * truth, 0.2), 0, 1), 2)
    val = validation(truth.tolist(), scores.tolist())
    chosen = threshold(val)
    best = max(float(metrics.balanced_accuracy(val.truth, val.probabilities, t)) for t in np.arange(0, 1.002, 0.005))
    assert metrics.balanced_accuracy(val.truth, val.probabilities, chosen) == pytest.approx(best)


def test_among_equally_good_ranges_the_widest_wins() -> None:
    # - .02 | + .4, - .45 | + .55: J is best in (.02, .4] and in (.45, .55]
    assert threshold(validation([0, 1, 0, 1], [0.02, 0.4, 0.45, 0.55])) == pytest.approx(0.21)


def test_among_equally_wide_ranges_the_one_nearest_one_half_wins() -> None:
    # in steps of 1/8, exact in binary: (1/8, 2/8] and (5/8, 6/8]
    assert threshold(validation([0, 1, 0, 1], [0.125, 0.25, 0.625, 0.75])) == pytest.approx(0.6875)


def test_a_score_that_moves_both_rates_alike_does_not_part_a_range() -> None:
    # both kinds at .5: J is the same on either side, so the range is (.2, .8]
    assert threshold(validation([0, 0, 1, 1], [0.2, 0.5, 0.5, 0.8])) == pytest.approx(0.5)


def test_scores_without_information_give_one_half() -> None:
    assert threshold(validation([0, 1], [0.3, 0.3])) == 0.5


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_in_validation_gives_one_half(label: int) -> None:
    assert threshold(validation([label] * 3, [0.1, 0.2, 0.9])) == 0.5


def test_between_neighbouring_floats_the_classes_are_still_separated() -> None:
    low = 0.7
    high = float(np.nextafter(low, 1))
    val = validation([0, 1], [low, high])
    assert metrics.accuracy(val.truth, val.probabilities, threshold(val)) == 1.0


def test_more_than_two_classes_have_no_threshold() -> None:
    val = validation([0, 1], [0.1, 0.9])
    three = replace(val, classes=("a", "b", "c"), probabilities=np.eye(3)[[0, 1]])
    assert threshold(three) is None


def test_test_rows_are_never_used() -> None:
    val, test = validation([0, 1], [0.1, 0.9]), validation([1, 0], [0.1, 0.9], "test")
    both = Predictions(classes=val.classes, **{name: np.concatenate([getattr(val, name), getattr(test, name)])
                                               for name in ("cases", "groups", "sites", "splits", "truth", "probabilities")})
    assert threshold(both) == threshold(val)
    with pytest.raises(WardroundError, match="no validation rows"):
        threshold(test)


def test_of_bins_it_is_the_threshold_of_rows_at_the_bins_lower_limits() -> None:
    edges = np.linspace(0, 1, 9)
    scores = np.array([[3, 2, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 2, 1, 0]])
    assert threshold_of_counts(scores, edges) == pytest.approx(0.625)  # bins 4 and 5 meet there
    apart = np.array([[3, 2, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 2, 1, 0]])
    assert threshold_of_counts(apart, edges) == pytest.approx((0.25 + 0.625) / 2)  # nothing lies between


@pytest.mark.parametrize("scores", [np.zeros((2, 4)), np.array([[1, 2, 0, 0], [0, 0, 0, 0]]), np.array([[0, 0, 0, 0], [0, 1, 0, 0]])])
def test_bins_of_one_class_give_one_half(scores: np.ndarray) -> None:
    assert threshold_of_counts(scores, np.linspace(0, 1, 5)) == 0.5
