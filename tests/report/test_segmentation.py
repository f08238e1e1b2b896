from typing import Any

import numpy as np
import pytest

from wardround.report import segmentation as view
from wardround.report.canvas import png
from wardround.report.checklist import Facts
from wardround.report.figures import Figures
from wardround.report.material import Comparison, RunMaterial, read_comparison, read_run
from wardround.report.page import Items, Picture, Rows, Text


def facts(run: RunMaterial) -> Facts:
    return Facts(plan=run.plan, run=run, metric="dice", compare={})


def sentences(run: RunMaterial, comparison: Comparison | None = None) -> str:
    return " ".join(text for block in view.details(facts(run), comparison) if isinstance(block, Items) for _, text in block.items)


def tables(run: RunMaterial, comparison: Comparison | None = None) -> list[Any]:
    return [block.table for block in view.details(facts(run), comparison) if isinstance(block, Rows)]


def test_regions_and_arms_have_dice_distance_and_volume(masks: Any, write: Any) -> None:
    comparison = read_comparison(write.comparison(masks(rounds=1)))
    (table,) = tables(comparison.lead, comparison)
    assert table.columns == ("Region", "Dice", "HD95 (mm)", "Volume error (ml)")
    assert [row[0] for row in table.rows[:4]] == ["Whole tumour (WT), pooled", "Whole tumour (WT), federated", "Whole tumour (WT), local",
                                                  "Tumour core (TC), pooled"]
    assert len(table.rows) == 5 * 3  # WT, TC, ET, oedema, necrotic core: enhancing tumour is ET


def test_one_region_without_volumes_needs_no_table(masks: Any, write: Any) -> None:
    run = read_run(write.run(masks(classes=("background", "tumour"), has_spacing=False, rounds=1)))
    assert tables(run) == []
    assert "HD95 is in pixels" in sentences(run)
    assert "separate slices" in sentences(run)


def test_empty_masks_and_patients_left_out_are_said(masks: Any, write: Any) -> None:
    run = read_run(write.run(masks(rounds=1)))
    said = sentences(run)
    assert "counts as a success: Dice 1, HD95 0" in said
    assert "Of 40 test patients the HD95 of the federated model leaves out 2 for necrotic core." in said


def test_local_models_are_averaged_patient_by_patient(masks: Any, write: Any) -> None:
    comparison = read_comparison(write.comparison(masks(rounds=1, num_test=20)))
    local = comparison.runs["local"]
    found = view.dice_of(comparison.runs, ["WT"])["WT"]["local"]
    columns = [run.measured.values[np.argsort(run.measured.cases), run.measured.names.index("dice_WT")]  # type: ignore[union-attr]
               for run in local]
    np.testing.assert_allclose(found, np.mean(columns, axis=0))


def test_each_patient_is_a_point() -> None:
    drawing = view.patients({"WT": {"federated": np.array([0.9, 0.8, np.nan]), "pooled": np.array([0.7, 0.6, 0.5])}, "TC": {}})
    assert png(drawing).startswith(b"\x89PNG")
    points = [len(group.get_offsets()) for group in drawing.axes[0].collections]
    assert points[:2] == [2, 3]
    assert [label.get_text() for label in drawing.axes[0].get_xticklabels()] == ["whole tumour (WT)", "tumour core (TC)"]


def test_regions_are_explained(masks: Any, write: Any) -> None:
    run = read_run(write.run(masks(rounds=1)))
    said = dict(view.meanings(facts(run)))
    assert said["tumour core (TC)"] == "enhancing tumour and necrotic core"
    assert said["mean Dice, mean HD95"] == "means over WT, TC and ET"


@pytest.mark.parametrize("phantom", [True, False])
def test_pictures_of_patients_come_with_a_caution_unless_they_are_phantoms(masks: Any, write: Any, phantom: bool) -> None:
    run = read_run(write.run(masks(rounds=1, phantom=phantom)))
    section = view.errors(facts(run), None, Figures("dice"))
    assert [block.name for block in section.blocks if isinstance(block, Picture)] == ["overlays", "montage"]
    assert any(isinstance(block, Text) and block.is_caution for block in section.blocks) is not phantom


def test_missing_pictures_are_a_sentence(masks: Any, write: Any) -> None:
    folder = write.run(masks(rounds=1))
    (folder / "figures" / "overlays.npz").unlink()
    run = read_run(folder)
    (block,) = view.errors(facts(run), None, Figures("dice")).blocks
    assert isinstance(block, Text)
    assert "overlays.npz is absent" in block.text
    assert any("overlays.npz" in text for text in run.missing)


def test_hospitals_count_patients_where_images_are_slices(masks: Any, write: Any) -> None:
    slices = read_run(write.run(masks(classes=("background", "tumour"), has_spacing=False, rounds=1), name="slices"))
    assert list(view.hospital_columns(facts(slices))) == ["Test patients", "HD95 (pixels)"]
    volumes = read_run(write.run(masks(rounds=1), name="volumes"))
    assert list(view.hospital_columns(facts(volumes))) == ["Mean HD95 (mm)"]
