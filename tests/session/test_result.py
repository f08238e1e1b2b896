"""What run and compare return, and how it shows itself."""

import base64
import re
import shutil
from pathlib import Path

import pytest

from wardround.errors import WardroundError
from wardround.plan.schema import Plan
from wardround.runs.folder import RunFolder, read_json, write_json
from wardround.session import compare
from wardround.session.result import CompareResult, RunResult
from wardround.session.single import reported


@pytest.fixture(scope="module")
def made(images: Path, tmp_path_factory: pytest.TempPathFactory) -> CompareResult:
    plan = Plan.model_validate({
        "name": "tiny", "data": {"folder": images, "size": 16}, "sites": {"names": ("north", "south", "east")},
        "model": {"name": "wardround.testing:toy_net"}, "rounds": {"num": 2}, "engine": {"workers": 1}, "evaluation": {"resamples": 100}})
    return compare(plan, arms=("federated", "pooled"), out=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def compared(made: CompareResult, tmp_path: Path) -> CompareResult:
    """A copy, to be changed at will."""
    return CompareResult(shutil.copytree(made, tmp_path / "tiny"))


@pytest.fixture
def run(compared: CompareResult) -> RunResult:
    (found,) = compared.runs("federated")
    return found


def test_a_result_is_a_run_s_folder(run: RunResult) -> None:
    assert isinstance(run, RunFolder)
    assert run.name == "federated-seed0"
    assert run.scores()["arm"] == "federated"


def test_a_comparison_stands_where_a_path_is_wanted(compared: CompareResult, tmp_path: Path) -> None:
    assert Path(compared) == compared.path == tmp_path / "tiny"
    assert compared.scores() == read_json(compared / "compare.json")


def test_an_arm_that_was_not_run_is_an_error(compared: CompareResult) -> None:
    with pytest.raises(WardroundError, match=r"no arm 'local'\. It has: federated, pooled"):
        compared.runs("local")


def test_a_comparison_shows_headline_arms_hospitals_and_figures(compared: CompareResult) -> None:
    html = compared._repr_html_()
    assert "<b>Federated training of 3 hospitals reached" in html
    for part in ("Federated against pooled", "Balanced accuracy", "north", "Worst first", 'alt="arms"'):
        assert part in html
    assert "PHANTOM" not in html


def test_a_run_shows_its_metrics_with_intervals_hospitals_and_learning_curves(run: RunResult) -> None:
    html = reported(run)._repr_html_()
    assert re.search(r"Balanced accuracy</td><td[^>]*>\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", html)
    assert "south" in html
    (picture,) = re.findall(r'alt="learning curves"[^>]*src="data:image/png;base64,([^"]+)"', html)
    assert base64.b64decode(picture).startswith(b"\x89PNG")


def test_phantoms_are_named_as_such(run: RunResult) -> None:
    write_json(run.path / "scores.json", {**run.scores(), "phantom": True})
    assert "These images are PHANTOMS" in run._repr_html_()


def test_the_report_is_a_link_below_the_working_folder_and_text_elsewhere(run: RunResult, tmp_path: Path,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"<code>wardround report {run.path}</code> writes it" in run._repr_html_()
    reported(run)
    assert '<a href="tiny/federated-seed0/report.html"' in run._repr_html_()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert f"<code>{run.path / 'report.html'}</code>" in run._repr_html_()


def test_what_is_missing_is_a_sentence_in_place_of_the_result(tmp_path: Path) -> None:
    assert "is not a comparison&#x27;s folder" in CompareResult(tmp_path / "nothing")._repr_html_()
    assert "is not a run folder" in RunResult(tmp_path / "nothing")._repr_html_()
