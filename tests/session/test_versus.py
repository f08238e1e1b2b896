"""Any two finished runs on the same test patients."""

import json

import pytest

from wardround.errors import WardroundError
from wardround.session import compare, contrast, run


def test_two_arms_contrasted_are_what_compare_says_of_them(plan_with, tmp_path) -> None:
    found = compare(plan_with(engine={"workers": 1}), arms=("federated", "pooled"), out=tmp_path)
    paired = json.loads((found.path / "compare.json").read_text())["paired"]["federated/pooled"]
    assert contrast(found.path / "federated-seed0", found.path / "pooled-seed0") == paired


def test_two_models_of_masks_are_paired_by_patient(slices_run, slices_plan, tmp_path) -> None:
    plan = slices_plan()
    other = run(plan.model_copy(update={"model": plan.model.model_copy(update={"name": "attention-unet"})}), out=tmp_path)
    found = contrast(other, slices_run)
    one, two = (folder.scores()["metrics"]["dice"]["value"] for folder in (other, slices_run))
    assert found["dice"]["difference"] == pytest.approx(one - two)
    assert found["dice"]["ratio"] == pytest.approx(one / two)
    assert found["dice"]["difference_low"] <= found["dice"]["difference"] <= found["dice"]["difference_high"]
    assert set(found["volume_error_foreground"].values()) == {None}


def test_a_run_against_itself_differs_by_nothing(xrays_run) -> None:
    found = contrast(xrays_run, xrays_run)
    assert (found["auroc"]["difference_low"], found["auroc"]["difference_high"], found["auroc"]["ratio"]) == (0, 0, 1)
    assert set(found["auroc_Hernia"].values()) == {None}


def test_runs_tested_on_other_cases_are_refused(slices_run, slices_plan, xrays_run, tmp_path) -> None:
    plan = slices_plan()
    other = run(plan.model_copy(update={"split": plan.split.model_copy(update={"seed": 5})}), out=tmp_path)
    for second in (other, xrays_run):
        with pytest.raises(WardroundError, match="only on the same test cases"):
            contrast(slices_run, second)


def test_a_folder_that_holds_no_finished_run_is_named(slices_run, tmp_path) -> None:
    with pytest.raises(WardroundError, match=f"{tmp_path}.*not finished"):
        contrast(slices_run, tmp_path)
