from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from wardround.data.catalogue import Catalogue, text_column
from wardround.data.split import check_no_leak, deal, find_leaks, group_counts, split
from wardround.errors import CatalogueError, DataError
from wardround.plan.schema import SplitPlan
from wardround.rng import stream


def catalogue(labels: np.ndarray, splits: list[str] | None = None) -> Catalogue:
    n = len(labels)
    return Catalogue(name="test", root=Path("data"), classes=("a", "b", "c"), images=text_column([f"{i}.png" for i in range(n)]),
                     labels=np.asarray(labels), patients=text_column([""] * n), splits=text_column(splits or [""] * n))


def shares(chosen: np.ndarray) -> dict[str, float]:
    return {name: float((chosen == name).mean()) for name in ("train", "val", "test")}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 4), min_size=150, max_size=250))
def test_grouped_keeps_fractions_labels_and_groups(seed: int, sizes: list[int]) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = (np.arange(len(sizes)) % 3)[groups]
    chosen = split(catalogue(labels), groups, SplitPlan(seed=seed))
    check_no_leak(chosen, groups)
    for label in range(3):
        found = shares(chosen[labels == label])
        tolerance = 2.5 / (labels == label).sum()  # half of the largest group and a rounding
        assert found == pytest.approx({"train": 0.7, "val": 0.1, "test": 0.2}, abs=tolerance)


def test_grouped_is_repeatable_and_follows_its_seed() -> None:
    table, groups = catalogue(np.arange(300) % 3), np.arange(300)
    first = split(table, groups, SplitPlan(seed=1))
    assert np.array_equal(first, split(table, groups, SplitPlan(seed=1)))
    assert not np.array_equal(first, split(table, groups, SplitPlan(seed=2)))


def test_every_row_is_tested_in_exactly_one_fold() -> None:
    groups = np.repeat(np.arange(50), 2)
    table = catalogue(np.arange(50)[groups] % 3)
    folds = [split(table, groups, SplitPlan(policy="folds", folds=5, fold=fold)) for fold in range(5)]
    assert (np.stack([fold == "test" for fold in folds]).sum(0) == 1).all()
    for fold in folds:
        check_no_leak(fold, groups)
        assert set(fold) == {"train", "val", "test"}


def test_published_split_without_leaks_is_kept() -> None:
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    assert split(catalogue(np.zeros(10, int), splits), np.arange(10), SplitPlan(policy="published")).tolist() == splits


def test_published_test_rows_that_leak_are_set_apart_and_leaking_val_rows_are_out() -> None:
    splits = ["train", "train", "val", "val", "test", "test", "test"]
    groups = np.array([0, 1, 0, 2, 1, 2, 3])
    chosen = split(catalogue(np.zeros(7, int), splits), groups, SplitPlan(policy="published"))
    assert chosen.tolist() == ["train", "train", "out", "val", "test-leak", "test-leak", "test"]
    check_no_leak(chosen, groups)


def test_tiny_published_val_is_redrawn_from_train_by_group() -> None:
    splits = ["train"] * 399 + ["val"] + ["test"] * 50
    groups = np.concatenate([np.repeat(np.arange(200), 2), np.arange(200, 250)])
    chosen = split(catalogue(np.zeros(450, int), splits), groups, SplitPlan(policy="published", val=0.1))
    assert (chosen[:400] == "val").sum() == 40
    assert (chosen[400:] == "test").all()
    check_no_leak(chosen, groups)


@pytest.mark.parametrize("splits", [["train", "", "test"], ["train", "train", "val"], ["val", "test", "test"]])
def test_incomplete_published_split_is_refused_with_a_remedy(splits: list[str]) -> None:
    with pytest.raises(CatalogueError, match=r'split\.policy = "grouped"'):
        split(catalogue(np.zeros(3, int), splits), np.arange(3), SplitPlan(policy="published"))


def test_published_test_that_leaks_as_a_whole_is_refused() -> None:
    with pytest.raises(CatalogueError, match="All published test images belong to groups of train or val"):
        split(catalogue(np.zeros(3, int), ["train", "val", "test"]), np.array([0, 1, 0]), SplitPlan(policy="published"))


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(CatalogueError, match="1 groups"):
        split(catalogue(np.zeros(9, int)), np.zeros(9, int), SplitPlan())


def test_deal_meets_targets_of_single_rows_exactly() -> None:
    counts = np.eye(2, dtype=np.int64)[np.repeat([0, 1], [30, 10])]
    targets = np.array([[24, 2], [6, 8]])
    bins = deal(counts, targets, stream(0, "test"))
    assert np.array_equal([counts[bins == k].sum(0) for k in range(2)], targets)


