import shlex
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.app.views import sites as module
from wardround.app.views.command import command_of
from wardround.app.views.draft import Draft
from wardround.app.views.partitions import partitions
from wardround.app.views.site_remarks import Remark, remarks_of
from wardround.app.views.sites import charted, examples, label_distance, off_centre, shared_out, short, word_of
from wardround.data.prepare import prepare
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan, SitesPlan

TINY = ["data.phantoms=120", "data.size=16"]


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    module._KEPT.clear()
    module._DEALT.clear()


def plan(*overrides: str) -> Plan:
    return load_plan("demo", [*TINY, *overrides])


def remarks(train: list[list[int]], test: list[list[int]] | None = None, val: list[int] | None = None) -> list[Remark]:
    """Of sites a, b, c and classes x, y, z."""
    counts = {"train": np.array(train), "test": np.full_like(train, 50) if test is None else np.array(test)}
    num = {"train": counts["train"].sum(1), "val": np.array(val or [9] * len(train)), "test": counts["test"].sum(1)}
    names, classes = "abcdefgh"[: len(train)], "xyz"[: len(train[0])]
    return list(remarks_of(tuple(names), tuple(classes), counts, num, tested=num["test"]))


# --- the deal


def test_counts_are_those_of_the_data_that_training_gets() -> None:
    found, prepared = shared_out(plan()), prepare(plan())
    assert found.sites == ("north", "south", "east")
    for split in ("train", "val", "test"):
        held = prepared.counts(split)
        assert found.counts[split].tolist() == [list(held[site].values()) for site in found.sites]
        assert found.num_images[split].tolist() == [len(prepared.rows(site, split)) for site in found.sites]
    assert found.patients.sum() == len(set(prepared.groups))
    assert found.table.rows[-1] == ("all sites", *(f"{found.num_images[split].sum()}" for split in ("train", "val", "test")),
                                    f"{found.patients.sum()}", *map(str, found.counts["train"].sum(0)))
    assert found.notice.startswith("These images are PHANTOMS")


def test_moving_alpha_is_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = shared_out(plan("sites.partition=dirichlet", "sites.alpha=100"))
    monkeypatch.setattr("wardround.data.prepare.undealt", None)  # whoever decodes again fails
    began = time.perf_counter()
    second = shared_out(plan("sites.partition=dirichlet", "sites.alpha=0.3"))
    assert time.perf_counter() - began < 0.3
    assert second.distance > first.distance + 0.2
    assert second.counts["train"].sum() == pytest.approx(first.counts["train"].sum(), abs=6)


def test_another_split_or_folder_is_read_anew() -> None:
    shared_out(plan())
    (first,) = module._KEPT
    shared_out(plan("split.seed=3"))
    assert len(module._KEPT) == 1 and first not in module._KEPT


