"""The patient-level bootstrap: what is drawn, when there is no interval, and whether intervals cover the truth."""

import numpy as np
import pytest

from wardround.evaluation import metrics
from wardround.evaluation.intervals import BLOCK_NUMBERS, Bootstrap, Draws, resample
from wardround.rng import stream


def all_weights(bootstrap: Bootstrap) -> np.ndarray:
    return np.concatenate(list(bootstrap.blocks()))


def names(num: int, rows_each: int = 1) -> np.ndarray:
    return np.repeat(np.array([f"patient-{i:04}" for i in range(num)], dtype=object), rows_each)


def mean_of(values: np.ndarray, groups: np.ndarray, resamples: int = 400, seed: int = 0) -> Draws:
    def measure(weights: np.ndarray | None) -> dict[str, np.ndarray]:
        w = np.ones(len(values)) if weights is None else weights
        return {"mean": (w @ values) / w.sum(-1)}
    return resample(Bootstrap(groups, resamples, seed), [measure])[0]["mean"]


def test_each_resample_draws_as_many_patients_as_there_are() -> None:
    weights = all_weights(Bootstrap(names(30), 200, 0))
    assert weights.shape == (200, 30)
    assert (weights.sum(1) == 30).all()
    assert weights.mean(0) == pytest.approx(np.ones(30), abs=0.4)


def test_all_rows_of_a_patient_are_drawn_together() -> None:
    weights = all_weights(Bootstrap(names(10, rows_each=3), 50, 0)).reshape(50, 10, 3)
    assert (weights == weights[:, :, :1]).all()


def test_the_same_seed_gives_the_same_weights_and_another_does_not() -> None:
    first = Bootstrap(names(20), 50, 5)
    np.testing.assert_array_equal(all_weights(first), all_weights(first))
    assert (all_weights(first) != all_weights(Bootstrap(names(20), 50, 6))).any()


def test_a_patients_weight_does_not_depend_on_the_order_of_rows() -> None:
    groups, order = names(12, rows_each=2), stream(1, "order").permutation(24)
    np.testing.assert_array_equal(all_weights(Bootstrap(groups, 40, 0))[:, order], all_weights(Bootstrap(groups[order], 40, 0)))


def test_blocks_are_bounded_and_complete() -> None:
    blocks = list(Bootstrap(names(5000), 150, 0).blocks())
    assert len(blocks) > 1
    assert max(block.size for block in blocks) <= BLOCK_NUMBERS
    assert sum(len(block) for block in blocks) == 150


def test_interval_is_percentiles() -> None:
    draws = Draws(value=50.0, draws=np.arange(101.0))
    assert draws.interval(0.9) == pytest.approx((5.0, 95.0))


def test_resamples_without_a_value_are_dropped_up_to_five_per_cent() -> None:
    values = np.arange(100.0)
    few, many = values.copy(), values.copy()
    few[:5], many[:6] = np.nan, np.nan
    assert Draws(value=50.0, draws=few).interval(0.95) == pytest.approx(np.quantile(values[5:], [0.025, 0.975]))
    assert np.isnan(Draws(value=50.0, draws=many).interval(0.95)).all()


def test_a_single_patient_has_no_interval() -> None:
    drawn = mean_of(np.array([0.0, 1.0]), names(1, rows_each=2))
    assert drawn.value == 0.5
    assert np.isnan(drawn.interval(0.95)).all()


def test_a_metric_that_is_not_estimable_has_no_interval() -> None:
    truth, p = np.ones(6, np.int64), np.full((6, 2), 0.5)
    drawn = resample(Bootstrap(names(6), 100, 0), [lambda weights: {"auroc": metrics.auroc(truth, p, weights)}])[0]["auroc"]
    assert np.isnan(drawn.value)
    assert np.isnan(drawn.interval(0.95)).all()
    assert np.isnan(drawn.centred().draws).all()


def test_repeated_images_of_patients_widen_the_interval() -> None:
    per_patient = stream(2, "hits").integers(2, size=40).astype(float)
    rows, groups = np.repeat(per_patient, 9), names(40, rows_each=9)
    clustered = np.diff(mean_of(rows, groups).interval(0.95))[0]
    naive = np.diff(mean_of(rows, names(360)).interval(0.95))[0]
    assert clustered / naive == pytest.approx(3, rel=0.25)  # sqrt(9)


def test_interval_of_a_mean_agrees_with_theory() -> None:
    values = stream(4, "values").normal(size=400)
    low, high = mean_of(values, names(400), resamples=2000).interval(0.95)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    # two normal scores, one standard deviation apart: AUROC = Phi(1 / sqrt(2)) = 0.7602
    covered = 0
    for trial in range(150):
        rng = stream(trial, "coverage")
        truth = (np.arange(120) % 2).astype(np.int64)
        score = rng.normal(size=120) + truth
        measure = lambda weights, t=truth, s=score: {"auroc": metrics.ranked_auroc(t == 1, s, weights)}  # noqa: E731
        low, high = resample(Bootstrap(names(120), 200, trial), [measure])[0]["auroc"].interval(0.95)
        covered += low <= 0.7602 <= high
    assert 0.88 <= covered / 150 <= 0.99


def test_centred_resamples_have_the_value_as_median_and_stay_positive() -> None:
    drawn = Draws(value=0.05, draws=np.array([0.06, 0.09, 0.1, 0.2, 0.07])).centred()
    assert np.median(drawn.draws) == pytest.approx(0.05)
    assert drawn.draws.min() >= 0
