"""Pictures, masks and volumes, decoded; a row fails for its image or for its mask."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.core.events import silent
from wardround.data.datasets.brats import READER as BRATS
from wardround.data.datasets.folder import READER as FOLDER
from wardround.data.datasets.image_mask import READER as PAIRS
from wardround.data.decode import decode
from wardround.errors import PlanError
from wardround.plan.schema import DataPlan


def test_pictures_have_pixels_masks_and_hashes_row_by_row(slices: Path) -> None:
    catalogue = PAIRS.read(slices)
    found = decode(catalogue, DataPlan(size=16), silent)
    assert found.pixels.shape == (24, 1, 16, 16)
    assert found.masks is not None and found.masks.shape == (24, 16, 16)
    assert found.hashes is not None and found.volumes is None
    assert set(found.reasons) == {""}
    with Image.open(slices / catalogue.masks[7]) as mask:
        assert found.masks[7].sum() == pytest.approx((np.asarray(mask) > 0).sum() / 4, abs=8)


def test_a_mask_cut_short_or_of_unknown_values_fails_its_row(slices: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(slices, tmp_path / "data")
    torn = folder / "masks" / "03.tif"
    torn.write_bytes(torn.read_bytes()[:200])
    Image.fromarray(np.full((32, 32), 7, np.uint8)).save(folder / "masks" / "04.tif")
    Image.fromarray(np.zeros((30, 32), np.uint8)).save(folder / "masks" / "05.tif")
    (folder / "images" / "06.png").write_bytes(b"")
    found = decode(PAIRS.read(folder), DataPlan(size=16), silent)
    assert {row: found.reasons[row] for row in range(24) if found.reasons[row]} == {
        3: "truncated", 4: "mask_values", 5: "mask_shape", 6: "empty_file"}
    assert "unknown values 7 in 1024 voxels" in found.details[4]
    assert "30 x 32 pixels, but its image has 32 x 32" in found.details[5]


@pytest.mark.parametrize("channels", [2, 4])
def test_pictures_are_grey_or_colour(slices: Path, channels: int) -> None:
    with pytest.raises(PlanError, match=rf"data\.channels = {channels}, but pictures are grey \(1\) or colour \(3\)"):
        decode(PAIRS.read(slices), DataPlan(channels=channels), silent)


def test_volumes_with_masks_keep_their_own_shapes(brains: Path) -> None:
    found = decode(BRATS.read(brains), DataPlan(dims=3, channels=4, patch=(8, 8, 8)), silent)
    assert found.volumes is not None and found.masks is None and found.hashes is None
    assert found.volumes.stack is None
    assert found.volumes.image(2).shape == (4, 14, 14, 12)
    assert len(set(found.digests)) == 8


def test_volumes_with_labels_have_the_shape_of_the_patch(scans: Path) -> None:
    found = decode(FOLDER.read(scans), DataPlan(dims=3, patch=(4, 8, 8)), silent)
    assert found.volumes is not None
    assert found.volumes.stacked().shape == (20, 1, 4, 8, 8)


def test_other_channels_than_the_plan_says_name_the_setting(brains: Path) -> None:
    found = decode(BRATS.read(brains), DataPlan(dims=3, channels=3), silent)
    assert set(found.reasons) == {"channels"}
    assert "4 channels, but the plan says 3. data.channels = 4 would fit." in found.details[0]
