"""Groups of images that belong together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardround.data import duplicates
from wardround.data.catalogue import text_column
from wardround.data.duplicates import conflicts, groups, keys, merged, near_duplicates

TEXTS = st.lists(st.sampled_from(["", "a", "b", "c", "d"]), min_size=1, max_size=30)


def hashes_of(*ones: int) -> np.ndarray:
    """Hashes whose first so many bits are set: two of them differ in the difference of bits."""
    return np.packbits(np.arange(256)[None] < np.array(ones)[:, None], axis=1)


def components_by_hand(n: int, is_linked: np.ndarray) -> list[int]:
    """Components in order of their first row, by walking."""
    found, number = [-1] * n, 0
    for start in range(n):
        if found[start] < 0:
            stack = [start]
            while stack:
                row = stack.pop()
                if found[row] < 0:
                    found[row] = number
                    stack.extend(np.flatnonzero(is_linked[row]).tolist())
            number += 1
    return found


def test_hashes_within_the_bits_are_near_and_others_not() -> None:
    assert near_duplicates(hashes_of(0, 100, 12, 113), 12).tolist() == [0, 1, 0, 2]
    assert near_duplicates(hashes_of(0, 100, 12, 113), 13).tolist() == [0, 1, 0, 1]


def test_zero_bits_join_equal_hashes_only() -> None:
    assert near_duplicates(hashes_of(5, 6, 5), 0).tolist() == [0, 1, 0]


def test_nearness_is_transitive() -> None:
    assert near_duplicates(hashes_of(0, 40, 20, 10, 30), 10).tolist() == [0] * 5


def test_one_image_is_one_group() -> None:
    assert near_duplicates(hashes_of(7), 12).tolist() == [0]


@pytest.mark.parametrize("block", [1, 7, 64])
def test_blocks_find_what_all_pairs_at_once_find(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    seeds = rng.integers(0, 2, (20, 256))
    bits = seeds[rng.integers(0, 20, 90)] ^ (rng.random((90, 256)) < 0.03)
    distances = (bits[:, None] != bits[None]).sum(2)
    expected = components_by_hand(90, distances <= 12)
    assert 20 < len(set(expected)) < 90
    monkeypatch.setattr(duplicates, "BLOCK", block)
    assert near_duplicates(np.packbits(bits, axis=1), 12).tolist() == expected


def test_unknown_values_are_each_alone() -> None:
    assert keys(text_column(["b", "", "a", "", "b"])).tolist() == [0, 1, 2, 3, 0]


@given(TEXTS, st.data())
@settings(max_examples=60, deadline=None)
def test_groups_are_the_components_of_patient_digest_and_nearness(patients: list[str], data: st.DataObject) -> None:
    n = len(patients)
    digests = data.draw(st.lists(st.sampled_from(["", "x", "y", "z"]), min_size=n, max_size=n))
    near = np.array(data.draw(st.lists(st.integers(0, n), min_size=n, max_size=n)))
    linked = np.array([[(patients[i] == patients[j] != "") or (digests[i] == digests[j] != "") or near[i] == near[j]
                        for j in range(n)] for i in range(n)])
    assert groups(text_column(patients), text_column(digests), near).tolist() == components_by_hand(n, linked)


def test_chains_over_different_kinds_join() -> None:
    patients = text_column(["p", "p", "q", ""])
    digests = text_column(["1", "2", "2", "3"])
    assert groups(patients, digests, np.array([0, 1, 2, 2])).tolist() == [0, 0, 0, 0]


def test_merging_one_grouping_numbers_it_by_first_row() -> None:
    assert merged(np.array([9, 2, 9, 5])).tolist() == [0, 1, 0, 2]


def test_conflicts_are_rows_of_one_picture_with_two_labels() -> None:
    digests = text_column(["a", "b", "a", "c", "c", "", ""])
    assert conflicts(digests, np.array([0, 0, 1, 2, 2, 0, 1])).tolist() == [0, 2]


def test_no_conflicts_in_unique_pictures() -> None:
    assert conflicts(text_column(["a", "b", ""]), np.array([0, 1, 1])).size == 0
