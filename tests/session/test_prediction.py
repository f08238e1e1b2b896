"""A run's model on new images."""

from pathlib import Path

import numpy as np
import pytest

from wardround.core.events import Note, Progress
from wardround.errors import DataError, PlanError, WardroundError
from wardround.session import predict, run
from wardround.session.prediction import Prediction, as_csv, images_of


def all_among(tested, found) -> bool:
    """Whether each test row's probabilities are those of some prediction, but for the rounding of another batch."""
    again = np.array([list(prediction.probabilities.values()) for prediction in found])
    return bool((np.abs(tested.probabilities[:, None] - again).max(2).min(1) < 2e-6).all())


def test_the_test_rows_get_the_same_probabilities_again(plan_with, images, tmp_path) -> None:
    run_folder = run(plan_with(recipe={"lr": 0.5}), out=tmp_path)
    again = predict(run_folder, [images])
    assert len(again) == 90
    assert run_folder.scores()["temperature"] not in (None, 1.0)
    assert all_among(run_folder.predictions(), again)
    assert list(again[0].probabilities) == ["left", "none", "right"]


@pytest.mark.parametrize("how", ["site", "percentiles"])
def test_harmonised_test_rows_get_their_probabilities_again_if_it_is_said_where_they_come_from(plan_with, images, tmp_path, how) -> None:
    run_folder = run(plan_with(data={"harmonise": how}), out=tmp_path)
    tested, notes = run_folder.predictions(), []

    def note(event) -> None:
        notes.extend([event] if isinstance(event, Note) else [])

    def answers(**further) -> set:
        return {tuple(round(p, 5) for p in found.probabilities.values()) for found in predict(run_folder, [images], **further)}

    by_site = {name: answers(site=name, watch=note) for name in ("north", "south", "east")}
    assert all(tuple(row.round(5)) in by_site[site] for site, row in zip(tested.sites, tested.probabilities, strict=True))
    assert not notes
    plain = answers(watch=note)
    assert len(notes) == 1 and "--site: north, south, east" in notes[0].text
    assert not {tuple(row.round(5)) for row in tested.probabilities} <= plain


def test_a_site_is_of_no_use_to_a_model_that_takes_images_as_they_are(plan_with, images, tmp_path) -> None:
    with pytest.raises(PlanError, match="leave out --site"):
        predict(run(plan_with(), out=tmp_path), [images], site="north")


def test_an_unreadable_image_gets_its_reason_and_the_others_go_on(plan_with, images, tmp_path) -> None:
    (tmp_path / "broken.png").write_text("no picture")
    good = next(images.rglob("*.png"))
    broken, fine = predict(run(plan_with(), out=tmp_path), [tmp_path / "broken.png", good])
    assert broken.error and not broken.probabilities
    assert sum(fine.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_what_is_not_there_is_named(plan_with, tmp_path) -> None:
    run_folder = run(plan_with(), out=tmp_path)
    with pytest.raises(DataError, match="nowhere does not exist"):
        predict(run_folder, [tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no image"):
        predict(run_folder, [tmp_path / "empty"])
    with pytest.raises(WardroundError, match="does not exist"):
        predict(tmp_path / "empty", [])


def test_each_finding_gets_its_own_probability_and_the_test_rows_their_old_ones(xrays_run, xrays) -> None:
    found = predict(xrays_run, [xrays / "images"])
    assert len(found) == 40
    assert tuple(found[0].probabilities) == xrays_run.predictions().classes
    assert xrays_run.scores()["temperature"] not in (None, 1.0)
    assert all_among(xrays_run.predictions(), found)
    sums = [sum(prediction.probabilities.values()) for prediction in found]
    assert any(total > 1.01 or total < 0.99 for total in sums)


def test_of_several_images_it_is_told_how_many_are_done(xrays_run, xrays) -> None:
    heard: list = []
    predict(xrays_run, sorted((xrays / "images").iterdir())[:3], watch=heard.append)
    assert heard == [Progress(stage="predict", done=done, total=3) for done in (1, 2, 3)]


@pytest.mark.parametrize("kind", ["slices", "brains"])
def test_a_model_that_draws_masks_needs_a_folder_for_them(kind, request) -> None:
    with pytest.raises(PlanError, match="--out DIR"):
        predict(request.getfixturevalue(f"{kind}_run"), [request.getfixturevalue(kind)])


def test_a_folder_given_to_a_model_that_draws_nothing_stays_away(xrays_run, xrays, tmp_path) -> None:
    [found] = predict(xrays_run, [xrays / "images" / "00000000_000.png"], tmp_path / "out")
    assert found.mask is None and len(found.probabilities) == 14
    assert not (tmp_path / "out").exists()


def test_a_masks_folder_that_cannot_be_made_is_named(slices_run, slices, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match=r"file.*--out"):
        predict(slices_run, [slices / "images" / "00.png"], tmp_path / "file")


@pytest.mark.parametrize(("name", "suffixes", "image"), [
    ("a.png", (), "a.png"), ("x_flair.nii.gz", ("flair.nii.gz", "t1.nii.gz"), "x_{flair.nii.gz,t1.nii.gz}"),
    ("x_t1.nii.gz", ("flair.nii.gz", "t1.nii.gz"), "x_t1.nii.gz")])
def test_an_image_of_several_files_is_named_by_the_first(tmp_path, name, suffixes, image) -> None:
    (tmp_path / name).write_text("")
    assert list(images_of([tmp_path / name], suffixes)) == [(tmp_path / name, tmp_path, image)]


def test_below_a_folder_an_image_of_several_files_counts_once(tmp_path) -> None:
    for name in ("b/x_t1.nii", "b/x_flair.nii", "a/y_flair.nii", "a/y_seg.nii"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = list(images_of([tmp_path], ("flair.nii", "t1.nii")))
    assert [image for _, _, image in found] == ["y_{flair.nii,t1.nii}", "x_{flair.nii,t1.nii}"]
    assert [root.name for _, root, _ in found] == ["a", "b"]


def test_a_run_with_personal_models_says_that_the_global_one_answers(plan_with, images, tmp_path) -> None:
    notes: list = []
    predict(run(plan_with(strategy={"name": "ditto"}), out=tmp_path), [next(images.rglob("*.png"))], watch=notes.append)
    assert len(notes) == 1 and notes[0].text.startswith("Strategy 'ditto' leaves every hospital a model of its own")


def test_predictions_become_a_table_whose_cells_no_spreadsheet_computes() -> None:
    text = as_csv([Prediction(path=Path("a, b.png"), probabilities={"left": 0.25, "right": 0.75}),
                   Prediction(path=Path("=c.png"), error="it is empty")])
    assert text == 'path,p_left,p_right,error\n"a, b.png",0.250000,0.750000,\n\'=c.png,,,it is empty\n'
