"""Grey values of several scanners on one scale."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from wardround.data.feeds import ImageFeed
from wardround.data.harmonise import PERCENTILES, Greys, GreyTables, count, learn, statistics
from wardround.data.scanners import apply, scanner_for
from wardround.data.transforms import Augment
from wardround.errors import PlanError
from wardround.plan.schema import AugmentPlan
from wardround.rng import stream

HOWS = ["site", "percentiles"]
IDENTITY = np.arange(256)


def pictures(num: int, seed: int = 0) -> np.ndarray:
    """Heads in the dark: a third of the pixels is black, the rest a smooth shade and noise."""
    rng = stream("harmonise", seed)
    down, right = np.mgrid[-1:1:32j, -1:1:32j]
    inside = down**2 + right**2 < 0.85
    shades = 120 + 70 * np.sin(3 * down * rng.uniform(0.5, 1.5, (num, 1, 1)) + rng.uniform(0, 6, (num, 1, 1)))
    return np.where(inside, np.clip(shades + rng.normal(0, 8, (num, 32, 32)), 0, 255), 0).astype(np.uint8)[:, None]


def thirds(pixels: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip("abc", np.array_split(np.arange(len(pixels)), 3), strict=True))


# --- statistics


def test_grey_values_of_a_sites_rows_are_counted_in_all_channels() -> None:
    pixels = np.array([[[[0, 7]], [[7, 255]]], [[[9, 9]], [[9, 9]]], [[[7, 0]], [[0, 0]]]], np.uint8)  # (3, 2, 1, 2)
    counts = count(pixels, np.array([0, 2]))
    assert {grey: int(num) for grey, num in enumerate(counts) if num} == {0: 4, 7: 3, 255: 1}


def test_counting_in_parts_loses_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = pictures(7)
    monkeypatch.setattr("wardround.data.harmonise.COUNTED", 2500)  # bytes: two images and a half
    assert np.array_equal(count(pixels, np.arange(7)), np.bincount(pixels.ravel(), minlength=256))


def test_mean_and_deviation_are_those_of_all_pixels() -> None:
    pixels = pictures(5)
    assert statistics("site", count(pixels, np.arange(5))) == pytest.approx((pixels.mean(), pixels.std()))


def test_landmarks_are_the_lowest_grey_values_that_hold_so_many_percent() -> None:
    counts = np.zeros(256, np.int64)
    counts[[10, 20, 30]] = 50, 40, 10  # 50 % are 10, 90 % at most 20
    assert dict(zip(PERCENTILES, statistics("percentiles", counts), strict=True)) == {
        1: 10, 10: 10, 20: 10, 30: 10, 40: 10, 50: 10, 60: 20, 70: 20, 80: 20, 90: 20, 99: 30}


def test_the_standard_is_the_mean_over_sites_whatever_their_size() -> None:
    pixels = np.concatenate([np.full((9, 1, 2, 2), 10), np.full((1, 1, 2, 2), 50)]).astype(np.uint8)
    assert learn("site", pixels, {"large": np.arange(9), "small": np.array([9])}).standard == (30.0, 0.0)


def test_only_the_named_rows_are_learnt_from() -> None:
    pixels = pictures(6)
    rows = {"a": np.array([0, 1]), "b": np.array([2, 3])}
    changed = pixels.copy()
    changed[4:] = 255
    assert learn("percentiles", pixels, rows) == learn("percentiles", changed, rows)


# --- maps


def test_a_straight_line_by_hand() -> None:
    greys = Greys.of("site", {"dark": (40.0, 10.0), "light": (80.0, 30.0)})
    assert greys.standard == (60.0, 20.0)
    assert greys.table("dark")[[0, 30, 40, 50, 200]].tolist() == [0, 40, 60, 80, 255]  # 60 + 2 (g - 40), within black and white
    assert greys.table("light")[[0, 20, 80, 110, 255]].tolist() == [7, 20, 60, 80, 177]  # 60 + 2/3 (g - 80)


def test_lines_between_landmarks_by_hand() -> None:
    dark, light = (tuple(step * k for k in range(1, 12)) for step in (10.0, 20.0))
    table = Greys.of("percentiles", {"dark": dark, "light": light}).table("dark")
    assert table[[0, 10, 14, 20, 110]].tolist() == [0, 15, 21, 30, 165]
    assert table[255] == 255
    assert table[182] == 210  # half-way from the last landmark, 110 -> 165, to white


def test_landmarks_that_fall_together_have_one_place() -> None:
    noisy, clean = (2.0, 4.0, 6.0, *range(100, 180, 10)), (0.0, 0.0, 0.0, *range(100, 180, 10))
    greys = Greys.of("percentiles", {"noisy": noisy, "clean": clean})
    assert greys.table("clean")[[0, 100, 170]].tolist() == [2, 100, 170]  # black becomes the mean of 1, 2 and 3
    assert greys.table("noisy")[[0, 2, 4, 6, 100]].tolist() == [0, 1, 2, 3, 100]


@pytest.mark.parametrize("how", HOWS)
def test_equal_sites_stay_as_they_are(how: str) -> None:
    pixels = np.concatenate([pictures(4)] * 3)
    greys = learn(how, pixels, thirds(pixels))
    assert all(np.array_equal(greys.table(site), IDENTITY) for site in "abc")


@pytest.mark.parametrize("how", HOWS)
def test_one_site_stays_as_it_is(how: str) -> None:
    assert np.array_equal(learn(how, pictures(4), {"only": np.arange(4)}).table("only"), IDENTITY)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("seed", range(10))
def test_a_brighter_pixel_never_becomes_the_darker_one(how: str, seed: int) -> None:
    rng = stream("harmonise tables", seed)
    pixels = rng.integers(0, rng.integers(1, 256, (12, 1, 1, 1)), (12, 1, 6, 6)).astype(np.uint8)
    greys = learn(how, pixels, thirds(pixels))
    assert all((np.diff(greys.table(site).astype(int)) >= 0).all() for site in "abc")


@pytest.mark.parametrize("how", HOWS)
def test_a_site_of_a_single_grey_value_still_has_a_map(how: str) -> None:
    pixels = pictures(6)
    pixels[:2] = 0
    tables = learn(how, pixels, thirds(pixels))
    assert tables.table("a").dtype == np.uint8
    assert (np.diff(tables.table("a").astype(int)) >= 0).all()


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_different_scanners_come_nearer_than_half_way(how: str, strength: float) -> None:
    learnt, later = pictures(60), pictures(12, seed=1)
    rows, scanners = thirds(learnt), {site: scanner_for(3, site, strength) for site in "abc"}
    for site, held in rows.items():
        learnt[held] = apply(learnt[held], held, scanners[site])
    greys = learn(how, learnt, rows)
    shown = {site: apply(later, np.arange(12), scanner) for site, scanner in scanners.items()}  # the same patients on every scanner

    def apart(images: list[np.ndarray]) -> tuple[float, float, float]:
        values = np.stack(images).astype(float)
        return np.ptp(values.mean((1, 2, 3, 4))), np.ptp(values.std((1, 2, 3, 4))), float(np.abs(values - values.mean(0)).mean())

    before, after = apart(list(shown.values())), apart([greys.table(site)[images] for site, images in shown.items()])
    assert after[0] < before[0] / 2 and after[1] < before[1] / 2
    assert after[2] < 0.75 * before[2]  # pixel by pixel: bias field, blur and noise stay


def test_a_site_that_was_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(PlanError, match=r"no site 'nort'\. Did you mean 'north'\? .*north, south"):
        Greys.of("site", {"north": (1.0, 1.0), "south": (2.0, 1.0)}).table("nort")


@pytest.mark.parametrize("how", HOWS)
def test_a_record_gives_the_same_tables(how: str) -> None:
    pixels = pictures(9)
    greys = learn(how, pixels, thirds(pixels))
    assert Greys.from_record(greys.record()) == greys


# --- batches

PIXELS = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 1, 2, 3) * 10
GREYS = Greys.of("site", {"a": (40.0, 10.0), "b": (80.0, 30.0)})
HOMES = np.array(["b", "", "a", "a"])


def feed(greys: GreyTables | None) -> ImageFeed:
    return ImageFeed(images=PIXELS, labels=torch.arange(4), normalisation="fixed", augment=Augment(AugmentPlan(flip=True)), greys=greys)


def test_a_row_has_its_own_sites_map_and_a_row_of_no_site_none() -> None:
    shown, _ = feed(GreyTables.of(GREYS, HOMES)).plain(np.array([2, 1, 0]))
    expected = np.stack([GREYS.table("a")[PIXELS[2]], PIXELS[1], GREYS.table("b")[PIXELS[0]]])
    assert torch.equal(shown, replace(feed(None), images=expected).plain(np.arange(3))[0])


def test_equal_sites_change_no_bit_of_a_batch() -> None:
    tables = GreyTables.of(Greys.of("site", {"a": (40.0, 10.0), "b": (40.0, 10.0)}), HOMES)
    for rows in (np.array([0]), np.array([3, 0, 1])):
        first, second = (own.batch(rows, torch.Generator().manual_seed(2))[0] for own in (feed(tables), feed(None)))
        assert torch.equal(first, second)


def test_images_kept_on_a_device_and_sent_to_another_process_give_the_same_bits() -> None:
    own, rows = feed(GreyTables.of(GREYS, HOMES)), np.array([3, 0])
    for other in (own.on(torch.device("cpu"), room=10_000), pickle.loads(pickle.dumps(own))):
        assert torch.equal(other.plain(rows)[0], own.plain(rows)[0])


@pytest.mark.parametrize("room", [0, 10_000])
def test_maps_follow_the_images_to_the_device(room: int) -> None:
    meta = torch.device("meta")  # has a shape and a device, but no numbers
    images, _ = feed(GreyTables.of(GREYS, HOMES)).on(meta, room=room).plain(np.array([1, 2]))
    assert (images.device, tuple(images.shape), images.dtype) == (meta, (2, 1, 2, 3), torch.float32)
