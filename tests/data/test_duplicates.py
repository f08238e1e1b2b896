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


def planted(rng: np.random.Generator, *, num: int, seeds: int, ones: float, flips: float) -> np.ndarray:
    """Bits of noisy copies of a few seeds: (num, 256) of 0 and 1."""
    bits = rng.random((seeds, 256)) < ones
    return (bits[rng.integers(0, seeds, num)] ^ (rng.random((num, 256)) < flips)).astype(np.uint8)


def all_pairs(bits: np.ndarray, max_bits: int) -> list[int]:
    """The definition: components of the graph of all pairs."""
    return components_by_hand(len(bits), (bits[:, None] != bits[None]).sum(2) <= max_bits)


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 12), st.sampled_from([0, 1, 3, 4, 12, 30, 64]),
       st.sampled_from([0.0, 0.02, 0.5]), st.sampled_from([0.0, 0.01, 0.03, 0.1]))
@settings(max_examples=80, deadline=None)
def test_components_are_those_of_comparing_all_pairs(seed: int, num: int, seeds: int, max_bits: int, ones: float, flips: float) -> None:
    bits = planted(np.random.default_rng(seed), num=num, seeds=seeds, ones=ones, flips=flips)
    assert near_duplicates(np.packbits(bits, axis=1), max_bits).tolist() == all_pairs(bits, max_bits)


@pytest.mark.parametrize("short_run", [1, 3, 24])
@pytest.mark.parametrize("block", [1, 7, 2048])
def test_short_and_long_runs_and_blocks_find_the_same(short_run: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "SHORT_RUN", short_run)
    monkeypatch.setattr(duplicates, "BLOCK", block)
    bits = planted(np.random.default_rng(3), num=120, seeds=12, ones=0.5, flips=0.025)
    expected = all_pairs(bits, 12)
    assert 12 < len(set(expected)) < 120
    assert near_duplicates(np.packbits(bits, axis=1), 12).tolist() == expected


@pytest.mark.parametrize("place", range(13))
def test_a_pair_is_found_by_whichever_bits_it_agrees_on(place: int) -> None:
    bits = np.random.default_rng(place).integers(0, 2, (200, 256), dtype=np.uint8)
    bits[150] = bits[20]
    bits[150, [part + 13 * 5 for part in range(13) if part != place]] ^= 1  # one bit in each of the other twelve sets
    found = near_duplicates(np.packbits(bits, axis=1), 12)
    assert found[150] == found[20]
    assert len(set(found.tolist())) == 199


def test_many_nearly_flat_pictures_are_compared_all_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    whole = duplicates._joined_in
    monkeypatch.setattr(duplicates, "_joined_in", lambda parents, kinds, rows: compared.append(len(rows)) or whole(parents, kinds, rows))
    bits = planted(np.random.default_rng(5), num=150, seeds=1, ones=0, flips=0.03)
    assert near_duplicates(np.packbits(bits, axis=1), 12).tolist() == all_pairs(bits, 12)
    assert compared == [len(np.unique(bits, axis=0))]


def test_hashes_that_share_few_bits_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    near_pairs = duplicates._Hashes.near_pairs
    monkeypatch.setattr(duplicates._Hashes, "near_pairs",
                        lambda self, left, right: compared.append(len(left)) or near_pairs(self, left, right))
    hashes = np.random.default_rng(7).integers(0, 256, (3000, 32), dtype=np.uint8)
    assert len(set(near_duplicates(hashes, 12).tolist())) == 3000
    assert sum(compared) < 3000


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
