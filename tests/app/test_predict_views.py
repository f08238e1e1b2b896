"""What the Predict page asks for, without a window."""

from pathlib import Path

import numpy as np
import pytest
from made_runs import drawing_run, made_run, own_run
from PIL import Image

from wardround.app.views.model_facts import model_of
from wardround.app.views.predict import (
    Answer,
    Answered,
    answered,
    explain_command,
    exported,
    grid_of,
    looked,
    predict_command,
    saved,
    seen,
)
from wardround.errors import DataError, WardroundError
from wardround.runs.folder import write_json


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 40 x 24 pixels, brighter to the right."""
    path = tmp_path_factory.mktemp("pictures") / "grey.png"
    Image.fromarray(np.tile(np.linspace(0, 255, 40, dtype=np.uint8), (24, 1))).save(path)
    return path


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return made_run(tmp_path / "two", {"name": "cnn", "width": 8}, {"size": 16}, "binary", ("healthy", "ill"), threshold=0.999,
                    temperature=1.5)


def test_the_threshold_calls_of_two_classes_not_the_larger_probability(two: Path, grey: Path, tmp_path: Path) -> None:
    [answer] = answered(two, [grey], tmp_path).answers
    assert answer.called == "healthy" and dict(answer.shares)["ill"] < 0.999
    assert [share for _, share in answer.shares] == sorted(dict(answer.shares).values(), reverse=True)
    assert sum(dict(answer.shares).values()) == pytest.approx(1, abs=1e-6)


def test_findings_are_not_called_and_say_that_they_need_not_sum_to_1(grey: Path, tmp_path: Path) -> None:
    run = made_run(tmp_path / "findings", {"name": "cnn", "width": 8}, {"size": 16}, "multilabel", ("a", "b", "c"),
                   loss="binary_cross_entropy")
    assert answered(run, [grey], tmp_path).answers[0].called == ""
    assert any("need not sum to 1" in note for note in model_of(run).notes)


def test_an_unreadable_image_has_an_error_that_the_table_marks(two: Path, grey: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("no picture")
    found = answered(two, [grey, tmp_path / "broken.png"], tmp_path)
    grid, failed = grid_of(found)
    assert found.num_failed == 1
    assert [row[0] for row in grid.rows] == ["grey.png", "broken.png"]
    assert grid.rows[1][1:3] == ("", "") and grid.rows[1][3].startswith("\N{WARNING SIGN}")
    assert failed == {(1, 3)}


def test_images_of_one_name_are_told_apart_by_their_folder() -> None:
    found = Answered(run=Path("run"), asked=(), answers=tuple(Answer(path=Path(folder) / "1.png") for folder in ("a", "b")))
    assert [row[0] for row in grid_of(found)[0].rows] == ["a/1.png", "b/1.png"]


def test_the_exported_table_has_a_column_a_class_in_the_model_s_order(two: Path, grey: Path, tmp_path: Path) -> None:
    head, row = exported(answered(two, [grey], tmp_path), tmp_path / "table.csv").read_text().splitlines()
    assert head == "path,p_healthy,p_ill,error"
    assert row.startswith(f"{grey},0.")


def test_a_mask_lies_over_its_picture_and_says_how_much_it_covers(grey: Path, tmp_path: Path) -> None:
    run = drawing_run(tmp_path / "draws")
    [answer] = answered(run, [grey], tmp_path / "masks").answers
    assert answer.mask is not None and answer.shares == ()
    half = np.zeros((24, 40), np.uint8)
    half[:, :10] = 255
    Image.fromarray(half).save(answer.mask)
    shown = seen(run, grey, answer.mask)
    assert shown.volume.shape == (1, 1, 24, 40)
    assert shown.mask is not None and shown.mask.shape == (1, 24, 40)
    assert (shown.mask[0, :, :10] == 1).all() and not shown.mask[0, :, 10:].any()
    assert shown.marked == "Marked: tumour 25.0% of the picture."


def test_masks_are_copied_where_none_is_lost(grey: Path, tmp_path: Path) -> None:
    found = answered(drawing_run(tmp_path / "draws"), [grey], tmp_path / "masks")
    assert [path.name for path in saved(found, tmp_path / "kept")] == ["grey_mask.png"]
    with pytest.raises(DataError, match=r"holds grey_mask.png already.*another folder"):
        saved(found, tmp_path / "kept")


def test_a_volume_is_shown_as_radiologists_look_at_it(tmp_path: Path) -> None:
    import nibabel

    run = made_run(tmp_path / "volumes", {"name": "slice-sequence", "width": 8}, {"dims": 3, "patch": (4, 8, 8), "channels": 1}, "binary",
                   ("a", "b"))
    voxels = np.zeros((8, 6, 4), np.float32)  # right, anterior, superior
    voxels[7, 5, 0] = 1000.0  # right, front, below
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "head.nii.gz")
    shown = seen(run, tmp_path / "head.nii.gz")
    assert shown.volume.shape == (1, 4, 6, 8) and shown.volume.dtype == np.float16
    assert shown.volume[0, 0, 0, 0] == 1000
    assert not model_of(run).can_look


def test_where_the_model_looked_is_a_picture_in_the_image_s_shape(two: Path, grey: Path) -> None:
    found = looked(two, grey, "ill")
    assert found.label == "ill" and found.caution.startswith("A heat map shows")
    height, width, _ = found.picture.shape
    assert width / height == pytest.approx(40 / 24, rel=0.01)
    assert found.colours.shape == (64, 3)


def test_facts_of_a_model_name_its_file_by_a_hash_and_say_what_is_not_known(two: Path) -> None:
    facts = model_of(two)
    assert len(dict(facts.facts)["SHA-256"].replace(" ", "")) == 64
    assert dict(facts.facts)["Made"] == "not recorded"
    assert facts.notes[0].startswith("Calibrated: yes, at a temperature of 1.50")
    assert facts.notes[1].startswith("ill is called from a probability of 0.999")
    assert (facts.phantom, facts.program, facts.can_look) == ("", "", True)


def test_a_model_without_temperature_is_not_called_calibrated(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", {"name": "cnn", "width": 8}, {"size": 16}, "multiclass", ("a", "b", "c"), temperature=None)
    assert model_of(run).notes == ("Calibrated: no. A probability of 0.9 need not be right nine times in ten.",)


def test_a_comparison_offers_its_runs_the_federated_one_first(comparison: Path) -> None:
    facts = model_of(comparison)
    assert facts.folder == comparison / "federated-seed0"
    names = [name for _, name in facts.choices]
    assert names[:2] == ["demo / federated-seed0", "demo / pooled-seed0"] and len(names) == 5
    known = dict(facts.facts)
    assert known["Trained"].startswith("Federated: 3 hospitals") and "round" in known["Trained"]
    assert known["Tested"].startswith("Balanced accuracy 0.")
    assert "phantoms" in known["Data set"] and facts.phantom


@pytest.mark.parametrize(("files", "reason"), [((), "no model"), (("plan.toml", "model.json"), r"not finished.*--resume")])
def test_a_folder_without_a_model_says_what_to_do(tmp_path: Path, files: tuple[str, ...], reason: str) -> None:
    for name in files:
        write_json(tmp_path / name, {})
    with pytest.raises(WardroundError, match=reason):
        model_of(tmp_path)


def test_a_program_of_its_author_s_is_named_and_not_run(grey: Path, tmp_path: Path) -> None:
    run = own_run(tmp_path / "own")
    assert model_of(run).program.endswith("own.py:net")
    with pytest.raises(WardroundError, match="program of its author's"):
        answered(run, [grey], tmp_path)
    assert answered(run, [grey], tmp_path, own_code=True).answers[0].called in ("left", "right")


def test_commands_quote_what_a_shell_would_split() -> None:
    assert predict_command(Path("my run"), [Path("a b.png")], draws=True, site="north") == (
        "wardround predict 'my run' 'a b.png' --out masks --site north")
    assert predict_command(Path("run"), []) == "wardround predict run PATH"
    assert explain_command(Path("run"), Path("a.png"), "left", own_code=True) == (
        "wardround explain run a.png --out heat --class left --own-code")
