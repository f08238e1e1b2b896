"""data list, data inspect, data check, data fetch, data convert, phantom, sites."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wardround.data.datasets import DATASETS

Run = Callable[..., int]


def test_list_names_every_data_set(wardround: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("data", "list") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in DATASETS.table)


def test_inspect_counts_the_images_of_a_folder(wardround: Run, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("data", "inspect", images) == 0
    shown = capsys.readouterr().out.split()
    assert shown[shown.index("left") + 1] == "45"
    assert "90" in shown


def test_inspect_of_a_folder_without_images_is_a_data_error(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("data", "inspect", tmp_path) == 3
    assert str(tmp_path) in capsys.readouterr().err


def test_check_reports_what_it_found_and_exits_with_0(wardround: Run, plan: Path, images: Path, tmp_path: Path,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "damaged"
    for path in images.rglob("*.png"):
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / path.parent.name / path.name).write_bytes(path.read_bytes())
    (folder / "left" / "000.png").write_bytes(b"")
    (folder / "left" / "copy.png").write_bytes((folder / "left" / "002.png").read_bytes())
    assert wardround("data", "check", plan, "--data", folder) == 0
    shown = capsys.readouterr().out
    assert "1 empty_file" in shown
    assert "2 images occur more than once" in shown
    assert "91 images, of which 90 can be read" in shown


def test_a_missing_folder_is_a_data_error(wardround: Run, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("data", "check", plan, "--data", tmp_path / "none") == 3
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_sites_shows_who_holds_what_and_writes_the_figure(wardround: Run, plan: Path, tmp_path: Path,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("sites", plan, "--figure", tmp_path / "sites.png") == 0
    shown = capsys.readouterr().out
    assert "north" in shown
    assert "south" in shown
    assert (tmp_path / "sites.png").read_bytes().startswith(b"\x89PNG")


def test_sites_deals_the_images_out_and_tells_where_and_how_a_plan_names_them(wardround: Run, plan: Path, tmp_path: Path,
                                                                              capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "hospitals"
    assert wardround("sites", plan, "--figure", tmp_path / "sites.png", "--deal", folder) == 0
    shown = capsys.readouterr().out
    assert str(folder / "north") in shown
    assert "names = ['north', 'south']" in shown
    dealt = [len(list((folder / site).rglob("*.png"))) for site in ("north", "south")]
    assert sum(dealt) == 90
    assert wardround("sites", plan, "--figure", tmp_path / "sites.png", "--data", folder, "--set", "sites.partition=folders") == 0
    assert wardround("sites", plan, "--figure", tmp_path / "sites.png", "--deal", tmp_path) == 2
    assert "what an earlier deal has written" in capsys.readouterr().err


def test_phantom_writes_a_folder_that_its_own_reader_knows(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("phantom", "chest-xray", tmp_path / "phantoms", "--num", 60, "--seed", 1) == 0
    assert "60 phantom images" in capsys.readouterr().out
    assert wardround("data", "inspect", tmp_path / "phantoms") == 0
    shown = capsys.readouterr().out
    assert "60 images" in shown
    assert "yes: synthetic images" in shown


def test_phantom_of_an_unknown_data_set_names_the_near_one(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("phantom", "chest-xrai", tmp_path / "phantoms") == 2
    assert "Did you mean 'chest-xray'?" in capsys.readouterr().err


def test_convert_writes_a_folder_that_inspect_knows(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.p").write_bytes(pickle.dumps([[0, 1, 1], np.zeros((3, 6, 8))]))
    assert wardround("data", "convert", tmp_path / "old.p", tmp_path / "folder", "--classes", "left,right") == 0
    shown = capsys.readouterr().out
    assert "left 1, right 2" in shown
    assert "executed" in shown
    assert wardround("data", "inspect", tmp_path / "folder") == 0


def test_convert_of_a_file_that_asks_for_code_is_a_data_error(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.p").write_bytes(b"cos\nsystem\n(S'touch sentinel'\ntR.")
    assert wardround("data", "convert", tmp_path / "old.p", tmp_path / "folder") == 3
    assert "os.system: refused; nothing was executed" in capsys.readouterr().err


def test_fetch_shows_the_terms_and_wants_them_accepted(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("data", "fetch", "pneumoniamnist", tmp_path / "out") == 2
    shown = capsys.readouterr()
    assert "CC BY 4.0" in shown.out
    assert "--accept-licence" in shown.err
    assert not (tmp_path / "out").exists()


def test_fetch_without_network_tells_the_manual_way(wardround: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WARDROUND_FETCH_URL", "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between tries
    assert wardround("data", "fetch", "pneumoniamnist", tmp_path / "out", "--accept-licence") == 3
    assert "wardround data inspect" in capsys.readouterr().err


def test_fetch_of_an_unknown_name_lists_those_there_are(wardround: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wardround("data", "fetch", "pneumonia", tmp_path / "out", "--accept-licence") == 2
    assert "Did you mean 'pneumoniamnist'?" in capsys.readouterr().err
