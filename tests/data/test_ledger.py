"""The account of every image."""

import csv
from pathlib import Path

import pytest

from wardround.data.catalogue import text_column
from wardround.data.ledger import Ledger
from wardround.errors import DataError


def ledger_of(num_used: int, num_skipped: int, num_failed: int) -> Ledger:
    n = num_used + num_skipped + num_failed
    return Ledger.of(text_column([f"ward/{i:02d}.png" for i in range(n)]),
                     failed=text_column([""] * (n - num_failed) + ["truncated"] * num_failed), detail=text_column([""] * n),
                     skipped=text_column([""] * num_used + ["no_site"] * num_skipped + [""] * num_failed))


def test_every_image_is_counted_once() -> None:
    assert ledger_of(5, 2, 1).counts() == {"used": 5, "skipped": 2, "failed": 1}
    assert ledger_of(3, 0, 0).counts() == {"used": 3, "skipped": 0, "failed": 0}
    assert len(ledger_of(5, 2, 1)) == 8


def test_reasons_come_most_frequent_first_and_without_used_images() -> None:
    assert list(ledger_of(5, 1, 3).reasons().items()) == [("truncated", 3), ("no_site", 1)]
    assert ledger_of(5, 0, 0).reasons() == {}


def test_failed_comes_before_skipped() -> None:
    both = Ledger.of(text_column(["a"]), failed=text_column(["truncated"]), detail=text_column([""]), skipped=text_column(["no_site"]))
    assert (both.status[0], both.reason[0]) == ("failed", "truncated")


def test_few_failed_images_pass() -> None:
    ledger_of(99, 0, 1).check(0.01)
    ledger_of(50, 50, 0).check(0)


def test_too_many_failed_images_are_named_with_share_and_remedy() -> None:
    with pytest.raises(DataError, match=r"2 of 10 images cannot be read \(20\.0%, allowed: 10\.0%\): ward/08\.png \(truncated\), "
                                        r"ward/09\.png \(truncated\)\. .*data\.max_failed"):
        ledger_of(8, 0, 2).check(0.1)


def test_no_more_than_ten_files_are_named() -> None:
    with pytest.raises(DataError, match=r"ward/09\.png \(truncated\) and 2 more\.") as caught:
        ledger_of(0, 0, 12).check(0.5)
    assert str(caught.value).count(".png") == 10


def test_the_csv_holds_a_row_an_image_whatever_its_name(tmp_path: Path) -> None:
    names = ['a,"b".png', "two\nlines.png", "größe.png"]
    none = text_column([""] * 3)
    Ledger.of(text_column(names), failed=text_column(["", "empty_file", ""]), detail=none, skipped=none).write(tmp_path / "ledger.csv")
    with (tmp_path / "ledger.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == names
    assert [(row["status"], row["reason"]) for row in rows] == [("used", ""), ("failed", "empty_file"), ("used", "")]
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.csv"]


def test_counts_are_plain_numbers_for_json() -> None:
    assert all(type(number) is int for number in ledger_of(1, 1, 1).counts().values())


def test_too_many_failures_say_what_is_wrong_with_the_first() -> None:
    failed = text_column(["", "channels", "truncated"])
    ledger = Ledger.of(text_column(["a", "b", "c"]), failed=failed, skipped=failed,
                       detail=text_column(["odd", "b: 4 channels, set data.channels = 4.", "c: damaged"]))
    with pytest.raises(DataError, match=r"b \(channels\), c \(truncated\)\..* The first: b: 4 channels, set data\.channels = 4\.$"):
        ledger.check(0.5)