def test_an_image_that_was_added_is_seen(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(30):
            Image.fromarray(np.random.default_rng((i, len(name), ord(name[0]))).integers(0, 255, (16, 16), np.uint8)).save(
                tmp_path / name / f"{i}.png")
    own = Plan.model_validate({"name": "own", "data": {"dataset": "folder", "folder": tmp_path, "size": 16}, "sites": {"num": 2}})
    assert shared_out(own).patients.sum() == 60
    Image.fromarray(np.random.default_rng(99).integers(0, 255, (16, 16), np.uint8)).save(tmp_path / "cat" / "new.png")
    assert shared_out(own).patients.sum() == 61


def test_what_cannot_be_dealt_is_said_and_classes_are_still_offered() -> None:
    found = shared_out(plan("sites.partition=dirichlet", "sites.alpha=0.01", "sites.num=20", "sites.names=none"))
    assert "Raise sites.alpha or lower sites.num" in found.problem
    assert found.classes == ("glioma", "meningioma", "notumor", "pituitary")
    assert found.sites == ()


def test_a_column_that_is_not_there_has_a_way_out() -> None:
    found = shared_out(plan("sites.partition=column", "sites.names=none"))
    assert "no column 'site'" in found.problem and "in another way" in found.problem


def test_masks_are_counted_by_patient_and_have_no_mix_of_labels(slices: Path) -> None:
    found = shared_out(Plan.model_validate({"name": "m", "data": {"dataset": "image-mask", "folder": slices, "size": 16},
                                            "sites": {"partition": "column"}}))
    assert found.sites == ("DU", "HT") and found.columns == {"site": 2}
    assert found.distance is None and found.unit == "patients"
    assert found.patients.tolist() == [6, 6]
    assert any("test patients" in remark.text for remark in found.remarks)


# --- examples


def test_examples_are_training_images_of_every_class_in_turn() -> None:
    (north,) = examples(plan("sites.partition=iid"), ["north", "nobody"], 6)
    assert north.captions[:4] == ("glioma", "meningioma", "notumor", "pituitary")
    prepared = prepare(plan("sites.partition=iid"))
    held = [prepared.pixels[row, 0].tobytes() for row in prepared.rows("north", "train")]
    assert all(image.tobytes() in held for image in north.images)
    assert len({image.tobytes() for image in north.images}) == 6


def test_examples_look_as_their_scanner_shows_them() -> None:
    shifted = plan("sites.partition=feature-shift", "sites.strength=1.0")
    prepared = prepare(shifted)
    for found in examples(shifted, ["north", "south"], 4):
        held = [prepared.pixels[row, 0].tobytes() for row in prepared.rows(found.site, "train")]
        assert all(image.tobytes() in held for image in found.images)


def test_volumes_show_a_slice_and_masks_say_how_much_is_marked(brains: Path) -> None:
    own = Plan.model_validate({"name": "b", "data": {"dataset": "brats2020", "folder": brains, "dims": 3, "channels": 4},
                               "split": {"val": 0.25, "test": 0.25}, "sites": {"num": 2}})
    (first, _) = examples(own, ["site-1", "site-2"], 3)
    assert first.images[0].ndim == 2 and first.images[0].dtype == np.uint8
    assert all(caption.startswith("mask ") for caption in first.captions)


def test_examples_come_from_the_middle_of_a_patient_and_from_another_each_time() -> None:
    assert off_centre(np.array([7, 7, 3, 7, 3])).tolist() == [1, 0, 1, 1, 0]


# --- distance


@pytest.mark.parametrize(("counts", "distance"), [([[10, 10], [30, 30]], 0.0), ([[10, 0], [0, 10]], 0.5), ([[30, 10], [10, 30]], 0.25),
                                                  ([[9], [1]], None), ([[0, 0], [0, 0]], None)])
def test_distance_is_the_mean_total_variation_from_all(counts: list[list[int]], distance: float | None) -> None:
    assert label_distance(np.array(counts)) == distance


def test_distance_in_words() -> None:
    assert [word_of(d) for d in (0.0, 0.1, 0.3, 0.6)] == ["nearly alike", "somewhat different", "different", "very different"]


# --- remarks


def test_nothing_to_remark() -> None:
    assert remarks([[50, 50, 50], [40, 40, 40]]) == []


def test_a_class_that_no_site_holds_is_a_problem_and_comes_first() -> None:
    first, *_ = remarks([[50, 50, 0], [50, 5, 0]])
    assert first.grade == "bad" and first.text.startswith("No site has a training image of z")


def test_a_class_without_test_images_is_a_problem() -> None:
    (only,) = remarks([[50, 50], [50, 50]], test=[[40, 0], [40, 0]])
    assert (only.grade, only.text[:24]) == ("bad", "No test image shows y: n")


def test_a_class_that_one_site_holds_is_named_with_it() -> None:
    (only,) = remarks([[50, 50], [50, 0], [50, 0]])
    assert only.text == "Only a has training images of y: all others learn it from this site alone."


def test_a_site_without_a_class_that_others_share() -> None:
    (only,) = remarks([[50, 50], [50, 50], [50, 0]])
    assert only.text == "c has no training image of y."


def test_many_sites_without_a_class_are_one_sentence() -> None:
    (only,) = remarks([[50, 50], [50, 50], *[[50, 0]] * 5])
    assert only.text == "5 of 7 sites have no training image of some class; c lacks y."


def test_a_site_too_small_to_be_tested_is_named_with_its_number() -> None:
    (only,) = remarks([[50, 50], [50, 50]], test=[[20, 20], [5, 4]])
    assert only.grade == "caution" and "b (9)" in only.text and "fewer sites" in only.text
    assert remarks([[50, 50], [50, 50]], test=[[20, 20], [0, 0]])[0].grade == "bad"


def test_few_training_images_and_no_validation_image() -> None:
    texts = [remark.text for remark in remarks([[50, 3], [50, 50]], val=[4, 0])]
    assert texts == ["No validation image at b: which round is kept is chosen without it.", "Fewer than 10 training images: y at a (3)."]


def test_images_without_a_site_are_counted() -> None:
    counts = {"train": np.full((1, 1), 90), "test": np.full((1, 1), 90)}
    num = {"val": np.array([9])}
    (only,) = remarks_of(("a",), ("images",), counts, num, tested=np.array([90]), homeless=1200)
    assert only.text == "1,200 images belong to none of these sites and take no part."


# --- chart, kinds, command


def test_the_rarest_classes_share_a_colour() -> None:
    classes, counts = charted(tuple("abcdefghij"), np.array([[9, 1, 8, 7, 6, 5, 4, 3, 2, 0]]))
    assert classes == ("a", "c", "d", "e", "f", "g", "h", "3 rarer ones")
    assert counts.tolist() == [[9, 8, 7, 6, 5, 4, 3, 3]]


def test_many_names_are_cut() -> None:
    assert short(("north", "a-long-name")) == ("north", "a-long-name")
    assert short((*(f"site-{i}" for i in range(1, 9)), "hospital")) == (*map(str, range(1, 9)), "hospi")


def test_every_partition_of_a_plan_is_described_and_takes_what_exists() -> None:
    assert {kind.name for kind in partitions()} == set(SitesPlan.model_fields["partition"].annotation.__args__)
    assert {key for kind in partitions() for key in kind.takes} <= set(SitesPlan.model_fields)


def test_the_command_gives_the_same_plan(tmp_path: Path) -> None:
    draft = Draft.of("demo").with_key("sites.alpha", 0.3).with_key("sites.partition", "dirichlet").with_key("sites.names", None)
    draft = draft.with_key("seed", 4).with_key("title", "it's 1.0")
    command = command_of(draft, "sites")
    assert command.startswith("wardround sites demo --set ")
    words = shlex.split(command)[3:]
    assert load_plan("demo", words[1::2]) == draft.plan and set(words[::2]) == {"--set"}
    saved = tmp_path / "mine.toml"
    saved.write_text(Draft.of("demo").text)
    assert command_of(Draft.of(saved), "sites") == f"wardround sites {saved}"
    assert command_of(Draft(), "sites") == ""
