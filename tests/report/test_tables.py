from typing import Any

import pytest

from wardround.report import tables


def entry(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def scores(value: float | None, low: float | None = None, high: float | None = None, **more: Any) -> dict[str, Any]:
    return {"metrics": {"balanced_accuracy": entry(value, low, high)}, **more}


def difference(low: float | None, high: float | None) -> dict[str, float | None]:
    return {"ratio": 1.0, "low": 0.9, "high": 1.1, "difference": 0.0, "difference_low": low, "difference_high": high}


def compare(paired: dict[str, Any] | None = None, **arms: Any) -> dict[str, Any]:
    return {"primary": "balanced_accuracy", "seeds": [0], "arms": arms, "paired": paired or {}}


def test_one_model_is_shown_with_its_interval() -> None:
    table = tables.arm_table(compare(federated=[scores(0.91, 0.88, 0.94)], pooled=[scores(0.93, 0.9, 0.96)]))
    assert table.columns == ("", "Pooled", "Federated")
    assert table.rows == (("Balanced accuracy", "0.930 [0.900, 0.960]", "0.910 [0.880, 0.940]"),)


def test_several_models_are_shown_as_mean_and_range() -> None:
    table = tables.arm_table(compare(local=[scores(0.5), scores(0.7)]))
    assert table.rows[0][1] == "0.600 (0.500 to 0.700)"
    assert "mean (lowest to highest)" in table.caption


def test_a_metric_without_value_is_not_estimable() -> None:
    assert tables.arm_table(compare(federated=[scores(None)])).rows[0][1] == "not estimable"


@pytest.mark.parametrize(("low", "high", "metric", "verdict"), [
    (0.1, 0.2, "auroc", "better"), (-0.2, -0.1, "auroc", "worse"), (-0.1, 0.1, "auroc", "no difference shown"),
    (0.0, 0.1, "auroc", "no difference shown"), (None, None, "auroc", "not estimable"), (0.1, 0.2, "brier", "worse"),
    (-0.2, -0.1, "ece", "better")])
def test_verdict_follows_the_interval_of_the_difference(low: float | None, high: float | None, metric: str, verdict: str) -> None:
    assert tables.verdict_words(difference(low, high), metric) == verdict


def test_paired_table_names_both_arms() -> None:
    found = {"federated/pooled": {"balanced_accuracy": difference(-0.1, 0.1)}}
    assert tables.paired_table(compare(found)).rows == (
        ("Federated against pooled", "1.000 [0.900, 1.100]", "0.000 [\N{MINUS SIGN}0.100, +0.100]", "no difference shown"),)


def test_hospitals_come_worst_first_and_not_estimable_ones_last() -> None:
    sites = {"good": scores(0.9, num_train=50, num_test=50), "none": scores(None, num_train=50, num_test=50),
             "bad": scores(0.4, num_train=50, num_test=50)}
    table = tables.per_site_table({"per_site": sites}, "balanced_accuracy")
    assert [row[0] for row in table.rows] == ["bad", "good", "none"]
    assert table.rows[-1][-1] == "not estimable"


def test_worst_is_highest_where_less_is_better() -> None:
    sites = {name: {"metrics": {"brier": entry(value)}, "num_train": 50, "num_test": 50} for name, value in (("good", 0.1), ("bad", 0.4))}
    assert [row[0] for row in tables.per_site_table({"per_site": sites}, "brier").rows] == ["bad", "good"]


def test_small_counts_of_hospitals_are_hidden() -> None:
    table = tables.per_site_table({"per_site": {"tiny": scores(0.5, num_train=120, num_test=7)}}, "balanced_accuracy",
                                  counts={"tiny": {"train": {"a": 113, "b": 7}}})
    assert table.rows[0][1:3] == ("114–123", "1–10")
    held = tables.sites_table({"tiny": {"train": {"a": 113, "b": 7}}})
    assert held.rows == (("tiny", "113", "1–10", "114–123"),)


def test_own_local_model_stands_beside() -> None:
    table = tables.per_site_table({"per_site": {"a": scores(0.9, num_train=50, num_test=50)}}, "balanced_accuracy", own={"a": 0.6})
    assert (table.columns[-1], table.rows[0][-1]) == ("Own local model", "0.600")


def test_left_out_images_are_counted_by_reason() -> None:
    table = tables.data_table({"images": 200, "used": 190, "skipped": 8, "failed": 2, "reasons": {"truncated": 2, "identical_copy": 8}})
    assert [row[:2] for row in table.rows] == [("found", "200"), ("used", "190"), ("skipped", "8"), ("failed", "2"),
                                               ("reason: identical copy", "8"), ("reason: truncated", "2")]


def test_leak_table_sets_published_beside_clean() -> None:
    published = {"num_test": 100, "num_leaking": 37, "metrics": {"balanced_accuracy": entry(0.95, 0.9, 0.99)}}
    table = tables.leak_table(scores(0.8, 0.7, 0.9, num_test=63, published=published), "balanced_accuracy")
    assert table is not None
    assert table.rows == (("Test images", "100", "63"), ("Of them leaking", "37", "0"),
                          ("Balanced accuracy", "0.950 [0.900, 0.990]", "0.800 [0.700, 0.900]"))


def test_no_leak_table_without_a_published_result() -> None:
    assert tables.leak_table(scores(0.8, published=None), "balanced_accuracy") is None


def test_predictive_values_follow_bayes() -> None:
    found = {"metrics": {"sensitivity": entry(0.9), "specificity": entry(0.8)}, "threshold": 0.5}
    (row,) = tables.predictive_values_table(found, [0.1]).rows
    assert row[1:] == ("0.333", "0.986")  # 0.09 / (0.09 + 0.18), 0.72 / (0.72 + 0.01)


def test_predictive_values_without_sensitivity_are_not_estimable() -> None:
    found = {"metrics": {"sensitivity": entry(None), "specificity": entry(0.8)}, "threshold": 0.5}
    assert tables.predictive_values_table(found, [0.1]).rows[0][1] == "not estimable"


def test_columns_of_numbers_are_known() -> None:
    table = tables.Table(columns=("", "a", "b"), rows=(("x", "0.5 [0.4, 0.6]", "better"), ("y", "not estimable", "worse")), caption="")
    assert [table.is_numeric(i) for i in range(3)] == [False, True, False]


def test_findings_are_not_added_up() -> None:
    held = {"Mass": 30, "Nodule": 20, "No Finding": 60, "All images": 100}
    by_class = tables.class_table({"train": held, "test": held})
    assert by_class.rows[-1] == ("All images", "100", "100")
    assert "several findings" in by_class.caption
    by_site = tables.sites_table({"north": {"train": held}, "south": {"train": held | {"Mass": 4}}})
    assert by_site.columns == ("Finding", "north", "south")
    assert by_site.rows[0] == ("Mass", "30", "1–10")
    assert by_site.rows[-1] == ("All images", "100", "100")


def test_images_with_masks_have_one_count() -> None:
    assert tables.class_table({"train": {"images": 30}, "test": {"images": 7}}).rows == (("Images", "30", "7"),)
    table = tables.sites_table({"north": {"train": {"images": 30}}, "south": {"train": {"images": 7}}})
    assert (table.columns, table.rows) == (("Hospital", "Images"), (("north", "30"), ("south", "1–10")))


def test_hospitals_with_findings_hold_all_images_not_the_sum() -> None:
    held = {"Mass": 30, "Nodule": 20, "No Finding": 60, "All images": 100}
    table = tables.per_site_table({"per_site": {"a": scores(0.9, num_train=100, num_test=100)}}, "balanced_accuracy",
                                  counts={"a": {"train": held, "test": held}}, further={"Findings estimable": {"a": "2 of 2"}})
    assert table.rows[0][1:3] == ("100", "100")
    assert (table.columns[-1], table.rows[0][-1]) == ("Findings estimable", "2 of 2")


def test_hospitals_of_a_distance_come_longest_first() -> None:
    sites = {name: {"metrics": {"hd95": entry(value)}, "num_train": 50, "num_test": 50} for name, value in (("good", 2.0), ("bad", 9.0))}
    assert [row[0] for row in tables.per_site_table({"per_site": sites}, "hd95").rows] == ["bad", "good"]


def test_a_class_that_is_a_region_is_shown_once() -> None:
    metrics = {f"dice{name}": entry(0.8) for name in ("", "_WT", "_ET", "_oedema", "_enhancing tumour")}
    found = {"metrics": metrics, "regions": {"WT": [1, 2], "ET": [2]}, "classes": ["background", "oedema", "enhancing tumour"]}
    assert tables.region_names(found) == ["WT", "ET", "oedema"]
    assert tables.shown_metrics(found, "dice") == ["dice", "dice_WT", "dice_ET", "dice_oedema"]


def test_a_single_region_is_not_repeated() -> None:
    found = {"metrics": {"dice": entry(0.8), "hd95": entry(4), "dice_tumour": entry(0.8)}, "classes": ["background", "tumour"]}
    assert tables.shown_metrics(found, "dice") == ["dice", "hd95"]


def test_the_summary_of_findings_leaves_single_ones_to_their_table() -> None:
    metrics = dict.fromkeys(("auroc", "auprc", "brier", "ece", "auroc_Mass", "auprc_Mass"), entry(0.7))
    assert tables.shown_metrics({"metrics": metrics}, "auroc") == ["auroc", "auprc", "brier", "ece"]


def test_a_shorter_distance_is_better() -> None:
    assert tables.verdict_words(difference(-2.0, -1.0), "hd95_WT") == "better"
    assert tables.verdict_words(difference(1.0, 2.0), "volume_error_ET") == "worse"


def test_html_of_a_table_is_escaped_and_aligned() -> None:
    shown = tables.html_table(tables.Table(columns=("", "<b>"), rows=(("a & b", "0.5"),), caption="<i>"))
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "a &amp; b" in shown
    assert 'text-align:right;padding:2px 10px 2px 0">0.5<' in shown


def test_hospitals_that_stood_apart_come_first_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_SUSPECTED", 2)
    table = tables.suspicion_table({"near": {1: 0.5, 2: 0.7}, "far": {1: 3.0, 2: 5.0}, "late": {2: 1.0}})
    assert table.rows == (("far", "4.00", "5.00", "2", "2"), ("late", "1.00", "1.00", "2", "1"))
    assert table.caption.endswith("Not shown: 1 hospital that stood less apart.")
    assert "Not shown" not in tables.suspicion_table({"a": {1: 1.0}}).caption
