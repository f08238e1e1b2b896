from pathlib import Path
from shutil import copytree, rmtree
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from wardround.build import Arm, build, rows_of_arm
from wardround.core.events import silent
from wardround.data import volumes
from wardround.data.datasets.base import MARKER
from wardround.data.prepare import Prepared, check, prepare, prepare_at
from wardround.data.split import check_no_leak
from wardround.errors import CatalogueError, DataError, PartitionError, PlanError
from wardround.plan.schema import Plan
from wardround.rng import stream
from wardround.runs.folder import RunFolder
from wardround.session.single import start
from wardround.sites.site import Site

NAMES = ("north", "south")


def draw(path: Path, seed: object, size: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(stream("hospitals", seed).integers(0, 256, (size, size), dtype=np.uint8)).save(path)


@pytest.fixture
def hospitals(tmp_path: Path) -> Path:
    """Tables of 30 images of 15 patients in the north, 20 of 10 in the south. Patients p0 to p9 are named at both; image 0 is at both, and
    twice in the north, where its copy is another patient's; image 7 of the north is cut short."""
    for site, num in (("north", 30), ("south", 20)):
        rows = ["image,label,patient,split"]
        for i in range(num):
            draw(tmp_path / site / f"{i}.png", (site if i else "both", i))
            rows.append(f"{i}.png,{'ab'[i // 2 % 2]},p{i // 2},{'train' if i % 20 < 16 else 'test'}")
        (tmp_path / site / "manifest.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "north" / "29.png").write_bytes((tmp_path / "north" / "0.png").read_bytes())
    (tmp_path / "north" / "7.png").write_bytes((tmp_path / "north" / "7.png").read_bytes()[:60])
    return tmp_path


def plan_of(folder: Path | None, dataset: str = "manifest", names: tuple[str, ...] | None = NAMES, **sections: dict[str, object]) -> Plan:
    data = {"dataset": dataset, "size": 8, "max_failed": 0.05} | ({"folder": folder} if folder else {}) | sections.pop("data", {})
    return Plan.model_validate({"name": "t", "data": data, "split": {"val": 0.2, "test": 0.2},
                                "sites": {"num": len(names or NAMES), "names": names, "partition": "folders"},
                                "model": {"name": "wardround.testing:toy_net"}, "recipe": {"batch_size": 4}, **sections})


CLASSES = {"data": {"classes": ("a", "b")}}


def batches(plan: Plan, ready: Prepared, site: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What a site trains on in rounds 1 and 2."""
    blueprint = build(plan, ready, "federated")
    bench: Any = SimpleNamespace(feed=blueprint.feed, seed=plan.seed, poison=None, model=SimpleNamespace(device=torch.device("cpu")))
    orders: list[Any] = [SimpleNamespace(round=t, recipe=plan.recipe) for t in (1, 2)]
    return [batch for order in orders for batch in Site(rows=blueprint.rows[site], bench=bench).batches(order)]


def assert_same_at(plan: Plan, whole: Prepared, site: str, folder: Path) -> None:
    """The hospital alone has its part of the whole, and trains on the same bits."""
    alone = prepare_at(plan, site, folder)
    rows = np.flatnonzero(whole.catalogue.column("site folder") == site)
    assert alone.site_names == (site,)
    assert alone.split.tolist() == whole.split[rows].tolist()
    assert alone.homes.tolist() == whole.homes[rows].tolist()
    assert np.array_equal(alone.catalogue.labels, whole.catalogue.labels[rows])
    assert alone.catalogue.classes == whole.catalogue.classes
    known = alone.groups >= 0
    assert np.array_equal(known, whole.groups[rows] >= 0)
    assert len(set(alone.groups[known] - whole.groups[rows][known])) == 1
    expected = batches(plan, whole, site)
    found = batches(plan, alone, site)
    assert len(found) == len(expected) > 1
    assert all(torch.equal(a, b) for pair, other in zip(found, expected, strict=True) for a, b in zip(pair, other, strict=True))


def test_sites_hold_their_folders_in_the_order_of_their_names(hospitals: Path) -> None:
    ready = prepare(plan_of(hospitals, names=("south", "north")))
    assert ready.site_names == ("south", "north")
    assert [image.partition("/")[0] for image in ready.catalogue.images] == ["south"] * 20 + ["north"] * 30
    assert set(ready.homes[:20]) == {"south"}
    assert ready.ledger.counts() == {"used": 49, "skipped": 0, "failed": 1}
    assert all((ready.catalogue.root / image).is_file() for image in ready.catalogue.images)


@pytest.mark.parametrize("policy", ["grouped", "published", "folds"])
@pytest.mark.parametrize("site", NAMES)
def test_a_hospital_alone_prepares_its_part_of_the_whole(hospitals: Path, site: str, policy: str) -> None:
    plan = plan_of(hospitals, split={"policy": policy, "val": 0.2, "test": 0.2}, augment={"flip": True, "rotate_deg": 10.0},
                   data={"classes": ("b", "a")})
    assert_same_at(plan, prepare(plan), site, hospitals / site)


def test_the_study_s_plan_needs_no_data_folder_at_the_hospital(hospitals: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = copytree(hospitals / "south", tmp_path_factory.mktemp("own") / "any name")
    alone = prepare_at(plan_of(None, **CLASSES), "south", elsewhere)
    assert alone.split.tolist() == prepare(plan_of(hospitals)).split[30:].tolist()


def test_a_table_can_be_named_instead_of_its_folder(hospitals: Path) -> None:
    plan = plan_of(hospitals, **CLASSES)
    assert_same_at(plan, prepare(plan), "south", hospitals / "south" / "manifest.csv")


def test_patients_and_copies_stay_on_one_side_within_a_site_and_are_not_compared_across(hospitals: Path) -> None:
    ready = prepare(plan_of(hospitals))
    check_no_leak(ready.split, ready.groups)
    assert ready.groups[0] == ready.groups[1] == ready.groups[29] != ready.groups[30]  # the same pixels, and the patient's other image
    assert not set(ready.groups[:30]) & set(ready.groups[30:])
    assert not set(ready.catalogue.patients[:30]) & set(ready.catalogue.patients[30:])
    places = set(zip(ready.catalogue.patients, ready.split, strict=True)) - {("north/p3", "out")}  # of which an image is cut short
    assert len(places) == 25


def test_leaks_of_the_published_split_are_counted_within_sites(hospitals: Path) -> None:
    for site in NAMES:
        table = hospitals / site / "manifest.csv"
        table.write_text(table.read_text().replace("0.png,a,p0,train", "0.png,a,p0,test"))
    found = check(plan_of(hospitals))
    assert found.leaks.test["identical"] == 1  # the north's copy; the south's equal image does not count
    assert found.leaks.test["patient"] == 2  # its patient's second image at each
    assert (found.images, found.num_identical) == (50, 2)


def test_pooled_and_local_arms_hold_the_union_and_a_part_of_the_sites_own_splits(hospitals: Path) -> None:
    ready = prepare(plan_of(hospitals))
    sites = rows_of_arm(ready, "federated", None)
    pooled = rows_of_arm(ready, "pooled", None)["pooled"]
    for part in ("train", "val", "test"):
        assert pooled.of(part).tolist() == np.concatenate([sites[site].of(part) for site in NAMES]).tolist()
    assert rows_of_arm(ready, "local", "south")["south"].train.tolist() == sites["south"].train.tolist()


def test_every_arm_trains_on_folders(hospitals: Path, tmp_path: Path) -> None:
    plan = plan_of(hospitals, rounds={"num": 1}, evaluation={"resamples": 100},
                   engine={"workers": 1, "precision": "fp32", "layout": "contiguous", "device": "cpu"})
    ready = prepare(plan)
    arms: list[tuple[Arm, str | None]] = [("federated", None), ("pooled", None), ("local", "north")]
    for arm, site in arms:
        scores = start(plan, ready, arm, site, RunFolder(tmp_path / "out" / arm), silent).scores()
        assert scores["num_test"] == len(ready.rows(None, "test"))


def test_other_sites_images_change_nothing_at_a_site(hospitals: Path) -> None:
    first = prepare(plan_of(hospitals))
    draw(hospitals / "south" / "5.png", "another")
    second = prepare(plan_of(hospitals))
    assert first.split[:30].tolist() == second.split[:30].tolist()
    assert first.fingerprint != second.fingerprint


# --- what is refused


def test_names_and_folder_are_required(hospitals: Path) -> None:
    with pytest.raises(PlanError, match=r"needs sites\.names"):
        prepare(plan_of(hospitals, names=None))
    with pytest.raises(PlanError, match=r"needs data\.folder.*--deal DIR"):
        prepare(plan_of(None))


def test_a_missing_folder_is_named_with_the_near_one(hospitals: Path) -> None:
    with pytest.raises(CatalogueError, match=r"nort: site 'nort' has no folder here\. Did you mean 'north'\?.*Found: north, south"):
        prepare(plan_of(hospitals, names=("nort", "south")))
    with pytest.raises(CatalogueError, match=r"the data folder .*none does not exist"):
        prepare(plan_of(hospitals / "none"))


@pytest.mark.parametrize("name", ["../north", "a/b", "..", "", "a{b}", "a#b"])
def test_a_name_that_cannot_be_a_sub_folder_is_refused(hospitals: Path, name: str) -> None:
    with pytest.raises(PlanError, match="cannot name a sub-folder"):
        prepare(plan_of(hospitals, names=("north", name)))


def test_an_unknown_class_names_the_site_and_the_image(hospitals: Path) -> None:
    table = hospitals / "south" / "manifest.csv"
    table.write_text(table.read_text().replace("5.png,a", "5.png,c").replace("15.png,c", "15.png,b"))
    plan = plan_of(hospitals, **CLASSES)
    for look in (lambda: prepare(plan), lambda: prepare_at(plan, "south", hospitals / "south")):
        with pytest.raises(CatalogueError, match=r"site 'south': manifest: unknown label 'c'.*5\.png"):
            look()
    prepare_at(plan, "north", hospitals / "north")


def test_a_folder_that_cannot_be_read_names_the_site(hospitals: Path) -> None:
    (hospitals / "south" / "manifest.csv").unlink()
    with pytest.raises(CatalogueError, match=r"site 'south': .*no CSV file"):
        prepare(plan_of(hospitals))


def test_a_site_that_cannot_be_split_is_named(hospitals: Path) -> None:
    table = hospitals / "south" / "manifest.csv"
    table.write_text("".join(line for line in table.read_text().splitlines(keepends=True) if ",train" not in line))
    with pytest.raises(PartitionError, match="site 'south': data set 'manifest' has no complete published split: it has no train images"):
        prepare(plan_of(hospitals, split={"policy": "published"}))
    table.write_text("image,label\n3.png,a\n")
    with pytest.raises(PartitionError, match=r"site 'south': .*no image is left for val and test"):
        prepare(plan_of(hospitals))


def test_failures_are_judged_site_by_site(hospitals: Path) -> None:
    for i in (1, 2):
        (hospitals / "south" / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"site 'south': 2 of 20 images cannot be read .*south/1\.png \(empty_file\)"):
        prepare(plan_of(hospitals))
    for i in range(20):
        (hospitals / "south" / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match="site 'south': 20 of 20 images cannot be read"):
        prepare(plan_of(hospitals, data={"max_failed": 1.0}))


def test_a_reader_that_looks_outside_of_the_site_s_folder_is_refused(tmp_path: Path) -> None:
    for i, name in enumerate(("Training/glioma", "Training/pituitary", "Testing/glioma", "Testing/pituitary")):
        draw(tmp_path / name / "0.png", i)
    with pytest.raises(CatalogueError, match="site 'Training': its images are looked for in"):
        prepare(plan_of(tmp_path, dataset="brain-tumour-mri", names=("Training", "Testing")))


def test_what_a_hospital_alone_cannot_know_must_be_in_the_plan(hospitals: Path) -> None:
    for plan, said in ((plan_of(None), r"Name all of them in data\.classes"),
                       (plan_of(None, data={"classes": ("a", "b"), "harmonise": "percentiles"}), "needs the grey values of all sites"),
                       (plan_of(None, names=("north", "west"), **CLASSES), "no site 'south' in sites.names.*Sites: north, west"),
                       (plan_of(None, sites={"partition": "iid"}, **CLASSES), "divides one data set")):
        with pytest.raises(PlanError, match=said):
            prepare_at(plan, "south", hospitals / "south")


def test_grey_values_can_be_harmonised_in_simulation(hospitals: Path) -> None:
    ready = prepare(plan_of(hospitals, data={"harmonise": "percentiles"}))
    assert ready.greys is not None and list(ready.greys.sites) == list(NAMES)


# --- other kinds of data sets


def labelled(folder: Path, classes: dict[str, int]) -> None:
    for name, num in classes.items():
        for i in range(num):
            draw(folder / name / f"{i}.png", (str(folder), name, i))


def test_classes_are_those_of_all_sites_in_the_reader_s_order(tmp_path: Path) -> None:
    labelled(tmp_path / "north", {"10": 8, "9": 8})
    labelled(tmp_path / "south", {"10": 8, "2": 8})
    ready = prepare(plan_of(tmp_path, dataset="folder"))
    assert ready.catalogue.classes == ("2", "9", "10")
    plan = plan_of(tmp_path, dataset="folder", data={"classes": ready.catalogue.classes})
    assert_same_at(plan, ready, "south", tmp_path / "south")


def findings(folder: Path, labels: list[str]) -> None:
    rows = ["image,label", *(f"{i}.png,{labels[i % len(labels)]}" for i in range(20))]
    for i in range(20):
        draw(folder / f"{i}.png", (str(folder), i))
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")


def test_a_finding_that_a_site_has_never_seen_is_absent_there(tmp_path: Path) -> None:
    findings(tmp_path / "north", ["Mass", "Mass|Edema", "Edema"])
    findings(tmp_path / "south", ["Mass|Hernia", "Mass"])
    ready = prepare(plan_of(tmp_path))
    assert ready.catalogue.classes == ("Edema", "Hernia", "Mass")
    assert ready.catalogue.labels[20:, 0].sum() == 0
    plan = plan_of(tmp_path, data={"classes": ready.catalogue.classes}, recipe={"loss": "binary_cross_entropy", "batch_size": 4},
                   rounds={"metric": "auroc"})
    assert_same_at(plan, ready, "south", tmp_path / "south")


def test_sites_with_another_kind_of_labels_are_refused(tmp_path: Path) -> None:
    findings(tmp_path / "north", ["Mass", "Mass|Edema", "Edema"])
    findings(tmp_path / "south", ["Mass", "Edema"])
    with pytest.raises(CatalogueError, match="site 'south' has binary images, but site 'north' multilabel ones"):
        prepare(plan_of(tmp_path))


def test_a_column_that_only_one_site_has_is_empty_in_the_other(hospitals: Path) -> None:
    table = hospitals / "south" / "manifest.csv"
    table.write_text("\n".join(f"{line},{i or 'age'}" for i, line in enumerate(table.read_text().splitlines())))
    ready = prepare(plan_of(hospitals))
    assert ready.catalogue.column("age")[[0, 29, 30, 49]].tolist() == ["", "", "1", "20"]


def split_in_two(source: Path, target: Path, names: list[str], also: tuple[str, ...] = ()) -> Path:
    """Entries of a folder dealt in turn to the sites; `also` to both."""
    for i, name in enumerate(names):
        copytree(source / name, target / NAMES[i % 2] / name)
    for site in NAMES:
        for name in also:
            (target / site / name).write_bytes((source / name).read_bytes())
    return target


def test_pictures_with_masks(slices: Path, tmp_path: Path) -> None:
    copytree(slices, tmp_path / "north")
    copytree(slices, tmp_path / "south")
    for i in range(6):
        (tmp_path / "south" / "images" / f"{i:02}.png").unlink()
    plan = plan_of(tmp_path, dataset="image-mask", rounds={"metric": "dice"},
                   split={"val": 0.25, "test": 0.25}, data={"size": 16})
    ready = prepare(plan)
    assert ready.masks is not None and len(ready.masks) == 24 + 18
    assert len(set(ready.catalogue.patients)) == 12 + 9
    assert_same_at(plan, ready, "south", tmp_path / "south")


def brats_plan(folder: Path | None) -> Plan:
    return plan_of(folder, dataset="brats2020", data={"dims": 3, "channels": 4, "patch": (8, 8, 8), "foreground": 1.0},
                   rounds={"metric": "dice"}, split={"val": 0.25, "test": 0.25}, recipe={"batch_size": 1})


def test_volumes_with_masks_are_cut_at_the_same_places_as_at_the_hospital(brains: Path, tmp_path: Path,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "POINTS", 8)  # of each class, so that which ones are remembered matters
    folder = split_in_two(brains, tmp_path, sorted(path.name for path in brains.iterdir()))
    ready = prepare(brats_plan(folder))
    assert ready.volumes is not None
    for row, image in enumerate(ready.catalogue.images):
        assert ready.volumes.mask(row).shape == ready.volumes.image(row).shape[1:]
        assert ready.volumes.middle(row).shape[0] == 4
        assert image.startswith(f"{ready.homes[row]}/")
    assert set(ready.ledger.status) == {"used"}
    with pytest.raises(IndexError):
        ready.volumes.mask(8)
    for site in NAMES:
        assert_same_at(brats_plan(None), ready, site, folder / site)


def test_volumes_with_labels(scans: Path, tmp_path: Path) -> None:
    for site in NAMES:
        copytree(scans, tmp_path / site)
    rmtree(tmp_path / "south" / "low")
    plan = plan_of(tmp_path, dataset="folder", data={"dims": 3, "patch": (4, 8, 8), "classes": ("low", "high")})
    assert_same_at(plan, prepare(plan), "south", tmp_path / "south")


def test_masks_of_other_classes_or_numbers_are_refused(slices: Path, tmp_path: Path) -> None:
    for site in NAMES:
        copytree(slices, tmp_path / site)
    plan = plan_of(tmp_path, dataset="image-mask")
    named = tmp_path / "south" / "classes.json"
    named.write_text('{"classes": ["background", "liver"], "values": {"0": 0, "255": 1}}')
    with pytest.raises(CatalogueError, match="site 'south' has masks of the classes background, liver, but site 'north' of"):
        prepare(plan)
    named.write_text('{"classes": ["background", "foreground"], "values": {"0": 0, "255": 1}}')
    with pytest.raises(CatalogueError, match="the values in the masks of site 'south' mean other classes"):
        prepare(plan)
    with pytest.raises(CatalogueError, match=r"site 'north': .*Leave out data\.classes"):
        prepare(plan_of(tmp_path, dataset="image-mask", **CLASSES))


def test_a_phantom_at_one_site_or_above_them_makes_all_phantoms(hospitals: Path) -> None:
    assert not prepare(plan_of(hospitals)).catalogue.phantom
    (hospitals / "south" / MARKER).write_text("{}")
    assert prepare(plan_of(hospitals)).catalogue.phantom
    assert prepare_at(plan_of(None, **CLASSES), "south", hospitals / "south").catalogue.phantom
    (hospitals / MARKER).write_text("{}")
    (hospitals / "south" / MARKER).unlink()
    assert prepare(plan_of(hospitals)).catalogue.phantom
