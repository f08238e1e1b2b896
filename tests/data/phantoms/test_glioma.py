import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from wardround.core.events import Progress, silent
from wardround.data.phantoms import glioma
from wardround.data.readers import nifti
from wardround.errors import CatalogueError
from wardround.rng import stream

NAMES = [f"BraTS20_Training_{i:03d}" for i in range(1, 6)]
FLAIR, T1, T1CE, T2 = range(4)
Patient = tuple[np.ndarray, np.ndarray]  # volumes over the brightness of white matter, labels


@pytest.fixture(scope="module")
def brats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brats")
    glioma.write_brats(folder, 5, 0, silent)
    return folder


@pytest.fixture(scope="module")
def lgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lgg")
    glioma.write_lgg(folder, 44, 0, silent)
    return folder


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    """Twelve patients, one after the other of high grade, of low grade."""
    drawn = []
    for i in range(12):
        rng = stream("glioma", i)
        volumes, labels = glioma.draw_patient(rng, glioma.tumour(rng, low_grade=i % 2), glioma.scanner(rng))
        drawn.append((np.stack([volume / np.median(volume[(labels == 0) & (volume > 0)]) for volume in volumes]), labels))
    return drawn


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*")) if path.is_file()}


def test_patients_lie_in_the_folders_of_brats_2020(brats: Path):
    wanted = [f"{name}/{name}_{part}.nii.gz" for name in NAMES for part in ("flair", "t1", "t1ce", "t2", "seg")]
    assert sorted(path for path in contents(brats) if path.endswith(".nii.gz")) == sorted(wanted)


def test_images_are_int16_and_labels_uint8_on_a_grid_of_3_mm(brats: Path):
    for part, kind in (("flair", np.int16), ("t1ce", np.int16), ("seg", np.uint8)):
        file = nibabel.load(brats / NAMES[0] / f"{NAMES[0]}_{part}.nii.gz")
        assert (file.shape, file.get_data_dtype()) == ((80, 80, 52), kind)
        assert nibabel.aff2axcodes(file.affine) == ("L", "P", "S")
        assert file.header.get_zooms() == (3, 3, 3)


def test_the_field_of_view_is_that_of_the_original(brats: Path):
    """The corners of 240 x 240 x 155 voxels of 1 mm whose first lies at (0, 239, 0); 52 x 3 mm are 1 mm more."""
    affine = nibabel.load(brats / NAMES[0] / f"{NAMES[0]}_t1.nii.gz").affine
    assert (affine @ [-0.5, -0.5, -0.5, 1])[:3].tolist() == [0.5, 239.5, -0.5]
    assert (affine @ [79.5, 79.5, 51.5, 1])[:3].tolist() == [-239.5, -0.5, 155.5]


def test_the_reader_turns_a_file_to_what_was_drawn(brats: Path):
    rng = stream(0, "phantom", "brats", NAMES[0])
    volumes, labels = glioma.draw_patient(rng, glioma.tumour(rng), glioma.scanner(stream(0, "phantom", "brats", "CBICA")))
    for part, drawn in (("flair", np.rint(volumes[FLAIR])), ("t2", np.rint(volumes[T2])), ("seg", labels)):
        image = nifti.read(brats / NAMES[0] / f"{NAMES[0]}_{part}.nii.gz", limit_pixels=10**6)
        assert np.array_equal(image.pixels[0], drawn)


