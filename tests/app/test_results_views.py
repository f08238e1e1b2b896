"""What the Results page shows, without a window: the words and numbers are those of the report."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from toy_results import CLINICS, Study

from wardround.app.views import judged, results, results_images
from wardround.app.views.results import Opened
from wardround.app.views.results_read import Unfinished
from wardround.core.wording import PHANTOM
from wardround.errors import WardroundError
from wardround.evaluation import metrics
from wardround.network import results as network
from wardround.plan.load import dump_plan
from wardround.report import story, summed, tables
from wardround.report.material import read_comparison, read_run
from wardround.runs.folder import RunFolder, write_text
from wardround.runs.journal import Journal


@pytest.fixture(scope="module")
def compared(makers: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of four tumours at three hospitals, on phantoms."""
    write = makers.Writer(tmp_path_factory.mktemp("compared") / "sample")
    return write.comparison(makers.Sample(phantom=True, num_test=120, resamples=100))


@pytest.fixture(scope="module")
def of_findings(makers: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return makers.Writer(tmp_path_factory.mktemp("findings")).run(makers.FindingSample(num_test=200, resamples=100))


@pytest.fixture(scope="module")
def of_masks(makers: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return makers.Writer(tmp_path_factory.mktemp("masks")).run(makers.MaskSample(resamples=100))


@pytest.fixture(scope="module")
def of_two(makers: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return makers.Writer(tmp_path_factory.mktemp("two")).run(makers.Sample(classes=("normal", "pneumonia"), num_test=150, resamples=100))


@pytest.fixture(scope="module", params=["binary", "multilabel", "segmentation"])
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a study over a network leaves: sums and rates, no single prediction, small counts hidden."""
    shares = {"binary": (0.6, 0.4), "multilabel": (0.3, 0.2, 0.03), "segmentation": (0.3, 0.3, 0.4)}
    made = Study(tests={**CLINICS, "west": 7}, task=request.param, shares=shares[request.param], resamples=100)
    folder = RunFolder(tmp_path_factory.mktemp("study"))
    write_text(folder.path / "plan.toml", dump_plan(made.blueprint.plan))
    Journal(folder.path / "journal.jsonl").close()
    network.write(folder, made.blueprint, made.state, made.scores(), made.ready, plan_hash="ab" * 32)
    return folder.path


def opened(folder: Path) -> Opened:
    found = results.opened(folder)
    assert isinstance(found, Opened)
    return found


def test_a_comparison_says_what_its_report_says(compared: Path) -> None:
    found, comparison = opened(compared), read_comparison(compared)
    assert found.headline == story.comparison_headline(comparison)
    assert list(found.remarks) == story.verdict_sentences(comparison)
    assert found.summary.rows == tables.arm_table(comparison.compare).rows
    assert [pair.name for pair in found.pairs] == ["Federated against pooled", "Federated against ensemble", "Federated against local"]
    assert found.pairs[0].forest.reference == 1.0
    assert found.pairs[2].forest.reference == 0.0


def test_every_arm_and_hospital_alone_is_a_point_with_its_interval(compared: Path) -> None:
    points = {point.label: point for point in opened(compared).forest.points}
    assert list(points) == ["Pooled", "Federated", "Ensemble", "Local, mean", "only north", "only south", "only harbour"]
    scored = read_comparison(compared).compare["arms"]["federated"][0]["metrics"]["balanced_accuracy"]
    assert (points["Federated"].value, points["Federated"].low) == (scored["value"], scored["low"])
    assert points["Federated"].text.startswith(f"{scored['value']:.3f} [")


def test_phantoms_are_named_as_such(compared: Path, of_two: Path) -> None:
    assert opened(compared).phantom == PHANTOM
    assert opened(of_two).phantom == ""


def test_the_matrix_has_the_worst_served_hospital_first_and_marks_home(compared: Path) -> None:
    matrix = opened(compared).matrix
    assert matrix is not None
    per_site = read_comparison(compared).lead.scores["per_site"]
    values = [per_site[site]["metrics"]["balanced_accuracy"]["value"] for site in matrix.rows]
    assert values == sorted(values)
    federated = matrix.columns.index("Federated")
    assert matrix.values[:, federated].tolist() == values
    home = [[matrix.columns[column] for column, text in enumerate(line) if text.endswith("*")] for line in matrix.texts]
    assert home == [[f"Only {site}"] for site in matrix.rows]
    assert matrix.grid.columns == ("Hospital", *matrix.columns)


def test_hospitals_are_the_reports_section(compared: Path) -> None:
    found = opened(compared)
    assert found.hospitals.grids[0].columns[-1] == "Own local model"
    assert [row[0] for row in found.hospitals.grids[0].rows] == [point.label for point in found.by_hospital.points]
    assert "standard deviation over hospitals" in found.hospitals.sentences[0]


@pytest.mark.parametrize(("made", "tabs"), [
    ("of_two", {"curves", "confusion", "calibration", "errors"}), ("of_findings", {"findings", "curves", "calibration"}),
    ("of_masks", {"segmentation"})])
def test_only_tabs_that_apply_to_the_task_are_there(made: str, tabs: set[str], request: pytest.FixtureRequest) -> None:
    assert set(opened(request.getfixturevalue(made)).tabs) == tabs | {"overview", "hospitals", "training"}


def test_the_command_is_of_a_run_or_of_its_comparison(compared: Path, of_two: Path) -> None:
    assert opened(of_two).command == f"wardround report {of_two}"
    assert opened(compared).command == f"wardround compare {compared / 'federated-seed0' / 'plan.toml'} --out {compared.parent}"


def test_what_a_run_took_is_told_in_words(of_two: Path) -> None:
    cost = opened(of_two).cost
    assert (cost.arm, cost.rounds, cost.kept, cost.phantom) == ("Federated", "12 of 12", "10", "no")
    assert cost.bytes == "480.0 MB up, 490.0 MB down"
    assert cost.left_out == "identical copy 21 and truncated 2"


def test_a_roc_curve_drawn_has_the_area_that_is_printed(compared: Path) -> None:
    found = judged.curves(compared, 1)
    assert found.label == "meningioma"
    assert [line.name for line in found.roc] == ["Federated", "Pooled", "Only north", "Only south", "Only harbour"]
    assert [line.is_thin for line in found.roc] == [False, False, True, True, True]
    predictions = read_comparison(compared).lead.predictions
    assert predictions is not None
    is_so, score = predictions.truth == 1, predictions.probabilities[:, 1]
    assert np.trapezoid(found.roc[0].y, found.roc[0].x) == pytest.approx(metrics.ranked_auroc(is_so, score))
    assert np.trapezoid(found.precision[0].y, found.precision[0].x) == pytest.approx(metrics.average_precision(is_so, score))
    assert found.grid.rows[0][1] == f"{metrics.ranked_auroc(is_so, score):.3f}"
    assert found.share == is_so.mean()


def test_areas_have_the_intervals_of_the_run(of_two: Path, of_findings: Path) -> None:
    assert judged.curves(of_two, 0).label == "pneumonia"
    assert " [" in judged.curves(of_two, 0).grid.rows[0][1]
    assert " [" in judged.curves(of_findings, 0).grid.rows[0][2]


def test_a_finding_that_nobody_has_gives_no_curve_but_a_reason(of_findings: Path) -> None:
    place = opened(of_findings).labels.index("Hernia")
    found = judged.curves(of_findings, place)
    assert found.roc == ()
    assert found.why_not.startswith("Not estimable")


def test_confusion_has_shares_of_the_truth(compared: Path) -> None:
    found = judged.confusion(compared, "federated-seed0")
    counts = np.array(read_comparison(compared).lead.scores["confusion"])
    assert np.allclose(found.shares.sum(1), 1)
    assert found.texts[0][0] == f"{counts[0, 0] / counts[0].sum():.0%}\n{counts[0, 0]}"
    assert found.grid.columns == ("Truth", "called glioma", "called meningioma", "called no tumour", "called pituitary")
    blind = judged.confusion(compared, "local-seed0-north")
    assert blind.note.startswith("Only north model")
    assert blind.shares[0, 0] < found.shares[0, 0]  # it never names gliomas


def test_two_classes_come_with_predictive_values(of_two: Path) -> None:
    assert "If so many have the finding" in judged.confusion(of_two, "").predictive.grids[0].columns


def test_calibration_counts_every_image_once(of_two: Path, compared: Path, of_findings: Path) -> None:
    asked = ((of_two, -1, 150), (compared, -1, 120), (compared, 2, 120), (of_findings, -1, 800), (of_findings, 0, 200))
    for folder, place, number in asked:
        found = judged.calibration(folder, "", place)
        assert sum(int(part.count) for part in found.bins) == number
        assert found.heights.sum() == number or found.far < 1  # of rare findings only the corner where they lie is drawn
        assert all(part.low - 1e-9 <= part.observed <= part.high + 1e-9 for part in found.bins)
        assert len(found.grid.rows) == len(found.bins)
    assert judged.calibration(compared, "", 2).title == "Observed share of no tumour"
    assert judged.calibration(of_findings, "", -1).told.cautions[0].startswith("This model was trained with rare findings weighted up")


def test_learning_curves_have_a_line_a_hospital_and_one_for_all(of_two: Path) -> None:
    found = judged.learning(of_two, "")
    assert [(line.name, line.is_thin) for line in found.loss] == [
        ("harbour", True), ("north", True), ("south", True), ("training", False), ("validation", False)]
    assert found.metric[-1].name == "all hospitals"
    assert found.metric[-1].x.tolist() == list(range(1, 13))
    assert found.best_round == 10


@pytest.mark.parametrize("kind", ["FindingSample", "MaskSample"])
def test_a_comparison_of_every_task_opens(makers: Any, kind: str, tmp_path: Path) -> None:
    folder = makers.Writer(tmp_path / "sample").comparison(getattr(makers, kind)(num_test=60, resamples=100), seeds=2)
    found = opened(folder)
    assert found.headline == story.comparison_headline(read_comparison(folder))
    assert found.matrix is not None
    if kind == "MaskSample":
        regions = [row[0] for row in results_images.segmented(folder, "").told.grids[0].rows]
        assert regions[:3] == ["Whole tumour (WT), pooled", "Whole tumour (WT), federated", "Whole tumour (WT), local"]
    else:
        assert [grid.columns[2] for grid in found.findings.grids] == ["AUROC, pooled", "AUPRC, pooled"]


def test_without_predictions_the_page_says_so(makers: Any, tmp_path: Path) -> None:
    folder = makers.Writer(tmp_path).run(makers.Sample(num_test=60, resamples=100))
    (folder / "predictions.csv").unlink()
    assert judged.curves(folder, 0).why_not.startswith("predictions.csv is absent")
    assert judged.calibration(folder, "", -1).why_not == "Cannot be drawn: predictions.csv is absent."
    assert "predictions.csv is absent" in opened(folder).missing[0]


def test_findings_are_told_with_their_images(of_findings: Path) -> None:
    found = opened(of_findings)
    assert found.by_finding is not None
    assert found.by_finding.reference == 0.5
    assert found.by_finding.points[0].label.startswith("Infiltration (")
    assert found.findings.grids[0].columns == ("Finding", "Test images with it", "AUROC", "AUPRC")
    assert "Hernia" in found.findings.sentences[0]


def test_worst_errors_have_pictures_and_captions(compared: Path, of_two: Path) -> None:
    found = results_images.errors(compared, "")
    assert found.images.shape == (8, 48, 48)
    assert found.captions[0] == "truth: glioma\nmodel: meningioma\n99% sure, north"
    assert found.caution == ""  # phantoms are nobody's
    assert "people who may see them" in results_images.errors(of_two, "").caution


def test_colour_pictures_have_their_channels_last(makers: Any, tmp_path: Path) -> None:
    folder = makers.Writer(tmp_path).run(makers.Sample(num_test=60, resamples=100))
    kept = dict(np.load(folder / "figures" / "errors.npz"))
    kept["images"] = np.arange(8 * 3 * 5 * 6, dtype=np.uint8).reshape(8, 3, 5, 6)
    np.savez(folder / "figures" / "errors.npz", **kept)
    shown = results_images.errors(folder, "").images
    assert shown.shape == (8, 5, 6, 3)
    assert shown[0, 0, 0].tolist() == kept["images"][0, :, 0, 0].tolist()


def test_the_model_is_asked_about_the_picture_that_was_chosen(of_two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def explain(run: Path, images: np.ndarray) -> list[SimpleNamespace]:
        asked.append((run, images))
        return [SimpleNamespace(label="pneumonia", probability=0.9, heat=np.ones((48, 48)))]

    monkeypatch.setattr("wardround.session.saliency.explain_arrays", explain)
    found = results_images.where_looked(of_two, "", 3)
    assert (found.label, found.probability, found.heat.shape) == ("pneumonia", 0.9, (48, 48))
    assert "no evidence for a finding" in found.caution
    assert asked[0][0] == of_two
    assert np.array_equal(asked[0][1], np.load(of_two / "figures" / "errors.npz")["images"][3:4])
    with pytest.raises(WardroundError, match="no image 9"):
        results_images.where_looked(of_two, "", 8)


def test_heat_colours_only_what_is_hot() -> None:
    image = np.full((2, 2), 100, np.uint8)
    shown = results_images.laid_over(image, np.array([[0.0, 1.0], [0.5, 0.0]]), (255, 0, 0))
    assert shown[0, 0].tolist() == [100, 100, 100]
    assert shown[0, 1].tolist() == [round(100 * 0.35 + 255 * 0.65), 35, 35]
    assert shown[0, 1, 0] > shown[1, 0, 0] > shown[0, 0, 0]


def test_segmentations_are_shown_from_best_to_worst(of_masks: Path) -> None:
    found = results_images.segmented(of_masks, "")
    assert [patient.title for patient in found.patients] == ["best: Dice 0.95", "median: Dice 0.75", "worst: Dice 0.55"]
    best, worst = found.patients[0], found.patients[2]
    assert best.volume.shape == (1, 12, 40, 40)
    assert not best.difference.any()
    assert set(np.unique(worst.difference)) == {0, 1, 2, 3}
    assert worst.truth[worst.main_slice].any()
    assert any(grid.columns[0] == "Region" for grid in found.told.grids)


def test_every_test_patient_is_listed_worst_first_and_unnamed(of_masks: Path) -> None:
    grid = results_images.segmented(of_masks, "").every
    run = read_run(of_masks)
    assert run.measured is not None
    dice = [float(row[2]) for row in grid.rows]
    assert dice == sorted(dice)
    assert len(dice) == len(run.measured)
    assert not set(map(str, run.measured.cases)) & {cell for row in grid.rows for cell in row}


def test_a_study_has_no_single_predictions_and_says_so(study: Path) -> None:
    found = opened(study)
    assert found.remarks[1].startswith("Images and single predictions stayed at the hospitals")
    assert "west" in [row[0] for row in found.hospitals.grids[0].rows]
    assert found.missing == ()
    match found.task:
        case "segmentation":
            assert results_images.segmented(study, "").why_not == "The segmentations stayed at the hospitals."
        case "binary":
            assert results_images.errors(study, "").why_not == "The images that were named wrongly stayed at the hospitals."


def test_a_study_is_drawn_of_the_sums_that_were_told(study: Path) -> None:
    found = opened(study)
    if found.task == "segmentation":
        return
    drawn = judged.curves(study, 0)
    assert drawn.why_not == summed.NOTE
    assert drawn.precision == ()
    assert (drawn.roc[0].x[0], drawn.roc[0].x[-1]) == (0, 1)
    calibration = judged.calibration(study, "", -1)
    assert len(calibration.bins) == len(read_run(study).scores["calibration"])
    assert calibration.why_not == ""
    if found.task == "binary":
        confusion = judged.confusion(study, "")
        assert all(text for line in confusion.texts for text in line)
        assert np.isfinite(np.diag(confusion.shares)).all()  # the recalls that the study tells
        assert "each row adds up to 100 %" not in confusion.note


def test_an_unfinished_run_says_how_far_it_is_and_how_it_goes_on(makers: Any, tmp_path: Path) -> None:
    folder = makers.Writer(tmp_path).run(makers.Sample(num_test=60, resamples=100, rounds=4))
    (folder / "scores.json").unlink()
    found = results.opened(folder)
    assert found == Unfinished(folder=folder, text="This run has not finished. federated-seed0: 4 of 4 rounds.",
                               command=f"wardround run --resume {folder}")


def test_an_unfinished_comparison_offers_the_runs_that_have_finished(makers: Any, tmp_path: Path) -> None:
    write = makers.Writer(tmp_path / "sample")
    first = write.run(makers.Sample(num_test=60, resamples=100), name="federated-seed0")
    (write.run(makers.Sample(num_test=60, resamples=100), name="pooled-seed0") / "scores.json").unlink()
    found = results.opened(tmp_path / "sample")
    assert isinstance(found, Unfinished)
    assert found.text == "This comparison has not finished. federated-seed0: finished; pooled-seed0: 12 of 12 rounds."
    assert found.finished == (first,)
    assert found.command == f"wardround compare {first / 'plan.toml'} --out {tmp_path}"
    moved = (tmp_path / "sample").rename(tmp_path / "elsewhere")
    found = results.opened(moved)
    assert isinstance(found, Unfinished)
    assert found.command == f"wardround run --resume {moved / 'pooled-seed0'}"


def test_a_folder_that_is_no_run_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WardroundError, match="Choose the folder that a run or a comparison wrote"):
        results.opened(tmp_path)


def test_damaged_files_are_named(of_two: Path, makers: Any, tmp_path: Path) -> None:
    folder = makers.Writer(tmp_path).run(makers.Sample(num_test=60, resamples=100))
    scores = json.loads((folder / "scores.json").read_text())
    scores["metrics"]["auroc"]["value"] = "high"
    (folder / "scores.json").write_text(json.dumps(scores))
    with pytest.raises(WardroundError, match=r"scores\.json"):
        results.opened(folder)


def test_a_run_is_read_again_once_it_was_written_again(makers: Any, tmp_path: Path) -> None:
    folder = makers.Writer(tmp_path).run(makers.Sample(num_test=60, resamples=100))
    assert opened(folder).cost.kept == "10"
    scores = json.loads((folder / "scores.json").read_text())
    (folder / "scores.json").write_text(json.dumps(scores | {"best_round": 7}))
    assert opened(folder).cost.kept == "7"


def test_two_hundred_rounds_at_twenty_hospitals_open_within_a_second(makers: Any, tmp_path: Path) -> None:
    sites = tuple(f"clinic {number:02}" for number in range(1, 21))
    sample = makers.Sample(sites=sites, rounds=200, num_test=1200, resamples=100)
    folder = makers.Writer(tmp_path).run(sample)
    began = time.perf_counter()
    found, training = opened(folder), judged.learning(folder, "")
    assert time.perf_counter() - began < 1.0
    assert len(found.by_hospital.points) == 20
    assert [len(line.x) for line in training.metric] == [200] * 21
