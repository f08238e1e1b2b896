"""Shared fixtures: the real images, and tiny data sets of each task. Tests that need real images ask for `real_data`."""

import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from wardround.rng import stream


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: WARDROUND_DATA, default ../shared/data beside the checkout.

    Absent, the test is skipped; with WARDROUND_REQUIRE_DATA=1 (as .ci/run sets) it fails instead.
    """
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WARDROUND_DATA", default))
    if not folder.is_dir():
        absent = pytest.fail if os.environ.get("WARDROUND_REQUIRE_DATA") == "1" else pytest.skip
        absent(f"real images absent: {folder} is not a folder (set WARDROUND_DATA)")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded images of tests go to a folder of the test session, never to the user's cache."""
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data set "image-mask": 24 pictures of 32 x 32, two a patient, with a bright disc whose mask is 255; sites DU and HT."""
    folder = tmp_path_factory.mktemp("slices")
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    down, right = np.mgrid[:32, :32]
    rows = ["image,patient,site"]
    for index in range(24):
        rng = stream("slices", index)
        y, x = rng.integers(9, 23, 2)
        is_disc = (down - y) ** 2 + (right - x) ** 2 <= 36
        pixels = (rng.integers(0, 100, (32, 32)) + 120 * is_disc).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{index:02}.png")
        Image.fromarray((255 * is_disc).astype(np.uint8)).save(folder / "masks" / f"{index:02}.tif")
        rows.append(f"{index:02}.png,p{index // 2},{('DU', 'HT')[index // 2 % 2]}")
    (folder / "patients.csv").write_text("\n".join(rows) + "\n")
    return folder


def glioma(index: int) -> tuple[np.ndarray, np.ndarray]:
    """Four channels (4, D, H, W) int16 of a head in a box, and labels as BraTS numbers them: 2 around 4 around 1."""
    rng = stream("brains", index)
    mask = np.zeros((16, 16, 16), np.uint8)
    d, h, w = rng.integers(3, 8, 3)
    for label, inset in ((2, 0), (4, 1), (1, 2)):
        mask[d + inset : d + 6 - inset, h + inset : h + 6 - inset, w + inset : w + 6 - inset] = label
    channels = np.zeros((4, 16, 16, 16), np.int16)
    channels[:, 1:15, 1:15, 2:14] = rng.integers(50, 120, (4, 14, 14, 12))
    for channel, label in ((0, 2), (2, 4), (3, 1)):
        channels[channel][mask == label] += 150
    return channels, mask


@pytest.fixture(scope="session")
def brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data set "brats2020": 8 cases of 16 x 16 x 16 voxels, stored in the order of scanners (LPS), 1 x 1 x 2 mm, off the origin."""
    folder = tmp_path_factory.mktemp("brains")
    affine = np.array([[-1.0, 0, 0, 30], [0, -1, 0, 40], [0, 0, 2, -50], [0, 0, 0, 1]])
    for index in range(8):
        channels, mask = glioma(index)
        case = f"BraTS20_Training_{index + 1:03}"
        (folder / case).mkdir()
        for name, volume in zip(("flair", "t1", "t1ce", "t2", "seg"), (*channels, mask), strict=True):
            stored = np.ascontiguousarray(volume.transpose(2, 1, 0)[::-1, ::-1])
            nibabel.save(nibabel.Nifti1Image(stored, affine), folder / case / f"{case}_{name}.nii.gz")
    return folder


@pytest.fixture(scope="session")
def xrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data set "nih-chestxray14": 40 pictures of 16 x 16 of 40 patients. A bright left half is a Mass, a bright lower half an Effusion;
    no one has a Hernia, and one in five has nothing."""
    folder = tmp_path_factory.mktemp("xrays")
    (folder / "images").mkdir()
    rows = ["Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"]
    for index in range(40):
        found = [name for name, is_there in (("Mass", index % 5 in (0, 1)), ("Effusion", index % 5 in (1, 2, 3))) if is_there]
        pixels = stream("xrays", index).integers(0, 120, (16, 16), dtype=np.uint8)
        pixels[:, :8] += 60 * ("Mass" in found)
        pixels[8:] += 60 * ("Effusion" in found)
        Image.fromarray(pixels).save(folder / "images" / f"{index:08}_000.png")
        rows.append(f"{index:08}_000.png,{'|'.join(found) or 'No Finding'},0,{index},{40 + index},{'MF'[index % 2]},PA")
    (folder / "Data_Entry_2017.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data set "folder" of volumes: 20 of 6 x 10 x 12 voxels, of which the lower or the upper half is bright."""
    folder = tmp_path_factory.mktemp("scans")
    for index in range(20):
        name = ("low", "high")[index % 2]
        volume = stream("scans", index).integers(1, 100, (6, 10, 12)).astype(np.int16)
        volume[:3 if name == "low" else 0] += 200
        volume[3 if name == "high" else 6:] += 200
        (folder / name).mkdir(exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(volume.transpose(2, 1, 0)), np.eye(4)), folder / name / f"{index:02}.nii.gz")
    return folder


@pytest.fixture(scope="session")
def decathlon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data set "decathlon-brain", another task: 8 volumes of one channel with a liver (label 1) and a tumour in it (label 2)."""
    folder = tmp_path_factory.mktemp("decathlon")
    (folder / "imagesTr").mkdir()
    (folder / "labelsTr").mkdir()
    for index in range(8):
        channels, mask = glioma(index)
        labels = np.where(mask == 2, 1, 2 * (mask > 0)).astype(np.uint8)
        for kind, volume in (("imagesTr", channels[0]), ("labelsTr", labels)):
            stored = nibabel.Nifti1Image(np.ascontiguousarray(volume.transpose(2, 1, 0)), np.diag([1.0, 1.0, 2.0, 1.0]))
            nibabel.save(stored, folder / kind / f"liver_{index}.nii.gz")
    (folder / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "liver", "2": "tumour"}}))
    return folder