def test_the_mapping_tells_grades_and_five_hospitals(brats: Path):
    with (brats / "name_mapping.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["BraTS_2020_subject_ID"] for row in rows] == NAMES
    assert {row["Grade"] for row in rows} <= {"HGG", "LGG"}
    assert [row["BraTS_2019_subject_ID"].split("_")[1] for row in rows] == ["CBICA", "TCIA01", "TCIA02", "TCIA03", "2013"]


def test_labels_are_those_of_brats_and_lie_in_the_brain(patients: list[Patient]):
    for volumes, labels in patients:
        assert labels.dtype == np.uint8
        assert set(np.unique(labels)) <= {0, 1, 2, 4}
        assert (labels == 2).sum() > 20
        assert ((labels > 0) & (labels != 2)).sum() > 20
        assert (volumes[:, labels > 0] > 0).all()


def test_the_background_is_zero_in_all_sequences_at_once(patients: list[Patient]):
    for volumes, _ in patients:
        brain = volumes > 0
        assert (brain == brain[0]).all()
        assert 0.08 < brain.mean() < 0.2  # 0.114 in a case of BraTS geometry


def test_a_low_grade_glioma_enhances_less_than_one_of_high_grade(patients: list[Patient]):
    share = [(labels == 4).sum() / (labels > 0).sum() for _, labels in patients]
    assert np.mean(share[1::2]) < 0.7 * np.mean(share[::2])


def test_about_an_eighth_of_patients_lack_enhancement_or_necrosis():
    drawn = [glioma.tumour(stream("lack", i)) for i in range(600)]
    lacking = [tumour for tumour in drawn if tumour.enhancing in ("none", "whole")]
    assert 0.09 < len(lacking) / len(drawn) < 0.17
    assert {tumour.grade for tumour in lacking} == {"LGG"}


@pytest.mark.parametrize(("enhancing", "labels"),
                         [("none", [0, 1, 2]), ("whole", [0, 2, 4]), ("rim", [0, 1, 2, 4]), ("patches", [0, 1, 2, 4])])
def test_what_enhances_decides_which_labels_there_are(enhancing: str, labels: list[int]):
    tumour = glioma.Tumour(grade="HGG", centre=(30, 0, 15), size=(14, 14, 14), enhancing=enhancing, rim_mm=4, oedema_mm=10)
    assert np.unique(glioma.draw_patient(stream("rim"), tumour, glioma.scanner(stream("rim")))[1]).tolist() == labels


def test_sequences_show_a_glioma_as_mri_does(patients: list[Patient]):
    for volumes, labels in patients:
        oedema = np.median(volumes[:, labels == 2], axis=1)
        healthy = volumes[:, (labels == 0) & (volumes[T1] > 0)]
        assert oedema[FLAIR] > 1.15 * np.percentile(healthy[FLAIR], 40)  # white matter: darker than cortex on FLAIR and T2,
        assert oedema[T2] > 1.2 * np.percentile(healthy[T2], 25)
        assert oedema[T1] < 0.97 * np.percentile(healthy[T1], 75)  # brighter on T1
        if (labels == 4).sum() > 50:
            rim = np.median(volumes[:, labels == 4], axis=1)
            assert rim[T1CE] > 1.25
            assert rim[T1CE] > rim[T1] + 0.3
            assert not (labels == 1).any() or np.median(volumes[T1CE, labels == 1]) < 0.7 * rim[T1CE]


def test_no_flair_threshold_finds_the_tumour(patients: list[Patient]):
    best = []
    for volumes, labels in patients:
        found = [volumes[FLAIR] > level for level in np.percentile(volumes[FLAIR][volumes[FLAIR] > 0], np.linspace(60, 99.5, 60))]
        best.append(max(2 * (mask & (labels > 0)).sum() / (mask.sum() + (labels > 0).sum()) for mask in found))
    assert max(best) < 0.95
    assert 0.5 < np.mean(best) < 0.85  # nor is it hidden


def test_scanners_of_hospitals_differ():
    gains = np.stack([glioma.scanner(stream("gain", name)).gain for name in "abcde"])
    assert (gains.max(axis=0) / gains.min(axis=0) > 1.3).all()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(brats: Path, tmp_path: Path):
    glioma.write_brats(tmp_path, 5, 0, silent)
    assert contents(tmp_path) == contents(brats)
    glioma.write_brats(tmp_path, 5, 1, silent)
    other, first = contents(tmp_path), contents(brats)
    assert not any(other[name] == first[name] for name in first if name.endswith(".nii.gz"))


def test_a_smaller_phantom_leaves_nothing_of_a_larger_one(tmp_path: Path):
    glioma.write_brats(tmp_path, 6, 0, silent)
    glioma.write_brats(tmp_path, 5, 0, silent)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == NAMES


@pytest.mark.parametrize("theirs", ["BraTS20_Training_007/BraTS20_Training_007_t1.nii.gz", "name_mapping.csv"])
def test_patients_of_others_are_not_touched(theirs: str, tmp_path: Path):
    (tmp_path / theirs).parent.mkdir(exist_ok=True)
    (tmp_path / theirs).write_bytes(b"real")
    with pytest.raises(CatalogueError, match="Name an empty folder"):
        glioma.write_brats(tmp_path, 5, 0, silent)
    assert list(contents(tmp_path).items()) == [(theirs, b"real")]


def test_a_hospital_without_patients_is_refused(tmp_path: Path):
    with pytest.raises(CatalogueError, match="Ask for 5 or more"):
        glioma.write_brats(tmp_path, 4, 0, silent)


def test_slices_lie_in_the_folders_of_tcga_lgg(lgg: Path):
    files = sorted(path for path in contents(lgg) if path.endswith(".tif"))
    assert len(files) == 2 * 44
    assert {"kaggle_3m/TCGA_DU_0001_20000101/TCGA_DU_0001_20000101_1.tif",
            "kaggle_3m/TCGA_DU_0001_20000101/TCGA_DU_0001_20000101_1_mask.tif",
            "kaggle_3m/TCGA_DU_0006_20000101/TCGA_DU_0006_20000101_4.tif"} <= set(files)
    assert sorted(path.name[5:7] for path in (lgg / "kaggle_3m").iterdir()) == ["DU", "DU", "DU", "FG", "HT", "HT"]


def test_slices_are_rgb_and_masks_black_and_white(lgg: Path):
    for path in (lgg / "kaggle_3m").rglob("*_mask.tif"):
        with Image.open(path) as mask, Image.open(path.with_name(path.name.replace("_mask", ""))) as image:
            assert (mask.format, mask.mode, mask.size) == ("TIFF", "L", (128, 128))
            assert (image.format, image.mode, image.size) == ("TIFF", "RGB", (128, 128))
            assert set(np.unique(np.asarray(mask))) <= {0, 255}


@pytest.fixture(scope="module")
def slices() -> list[Patient]:
    return [glioma.draw_slices(stream("slices", i), glioma.scanner(stream("scanner", i), white=(45, 85))) for i in range(24)]


def test_about_a_quarter_of_slices_show_no_tumour(slices: list[Patient]):
    assert 0.15 < np.mean([mask.max() == 0 for _, masks in slices for mask in masks]) < 0.4
    assert all((masks > 0).any(axis=(1, 2)).sum() >= 2 for _, masks in slices)


def test_a_missing_sequence_is_replaced_by_flair(slices: list[Patient]):
    replaced = [tuple(np.array_equal(images[..., k], images[..., 1]) for k in (0, 2)) for images, _ in slices]
    assert replaced.count((False, False)) > 16
    assert (True, True) in replaced or (False, True) in replaced
    assert (True, False) not in replaced


def test_slices_hold_the_scalp_too(slices: list[Patient]):
    for images, masks in slices:
        flair = images[3, ..., 1].astype(float)
        assert (flair > 1.3 * np.median(flair[flair > 25])).mean() > 0.02
        assert flair[:6, :6].mean() < 25
        assert (masks > 0).mean() < 0.2


def test_slices_have_the_same_bytes_for_the_same_seed(lgg: Path, tmp_path: Path):
    glioma.write_lgg(tmp_path, 44, 0, silent)
    assert contents(tmp_path) == contents(lgg)


def test_slices_of_others_are_not_touched(tmp_path: Path):
    theirs = tmp_path / "kaggle_3m" / "TCGA_DU_5849_19950405" / "TCGA_DU_5849_19950405_1.tif"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"real")
    with pytest.raises(CatalogueError, match="Name an empty folder"):
        glioma.write_lgg(tmp_path, 32, 0, silent)
    assert theirs.read_bytes() == b"real"


def test_progress_ends_at_the_number_asked_for(tmp_path: Path):
    seen: list[Progress] = []
    glioma.write_lgg(tmp_path, 90, 0, seen.append)
    glioma.write_brats(tmp_path, 5, 0, seen.append)
    assert [(event.stage, event.done, event.total) for event in seen] == [("phantom", 80, 90), ("phantom", 90, 90), ("phantom", 5, 5)]
