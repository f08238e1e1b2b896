"""Images and masks joined by name."""

from pathlib import Path

import pytest

from wardround.data.datasets.pairs import left_out, pair, stem
from wardround.errors import CatalogueError

HERE = Path("here")


@pytest.mark.parametrize(("name", "expected"), [("a.nii.gz", "a"), ("a.NII.GZ", "a"), ("a.nii", "a"), ("a.b.png", "a.b"), ("a", "a")])
def test_stem(name: str, expected: str) -> None:
    assert stem(name) == expected


@pytest.mark.parametrize("mask", ["a.png", "a.nii.gz", "a_mask.png", "a_seg.png", "a_label.tif", "a-Mask.png", "a_labels.png"])
def test_a_mask_bears_the_name_of_its_image(mask: str) -> None:
    found = pair(HERE, ["a.png"], [mask])
    assert (found.images, found.masks, found.alone) == (["a.png"], [mask], [])


def test_pairs_come_in_the_order_of_the_images() -> None:
    found = pair(HERE, ["b.png", "a.png", "c.png"], ["a.png", "d.png", "b.png"])
    assert found.images == ["b.png", "a.png"]
    assert found.masks == ["b.png", "a.png"]
    assert found.alone == ["c.png", "d.png"]


def test_an_image_whose_own_name_ends_like_a_mask_keeps_its_mask() -> None:
    found = pair(HERE, ["a.png", "a_seg.png"], ["a.png", "a_seg.png"])
    assert found.images == found.masks == ["a.png", "a_seg.png"]


@pytest.mark.parametrize(("images", "masks"), [(["a.png", "a.jpg"], ["a.png"]), (["a.png"], ["a.png", "a_mask.png"])])
def test_two_of_one_name_are_an_error(images: list[str], masks: list[str]) -> None:
    with pytest.raises(CatalogueError, match="belong to one image or mask, 'a'"):
        pair(HERE, images, masks)


def test_left_out_tells_the_number_and_no_name() -> None:
    assert left_out(["c.png", "d.png"]) == "2 left out, an image without mask or a mask without image"
