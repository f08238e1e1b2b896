import math

import pytest

from wardround.report import words


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_number_that_is_none_says_not_estimable(value: float | None) -> None:
    assert words.number(value) == "not estimable"
    assert words.interval(value, 0.1, 0.2) == "not estimable"


def test_an_interval_stands_in_square_brackets() -> None:
    assert words.interval(0.914, 0.88, 0.94, 2) == "0.91 [0.88, 0.94]"


def test_a_value_without_interval_stands_alone() -> None:
    assert words.interval(0.914, None, None, 2) == "0.91"


def test_signs_are_true_minus_and_zero_has_none() -> None:
    assert words.number(-0.25, 2, signed=True) == "\N{MINUS SIGN}0.25"
    assert words.number(0.25, 2, signed=True) == "+0.25"
    assert words.number(-0.0001, 2, signed=True) == "0.00"


@pytest.mark.parametrize(("count", "shown"), [(0, "0"), (1, "1–10"), (10, "1–10"), (11, "11"), (1234, "1\N{NARROW NO-BREAK SPACE}234")])
def test_counts_from_1_to_10_are_hidden(count: int, shown: str) -> None:
    assert words.count(count) == shown


def test_a_total_does_not_give_a_hidden_count_away() -> None:
    assert words.total([100, 20, 0]) == "120"
    assert words.total([100, 4]) == "101–110"
    assert words.total([100, 4, 7]) == "102–120"


def test_metrics_have_the_fields_words() -> None:
    assert words.metric("auroc") == "AUROC"
    assert words.metric("recall_no tumour") == "recall of no tumour"
    assert words.metric("my_own_metric") == "my own metric"


@pytest.mark.parametrize(("seconds", "shown"), [(3.2, "3.2 s"), (45, "45 s"), (600, "10 min"), (9000, "2.5 h"), (None, "not estimable")])
def test_durations_have_a_readable_unit(seconds: float | None, shown: str) -> None:
    assert words.duration(seconds) == shown


def test_sizes_have_a_readable_unit() -> None:
    assert [words.size(n) for n in (12, 1_500, 85_000_000, 2e12)] == ["12 B", "1.5 kB", "85.0 MB", "2.0 TB"]


def test_listing_joins_with_and() -> None:
    assert [words.listing(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_plural_of_one_is_singular() -> None:
    assert [words.plural(1, "image"), words.plural(2, "image"), words.plural(3, "batch")] == ["1 image", "2 images", "3 batches"]


def test_parts_of_a_metric_are_written_out() -> None:
    assert words.metric("dice_WT") == "Dice, whole tumour (WT)"
    assert words.metric("auprc_Pleural_Thickening") == "AUPRC of Pleural_Thickening"
    assert words.parts("volume_error_ET") == ("volume_error", "ET")
    assert words.meaning("hd95_TC") == words.meaning("hd95") != ""


@pytest.mark.parametrize(("volume", "heading"), [(3.1, "HD95, oedema (mm)"), (None, "HD95, oedema (pixels)")])
def test_distances_are_in_pixels_where_there_are_no_volumes(volume: float | None, heading: str) -> None:
    metrics = {"hd95_oedema": {"value": 4.0}, "volume_error_oedema": {"value": volume}}
    assert words.heading("hd95_oedema", metrics) == heading
    assert words.heading("volume_error_oedema", metrics) == "Volume error, oedema (ml)"


def test_a_metric_of_several_parts_is_a_mean() -> None:
    entry = {"value": 0.5}
    assert words.heading("auroc", {"auroc": entry, "auroc_a": entry, "auroc_b": entry}) == "Mean AUROC"
    assert words.heading("auroc", {"auroc": entry, "auroc_a": entry}) == "AUROC"


def test_lengths_have_two_decimals_and_less_is_better() -> None:
    assert words.estimate({"hd95_WT": {"value": 4.123, "low": 3.0, "high": 5.0}}, "hd95_WT") == "4.12 [3.00, 5.00]"
    assert [words.lower_is_better(name) for name in ("hd95_WT", "volume_error_ET", "dice_WT", "auroc_Mass", "ece")] == [
        True, True, False, False, True]


def test_counts_that_were_hidden_before_are_a_range() -> None:
    assert [words.told(value) for value in (None, 0, 12)] == ["1–10", "0", "12"]
    assert words.total_told([100, None, 50, None]) == "152–170"
    assert words.total_told([100, 50]) == "150"


def test_rates_of_few_images_say_so_and_rounded_ones_show_no_more() -> None:
    found = {"auroc": {"value": None, "low": None, "high": None, "reason": "few"}, "ece": {"value": 0.19, "low": 0.1, "high": 0.2,
                                                                                          "decimals": 2}}
    assert words.estimate(found, "auroc") == "too few images"
    assert words.estimate(found, "ece") == "0.19 [0.10, 0.20]"


def test_rounds_are_told_in_stretches() -> None:
    assert words.ranges([5, 1, 2, 3, 9]) == "1–3, 5, 9"
    assert words.ranges([]) == ""