def test_leaks_are_counted_by_kind() -> None:
    splits = text_column(["train", "val", "test", "test", "test", "out"])
    report = find_leaks(splits, patients=text_column(["p", "p", "p", "q", "", "q"]), digests=text_column(["a", "b", "c", "b", "d", "d"]),
                        near=np.array([0, 1, 2, 3, 4, 4]), groups=np.array([0, 0, 0, 0, 1, 1]))
    assert report.test == {"patient": 1, "identical": 1, "near-duplicate": 0, "any": 2}
    assert report.val == {"patient": 1, "identical": 0, "near-duplicate": 0, "any": 1}
    assert report.examples["identical"] == ((3, 1),)


@pytest.mark.parametrize("pair", [("train", "val"), ("train", "test"), ("val", "test")])
def test_gate_finds_a_planted_leak(pair: tuple[str, str]) -> None:
    with pytest.raises(DataError, match="the split leaks"):
        check_no_leak(text_column([*pair, "test"]), np.array([5, 5, 1]))


def test_gate_lets_rows_pass_that_are_judged_apart_or_out() -> None:
    check_no_leak(text_column(["train", "test-leak", "out"]), np.zeros(3, int))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("train", "val", "test")), st.integers(0, 25)), min_size=30, max_size=60), st.floats(0.05, 0.3))
def test_published_never_leaks_and_keeps_test_rows_in_the_test_split(rows: list[tuple[str, int]], val: float) -> None:
    names, groups = [name for name, _ in rows], np.unique([group for _, group in rows], return_inverse=True)[1]
    try:
        chosen = split(catalogue(np.arange(len(rows)) % 3, names), groups, SplitPlan(policy="published", val=val))
    except CatalogueError:
        reject()  # a part came out empty, or the published split lacks one
    check_no_leak(chosen, groups)
    is_test = np.array(names) == "test"
    assert set(chosen[is_test]) <= {"test", "test-leak"}
    assert set(chosen[~is_test]) <= {"train", "val", "out"}
    trained = np.isin(groups, groups[np.isin(chosen, ("train", "val"))])
    assert np.array_equal(chosen[is_test] == "test-leak", trained[is_test])


def test_fractions_of_zero_leave_a_part_out() -> None:
    chosen = split(catalogue(np.arange(90) % 3), np.arange(90), SplitPlan(val=0.0, test=0.2))
    assert set(chosen) == {"train", "test"}
    assert set(split(catalogue(np.arange(90) % 3), np.arange(90), SplitPlan(val=0.1, test=0.0))) == {"train", "val"}


def test_a_single_huge_group_does_not_upset_the_rest() -> None:
    groups = np.concatenate([np.zeros(100, int), np.arange(1, 101)])
    chosen = split(catalogue(np.zeros(200, int)), groups, SplitPlan())
    assert set(chosen[:100]) == {"train"}
    assert shares(chosen) == pytest.approx({"train": 0.7, "val": 0.1, "test": 0.2}, abs=0.01)


def test_a_long_list_of_leaks_keeps_ten_examples() -> None:
    splits = text_column(["train"] * 30 + ["test"] * 30)
    same = np.tile(np.arange(30), 2)
    report = find_leaks(splits, patients=text_column([""] * 60), digests=text_column([""] * 60), near=same, groups=same)
    assert report.test == {"patient": 0, "identical": 0, "near-duplicate": 30, "any": 30}
    assert report.examples["any"] == tuple((30 + i, i) for i in range(10))


# --- images that belong to several strata


def test_rows_of_each_stratum_are_counted_by_group() -> None:
    table = np.array([[1, 1, 0], [0, 0, 1], [0, 1, 0]])
    assert group_counts(table, np.array([1, 0, 1])).tolist() == [[0, 0, 1], [1, 2, 0]]


def test_findings_keep_their_share_in_every_part() -> None:
    rng = stream(0, "test", "findings")
    labels = (rng.random((600, 3)) < (0.5, 0.2, 0.05)).astype(np.int64)
    groups = np.arange(600) // 2
    chosen = split(replace(catalogue(np.zeros(600, int)), labels=labels), groups, SplitPlan(val=0.1, test=0.2))
    check_no_leak(chosen, groups)
    for finding in range(3):
        found = shares(chosen[labels[:, finding] == 1])
        assert found == pytest.approx({"train": 0.7, "val": 0.1, "test": 0.2}, abs=0.06)
    assert shares(chosen) == pytest.approx({"train": 0.7, "val": 0.1, "test": 0.2}, abs=0.03)


def test_patients_with_masks_are_split_by_their_number_of_slices() -> None:
    sizes = [20, 40, 60, 30, 10, 50, 20, 40, 60, 30, 10, 30]
    groups = np.repeat(np.arange(12), sizes)
    own = replace(catalogue(np.zeros(400, int)), masks=text_column(["m"] * 400))
    chosen = split(own, groups, SplitPlan(val=0.15, test=0.25))
    assert shares(chosen) == pytest.approx({"train": 0.6, "val": 0.15, "test": 0.25}, abs=0.04)
