from pathlib import Path

import numpy as np
import pytest

from wardround.data.phantoms import drawing
from wardround.errors import CatalogueError
from wardround.rng import stream


def test_an_ellipse_has_the_area_of_one():
    x, y = drawing.grid()
    mask = drawing.ellipse(x, y, centre=(0.1, -0.2), size=(0.5, 0.25), angle=0.7)
    assert mask.sum() * (2 / drawing.DRAW_PX) ** 2 == pytest.approx(np.pi * 0.5 * 0.25, rel=0.03)


def test_a_turned_ellipse_lies_along_its_angle():
    x, y = drawing.grid()
    mask = drawing.ellipse(x, y, centre=(0, 0), size=(0.6, 0.2), angle=np.pi / 4)  # clockwise: from upper left to lower right
    assert (mask * x * y).sum() > 0


def test_a_step_goes_from_zero_to_one_and_is_half_on_the_edge():
    assert drawing.step(np.array([-0.2, 0.0, 0.2]), 0.1).tolist() == [0, 0.5, 1]


def test_paint_changes_only_the_masked_part():
    assert drawing.paint(np.array([0.2, 0.2, 0.2]), np.array([0, 0.5, 1]), 0.6).tolist() == pytest.approx([0.2, 0.4, 0.6])


def test_clouds_have_mean_zero_and_deviation_one_and_are_smooth():
    noise = drawing.clouds(stream(0), 5)
    assert abs(noise.mean()) < 1e-4 and noise.std() == pytest.approx(1, abs=1e-4)
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.1


def test_an_outline_without_strength_is_a_circle():
    x, y = drawing.grid()
    assert (drawing.outline(stream(0), x, y, strength=0.0, waves=(2, 3)) == 1).all()


def test_bytes_are_cut_and_not_wrapped():
    assert drawing.to_bytes(np.array([-0.5, 0.0, 0.5, 1.0, 1.5])).tolist() == [0, 0, 128, 255, 255]


def test_images_of_others_are_neither_removed_nor_mixed_with_phantoms(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "theirs.jpg").write_bytes(b"image")
    with pytest.raises(CatalogueError, match="not drawn by wardround"):
        drawing.empty_folders(tmp_path, ["a", "b"])
    assert (tmp_path / "a" / "theirs.jpg").read_bytes() == b"image"
    assert not (tmp_path / "b").exists()


def test_own_images_are_removed(tmp_path: Path):
    drawing.empty_folders(tmp_path, ["a"])
    (tmp_path / "a" / "ours.jpg").write_bytes(b"image")
    drawing.empty_folders(tmp_path, ["a"])
    assert list((tmp_path / "a").iterdir()) == []


def test_too_few_images_are_refused():
    with pytest.raises(CatalogueError, match="30 or more"):
        drawing.check_num(29)
