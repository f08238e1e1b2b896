import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardround.data.catalogue import text_column
from wardround.data.partition import partition
from wardround.errors import PartitionError
from wardround.plan.schema import SitesPlan

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
KINDS = ("iid", "dirichlet", "shards", "quantity", "missing-classes", "feature-shift")
SPLIT = text_column((["train"] * 7 + ["val"] + ["test"] * 2) * 40)
GROUPS = np.arange(400)
LABELS = np.arange(40).repeat(10) % 4


def homes(plan: SitesPlan, labels=LABELS, groups=GROUPS, split=SPLIT, seed=0, column=None) -> np.ndarray:
    return partition(np.eye(len(CLASSES), dtype=np.int64)[labels], groups, split, plan, classes=CLASSES, seed=seed, column=column)


def table(found: np.ndarray, split: str = "train") -> np.ndarray:
    return np.array([[((found == site) & (label == LABELS) & (split == SPLIT)).sum() for label in range(4)] for site in sorted(set(found))])


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 99), size=st.integers(1, 3))
def test_all_rows_have_one_home_and_no_group_has_two(kind: str, seed: int, size: int) -> None:
    groups = np.arange(400) // 10 * 10 + np.arange(400) % 10 // size  # groups lie within a run of ten rows ...
    split = text_column(["train" if g % 10 < 2 else "val" if g % 10 == 2 else "test" for g in groups])  # ... and within a split
    found = homes(SitesPlan(partition=kind, alpha=1.0), groups=groups, split=split, seed=seed)
    assert set(found) == {"site-1", "site-2", "site-3"}
    assert all(len(set(found[groups == group])) == 1 for group in set(groups))


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_homes(kind: str) -> None:
    plan = SitesPlan(partition=kind)
    assert np.array_equal(homes(plan, seed=3), homes(plan, seed=3))


def test_rows_out_of_the_split_have_no_home_and_leaking_ones_follow_their_group() -> None:
    split, groups = SPLIT.copy(), GROUPS.copy()
    split[0], split[9], groups[9] = "out", "test-leak", groups[1]
    found = homes(SitesPlan(), split=split, groups=groups)
    assert found[0] == ""
    assert found[9] == found[1] != ""


def test_iid_gives_each_site_the_same_mix() -> None:
    assert np.ptp(table(homes(SitesPlan(num=5)))) <= 2


def test_missing_classes_of_four_over_three_sites() -> None:
    counts = table(homes(SitesPlan(partition="missing-classes", common=("notumor",))))
    assert np.array_equal(counts > 0, np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1]], bool))
    assert np.ptp(counts[:, 2]) <= 1
    assert np.array_equal(table(homes(SitesPlan(partition="missing-classes", common=("notumor",))), "test") > 0, counts > 0)


def test_missing_classes_without_common_ones_are_dealt_in_turn() -> None:
    counts = table(homes(SitesPlan(num=2, partition="missing-classes")))
    assert np.array_equal(counts > 0, np.array([[1, 0, 1, 0], [0, 1, 0, 1]], bool))


def test_dirichlet_with_large_alpha_is_near_iid_and_with_small_alpha_is_not() -> None:
    assert np.ptp(table(homes(SitesPlan(partition="dirichlet", alpha=1e5)))) <= 3
    assert np.ptp(table(homes(SitesPlan(partition="dirichlet", alpha=0.1)))) >= 40


def test_dirichlet_mix_is_the_same_in_train_and_test() -> None:
    found = homes(SitesPlan(partition="dirichlet", alpha=0.5))
    assert np.abs(table(found) / 70 - table(found, "test") / 20).max() < 0.08


def test_quantity_changes_sizes_and_keeps_the_mix() -> None:
    counts = table(homes(SitesPlan(partition="quantity", alpha=0.5)))
    assert np.ptp(counts.sum(1)) > 20
    assert np.ptp(counts, axis=1).max() <= 3


def test_one_shard_a_site_is_few_classes_a_site() -> None:
    counts = table(homes(SitesPlan(num=4, partition="shards", shards=1)))
    assert (np.sort(counts, axis=1)[:, -1] == 70).all()


def test_column_names_the_sites_and_unnamed_rows_have_none() -> None:
    column = text_column((["north"] * 5 + ["south"] * 3 + ["west", ""]) * 40)
    found = homes(SitesPlan(partition="column", names=("south", "north")), column=column)
    assert np.array_equal(found, np.where(np.isin(column, ("north", "south")), column, ""))
    everything = homes(SitesPlan(partition="column"), column=np.where(column == "west", "north", column))
    assert set(everything) == {"north", "south", ""}


def test_a_group_with_two_column_values_goes_where_most_of_it_is() -> None:
    groups, column = GROUPS.copy(), text_column(["north", "south"] * 200)
    groups[:3] = 0
    assert homes(SitesPlan(partition="column"), groups=groups, column=column)[:3].tolist() == ["north"] * 3


def test_named_sites_keep_their_names() -> None:
    assert set(homes(SitesPlan(num=2, names=("east", "west")))) == {"east", "west"}


@pytest.mark.parametrize(("plan", "message"), [
    (SitesPlan(num=300), "sites"),
    (SitesPlan(num=6, partition="missing-classes"), "site-5, site-6"),
    (SitesPlan(partition="missing-classes", common=("notumour",)), "Did you mean 'notumor'"),
    (SitesPlan(partition="column", column="clinic"), "clinic"),
])
def test_impossible_requests_are_refused(plan: SitesPlan, message: str) -> None:
    with pytest.raises(PartitionError, match=message):
        homes(plan)


