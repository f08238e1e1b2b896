import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from PIL import Image

from wardround.data import deal as module
from wardround.data.datasets import DATASETS
from wardround.data.datasets.base import MARKER, is_phantom
from wardround.data.deal import RECORD, deal, dealt_plan
from wardround.data.prepare import Prepared, prepare, prepare_at
from wardround.errors import CatalogueError, DataError, PlanError
from wardround.plan.schema import Plan
from wardround.rng import stream


def plan_of(dataset: str, folder: Path | None = None, **sections: dict[str, object]) -> Plan:
    data = {"dataset": dataset, "size": 8, "phantoms": 60} | ({"folder": folder} if folder else {}) | sections.pop("data", {})
    return Plan.model_validate({"name": "t", "split": {"val": 0.2, "test": 0.2}, "sites": {"num": 2}, **sections, "data": data})


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Data set "folder": 40 images of two classes in train and test."""
    for i in range(40):
        path = tmp_path / "images" / ("test" if i % 4 == 3 else "train") / "ab"[i // 2 % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stream("deal", i).integers(0, 256, (20, 20), dtype=np.uint8)).save(path)
    return tmp_path / "images"


def dealt_images(ready: Prepared, site: str) -> list[str]:
    return sorted(ready.catalogue.images[ready.homes == site].tolist())


def assert_each_site_has_its_images(plan: Plan, folder: Path) -> Prepared:
    """Deal, then prepare the folders: the same images, labels and facts, site by site. Returns what was prepared of the folders."""
    ready = prepare(plan)
    folders = deal(plan, folder)
    assert folders == {site: folder / site for site in ready.site_names}
    own = dealt_plan(plan, ready, folder)
    again = prepare(own)
    assert again.site_names == ready.site_names
    for site in ready.site_names:
        before, after = ready.catalogue.take(ready.homes == site), again.catalogue.take(again.homes == site)
        assert sorted(after.images) == [f"{site}/{image}" for image in sorted(before.images)]
        order = np.argsort(before.images.astype(str)), np.argsort(after.images.astype(str))
        assert np.array_equal(before.labels[order[0]], after.labels[order[1]])
        assert [patient and f"{site}/{patient}" for patient in before.patients[order[0]]] == after.patients[order[1]].tolist()
        assert before.splits[order[0]].tolist() == after.splits[order[1]].tolist()
        for name, column in before.columns.items():
            assert column[order[0]].tolist() == after.columns[name][order[1]].tolist()
        assert prepare_at(own, site, folder / site).split.tolist() == again.split[again.catalogue.column("site folder") == site].tolist()
    return again


SECTIONS: dict[str, dict[str, object]] = {"dirichlet": {"num": 3, "partition": "dirichlet", "alpha": 5.0},
                                          "missing-classes": {"num": 3, "partition": "missing-classes", "common": ("notumor",)},
                                          "iid": {"num": 2, "names": ("north", "south")}}


@pytest.mark.parametrize("partition", SECTIONS)
def test_folders_hold_exactly_what_the_partition_gave_and_are_known_as_phantoms(partition: str, tmp_path: Path) -> None:
    again = assert_each_site_has_its_images(plan_of("brain-tumour-mri", sites=SECTIONS[partition]), tmp_path / "dealt")
    assert again.catalogue.phantom
    assert all(is_phantom(tmp_path / "dealt" / site) for site in again.site_names)


def test_published_splits_stay_in_the_paths(images: Path, tmp_path: Path) -> None:
    plan = plan_of("folder", images, split={"policy": "published"})
    again = assert_each_site_has_its_images(plan, tmp_path / "dealt")
    assert again.split[again.catalogue.splits == "test"].tolist() == ["test"] * 10
    assert not again.catalogue.phantom
    assert not list((tmp_path / "dealt").rglob(MARKER))


def test_patients_in_file_names(tmp_path: Path) -> None:
    again = assert_each_site_has_its_images(plan_of("chest-xray"), tmp_path / "dealt")
    assert (again.catalogue.patients != "").all()


def test_a_folder_a_patient_with_images_and_masks(tmp_path: Path) -> None:
    for i in range(24):
        patient = f"TCGA_{('DU', 'HT')[i // 2 % 2]}_{i // 2:04}_19990101"
        (tmp_path / "data" / patient).mkdir(parents=True, exist_ok=True)
        pixels = stream("lgg", i).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / patient / f"{patient}_{i % 2 + 1}.tif")
        Image.fromarray(255 * (pixels[..., 0] > 128).astype(np.uint8)).save(tmp_path / "data" / patient / f"{patient}_{i % 2 + 1}_mask.tif")
    assert_each_site_has_its_images(plan_of("lgg-mri", tmp_path / "data", data={"channels": 3}), tmp_path / "dealt")


def test_an_archive_inside_the_data_folder_is_dealt_from_its_root(tmp_path: Path) -> None:
    DATASETS.find("brain-tumour-mri").write_phantom(tmp_path / "data" / "archive", 40, 0)
    plan = plan_of("brain-tumour-mri", tmp_path / "data")
    assert_each_site_has_its_images(plan, tmp_path / "dealt")
    assert (tmp_path / "dealt" / "site-1" / "Training").is_dir()


def test_cases_of_several_files_with_tables_beside_them(brains: Path, tmp_path: Path) -> None:
    source = copytree(brains, tmp_path / "data")
    cases = sorted(path.name for path in brains.iterdir())
    (source / "name_mapping.csv").write_text("Grade,BraTS_2019_subject_ID,BraTS_2020_subject_ID\n" + "".join(
        f"{'HL'[i % 2]}GG,BraTS19_{('CBICA', 'TCIA01')[i % 2]}_{i}_1,{case}\n" for i, case in enumerate(cases)))
    plan = plan_of("brats2020", source, data={"dims": 3, "channels": 4, "patch": (8, 8, 8)}, split={"val": 0.25, "test": 0.25})
    again = assert_each_site_has_its_images(plan, tmp_path / "dealt")
    assert set(again.catalogue.column("site")) == {"CBICA", "TCIA01"}
    tables = [(tmp_path / "dealt" / site / "name_mapping.csv").read_text() for site in again.site_names]
    assert sum(table.count("BraTS20_Training_003") for table in tables) == 1  # nothing of other sites' patients
    assert not list((tmp_path / "dealt").rglob("survival_info.csv"))


def test_masks_and_their_tables(slices: Path, tmp_path: Path) -> None:
    source = copytree(slices, tmp_path / "data")
    (source / "classes.json").write_text('{"classes": ["background", "disc"], "values": {"0": 0, "255": 1}}')
    again = assert_each_site_has_its_images(plan_of("image-mask", source), tmp_path / "dealt")
    assert again.catalogue.classes == ("background", "disc")
    assert again.masks is not None and again.masks.any()


def test_findings_with_their_table_and_lists(xrays: Path, tmp_path: Path) -> None:
    source = copytree(xrays, tmp_path / "data")
    names = sorted(path.name for path in (source / "images").iterdir())
    (source / "train_val_list.txt").write_text("\n".join(names[:30]) + "\n")
    (source / "test_list.txt").write_text("\n".join(names[30:]) + "\n")
    assert_each_site_has_its_images(plan_of("nih-chestxray14", source), tmp_path / "dealt")
    lists = [(tmp_path / "dealt" / site / "test_list.txt").read_text().split() for site in ("site-1", "site-2")]
    assert sorted(lists[0] + lists[1]) == names[30:]


@pytest.mark.parametrize("labels", [("a", "b"), ("Mass", "Mass|Edema", "No Finding", "Edema")])
def test_a_table_is_written_for_each_site(images: Path, tmp_path: Path, labels: tuple[str, ...]) -> None:
    files = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    (images / "list.csv").write_text("image;Label;patient;site;age;split\n" + "".join(
        f"{file};{labels[i // 2 % len(labels)]};p{i // 2};{'xy'[i % 2]};{i};{('train', 'test')[i // 30]}\n"
        for i, file in enumerate(files)))
    again = assert_each_site_has_its_images(plan_of("manifest", images / "list.csv"), tmp_path / "dealt")
    assert set(again.catalogue.columns) == {"site", "age", "site folder"}


def test_findings_that_never_come_together_at_a_site_stay_findings(images: Path, tmp_path: Path) -> None:
    files = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    (images / "list.csv").write_text("image,label,site\n" + "".join(
        f"{file},{('Mass', 'Edema')[i // 2 % 2]}{'|Edema' if i == 0 else ''},{'xy'[i >= 20]}\n" for i, file in enumerate(files)))
    again = assert_each_site_has_its_images(plan_of("manifest", images, sites={"partition": "column"}), tmp_path / "dealt")
    assert again.catalogue.task == "multilabel"


def test_images_that_take_no_part_are_not_dealt(images: Path, tmp_path: Path) -> None:
    (images / "train" / "a" / "0.png").write_bytes(b"")
    again = assert_each_site_has_its_images(plan_of("folder", images, data={"max_failed": 0.1}), tmp_path / "dealt")
    assert len(again.catalogue) == 39


def test_files_are_linked_or_else_copied(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of("folder", images)
    deal(plan, tmp_path / "linked")
    linked = next((tmp_path / "linked").rglob("0.png"))
    assert linked.samefile(images / "train" / "a" / "0.png")

    def refused(path: Path, target: Path) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    deal(plan, tmp_path / "copied")
    copied = next((tmp_path / "copied").rglob("0.png"))
    assert copied.read_bytes() == linked.read_bytes()
    assert not copied.samefile(linked)


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_another_deal_in_the_same_place_replaces_the_first_as_a_whole(images: Path, tmp_path: Path) -> None:
    plan = plan_of("folder", images)
    deal(plan, tmp_path / "dealt")
    first = files_in(tmp_path / "dealt")
    other = plan_of("folder", images, sites={"num": 3, "names": ("x", "y", "z")})
    deal(other, tmp_path / "dealt")
    assert {path.name for path in (tmp_path / "dealt").iterdir()} == {"x", "y", "z", RECORD}
    assert json.loads((tmp_path / "dealt" / RECORD).read_text())["sites"].keys() == {"x", "y", "z"}
    deal(plan, tmp_path / "dealt")
    assert files_in(tmp_path / "dealt") == first
    assert all(path.is_file() for path in images.rglob("*.png"))  # what a link led to is still there


def test_an_empty_folder_may_be_filled_and_another_s_files_are_never_removed(images: Path, tmp_path: Path) -> None:
    plan, folder = plan_of("folder", images), tmp_path / "dealt"
    folder.mkdir()
    deal(plan, folder)
    (folder / "notes.txt").write_text("mine")
    for place in (folder, folder / "notes.txt"):
        with pytest.raises(PlanError, match="is not, or not only, what an earlier deal has written"):
            deal(plan, place)
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_deal_that_fails_leaves_the_former_one_and_no_half(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, folder = plan_of("folder", images), tmp_path / "dealt"
    deal(plan, folder)
    before = files_in(tmp_path)

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_put", full)
    with pytest.raises(DataError, match=r"dealt: the sites' images cannot be written \(No space left on device\)"):
        deal(replace_sites(plan, ("x", "y")), folder)
    assert files_in(tmp_path) == before


def replace_sites(plan: Plan, names: tuple[str, ...]) -> Plan:
    return plan.model_copy(update={"sites": plan.sites.model_copy(update={"names": names, "num": len(names)})})


def test_the_data_folder_is_never_dealt_into_nor_replaced(images: Path, tmp_path: Path) -> None:
    plan = plan_of("folder", images)
    deal(plan, tmp_path / "dealt")
    for place in (images, images / "dealt", tmp_path):
        with pytest.raises(PlanError, match="cannot lie in the data folder, nor it in them"):
            deal(plan, place)
    with pytest.raises(PlanError, match="nor it in them"):
        deal(plan_of("folder", tmp_path / "dealt" / "site-1"), tmp_path / "dealt")


@pytest.mark.parametrize(("partition", "said"), [("feature-shift", "files are dealt as they are"), ("folders", "has a folder already")])
def test_partitions_that_files_cannot_show_are_refused(images: Path, tmp_path: Path, partition: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        deal(plan_of("folder", images, sites={"num": 2, "names": ("x", "y"), "partition": partition}), tmp_path / "dealt")


def test_a_data_set_in_one_file_is_refused_with_those_that_can_be_dealt(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"'pneumoniamnist' cannot be dealt out: .*brain-tumour-mri, chest-xray, .*manifest"):
        deal(plan_of("pneumoniamnist"), tmp_path / "dealt")


@pytest.mark.parametrize("name", ["a/b", "..", RECORD])
def test_a_site_s_name_that_cannot_be_a_folder_is_refused(images: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanError, match="cannot name a folder"):
        deal(plan_of("folder", images, sites={"num": 2, "names": ("x", name)}), tmp_path / "dealt")
    assert not (tmp_path / "dealt").exists()


def test_a_site_whose_folder_would_not_be_read_is_refused_before_anything_is_there(tmp_path: Path) -> None:
    plan = plan_of("chest-xray", sites={"num": 2, "partition": "shards", "shards": 1})  # a class each, where the layout knows both
    with pytest.raises(CatalogueError, match=r"for want of a class .*less skewed sites\.partition"):
        deal(plan, tmp_path / "dealt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_read_as_other_images_is_refused(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = module.read_all

    def fewer(reader: object, plan: Plan) -> object:
        found = read(reader, plan)  # type: ignore[arg-type]
        return found.take(np.arange(1, len(found)))

    monkeypatch.setattr(module, "read_all", fewer)
    with pytest.raises(CatalogueError, match=r"site 'site-1': \d+ images would be dealt, but \d+ others would be read"):
        deal(plan_of("folder", images), tmp_path / "dealt")
