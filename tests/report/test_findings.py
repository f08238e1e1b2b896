from pathlib import Path
from typing import Any

import pytest

from wardround.report import findings as view
from wardround.report.checklist import Facts
from wardround.report.material import RunMaterial, read_comparison, read_run
from wardround.report.page import Picture, Rows, Text
from wardround.report.tables import Table


@pytest.fixture
def run(findings: Any, write: Any) -> RunMaterial:
    return read_run(write.run(findings(rounds=1)))


def facts(run: RunMaterial) -> Facts:
    return Facts(plan=run.plan, run=run, metric="auroc", compare={})


def table(blocks: list[Any]) -> Table:
    return next(block.table for block in blocks if isinstance(block, Rows))


def test_findings_come_by_support_with_their_share(run: RunMaterial) -> None:
    rows = table(view.details(facts(run), None)).rows
    assert [row[0] for row in rows] == ["Infiltration", "Effusion", "Pleural_Thickening", "Hernia"]
    assert run.predictions is not None
    positive = int(run.predictions.truth[:, 0].sum())
    assert rows[0][1] == f"{positive} ({100 * positive / 240:.1f}\N{NO-BREAK SPACE}%)"


def test_an_absent_finding_is_not_estimable_and_named(run: RunMaterial) -> None:
    blocks = view.details(facts(run), None)
    assert table(blocks).rows[-1] == ("Hernia", "0 (0.0\N{NO-BREAK SPACE}%)", "not estimable", "not estimable")
    (text,) = [block.text for block in blocks if isinstance(block, Text)]
    assert "has the finding, or all have it: Hernia. The means are over the other 3 findings." in text


def test_support_without_predictions_is_that_of_the_catalogue(run: RunMaterial) -> None:
    (run.folder / "predictions.csv").unlink()
    assert view.support(read_run(run.folder))["Hernia"] == 297
    (run.folder / "provenance.json").unlink()
    bare = read_run(run.folder)
    assert view.support(bare)["Hernia"] is None
    assert {row[1] for row in table(view.details(facts(bare), None)).rows} == {"not recorded"}


def test_arms_stand_side_by_side(findings: Any, write: Any) -> None:
    comparison = read_comparison(write.comparison(findings(rounds=1)))
    blocks = view.details(facts(comparison.lead), comparison)
    assert table(blocks).columns == ("Finding", "Test images with it", "AUROC, pooled", "AUROC, federated", "AUROC, ensemble",
                                     "AUROC, local")
    (picture,) = [block for block in blocks if isinstance(block, Picture)]
    assert "The numbers are those of the federated model." in picture.caption


def test_several_seeds_are_a_mean_with_their_range(findings: Any, write: Any) -> None:
    comparison = read_comparison(write.comparison(findings(num_test=60, rounds=1), seeds=2))
    blocks = view.details(facts(comparison.lead), comparison)
    assert " to " in table(blocks).rows[0][3]
    (picture,) = [block for block in blocks if isinstance(block, Picture)]
    assert "lowest to highest of the seeds" in picture.caption


def test_hospitals_say_over_how_many_findings_their_mean_is(run: RunMaterial) -> None:
    assert view.hospital_columns(facts(run)) == {"Findings estimable": dict.fromkeys(("north", "south", "harbour"), "3 of 4")}


def test_weighted_training_warns_of_its_probabilities(run: RunMaterial, tmp_path: Path) -> None:
    (section,) = view.calibration(facts(run), None)  # type: ignore[arg-type]
    assert any(isinstance(block, Text) and block.is_caution and "too high" in block.text for block in section.blocks)
    plain = run.plan.model_copy(update={"recipe": run.plan.recipe.model_copy(update={"class_weights": "none"})})
    (run.folder / "plan.toml").write_text((run.folder / "plan.toml").read_text().replace('"balanced"', '"none"'))
    (section,) = view.calibration(Facts(plan=plain, run=read_run(run.folder), metric="auroc", compare={}), None)  # type: ignore[arg-type]
    assert not any(isinstance(block, Text) for block in section.blocks)
