"""predict and report."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from wardround import session
from wardround.session import Prediction
from wardround.session.prediction import as_csv

Run = Callable[..., int]

READABLE = Prediction(path=Path("a, b.png"), probabilities={"left": 0.25, "right": 0.75})
UNREADABLE = Prediction(path=Path("c.png"), error="c.png is empty")


def test_a_row_an_image_and_a_column_a_class() -> None:
    rows = list(csv.DictReader(as_csv([READABLE, UNREADABLE]).splitlines()))
    assert rows == [{"path": "a, b.png", "p_left": "0.250000", "p_right": "0.750000", "error": ""},
                    {"path": "c.png", "p_left": "", "p_right": "", "error": "c.png is empty"}]


def test_unreadable_images_alone_still_make_a_table() -> None:
    assert as_csv([UNREADABLE]) == "path,error\nc.png,c.png is empty\n"


def test_an_unreadable_image_leaves_the_others_and_exits_with_3(wardround: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(session, "predict", lambda run, paths, out, **further: [READABLE, UNREADABLE])
    assert wardround("predict", "run", "folder", "--csv", tmp_path / "out.csv") == 3
    assert (tmp_path / "out.csv").read_text() == as_csv([READABLE, UNREADABLE])
    assert "1 of 2 images could not be read" in capsys.readouterr().err


def test_predictions_go_to_the_terminal_as_csv(wardround: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(session, "predict", lambda run, paths, out, **further: [READABLE])
    assert wardround("predict", "run", "folder") == 0
    assert capsys.readouterr().out == as_csv([READABLE])


def test_a_folder_that_cannot_take_the_table_is_named(wardround: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(session, "predict", lambda run, paths, out, **further: [READABLE])
    assert wardround("predict", "run", "folder", "--csv", tmp_path / "none" / "out.csv") == 1
    assert f"{tmp_path / 'none'}" in capsys.readouterr().err


def test_report_is_written_anew_and_predict_reads_the_run(wardround: Run, plan: Path, images: Path, tmp_path: Path,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("run", plan, "--arm", "pooled", "--out", tmp_path / "runs", "--set", "rounds.num=1") == 0
    folder = tmp_path / "runs" / "tiny" / "pooled-seed0"
    (folder / "report.html").unlink()
    assert wardround("report", folder, "--pdf", tmp_path / "tiny.pdf") == 0
    assert (folder / "report.html").is_file()
    assert (tmp_path / "tiny.pdf").read_bytes().startswith(b"%PDF-")
    assert f"PDF: {tmp_path / 'tiny.pdf'}" in capsys.readouterr().out
    assert wardround("predict", folder, images / "left") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 45
    assert all(abs(float(row["p_left"]) + float(row["p_right"]) - 1) < 1e-5 for row in rows)


def test_the_site_of_an_image_chooses_its_grey_values_and_without_it_a_line_says_so(
        wardround: Run, plan: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("run", plan, "--out", tmp_path, "--set", "rounds.num=1", "--set", "data.harmonise=site") == 0
    folder, image = tmp_path / "tiny" / "federated-seed0", next((images / "left").iterdir())
    capsys.readouterr()
    assert wardround("predict", folder, image, "--site", "north") == 0
    assert capsys.readouterr().err == ""
    assert wardround("predict", folder, image) == 0
    shown = capsys.readouterr()
    assert "not said where the images come from" in shown.err and "--site: north, south." in shown.err
    assert shown.out.startswith("path,p_left,p_right,error")
    assert wardround("predict", folder, image, "--site", "nord") == 2
    assert "Did you mean 'north'?" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_named(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("report", tmp_path) == 1
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(("failure", "said"), [
    (ModuleNotFoundError("none", name="PySide6"), "a report as PDF needs PySide6: pip install 'wardround[app]'"),
    (ImportError("libnss3.so: cannot open shared object file"), "apt-get install libnss3")])
def test_without_what_prints_it_the_report_is_not_begun(wardround: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failure: Exception,
                                                        said: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(name: str) -> None:
        raise failure

    monkeypatch.setattr("wardround.extras.importlib.import_module", fail)
    assert wardround("report", tmp_path, "--pdf", tmp_path / "a.pdf") != 0
    assert said in capsys.readouterr().err


def test_masks_have_a_column_and_unreadable_images_an_empty_cell() -> None:
    drawn = Prediction(path=Path("a.tif"), mask=Path("out/a_mask.png"))
    assert as_csv([drawn, UNREADABLE]) == "path,mask,error\na.tif,out/a_mask.png,\nc.png,,c.png is empty\n"


SEGMENT = ("data.dataset=image-mask", "data.size=32", "model.name=unet", "model.width=4", "model.depth=2", "rounds.metric=dice",
           "rounds.num=1", "recipe.loss=dice_cross_entropy", "split.val=0.2", "split.test=0.3")


def test_two_models_draw_masks_and_are_contrasted(wardround: Run, plan: Path, slices: Path, tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    settings = [part for setting in SEGMENT for part in ("--set", setting)]
    for name, model in (("one", "unet"), ("two", "attention-unet")):
        assert wardround("run", plan, "--data", slices, "--out", tmp_path, *settings, "--set", f"name={name}", "--set",
                         f"model.name={model}") == 0
    one, two = (tmp_path / name / "federated-seed0" for name in ("one", "two"))
    capsys.readouterr()
    assert wardround("contrast", one, two) == 0
    shown = capsys.readouterr()
    assert "Dice" in shown.out and "HD95" in shown.out and not shown.err

    (tmp_path / "broken.png").write_text("no picture")
    assert wardround("predict", one, slices / "images" / "00.png", tmp_path / "broken.png", "--out", tmp_path / "masks") == 3
    shown = capsys.readouterr()
    rows = list(csv.DictReader(shown.out.splitlines()))
    assert rows[0]["mask"] == str(tmp_path / "masks" / "00_mask.png")
    assert (tmp_path / "masks" / "00_mask.png").is_file()
    assert "not an image" in rows[1]["error"]
    assert "1 of 2 images could not be read" in shown.err

    assert wardround("predict", one, slices / "images") == 2
    assert "--out DIR" in capsys.readouterr().err


def test_runs_that_cannot_be_contrasted_are_named(wardround: Run, plan: Path, images: Path, tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for seed in (0, 1):
        assert wardround("run", plan, "--arm", "pooled", "--out", tmp_path / str(seed), "--set", "rounds.num=1", "--set",
                         f"split.seed={seed}") == 0
        runs.append(tmp_path / str(seed) / "tiny" / "pooled-seed0")
    capsys.readouterr()
    assert wardround("contrast", *runs) == 1
    assert "same test cases" in capsys.readouterr().err
    assert wardround("contrast", runs[0], tmp_path) == 1
    assert "has not finished" in capsys.readouterr().err
