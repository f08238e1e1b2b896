"""One temperature for all sites, from sums."""

import math

import numpy as np
import pytest

from wardround.evaluation.temperature import TEMPERATURES, fitted, loss_sums, scaled
from wardround.rng import stream


def softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def surest(p: float, hits: int, num: int) -> tuple[np.ndarray, np.ndarray]:
    """num rows of two classes, called class 1 with probability p; `hits` of them are class 1."""
    return np.tile([1 - p, p], (num, 1)), (np.arange(num) < hits).astype(np.int64)


def drawn(num: int, num_classes: int, true_temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities at T = 1, and a truth drawn from those at the true temperature."""
    rng = stream(3, "temperature", num_classes)
    logits = 2 * rng.normal(size=(num, num_classes))
    truth = (softmax(logits / true_temperature).cumsum(1) < rng.random((num, 1))).sum(1)
    return softmax(logits), truth


def test_the_grid_holds_1_and_its_steps_are_even_in_log() -> None:
    assert TEMPERATURES[30] == pytest.approx(1.0)
    assert np.diff(np.log(TEMPERATURES)) == pytest.approx(math.log(100) / 60)


@pytest.mark.parametrize(("p", "hits"), [(0.99, 8), (0.999, 7), (0.6, 9)])
def test_rows_that_are_too_sure_or_not_sure_enough_get_the_temperature_worked_by_hand(p: float, hits: int) -> None:
    # all rows say logit(p); hits of 10 are so: the best T makes logit(p) / T = logit(hits / 10)
    probabilities, truth = surest(p, 1000 * hits, 10_000)  # so many that the prior is nothing
    by_hand = math.log(p / (1 - p)) / math.log(hits / (10 - hits))
    found = fitted(loss_sums(probabilities, truth, [10_000], TEMPERATURES)[0])
    assert found == pytest.approx(by_hand, rel=5e-3)
    assert (found > 1) == (p > hits / 10)
    assert scaled(probabilities, found, is_multilabel=False)[0, 1] == pytest.approx(hits / 10, abs=2e-3)


def test_findings_have_one_temperature_by_hand() -> None:
    truth = np.zeros((10_000, 2), np.int64)
    truth[:8000, 0] = truth[:2000, 1] = 1
    probabilities = np.tile([0.99, 0.01], (10_000, 1))  # logits +-4.595; 8 of 10 and 2 of 10 are there
    found = fitted(loss_sums(probabilities, truth, [10_000], TEMPERATURES)[0])
    assert found == pytest.approx(math.log(99) / math.log(4), rel=5e-3)
    assert scaled(probabilities, found, is_multilabel=True)[0] == pytest.approx([0.8, 0.2], abs=2e-3)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_the_truth_was_drawn_at_is_found(true_temperature: float) -> None:
    probabilities, truth = drawn(20000, 4, true_temperature)
    assert fitted(loss_sums(probabilities, truth, [len(truth)], TEMPERATURES)[0]) == pytest.approx(true_temperature, rel=0.04)


def test_a_sum_is_the_loss_of_its_rows() -> None:
    sums = loss_sums(np.array([[0.8, 0.2], [0.5, 0.5]]), np.array([0, 1]), [2], [1.0, 0.5])[0]
    assert sums == pytest.approx([-math.log(0.8 * 0.5), -math.log(0.64 / 0.68 * 0.5)])  # T = 0.5 squares the odds


@pytest.mark.parametrize("is_multilabel", [False, True])
def test_sums_of_sites_add_up_to_those_of_all_rows(is_multilabel: bool) -> None:
    probabilities, truth = drawn(60, 3, 1.0)
    truth = (stream(1, "findings").random((60, 3)) < probabilities).astype(np.int64) if is_multilabel else truth
    parts = loss_sums(probabilities, truth, [10, 0, 50], TEMPERATURES)
    assert parts[1].tolist() == [0.0] * 61
    assert sum(parts) == pytest.approx(loss_sums(probabilities, truth, [60], TEMPERATURES)[0])
    assert parts[0] == pytest.approx(loss_sums(probabilities[:10], truth[:10], [10], TEMPERATURES)[0])


@pytest.mark.parametrize("temperature", [0.1, 0.7, 10.0])
def test_no_decision_changes_and_rows_sum_to_1(temperature: float) -> None:
    probabilities, _ = drawn(200, 4, 1.0)
    found = scaled(probabilities, temperature, is_multilabel=False)
    assert found.sum(1) == pytest.approx(1)
    assert np.array_equal(found.argmax(1), probabilities.argmax(1))


def test_a_finding_keeps_its_order_of_images() -> None:
    p = np.array([0.0, 1e-38, 1e-9, 1e-8, 0.5, 1 - 2.0**-24, 1.0])
    found = scaled(p[:, None], 2.0, is_multilabel=True)[:, 0]
    assert (np.diff(found) > 0).all()
    assert found[4] == pytest.approx(0.5)


def test_temperature_1_hands_back_the_same_numbers() -> None:
    probabilities, _ = drawn(5, 3, 1.0)
    assert scaled(probabilities, 1.0, is_multilabel=False) is probabilities


def test_scaling_twice_is_scaling_by_the_product() -> None:
    probabilities, _ = drawn(20, 3, 1.0)
    twice = scaled(scaled(probabilities, 2.0, is_multilabel=False), 1.5, is_multilabel=False)
    assert twice == pytest.approx(scaled(probabilities, 3.0, is_multilabel=False))


def test_certain_mistakes_cost_a_finite_sum() -> None:
    assert np.isfinite(loss_sums(np.array([[1.0, 0.0]]), np.array([1]), [1], TEMPERATURES)).all()
    assert np.isfinite(loss_sums(np.array([[1.0, 0.0]]), np.array([[0, 1]]), [1], TEMPERATURES)).all()


def test_few_rows_that_are_all_named_rightly_sharpen_by_a_little_and_more_of_them_by_more() -> None:
    few, many = (fitted(loss_sums(*surest(0.6, num, num), [num], TEMPERATURES)[0]) for num in (10, 1000))
    assert 0.1 <= many < few < 1
    assert 0.8 < scaled(np.array([[0.4, 0.6]]), few, is_multilabel=False)[0, 1] < 0.95  # the rule of succession: 11 / 12


def test_the_prior_by_hand() -> None:
    # one row at logit 2 that is so: d/dt of log(1 + exp(-2 e^-t)) + t^2 / 2 is 0, t = log T
    t = math.log(fitted(loss_sums(*surest(1 / (1 + math.exp(-2)), 1, 1), [1], TEMPERATURES)[0]))
    assert 2 * math.exp(-t) / (1 + math.exp(2 * math.exp(-t))) + t == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("sums", [np.zeros(61), np.full(61, 100 * math.log(2))])
def test_no_rows_and_a_model_that_knows_nothing_leave_the_probabilities_as_they_are(sums: np.ndarray) -> None:
    assert fitted(sums) == pytest.approx(1.0)


def test_a_model_that_is_worse_than_guessing_gets_the_highest_temperature() -> None:
    assert fitted(loss_sums(*surest(0.9, 200, 1000), [1000], TEMPERATURES)[0]) == TEMPERATURES[-1]