def test_a_site_of_the_column_without_training_rows_is_named() -> None:
    column = text_column(["north" if part == "train" else "south" for part in SPLIT])
    with pytest.raises(PartitionError, match=r"south.*north 280, south 0"):
        homes(SitesPlan(partition="column"), column=column)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), kind=st.sampled_from(("dirichlet", "quantity")), alpha=st.sampled_from((0.2, 0.5, 2.0)))
def test_draws_leave_every_site_enough_to_train_on(seed: int, kind: str, alpha: float) -> None:
    found = homes(SitesPlan(num=5, partition=kind, alpha=alpha), seed=seed)
    assert table(found).sum(1).min() >= 10 - 4  # a site can expect ten; each of the four classes is rounded


def test_a_draw_that_never_suffices_is_refused_with_a_remedy() -> None:
    with pytest.raises(PartitionError, match=r"5000 draws .* sites\.alpha = 0\.01 .* Raise sites\.alpha or lower sites\.num"):
        homes(SitesPlan(num=30, partition="quantity", alpha=0.01))


def test_two_shards_a_site_are_at_most_four_classes_and_equal_sizes() -> None:
    counts = table(homes(SitesPlan(num=10, partition="shards", shards=2)))
    assert (counts > 0).sum(1).max() <= 4  # a shard may lie across the border of two classes
    assert (counts > 0).sum(1).mean() < 3.5
    assert np.ptp(counts.sum(1)) <= 4


def test_other_seeds_give_other_homes() -> None:
    assert not np.array_equal(homes(SitesPlan(), seed=1), homes(SitesPlan(), seed=2))


def test_a_group_with_two_labels_lies_with_its_most_frequent_one() -> None:
    groups = GROUPS.copy()
    groups[[0, 1, 10]] = 0  # two glioma images and a meningioma image of one patient
    found = homes(SitesPlan(partition="missing-classes", common=("notumor",)), groups=groups)
    assert set(found[[0, 1, 10]]) == {"site-1"}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), num=st.integers(1, 6))
def test_equal_shares_hold_in_every_split(seed: int, num: int) -> None:
    found = homes(SitesPlan(num=num), seed=seed)
    for part in ("train", "val", "test"):
        assert np.ptp(table(found, part), axis=0).max() <= 1


def test_feature_shift_leaves_the_homes_of_iid() -> None:
    assert np.array_equal(homes(SitesPlan(partition="feature-shift")), homes(SitesPlan(partition="iid")))


def test_a_site_missing_from_the_column_is_named_with_a_suggestion() -> None:
    with pytest.raises(PartitionError, match=r"no image has 'nort' in column 'site'\. Did you mean 'north'"):
        homes(SitesPlan(partition="column", names=("nort",)), column=text_column(["north"] * 400))


def test_an_empty_column_is_refused() -> None:
    with pytest.raises(PartitionError, match="column 'site' is empty"):
        homes(SitesPlan(partition="column"), column=text_column([""] * 400))


def test_leaking_rows_do_not_weigh_in_the_shares() -> None:
    groups = np.concatenate([np.arange(60), np.zeros(30, int)])  # one group of 60 has 30 leaking rows
    split = text_column(["train"] * 60 + ["test-leak"] * 30)
    found = homes(SitesPlan(num=3), labels=np.zeros(90, int), groups=groups, split=split)
    assert [int((found[:60] == site).sum()) for site in ("site-1", "site-2", "site-3")] == [20, 20, 20]
    assert set(found[60:]) == {found[0]}


# --- images that belong to several strata


FINDINGS = ("Mass", "Nodule", "Hernia", "No Finding")


def of_findings(plan: SitesPlan, num: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Homes, and the table of strata."""
    labels = np.random.default_rng(seed).random((num, 3)) < (0.5, 0.3, 0.02)
    strata = np.concatenate([labels, ~labels.any(1, keepdims=True)], axis=1).astype(np.int64)
    return partition(strata, np.arange(num), text_column((["train"] * 7 + ["val"] + ["test"] * 2) * (num // 10)), plan, classes=FINDINGS,
                     seed=seed), strata


def test_every_site_gets_its_share_of_each_finding() -> None:
    found, strata = of_findings(SitesPlan(num=4))
    counts = np.array([strata[found == site].sum(0) for site in sorted(set(found))])
    assert np.ptp(counts[:, (0, 1, 3)], axis=0).max() <= 6
    assert counts[:, 2].min() >= 1


def test_findings_are_skewed_by_a_small_alpha_and_every_row_has_a_home() -> None:
    found, strata = of_findings(SitesPlan(num=3, partition="dirichlet", alpha=0.3))
    assert set(found) == {"site-1", "site-2", "site-3"}
    shares = np.array([strata[found == site].sum(0) for site in sorted(set(found))]) / strata.sum(0)
    assert np.ptp(shares[:, (0, 1, 3)], axis=0).max() > 0.3


@pytest.mark.parametrize("kind", ["iid", "quantity", "dirichlet", "shards"])
def test_images_with_masks_are_dealt_as_one_stratum(kind: str) -> None:
    found = partition(np.ones((400, 1), np.int64), GROUPS // 4, text_column(["train"] * 280 + ["val"] * 40 + ["test"] * 80),
                      SitesPlan(partition=kind, alpha=1.0), classes=("images",), seed=0)
    assert set(found) == {"site-1", "site-2", "site-3"}
    assert all(len(set(found[group == GROUPS // 4])) == 1 for group in range(100))
