"""explain."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wardround.cli.explain import as_csv
from wardround.session import saliency
from wardround.session.saliency import CAUTION, Explained, Saliency

Run = Callable[..., int]

SEEN = Explained(path=Path("a, b.png"), picture=Path("heat/a, b_heat.png"),
                 saliency=Saliency("left", 0.25, np.zeros((4, 4), np.float32), (4, 4)))
UNREADABLE = Explained(path=Path("c.png"), error="c.png is empty")


def test_a_row_an_image() -> None:
    assert list(csv.DictReader(as_csv([SEEN, UNREADABLE]).splitlines())) == [
        {"path": "a, b.png", "class": "left", "probability": "0.250000", "picture": "heat/a, b_heat.png", "error": ""},
        {"path": "c.png", "class": "", "probability": "", "picture": "", "error": "c.png is empty"}]


def test_an_unreadable_image_leaves_the_others_and_exits_with_3(wardround: Run, monkeypatch: pytest.MonkeyPatch,
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(saliency, "explain", lambda run, paths, out, **further: [SEEN, UNREADABLE])
    assert wardround("explain", "run", "folder", "--out", "heat") == 3
    shown = capsys.readouterr()
    assert shown.out == as_csv([SEEN, UNREADABLE])
    assert "1 of 2 images could not be read" in shown.err


def test_pictures_are_written_with_the_caution_and_an_unknown_class_exits_with_2(
        wardround: Run, plan: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("run", plan, "--arm", "pooled", "--out", tmp_path / "runs", "--set", "rounds.num=1") == 0
    folder, image = tmp_path / "runs" / "tiny" / "pooled-seed0", min((images / "left").iterdir())
    capsys.readouterr()
    assert wardround("explain", folder, image, "--out", tmp_path / "heat", "--class", "right") == 0
    shown = capsys.readouterr()
    [row] = csv.DictReader(shown.out.splitlines())
    assert (row["path"], row["class"], row["picture"]) == (str(image), "right", str(tmp_path / "heat" / f"{image.stem}_heat.png"))
    assert Path(row["picture"]).is_file()
    assert CAUTION in shown.err
    assert wardround("explain", folder, image, "--out", tmp_path / "heat", "--class", "rigth") == 2
    assert "Did you mean 'right'?" in capsys.readouterr().err
