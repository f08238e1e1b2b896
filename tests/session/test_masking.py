"""Masks of new images: the input's size and place, the data set's own numbers."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from wardround.session import predict, run


def test_a_picture_s_mask_has_its_size_and_the_set_s_numbers(slices_run, slices, tmp_path) -> None:
    with Image.open(slices / "images" / "03.png") as picture:
        picture.resize((50, 41)).save(tmp_path / "wide.png")
    wide, own = predict(slices_run, [tmp_path / "wide.png", slices / "images" / "03.png"], tmp_path / "out")
    assert (wide.mask, own.mask) == (tmp_path / "out" / "wide_mask.png", tmp_path / "out" / "03_mask.png")
    for path, size in ((wide.mask, (50, 41)), (own.mask, (32, 32))):
        with Image.open(path) as mask:
            assert (mask.size, mask.mode) == (size, "L")
            assert set(np.unique(np.asarray(mask))) <= {0, 1}  # the lower of the two numbers of the foreground


def test_masks_of_the_test_pictures_have_the_dice_that_was_reported(slices_run, slices, tmp_path) -> None:
    found = {}
    for prediction in predict(slices_run, [slices / "images"], tmp_path):
        assert not prediction.probabilities and not prediction.error
        with Image.open(prediction.mask) as mask, Image.open(slices / "masks" / f"{prediction.path.stem}.tif") as truth:
            found[int(prediction.path.stem)] = np.asarray(mask) > 0, np.asarray(truth) > 0
    of_patient = {}
    for patient in range(12):
        called, true = (np.stack([found[2 * patient + i][kind] for i in (0, 1)]) for kind in (0, 1))
        of_patient[patient] = round(2 * (called & true).sum() / (called.sum() + true.sum()), 6)
    assert {round(float(dice), 6) for dice in slices_run.predictions().values[:, 0]} <= set(of_patient.values())


def test_a_case_named_by_its_folder_gets_a_mask_that_lies_on_it(brains_run, brains, tmp_path) -> None:
    case = brains / "BraTS20_Training_003"
    [found] = predict(brains_run, [case], tmp_path)
    [same] = predict(brains_run, [case / f"{case.name}_flair.nii.gz"], tmp_path / "again")
    assert found.mask == tmp_path / f"{case.name}_flair_mask.nii.gz"
    mask, like = nibabel.load(found.mask), nibabel.load(case / f"{case.name}_flair.nii.gz")
    assert mask.shape == like.shape
    assert np.array_equal(mask.affine, like.affine)  # voxel by voxel, as programs that ignore the affine compare them
    labels = np.asarray(mask.dataobj)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {0, 1, 2, 4}
    assert not labels[np.asarray(like.dataobj) == 0].any()
    assert np.array_equal(labels, np.asarray(nibabel.load(same.mask).dataobj))


def test_masks_of_the_test_volumes_have_the_dice_that_was_reported(brains_run, brains, tmp_path) -> None:
    found = set()
    for prediction in predict(brains_run, [brains], tmp_path):
        truth = np.asarray(nibabel.load(str(prediction.path).replace("_flair", "_seg")).dataobj) > 0
        called = np.asarray(nibabel.load(prediction.mask).dataobj) > 0
        found.add(round(2 * (called & truth).sum() / (called.sum() + truth.sum()), 6))
    tested = brains_run.predictions()
    assert {round(float(dice), 6) for dice in tested.values[:, tested.names.index("dice_WT")]} <= found


def test_a_volume_with_a_channel_missing_or_cut_short_gets_its_error(brains_run, brains, tmp_path) -> None:
    for name, change in (("lacking", "missing"), ("torn", "cut")):
        (tmp_path / name).mkdir()
        for file in (brains / "BraTS20_Training_001").iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
        t2 = tmp_path / name / "BraTS20_Training_001_t2.nii.gz"
        t2.unlink() if change == "missing" else t2.write_bytes(t2.read_bytes()[:300])
    lacking, torn, fine = predict(brains_run, [tmp_path / "lacking", tmp_path / "torn", brains / "BraTS20_Training_002"], tmp_path / "out")
    assert "cannot be opened" in lacking.error
    assert "damaged or cut short" in torn.error
    assert fine.mask is not None and fine.mask.is_file()
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["BraTS20_Training_002_flair_mask.nii.gz"]


def test_pictures_of_one_name_do_not_overwrite_each_other_s_masks(slices_run, slices, tmp_path) -> None:
    for place, number in (("a", "00"), ("b", "01")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "scan.png").write_bytes((slices / "images" / f"{number}.png").read_bytes())
    first, second = predict(slices_run, [tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert first.mask != second.mask
    assert first.mask.is_file() and second.mask.is_file()


def test_label_numbers_above_255_are_written_as_they_are(slices, slices_plan, tmp_path) -> None:
    (tmp_path / "data" / "masks").mkdir(parents=True)
    (tmp_path / "data" / "images").symlink_to(slices / "images")
    for file in (slices / "masks").iterdir():
        with Image.open(file) as mask:
            Image.fromarray(np.where(np.asarray(mask) > 0, 700, 0).astype(np.uint16)).save(tmp_path / "data" / "masks" / f"{file.stem}.png")
    (tmp_path / "data" / "classes.json").write_text('{"classes": ["background", "disc"], "values": {"0": 0, "700": 1}}')
    plan = slices_plan()
    plan = plan.model_copy(update={"data": plan.data.model_copy(update={"folder": tmp_path / "data"}),
                                   "sites": plan.sites.model_copy(update={"partition": "iid"})})
    found = predict(run(plan, out=tmp_path / "runs"), [slices / "images"], tmp_path / "out")
    numbers = set()
    for prediction in found:
        with Image.open(prediction.mask) as mask:
            numbers |= set(np.unique(np.asarray(mask)).tolist())
    assert numbers == {0, 700}


@pytest.mark.parametrize("patch", [(1, 16, 16)])
def test_a_decathlon_liver_is_drawn_slice_by_slice(brains_plan, decathlon, tmp_path, patch) -> None:
    plan = brains_plan(dataset="decathlon-brain", folder=decathlon, channels=1, patch=patch, spacing_mm=1.5)
    folder = run(plan, out=tmp_path / "runs")
    assert {"dice_liver", "dice_tumour"} <= set(folder.scores()["metrics"])
    [found] = predict(folder, [decathlon / "imagesTr" / "liver_1.nii.gz"], tmp_path / "out")
    mask = nibabel.load(found.mask)
    assert mask.shape == (16, 16, 16)
    assert np.array_equal(mask.affine, np.diag([1.0, 1.0, 2.0, 1.0]))


def test_the_table_names_each_mask(slices_run, slices, tmp_path) -> None:
    from wardround.session.prediction import as_csv

    (tmp_path / "broken.png").write_text("no picture")
    found = predict(slices_run, [tmp_path / "broken.png", slices / "images" / "00.png"], tmp_path)
    table = list(csv.DictReader(as_csv(found).splitlines()))
    assert table[0]["mask"] == "" and "not an image" in table[0]["error"]
    assert Path(table[1]["mask"]).is_file() and table[1]["error"] == ""
