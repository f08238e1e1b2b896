import math

import numpy as np
import pytest
import torch

from wardround.attacks.membership import (
    auc,
    clopper_pearson,
    confidences,
    epsilon_bound,
    exposure,
    leave_one_out,
    likelihood_ratios,
    log_likelihoods,
    surprises,
    tpr_at,
)
from wardround.rng import stream


def test_confidence_is_the_logit_of_the_true_class():
    logits = torch.tensor([[math.log(0.7), math.log(0.2), math.log(0.1)]])
    assert confidences(logits, torch.tensor([0])).item() == pytest.approx(math.log(0.7 / 0.3), rel=1e-6)
    assert log_likelihoods(logits, torch.tensor([1])).item() == pytest.approx(math.log(0.2), rel=1e-6)


def test_a_certain_answer_is_no_infinite_confidence():
    assert confidences(torch.tensor([[500.0, 0.0]]), torch.tensor([0])).item() == 500


def test_confidence_in_several_findings_is_their_mean():
    logits, truth = torch.tensor([[2.0, -1.0]]), torch.tensor([[1, 1]])
    assert confidences(logits, truth).item() == 0.5
    assert log_likelihoods(logits, truth).item() == pytest.approx(-(math.log1p(math.exp(-2)) + math.log1p(math.exp(1))) / 2)


def test_likelihood_ratio_by_hand():
    """In: 2 and 4, mean 3. Out: -1 and 1, mean 0. Squared residuals 1 + 1 + 1 + 1 over 4 - 2 degrees of freedom: variance 2."""
    shadows, is_in = np.array([[2.0], [4.0], [-1.0], [1.0]]), np.array([[True], [True], [False], [False]])
    assert likelihood_ratios(np.array([3.0]), shadows, is_in).item() == pytest.approx((9 - 0) / 4)
    assert likelihood_ratios(np.array([1.5]), shadows, is_in).item() == 0


def test_an_example_that_every_shadow_had_has_no_score():
    shadows, is_in = np.array([[1.0, 2.0], [3.0, 5.0], [2.0, 1.0]]), np.array([[True, True], [True, False], [True, True]])
    assert np.isnan(likelihood_ratios(np.zeros(2), shadows, is_in)).tolist() == [True, False]


def test_surprise_by_hand():
    """Out: 1 and 3, mean 2, variance 2."""
    score = surprises(np.array([5.0]), np.array([[1.0], [3.0], [100.0]]), np.array([[True], [True], [False]]))
    assert score.item() == pytest.approx(3 / math.sqrt(2))


def test_clopper_pearson_by_hand():
    assert clopper_pearson(0, 10) == (0, pytest.approx(1 - 0.025**0.1))  # 0.3085: (1 - p)^10 = 0.025
    assert clopper_pearson(10, 10) == (pytest.approx(0.025**0.1), 1)
    assert clopper_pearson(0, 0) == (0, 1)


def test_equal_scores_tell_nothing():
    assert auc(np.ones(7), np.ones(5)) == 0.5
    assert tpr_at(0.01, np.ones(7), np.ones(5)) == 0


def test_auc_counts_pairs_and_half_of_ties():
    assert auc(np.array([3.0, 1.0]), np.array([1.0, 2.0])) == (1 + 1 + 0.5 + 0) / 4


def test_tpr_leaves_one_in_a_hundred_false_alarms():
    others = np.arange(200.0)  # two of them, 199 and 198, may be above the threshold 197
    assert tpr_at(0.01, np.array([197.0, 197.5, 500.0, 0.0]), others) == 0.5


def test_leave_one_out_finds_what_shadows_leak_and_nothing_where_they_do_not():
    rng = stream(0, "lira")
    is_in = rng.random((16, 400)) < 0.5
    noise = rng.normal(size=is_in.shape) + 3 * rng.normal(size=400)  # some examples are easy, some hard
    leak = exposure(leave_one_out(noise + 3 * is_in, is_in), is_in)
    assert leak.tpr > 0.5 and leak.auc > 0.95 and leak.is_broken(0.05) and leak.low < leak.tpr < leak.high
    null = exposure(leave_one_out(noise, is_in), is_in)
    assert null.tpr < 0.02 and null.auc == pytest.approx(0.5, abs=0.02) and not null.is_broken(0.05) and null.epsilon_bound == 0


def test_lira_sees_what_a_loss_threshold_does_not():
    rng = stream(1, "lira")
    is_in = rng.random((16, 400)) < 0.5
    phi = rng.normal(size=is_in.shape) + 10 * rng.normal(size=400) + 3 * is_in
    assert exposure(phi, is_in).tpr < 0.05 < exposure(leave_one_out(phi, is_in), is_in).tpr


def test_an_example_attacked_in_many_models_is_counted_once():
    scores, is_in = np.tile(np.arange(300.0), (4, 1)), np.tile(np.arange(300) >= 150, (4, 1))
    found = exposure(scores, is_in)
    assert (found.num_members, found.num_others, found.tpr) == (150, 150, 1)
    assert found.low == clopper_pearson(150, 150)[0]


def test_too_few_others_to_speak_of_one_in_a_hundred():
    found = exposure(np.arange(100.0), np.arange(100) >= 50)
    assert found.tpr == 1 and not found.is_estimable and not found.is_broken(0.05)


def test_randomised_response_stays_below_its_epsilon_and_close_to_it():
    """A member says 1 with 0.9, another with 0.1: (ln 9, 0)-private, and no better."""
    assert math.log(9) - 0.1 < epsilon_bound(0.9, 0.1, (20_000, 20_000), delta=0) < math.log(9)
    assert epsilon_bound(0.01, 0.01, (1000, 1000), delta=1e-5) == 0
    assert epsilon_bound(0.9, 0.01, (1000, 1000), delta=0.8) < epsilon_bound(0.9, 0.01, (1000, 1000), delta=0)
