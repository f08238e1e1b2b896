"""Sums of sites add up to the sum over all."""

import numpy as np
import pytest

from wardround.core.tally import SCORE_BINS, ClassTally, DiceTally, FindingTally, total


def test_counts_by_hand() -> None:
    tally = ClassTally.of(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1]), np.array([0.5, 0.75, 0.25]))
    assert tally.confusion.tolist() == [[1, 0], [1, 1]]
    assert tally.num_examples == 3
    assert tally.loss_sum == 1.5
    assert tally.scores[1, 1, int(0.8 * SCORE_BINS)] == 1
    assert tally.scores[1, 0].sum() == 1


def test_a_probability_of_one_falls_into_the_last_bin() -> None:
    tally = ClassTally.of(np.array([[0.0, 1.0]]), np.array([1]), np.zeros(1))
    assert tally.scores[1, 1, -1] == 1


def test_tallies_of_parts_add_up_to_the_tally_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    probabilities, truth = rng.dirichlet(np.ones(3), 50), rng.integers(0, 3, 50)
    losses = np.full(50, 0.25)
    whole = ClassTally.of(probabilities, truth, losses)
    parts = total(ClassTally.of_parts(probabilities, truth, losses, [20, 0, 30]))
    assert np.array_equal(whole.confusion, parts.confusion)
    assert np.array_equal(whole.scores, parts.scores)
    assert whole.loss_sum == parts.loss_sum


def test_a_part_s_tally_is_that_of_its_rows_alone() -> None:
    rng = np.random.default_rng(1)
    probabilities, truth, losses = rng.dirichlet(np.ones(3), 9), rng.integers(0, 3, 9), rng.random(9)
    first, none, last = ClassTally.of_parts(probabilities, truth, losses, [4, 0, 5])
    alone = ClassTally.of(probabilities[4:], truth[4:], losses[4:])
    assert np.array_equal(last.confusion, alone.confusion)
    assert np.array_equal(last.scores, alone.scores)
    assert (first.num_examples, none.num_examples, last.num_examples) == (4, 0, 5)
    assert last.loss_sum == alone.loss_sum == pytest.approx(losses[4:].sum())


def test_a_tally_does_not_tell_which_counts_belong_to_one_image() -> None:
    probabilities, truth = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1])
    one, other = (ClassTally.of(probabilities[order], truth[order], np.ones(2)).counts for order in ([0, 1], [1, 0]))
    assert np.array_equal(one.cells, other.cells)
    assert (np.diff(one.cells) > 0).all()


def test_no_rows_make_an_empty_tally() -> None:
    assert ClassTally.of(np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros(0)).num_examples == 0


# --- several findings an image


def test_findings_are_counted_each_for_itself() -> None:
    tally = FindingTally.of(np.array([[0.9, 0.2], [0.7, 0.6]]), np.array([[1, 0], [1, 1]]), np.array([1.0, 0.5]))
    assert (tally.num_examples, tally.loss_sum) == (2, 1.5)
    assert tally.scores.sum(-1).tolist() == [[0, 2], [1, 1]]  # of the first finding none is without
    assert tally.scores[0, 1, int(0.9 * SCORE_BINS)] == tally.scores[1, 0, int(0.2 * SCORE_BINS)] == 1


def test_findings_of_sites_add_up_to_those_of_all() -> None:
    rng = np.random.default_rng(0)
    probabilities, truth = rng.random((50, 3)), rng.integers(0, 2, (50, 3))
    parts = total(FindingTally.of_parts(probabilities, truth, np.full(50, 0.25), [20, 30]))
    whole = FindingTally.of(probabilities, truth, np.full(50, 0.25))
    assert np.array_equal(whole.scores, parts.scores)
    assert (parts.loss_sum, parts.num_examples) == (12.5, 50)


def test_a_site_without_findings_to_report_adds_nothing() -> None:
    empty = FindingTally.of(np.zeros((0, 2)), np.zeros((0, 2), np.int64), np.zeros(0))
    assert empty.num_examples == 0
    whole = FindingTally.of(np.array([[0.9, 0.2]]), np.array([[1, 0]]), np.ones(1))
    assert np.array_equal(total([whole, empty]).scores, whole.scores)


# --- segmentations


def test_dice_of_patients_is_summed() -> None:
    one = DiceTally(loss_sum=1.0, num_examples=2, names=("WT", "TC"), dice_sum=np.array([1.5, 1.0]))
    other = DiceTally(loss_sum=0.5, num_examples=1, names=("WT", "TC"), dice_sum=np.array([0.5, 0.25]))
    both = total([one, other])
    assert (both.loss_sum, both.num_examples, both.names, both.dice_sum.tolist()) == (1.5, 3, ("WT", "TC"), [2.0, 1.25])
