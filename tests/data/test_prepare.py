from dataclasses import replace
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from PIL import Image

from wardround.core.events import Event, Note
from wardround.data import prepare as module
from wardround.data.catalogue import Catalogue, text_column
from wardround.data.datasets.nih_chestxray14 import FINDINGS
from wardround.data.harmonise import statistics
from wardround.data.prepare import Prepared, check, dealt, prepare, undealt
from wardround.data.split import check_no_leak
from wardround.errors import DataError, PlanError
from wardround.plan.schema import DataPlan, Plan, SitesPlan
from wardround.rng import stream


def use(monkeypatch: pytest.MonkeyPatch, read: object) -> None:
    monkeypatch.setattr(module, "DATASETS", SimpleNamespace(find=lambda name: SimpleNamespace(name=name, title=name, read=read)))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """60 random images of 30 patients; row 59 has the pixels of row 0 and its own label, row 7 is cut short."""
    rng = stream(0, "test", "prepare")
    for i in range(60):
        Image.fromarray(rng.integers(0, 256, (20, 20), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "59.png").write_bytes((tmp_path / "0.png").read_bytes())
    (tmp_path / "7.png").write_bytes((tmp_path / "7.png").read_bytes()[:60])
    splits = (["train"] * 14 + ["val"] * 2 + ["test"] * 4) * 3
    use(monkeypatch, lambda folder: Catalogue(
        name="small", root=folder, classes=("a", "b"), images=text_column([f"{i}.png" for i in range(60)]),
        labels=np.arange(60) // 2 % 2, patients=text_column([str(i // 2) for i in range(60)]), splits=text_column(splits)))
    return Plan.model_validate({"name": "t", "data": {"folder": tmp_path, "size": 8, "max_failed": 0.05}, "sites": {"num": 2}})


def changed(plan: Plan, **sections: dict[str, object]) -> Plan:
    values = plan.model_dump()
    for name, section in sections.items():
        values[name] |= section
    return Plan.model_validate(values)


def test_readable_rows_are_each_at_one_site_in_one_split(small: Plan) -> None:
    ready = prepare(small)
    rows = np.concatenate([ready.rows(site, part) for site in ready.site_names for part in ("train", "val", "test")])
    assert sorted(rows) == [row for row in range(60) if row != 7]
    assert ready.ledger.counts() == {"used": 59, "skipped": 0, "failed": 1}
    assert ready.ledger.reason[7] == "truncated"
    check_no_leak(ready.split, ready.groups)
    assert sum(sum(held.values()) for held in ready.counts().values()) == len(ready.rows(None, "train"))


def test_identical_pixels_bind_their_patients(small: Plan) -> None:
    ready = prepare(small)
    assert len(set(ready.groups[[0, 1, 58, 59]])) == len(set(ready.split[[0, 1, 58, 59]])) == len(set(ready.homes[[0, 1, 58, 59]])) == 1


def test_too_many_failures_stop(small: Plan) -> None:
    with pytest.raises(DataError, match=r"7\.png \(truncated\)"):
        prepare(changed(small, data={"max_failed": 0.01}))


def test_leaking_published_rows_are_judged_apart(small: Plan) -> None:
    ready = prepare(changed(small, split={"policy": "published"}))
    assert np.flatnonzero(ready.split == "test-leak").tolist() == [58, 59]  # 59 is a copy of a training image; 58 is the same patient
    assert (ready.leaks.test["identical"], ready.leaks.test["patient"], ready.leaks.test["any"]) == (1, 0, 2)


def test_fingerprint_follows_the_split_and_nothing_else(small: Plan) -> None:
    first = prepare(small).fingerprint
    assert prepare(small).fingerprint == first
    assert prepare(changed(small, split={"seed": 1})).fingerprint != first


def test_feature_shift_changes_pixels_and_strength_zero_does_not(small: Plan) -> None:
    plain = prepare(small)
    assert np.array_equal(prepare(changed(small, sites={"partition": "feature-shift", "strength": 0.0})).pixels, plain.pixels)
    shifted = prepare(changed(small, sites={"partition": "feature-shift", "strength": 1.0}))
    assert all((shifted.pixels[row] != plain.pixels[row]).any() for row in shifted.rows(None, "train"))
    assert not np.shares_memory(shifted.pixels, plain.pixels)


def test_check_counts_what_is_wrong(small: Plan) -> None:
    found = check(small)
    assert (found.images, found.used, dict(found.failed)) == (60, 59, {"truncated": 1})
    assert (found.num_identical, found.num_conflicting, found.patients_known) == (2, 2, True)
    assert found.leaks.test["identical"] == 1


def phantom_plan(**sections: dict[str, object]) -> Plan:
    return changed(Plan.model_validate({"name": "t", "data": {"dataset": "brain-tumour-mri", "phantoms": 60, "size": 16}}), **sections)


def test_without_a_folder_phantoms_are_used_and_said_to_be() -> None:
    events: list[Event] = []
    ready = prepare(phantom_plan(), events.append)
    assert ready.catalogue.phantom
    assert len(ready.catalogue) == 60
    notes = [event.text for event in events if isinstance(event, Note)]
    assert len(notes) == 1
    assert "60 phantoms (synthetic images)" in notes[0]


@pytest.mark.parametrize("partition", ["iid", "dirichlet", "shards", "quantity", "feature-shift"])
def test_rows_are_sorted_disjoint_and_whole_groups(partition: str) -> None:
    ready = prepare(phantom_plan(sites={"num": 2, "partition": partition, "alpha": 5.0}))
    held = [ready.rows(site, part) for site in ready.site_names for part in ("train", "val", "test")]
    assert all((np.diff(rows) > 0).all() for rows in held)
    assert sorted(np.concatenate(held).tolist()) == list(range(60))
    for part in ("train", "val", "test"):
        assert sorted(np.concatenate([ready.rows(site, part) for site in ready.site_names])) == ready.rows(None, part).tolist()
    places = {(group, part, home) for group, part, home in zip(ready.groups, ready.split, ready.homes, strict=True)}
    assert len(places) == len(set(ready.groups))


@pytest.mark.parametrize("sections", [
    {"split": {"seed": 5}}, {"split": {"val": 0.2}}, {"sites": {"num": 2}}, {"data": {"size": 8}}, {"data": {"channels": 3}},
    {"data": {"phantoms": 64}}, {"sites": {"names": ("north", "south", "west")}}, {"sites": {"partition": "feature-shift"}},
])
def test_other_data_split_or_sites_have_another_fingerprint(sections: dict[str, dict[str, object]]) -> None:
    assert prepare(phantom_plan(**sections)).fingerprint != prepare(phantom_plan()).fingerprint


@pytest.mark.parametrize("sections", [
    {"recipe": {"lr": 0.3}}, {"rounds": {"num": 3}}, {"model": {"norm": "batch"}}, {"engine": {"workers": 2}}, {"augment": {"flip": True}},
    {"data": {"normalise": "image"}}, {"data": {"max_failed": 0.5}}, {"data": {"harmonise": "site"}},
])
def test_all_else_leaves_the_fingerprint(sections: dict[str, dict[str, object]]) -> None:
    assert prepare(phantom_plan(**sections)).fingerprint == prepare(phantom_plan()).fingerprint


SAME = ("site_names", "fingerprint", "leaks", "greys")  # of two Prepared, beside the arrays
ARRAYS = ("pixels", "groups", "split", "homes")


@pytest.mark.parametrize("sites", [
    {"partition": "iid", "num": 2}, {"partition": "dirichlet", "alpha": 1.0, "num": 2, "names": ("north", "south")},
    {"partition": "quantity", "alpha": 3.0, "num": 4}, {"partition": "missing-classes", "common": ("notumor",)},
    {"partition": "shards", "shards": 3}, {"partition": "column", "column": "published"}, {"partition": "feature-shift", "strength": 0.9},
])
def test_dealt_anew_is_as_if_prepared_from_the_beginning(sites: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    read = module.read_catalogue
    monkeypatch.setattr(module, "read_catalogue", lambda plan, watch: (found := read(plan, watch)) and replace(
        found, columns={"published": text_column(["" if row % 5 == 0 else f"clinic-{row % 2}" for row in range(len(found))])}))
    first = phantom_plan(data={"harmonise": "site"}, sites={"num": 3, "partition": "feature-shift"})
    ready = undealt(first)
    anew = Plan.model_validate(first.model_dump() | {"seed": 7, "sites": sites})
    quick, whole = dealt(ready, anew), prepare(anew)
    assert all(getattr(quick, name) == getattr(whole, name) for name in SAME)
    assert all(np.array_equal(getattr(quick, name), getattr(whole, name)) for name in ARRAYS)
    assert quick.ledger.reason.tolist() == whole.ledger.reason.tolist()
    assert quick.fingerprint != dealt(ready, first).fingerprint


def test_dealing_anew_decodes_and_draws_no_split(small: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = undealt(small)
    for name in ("decode_apart", "split", "read_catalogue"):
        monkeypatch.delattr(module, name)
    assert dealt(ready, changed(small, sites={"num": 4})).site_names == ("site-1", "site-2", "site-3", "site-4")


def test_hospitals_own_folders_are_not_dealt_anew(small: Plan) -> None:
    with pytest.raises(PlanError, match="read anew"):
        dealt(undealt(small), changed(small, sites={"partition": "folders", "names": ("north", "south")}))


def test_the_strength_of_the_scanners_is_part_of_the_fingerprint() -> None:
    weak, strong = (prepare(phantom_plan(sites={"partition": "feature-shift", "strength": strength})) for strength in (0.2, 0.9))
    assert np.array_equal(weak.homes, strong.homes)
    assert weak.fingerprint != strong.fingerprint


@pytest.mark.parametrize("how", ["site", "percentiles"])
def test_grey_values_are_learnt_from_training_rows_as_their_scanner_shows_them(how: str) -> None:
    ready = prepare(phantom_plan(data={"harmonise": how}, sites={"partition": "feature-shift", "strength": 1.0}))
    expected = {site: statistics(how, np.bincount(ready.pixels[ready.rows(site, "train")].ravel(), minlength=256))
                for site in ready.site_names}
    assert ready.greys is not None and ready.greys.sites == expected


def test_without_harmonise_nothing_is_learnt() -> None:
    assert prepare(phantom_plan()).greys is None


def test_other_pixels_have_another_fingerprint(small: Plan) -> None:
    first = prepare(small).fingerprint
    Image.fromarray(np.full((20, 20), 3, np.uint8)).save(Path(str(small.data.folder)) / "11.png")
    assert prepare(small).fingerprint != first


def test_unreadable_images_take_no_part(small: Plan) -> None:
    ready = prepare(small)
    assert (ready.split[7], ready.homes[7], ready.groups[7]) == ("out", "", -1)
    assert not ready.pixels[7].any()


def test_failures_are_named_before_a_split_is_tried(small: Plan) -> None:
    folder = Path(str(small.data.folder))
    for row in range(59):
        (folder / f"{row}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"59 of 60 images cannot be read .*0\.png \(empty_file\)"):
        prepare(small)


def test_nothing_readable_is_an_error_even_when_all_may_fail(small: Plan) -> None:
    for path in Path(str(small.data.folder)).glob("*.png"):
        path.write_text("not an image")
    for look in (prepare, check):
        with pytest.raises(DataError, match=r"60 of 60 images cannot be read .*not_an_image"):
            look(changed(small, data={"max_failed": 1.0}))


def test_rows_of_no_named_site_are_skipped_and_said_to_be(small: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = changed(small, sites={"partition": "column", "column": "clinic", "names": ("north", "south")})
    read = module.DATASETS.find("small").read
    clinics = text_column([("north", "south", "west")[i // 20] for i in range(60)])
    use(monkeypatch, lambda folder: replace(read(folder), columns={"clinic": clinics}))
    ready = prepare(plan)
    assert ready.site_names == ("north", "south")
    assert ready.ledger.reasons() == {"no_site": 20, "truncated": 1}
    assert not np.isin(np.concatenate([ready.rows(None, part) for part in ("train", "val", "test")]), np.arange(40, 60)).any()
    assert prepare(changed(plan, sites={"names": None})).site_names == ("north", "south", "west")


def test_a_column_that_is_not_there_is_named(small: Plan) -> None:
    with pytest.raises(DataError, match="no column 'clinic'"):
        prepare(changed(small, sites={"partition": "column", "column": "clinic"}))


def test_val_rows_that_leak_into_train_are_left_out_and_said_to_be(small: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    read = module.DATASETS.find("small").read
    use(monkeypatch, lambda folder: replace(read(folder), patients=text_column([str(i // 3) for i in range(60)])))
    ready = prepare(changed(small, split={"policy": "published"}))
    assert ready.split[14] == "out"  # 12 and 13, of the same patient, are training rows
    assert ready.ledger.reason[14] == "leaks_into_train"
    assert ready.leaks.val["patient"] == 3  # 14, and 34 and 35, of the same patient as 33
    check_no_leak(ready.split, ready.groups)


@pytest.mark.parametrize("torn", [("train", "test"), ("val", "train"), ("test", "val")])
def test_a_split_that_leaks_never_reaches_training(small: Plan, monkeypatch: pytest.MonkeyPatch, torn: tuple[str, str]) -> None:
    def leaking(catalogue: Catalogue, groups: np.ndarray, plan: object) -> np.ndarray:
        chosen = text_column(["train"] * len(groups))
        chosen[np.flatnonzero(groups == groups[0])[:2]] = torn  # two images of one patient
        return chosen

    monkeypatch.setattr(module, "split", leaking)
    with pytest.raises(DataError, match="the split leaks"):
        prepare(small)


def published(dataset: str, folder: Path) -> Prepared:
    return prepare(Plan.model_validate({"name": "r", "data": {"dataset": dataset, "folder": folder, "size": 32},
                                        "split": {"policy": "published"}}))


def homes_of_groups(ready: Prepared) -> int:
    """Pairs of a group and a site."""
    at_site = ready.homes != ""
    return len(set(zip(ready.groups[at_site].tolist(), ready.homes[at_site].tolist(), strict=True)))


@pytest.mark.data
def test_brain_mri_published_split_leaks_as_its_readme_says(real_data: Path) -> None:
    ready = published("brain-tumour-mri", real_data / "brain_tumor_mri")
    assert 400 <= ready.leaks.test["near-duplicate"] <= 440  # 419 by the hash of the folder's README
    assert (ready.split == "test-leak").sum() == ready.leaks.test["any"]
    assert homes_of_groups(ready) == len(set(ready.groups[ready.homes != ""]))
    check_no_leak(ready.split, ready.groups)


@pytest.mark.data
def test_kermany_person_ids_shared_by_train_and_test_are_170(real_data: Path) -> None:
    ready = published("chest-xray", real_data / "chest_xray")
    leaking = ready.catalogue.take(ready.split == "test-leak")
    assert len({patient for patient in leaking.patients if patient.startswith("person")}) == 170
    assert ready.leaks.val["patient"] == 0
    assert homes_of_groups(ready) == len(set(ready.groups[ready.homes != ""]))
    check_no_leak(ready.split, ready.groups)


# --- masks, volumes and several findings


def plan_of(dataset: str, folder: Path, **sections: dict[str, object]) -> Plan:
    settings = {"split": {"val": 0.25, "test": 0.25}, "sites": {"num": 2}, **sections}
    return Plan.model_validate({"name": "t", **settings, "data": {"dataset": dataset, "folder": folder, "size": 16,
                                                                  **sections.get("data", {})}})


def test_a_patient_s_slices_stay_together(slices: Path) -> None:
    ready = prepare(plan_of("image-mask", slices))
    assert ready.masks is not None and ready.masks.shape == (24, 16, 16)
    places = set(zip(ready.catalogue.patients, ready.split, ready.homes, strict=True))
    assert len(places) == 12
    assert set(ready.counts()["site-1"]) == {"images"}


def test_a_mask_that_cannot_be_read_is_a_row_of_the_ledger(slices: Path, tmp_path: Path) -> None:
    folder = copytree(slices, tmp_path / "data")
    torn = folder / "masks" / "03.tif"
    torn.write_bytes(torn.read_bytes()[:200])
    Image.fromarray(np.full((32, 32), 7, np.uint8)).save(folder / "masks" / "04.tif")
    ready = prepare(plan_of("image-mask", folder, data={"max_failed": 0.1}))
    assert ready.ledger.reasons() == {"truncated": 1, "mask_values": 1}
    assert ready.split[[3, 4]].tolist() == ["out", "out"]
    assert len(ready.rows(None, "train")) + len(ready.rows(None, "val")) + len(ready.rows(None, "test")) == 22
    with pytest.raises(DataError, match=r"03\.png \(truncated\), images/04\.png \(mask_values\)"):
        prepare(plan_of("image-mask", folder))


def test_volumes_are_grouped_by_patient_and_equal_voxels(brains: Path, tmp_path: Path) -> None:
    folder = copytree(brains, tmp_path / "data")
    for name in ("flair", "t1", "t1ce", "t2", "seg"):  # the same scan under another patient's name
        source = folder / "BraTS20_Training_001" / f"BraTS20_Training_001_{name}.nii.gz"
        (folder / "BraTS20_Training_005" / f"BraTS20_Training_005_{name}.nii.gz").write_bytes(source.read_bytes())
    torn = folder / "BraTS20_Training_008" / "BraTS20_Training_008_seg.nii.gz"
    torn.write_bytes(torn.read_bytes()[:100])
    ready = prepare(plan_of("brats2020", folder, data={"dims": 3, "channels": 4, "patch": (8, 8, 8), "max_failed": 0.2}))
    assert ready.groups[0] == ready.groups[4] != ready.groups[1]
    assert ready.groups[7] == -1
    assert ready.ledger.reasons() == {"truncated": 1}
    assert len(set(ready.groups)) == 7


def test_findings_are_counted_with_those_who_have_none(xrays: Path) -> None:
    ready = prepare(plan_of("nih-chestxray14", xrays))
    held = ready.counts()
    train = ready.catalogue.labels[ready.rows(None, "train")]
    assert sum(counts["Mass"] for counts in held.values()) == train[:, FINDINGS.index("Mass")].sum()
    assert sum(counts["No Finding"] for counts in held.values()) == (train.sum(1) == 0).sum()
    assert sum(counts["All images"] for counts in held.values()) == len(train)
    for site in ready.site_names:
        assert held[site]["Hernia"] == 0
        assert held[site]["Mass"] >= 2


def test_findings_that_the_plan_leaves_out_are_forgotten(xrays: Path) -> None:
    ready = prepare(plan_of("nih-chestxray14", xrays, data={"classes": ("Effusion", "Mass")}))
    assert ready.catalogue.classes == ("Effusion", "Mass")
    assert ready.catalogue.labels.shape == (40, 2)
    assert ready.catalogue.labels.sum(0).tolist() == [24, 16]


@pytest.mark.parametrize(("kind", "dataset", "published"), [("slices", "image-mask", {"": {"images": 24}}),
                                                            ("xrays", "nih-chestxray14", None)])
def test_check_looks_at_masks_and_findings_too(kind: str, dataset: str, published: object, request: pytest.FixtureRequest) -> None:
    found = check(plan_of(dataset, request.getfixturevalue(kind)))
    assert found.used == found.images
    assert found.num_conflicting == 0
    assert found.published == published or found.published[""]["Mass"] == 16


def test_volumes_have_no_simulated_scanner(brains: Path) -> None:
    with pytest.raises(PlanError, match="feature-shift"):
        prepare(plan_of("brats2020", brains, data={"dims": 3, "channels": 4}, sites={"num": 2, "partition": "feature-shift"}))


def test_pictures_with_masks_may_have_one(slices: Path) -> None:
    plain = prepare(plan_of("image-mask", slices))
    shifted = prepare(plan_of("image-mask", slices, sites={"num": 2, "partition": "feature-shift", "strength": 1.0}))
    assert (shifted.pixels != plain.pixels).any()
    assert np.array_equal(shifted.masks, plain.masks)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_changed_mask_is_another_fingerprint(dims: int, slices: Path, brains: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    copytree(slices if dims == 2 else brains, folder)
    data = {"dataset": "image-mask", "size": 32} if dims == 2 else {"dataset": "brats2020", "dims": 3, "channels": 4}
    plan = Plan(name="masks", data=DataPlan(folder=folder, **data), sites=SitesPlan(num=2))
    first = prepare(plan).fingerprint
    assert prepare(plan).fingerprint == first
    if dims == 2:
        mask = next((folder / "masks").iterdir())
        Image.fromarray(255 - np.array(Image.open(mask))).save(mask)
    else:
        mask = next(folder.rglob("*seg.nii*"))
        volume = nibabel.load(mask)
        nibabel.save(nibabel.Nifti1Image(np.where(np.asarray(volume.dataobj) > 0, 0, 2).astype(np.uint8), volume.affine), mask)
    assert prepare(plan).fingerprint != first
