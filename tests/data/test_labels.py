"""Names and counts of classes."""

import numpy as np
import pytest

from wardround.data.labels import balanced_weights, canonical, class_counts, class_index, finding_weights


@pytest.mark.parametrize(("written", "meant"), [
    ("glioma_tumor", "glioma"), ("Meningioma Tumour", "meningioma"), ("no_tumor", "notumor"), ("no-tumour", "notumor"),
    ("pituitary_tumor", "pituitary"), (" PNEUMONIA ", "pneumonia"), ("something else", "something_else"),
])
def test_spellings_of_a_class_are_one_name(written: str, meant: str) -> None:
    assert canonical(written) == meant


def test_a_class_is_found_in_any_spelling() -> None:
    classes = ("glioma", "meningioma", "notumor", "pituitary")
    assert [class_index(name, classes) for name in ("glioma_tumor", "NoTumor", "pituitary", "cyst")] == [0, 2, 3, None]


def test_the_same_name_wins_over_another_spelling() -> None:
    assert class_index("glioma_tumor", ("glioma", "glioma_tumor")) == 1


def test_counts_name_absent_classes_with_zero() -> None:
    counts = class_counts(np.array([0, 2, 2]), 4)
    assert counts.tolist() == [1, 0, 2, 0]
    assert counts.dtype == np.int64


def test_balanced_weights_are_inverse_to_counts_with_mean_one() -> None:
    weights = balanced_weights(np.array([1, 3]))
    assert weights.tolist() == pytest.approx([1.5, 0.5])


def test_an_absent_class_has_no_weight_and_does_not_change_the_others() -> None:
    assert balanced_weights(np.array([1, 0, 3])).tolist() == pytest.approx([1.5, 0.0, 0.5])


def test_no_images_have_no_weights() -> None:
    assert balanced_weights(np.array([0, 0])).tolist() == [0.0, 0.0]


def test_a_finding_weighs_as_many_times_more_as_it_is_rarer() -> None:
    assert finding_weights(np.array([10, 50, 80]), 100).tolist() == pytest.approx([9.0, 1.0, 0.25])


def test_weights_of_findings_are_bounded_and_one_where_there_is_nothing_to_count() -> None:
    assert finding_weights(np.array([1, 100, 0]), 100).tolist() == pytest.approx([20.0, 0.05, 1.0])
    assert finding_weights(np.array([0]), 0).tolist() == [1.0]
