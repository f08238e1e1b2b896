"""What the page Data says, without a window: folders, checks, pictures and hand-mapped tables."""

import csv
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wardround.app.views.data import begun, held, look, started
from wardround.app.views.draft import Draft
from wardround.app.views.ledger import checked
from wardround.app.views.mapping import Roles, cautions, columns_of, lacking, mapped, place_of
from wardround.app.views.pixels import thumbnail, thumbnails, volume_of
from wardround.app.views.sheet import NO_SITE, Pick, Sheet
from wardround.errors import CatalogueError, PlanError
from wardround.rng import stream

OVERRIDES = {"data.size": 16, "data.max_failed": 0.5, "split.val": 0.2, "split.test": 0.2, "sites.num": 2}


def picture(path: Path, *seed: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(stream("picture", *seed).integers(0, 255, (40, 30)).astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 12; the first of each is cut short; healthy/02 is a copy of healthy/01, and ill/02 of healthy/01 too."""
    for name in ("healthy", "ill"):
        for index in range(12):
            picture(tmp_path / "set" / name / f"{index:02}.png", name, index)
        first = tmp_path / "set" / name / "00.png"
        first.write_bytes(first.read_bytes()[:200])
    copy = (tmp_path / "set" / "healthy" / "01.png").read_bytes()
    for name in ("healthy", "ill"):
        (tmp_path / "set" / name / "02.png").write_bytes(copy)
    return tmp_path / "set"


def plan_for(folder: Path, **keys: object):
    draft = Draft().with_text(begun(Draft(), look(folder)).text)
    for key, value in (OVERRIDES | keys).items():
        draft = draft.with_key(key, value)
    assert draft.plan is not None, draft.problem
    return draft.plan


def test_a_folder_is_detected_and_counted_without_decoding(folder):
    found = look(folder)
    assert (found.dataset, found.task, len(found)) == ("folder", "binary", 24)
    assert found.counts.rows == (("healthy", "12", "12"), ("ill", "12", "12"), ("All images", "24", "24"))
    assert found.facts["Patients"].startswith("not known")
    assert set(found.labels.tolist()) == {"healthy", "ill"}


def test_a_missing_folder_an_unlike_one_and_a_table_without_images_say_what_to_do(tmp_path):
    with pytest.raises(CatalogueError, match=r"no such folder or file\. Check the spelling"):
        look(tmp_path / "nowhere")
    picture(tmp_path / "lone" / "a.png")
    with pytest.raises(CatalogueError, match=r"1 images without folders of classes\)\. Give each class a folder"):
        look(tmp_path / "lone")
    (tmp_path / "table.csv").write_text("file,diagnosis\na.png,ill\n")
    with pytest.raises(CatalogueError, match="no column 'image'"):
        look(tmp_path / "table.csv")


def test_a_plan_begins_as_the_shipped_one_that_fits(folder, slices):
    change = begun(Draft(), look(folder))
    draft = Draft().with_text(change.text)
    assert change.start == "chest-xray-pneumonia"
    assert "'chest-xray-pneumonia'" in change.note
    assert draft.value("data.dataset") == "folder"
    assert draft.value("data.folder") == folder
    assert draft.value("split.policy") == "grouped"
    drawn = Draft().with_text(begun(Draft(), look(slices)).text)
    assert (drawn.value("model.name"), drawn.value("sites.partition"), drawn.value("sites.column")) == ("unet", "column", "site")
    assert drawn.problem == ""


def test_an_open_plan_keeps_its_settings_and_the_fitting_one_is_offered(folder):
    draft = Draft.of("lgg-mri")
    change = begun(draft, look(folder))
    kept = Draft().with_text(change.text)
    assert (kept.name, kept.value("data.dataset"), kept.value("model.name")) == ("lgg-mri", "folder", "unet")
    assert change.offer == "chest-xray-pneumonia"
    assert Draft().with_text(started(change.offer, look(folder)).text).value("model.name") == "resnet18"


def test_a_check_gives_every_image_its_reason_split_site_and_group(folder):
    result = checked(plan_for(folder))
    failed = result.status == "failed"
    assert result.found.images[failed].tolist() == ["healthy/00.png", "ill/00.png"]
    assert set(result.reason[failed].tolist()) == {"truncated"}
    assert all("00.png" in detail for detail in result.detail[failed])
    assert set(result.split[~failed].tolist()) == {"train", "val", "test"}
    assert set(result.site[~failed].tolist()) == {"site-1", "site-2"}
    copies = np.isin(result.found.images, ["healthy/01.png", "healthy/02.png", "ill/02.png"])
    assert len(set(result.group[copies].tolist())) == 1
    assert len(set(result.split[copies].tolist())) == 1
    assert result.num_alike[copies].tolist() == [3, 3, 3]
    assert result.summary == "22 used, 0 left out, 2 unreadable, of 24 images"
    assert result.problem == ""


def test_a_check_says_what_it_found_and_what_it_looked_for_in_vain(folder):
    matters = {matter.title: (matter.level, matter.num) for matter in checked(plan_for(folder)).matters}
    assert matters["Unreadable images"] == ("caution", 2)
    assert matters["Identical pixels"] == ("caution", 3)
    assert matters["One picture, two labels"] == ("bad", 3)
    assert matters["Leaks of the published split"] == ("good", 0)
    assert matters["Patients are not known"] == ("caution", 22)


def test_leaks_of_a_published_split_are_counted_and_shown_as_pairs(tmp_path):
    for split, num in (("train", 12), ("test", 6)):
        for name in ("healthy", "ill"):
            for index in range(num):
                picture(tmp_path / split / name / f"{index:02}.png", split, name, index)
    (tmp_path / "test/ill/00.png").write_bytes((tmp_path / "train/ill/03.png").read_bytes())
    result = checked(plan_for(tmp_path))
    assert result.leaks.rows[-1] == ("any of these", "1", "0")
    assert ("the same pixels", "test/ill/00.png", "train/ill/03.png") in result.examples.rows
    assert result.split[result.found.images == "test/ill/00.png"].tolist() == ["test-leak"]
    assert "judged apart" in next(matter.action for matter in result.matters if matter.title.startswith("Leaks"))


def test_a_plan_that_cannot_be_carried_out_still_has_a_ledger(folder):
    result = checked(plan_for(folder, **{"data.max_failed": 0.01}))
    assert "cannot be carried out" in result.problem
    assert "2 of 24 images cannot be read" in result.problem
    assert (result.status == "failed").sum() == 2
    unsplit = checked(plan_for(folder, **{"sites.partition": "column", "sites.column": "hospital"}))
    assert "no column 'hospital'" in unsplit.problem
    assert set(unsplit.split.tolist()) == {"train", "val", "test", ""}


def test_phantoms_of_a_plan_without_folder_are_told():
    plan = Draft.of("demo").with_key("data.phantoms", 40).plan
    found = held(plan)
    assert found.is_phantom
    assert len(found) == 40
    assert "no patient" in found.facts["Caution"]


def test_a_sheet_filters_by_class_split_site_reason_and_text(folder):
    result = checked(plan_for(folder))
    sheet = Sheet(result.found, result)
    assert len(sheet.rows(Pick())) == 24
    assert result.found.images[sheet.rows(Pick(stratum="ill", text="/03"))].tolist() == ["ill/03.png"]
    assert len(sheet.rows(Pick(status="failed"))) == len(sheet.rows(Pick(status="truncated"))) == 2
    trained = sheet.rows(Pick(split="train", site="site-1"))
    assert set(result.site[trained].tolist()) == {"site-1"}
    assert set(result.split[trained].tolist()) == {"train"}
    assert sheet.sites() == ["site-1", "site-2", NO_SITE]
    assert len(sheet.rows(Pick(site=NO_SITE))) == 2
    assert sheet.statuses() == {"used": "used (22)", "failed": "unreadable (2)", "truncated": "    cut short or damaged (2)"}
    assert {"Status", "Reason", "Split", "Site", "Group"} <= set(sheet.columns())
    assert "Status" not in Sheet(result.found).columns()
    assert "Patient" not in sheet.columns()  # nothing is known of it


def test_a_thumbnail_keeps_its_shape_and_a_damaged_one_is_crossed(folder):
    good, bad = thumbnails(folder, ["ill/03.png", "ill/00.png"], 20)
    assert good.shape == (20, 15)
    assert bad.shape == (20, 20)
    assert bad[3, 3] == bad[3, 16] != bad[3, 10]


def test_a_thumbnail_shows_the_outline_of_its_mask(slices):
    plain = thumbnail(slices, "images/00.png", 32)
    marked = thumbnail(slices, "images/00.png", 32, "masks/00.tif")
    assert (marked != plain).sum() > 10
    assert set(marked[marked != plain].tolist()) == {255}


def test_a_volume_has_all_its_channels_upright_with_its_mask(brains):
    found = look(brains)
    assert found.is_volume
    assert found.channel_names == ("FLAIR", "T1", "T1 with contrast", "T2")
    assert Sheet(found).caption(0) == "BraTS20_Training_001\nBraTS20_Training_001"  # its name, and its patient
    looked = volume_of(found.root, str(found.images[0]), mask=str(found.masks[0]), mask_values=found.mask_values)
    assert looked.volume.shape == (4, 16, 16, 16)
    assert looked.volume.dtype == np.int16
    assert looked.mask.shape == (16, 16, 16)
    lesion = looked.volume[0][looked.mask != 0].mean()  # FLAIR is bright there: image and mask are turned alike
    assert lesion > looked.volume[0][(looked.mask == 0) & (looked.volume[0] > 0)].mean() + 20


def test_a_large_picture_is_made_smaller_and_a_damaged_one_explained(folder, tmp_path):
    Image.new("L", (3000, 1500), 90).save(tmp_path / "large.png")
    looked = volume_of(tmp_path, "large.png")
    assert looked.volume.shape == (1, 1, 512, 1024)
    assert set(np.unique(looked.volume)) == {90}
    assert "cut short" in volume_of(folder, "ill/00.png").problem


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A hospital's own table beside a folder of scans, whose names it writes without suffix; the last one is not there."""
    rows = []
    for index in range(6):
        if index < 5:
            picture(tmp_path / "pacs" / "scans" / f"s{index}.png", "table", index)
        rows.append({"Scan": f"scans/s{index}", "Dx": ("ill", "healthy")[index % 2], "Subject": f"p{index // 2}", "Clinic": "north",
                     "Effusion": str(index % 2), "Mass": ("1.0", "")[index // 3], "Set": ("training", "test")[index // 4],
                     "split": "x", "Age": "60"})
    return write(tmp_path / "pacs" / "export.csv", rows)


ROLES = {"image": "Scan", "patient": "Subject", "site": "Clinic", "split": "Set"}


def test_a_table_shows_its_columns_and_guesses_their_roles(tmp_path):
    shown = columns_of(write(tmp_path / "t.csv", [{"Image Index": "a.png", "Finding Labels": "Mass", "Patient ID": "1", "Hospital": "x"}]))
    assert shown.names == ("Image Index", "Finding Labels", "Patient ID", "Hospital")
    assert shown.guess == Roles(image="Image Index", label="Finding Labels", patient="Patient ID", site="Hospital")
    assert (shown.num_rows, shown.first.rows[0][1]) == (1, "Mass")


@pytest.mark.parametrize(("roles", "said"), [
    (Roles(label="a"), "names the image files"), (Roles(image="a"), "what is learnt"),
    (Roles(image="a", label="b", mask="c"), "one of label, findings and mask"), (Roles(image="a", label="a"), "'a' has two roles"),
    (Roles(image="a", label="b", mask_classes=("x",)), "no column of masks"), (Roles(image="a", label="b"), "")])
def test_what_is_lacking_is_said(roles, said):
    assert said in lacking(roles) and bool(said) == bool(lacking(roles))


def test_patients_that_are_left_out_are_a_caution():
    assert "both sides" in cautions(Roles(image="a", label="b"))[0]
    assert cautions(Roles(image="a", label="b", patient="c")) == ()


def test_a_mapped_table_is_read_as_a_manifest_and_the_original_stays(table, tmp_path):
    before = table.read_bytes()
    result = mapped(table, Roles(label="Dx", **ROLES), place_of(table, tmp_path / "workspace"))
    found = look(result.place)
    assert (result.dataset, result.num_images, result.num_missing) == ("manifest", 6, 1)
    assert found.labels.tolist() == ["ill", "healthy"] * 3
    assert found.patients.tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert found.splits.tolist() == ["train"] * 4 + ["test"] * 2
    assert set(found.further) == {"site", "Effusion", "Mass", "split (column)", "Age"}
    assert volume_of(found.root, str(found.images[0])).problem == ""
    assert (found.root / found.images[0]).samefile(table.parent / "scans" / "s0.png")  # linked, not copied
    assert "1 images are not there" in result.said
    assert table.read_bytes() == before
    assert sorted(path.name for path in table.parent.iterdir()) == ["export.csv", "scans"]


def test_columns_of_findings_become_several_findings_an_image(table, tmp_path):
    found = look(mapped(table, Roles(findings=("Effusion", "Mass"), **ROLES), tmp_path / "out").place)
    assert found.task == "multilabel"
    assert found.labels.tolist() == ["Mass", "Effusion, Mass", "Mass", "Effusion", "No Finding", "Effusion"]


def test_images_with_masks_become_pairs(slices, tmp_path):
    rows = [{"picture": f"images/{index:02}.png", "outline": f"masks/{index:02}.tif", "who": f"p{index // 2}", "where": "north"}
            for index in range(6)]
    table = write(tmp_path / "t.csv", rows)
    result = mapped(table, Roles(image="picture", mask="outline", patient="who", site="where", folder=slices), tmp_path / "out")
    found = look(result.place)
    assert (found.dataset, found.task, len(found)) == ("image-mask", "segmentation", 6)
    assert found.patients.tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert set(found.further["site"].tolist()) == {"north"}
    assert volume_of(found.root, str(found.images[0]), mask=str(found.masks[0]), mask_values=found.mask_values).mask.any()


def test_masks_of_several_classes_are_named(brains, tmp_path):
    case = next(brains.glob("BraTS*"))
    table = write(tmp_path / "t.csv", [{"scan": str(case / f"{case.name}_t1.nii.gz"), "seg": str(case / f"{case.name}_seg.nii.gz")}])
    names = ("background", "necrosis", "oedema", "three", "enhancing")
    found = look(mapped(table, Roles(image="scan", mask="seg", mask_classes=names, folder=brains), tmp_path / "out").place)
    assert (found.classes, found.is_volume) == (names, True)


@pytest.mark.parametrize(("change", "said"), [
    ({"Scan": ""}, "row 3: 'Scan' is empty"), ({"Scan": "scans/s0"}, "row 3: the same file as in row 2"),
    ({"Scan": "../other/a.png"}, "row 3: its file lies outside of"), ({"Mass": "perhaps"}, "row 3: 'perhaps' in column 'Mass'"),
    ({"Set": "later"}, "row 3: 'later' in column 'Set' is no split")])
def test_a_wrong_cell_is_named_by_its_row(table, tmp_path, change, said):
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[1] |= change
    with pytest.raises(CatalogueError, match=said.replace("(", r"\(")):
        mapped(write(table, rows), Roles(findings=("Effusion", "Mass"), **ROLES), tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()


def test_names_that_start_elsewhere_say_where_they_were_looked_for(table, tmp_path):
    with pytest.raises(CatalogueError, match=r"none of the 6 files .* was looked for as .*empty/scans/s0\. Choose the folder"):
        mapped(table, Roles(label="Dx", folder=tmp_path / "empty", **ROLES), tmp_path / "out")


def test_a_column_that_is_not_there_is_named(table, tmp_path):
    with pytest.raises(CatalogueError, match="no column 'Diagnosis'"):
        mapped(table, Roles(label="Diagnosis", **ROLES), tmp_path / "out")


def test_where_links_are_refused_images_are_copied(table, tmp_path, monkeypatch):
    def refused(*args: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refused)
    result = mapped(table, Roles(label="Dx", **ROLES), tmp_path / "out")
    assert "5 of them copied" in result.said
    assert (tmp_path / "out/images/scans/s0.png").read_bytes() == (table.parent / "scans/s0.png").read_bytes()


def test_sixty_thousand_rows_are_filtered_while_one_types(tmp_path):
    lines = [f"train/{index:06}.png,{'ab'[index % 2]}" for index in range(60_000)]
    (tmp_path / "manifest.csv").write_text("\n".join(["image,label", *lines]))
    sheet = Sheet(look(tmp_path))
    sheet.rows(Pick(text="0"))
    start = time.perf_counter()
    assert sheet.rows(Pick(stratum="b", text="05999")).tolist() == [5999, *range(59991, 60000, 2)]
    assert time.perf_counter() - start < 0.3


def test_an_unknown_shipped_plan_is_refused(folder):
    with pytest.raises(PlanError):
        started("no-such-plan", look(folder))
