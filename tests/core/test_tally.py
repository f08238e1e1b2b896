"""Sums of sites add up to the sum over all."""

import numpy as np

from wardround.core.tally import SCORE_BINS, ClassTally


def test_counts_by_hand() -> None:
    tally = ClassTally.of(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1]), 1.5)
    assert tally.confusion.tolist() == [[1, 0], [1, 1]]
    assert tally.num_examples == 3
    assert tally.loss_sum == 1.5
    assert tally.scores[1, 1, int(0.8 * SCORE_BINS)] == 1
    assert tally.scores[1, 0].sum() == 1


def test_a_probability_of_one_falls_into_the_last_bin() -> None:
    tally = ClassTally.of(np.array([[0.0, 1.0]]), np.array([1]), 0.0)
    assert tally.scores[1, 1, -1] == 1


def test_tallies_of_parts_add_up_to_the_tally_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    probabilities, truth = rng.dirichlet(np.ones(3), 50), rng.integers(0, 3, 50)
    whole = ClassTally.of(probabilities, truth, 10.0)
    parts = ClassTally.of(probabilities[:20], truth[:20], 4.0) + ClassTally.of(probabilities[20:], truth[20:], 6.0)
    assert np.array_equal(whole.confusion, parts.confusion)
    assert np.array_equal(whole.scores, parts.scores)
    assert whole.loss_sum == parts.loss_sum


def test_no_rows_make_an_empty_tally() -> None:
    assert ClassTally.of(np.zeros((0, 3)), np.zeros(0, np.int64), 0.0).num_examples == 0
