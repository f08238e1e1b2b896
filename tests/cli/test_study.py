"""The coordinator's commands: what they make, ask for and print, and how they end."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wardround.cli import standing
from wardround.core.events import RoundFinished, RunStarted
from wardround.network import authority, kits, steering
from wardround.network.control import Control, Hub, Phase, Progress, State
from wardround.network.folders import StudyFolder
from wardround.network.study import new_study
from wardround.plan.load import load_plan
from wardround.runs.journal import Journal

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]
PLAN = """
name = "tiny"
[data]
dataset = "brain-tumour-mri"
size = 16
[sites]
num = 2
[rounds]
num = 9
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a plan in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


@pytest.fixture
def new(here: Path, wardround: Run, capsys: Capture) -> Callable[..., StudyFolder]:
    """Make a study by its command."""

    def make(name: str = "clinics", *more: str) -> StudyFolder:
        assert wardround("study", "new", name, "--plan", "plan.toml", "--sites", "north, south", "--address", "localhost:8102", *more) == 0
        return StudyFolder(here / name)

    return make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "plan.toml").write_text(PLAN)
    return new_study("clinics", load_plan(folder / "plan.toml"), ["north", "south"], "localhost:8102", folder / "clinics").path


@pytest.fixture
def study(made: Path, here: Path) -> StudyFolder:
    """The only study in the working folder."""
    shutil.copytree(made, here / "clinics")
    return StudyFolder(here / "clinics")


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """No hub is started; the studies of those that would have been."""
    begun: list[Path] = []
    monkeypatch.setattr(steering, "see_to_hub", lambda study: begun.append(study.path))
    return begun


def stands(study: StudyFolder, phase: Phase, *, text: str = "", failed: dict[str, str] | None = None) -> None:
    """A run of three rounds that stands so."""
    (study.runs / "run").mkdir(parents=True, exist_ok=True)
    journal = Journal(study.runs / "run" / "journal.jsonl", keep_bytes=0)
    journal.write(RunStarted(arm="federated", num_rounds=9, num_sites=2, num_train=60, num_parameters=5, phantom=True, metric="auroc"))
    for number in (1, 2, 3):
        journal.write(RoundFinished(round=number, lr=0.1, train_loss=0.5, train_loss_by_site={"north": 0.5}, failed=failed or {},
                                    val={"auroc": 0.8125}, bytes_up=10**6, bytes_down=2 * 10**6, seconds=40.0))
    journal.close()
    State(study).tell(Progress(phase=phase, run="run", round=3, num_rounds=9, text=text, sites=failed or {}))


def test_a_new_study_shows_its_fingerprint_and_every_invitation(new: Callable[..., StudyFolder], capsys: Capture) -> None:
    study = new()
    shown = capsys.readouterr().out
    assert authority.spoken(authority.fingerprint(authority.root_of(study))) in shown
    for site in ("north", "south"):
        assert f"For {site}: clinics/invitations/{site}.invitation" in shown
    assert "wardround study admit SITE.request --study clinics" in shown


def test_a_studys_plan_can_be_changed_on_the_command_line(new: Callable[..., StudyFolder]) -> None:
    assert "num = 5" in new("short", "--set", "rounds.num=5").plan_file.read_text()


@pytest.mark.parametrize("address", ["localhost", "localhost:many", ":8102"])
def test_a_wrong_address_makes_nothing(here: Path, wardround: Run, capsys: Capture, address: str) -> None:
    assert wardround("study", "new", "clinics", "--plan", "plan.toml", "--sites", "a,b", "--address", address) == 1
    assert f"--address {address}: give the name" in capsys.readouterr().err
    assert not (here / "clinics").exists()


def test_a_wrong_plan_exits_with_2(here: Path, wardround: Run) -> None:
    assert wardround("study", "new", "clinics", "--plan", "nothing.toml", "--sites", "a,b", "--address", "localhost:8102") == 2


def test_admitted_sites_have_kits(study: StudyFolder, here: Path, wardround: Run, capsys: Capture) -> None:
    for site in ("north", "south"):
        kits.join(study.path / "invitations" / f"{site}.invitation", here / "away" / site)
    assert wardround("study", "admit", "away/north.request", "away/south.request", "--study", "clinics") == 0
    shown = capsys.readouterr().out
    assert "Kit: clinics/kits/north.kit" in shown
    assert "Kit: clinics/kits/south.kit" in shown


def test_another_key_is_admitted_only_when_it_is_said(study: StudyFolder, here: Path, wardround: Run, capsys: Capture) -> None:
    invitation = study.path / "invitations" / "north.invitation"
    for place in ("old", "new"):
        kits.join(invitation, here / place / "north")
    assert wardround("study", "admit", "old/north.request") == 0
    assert wardround("study", "admit", "new/north.request") == 1
    assert "was admitted with another key" in capsys.readouterr().err
    assert wardround("study", "admit", "new/north.request", "--again") == 0


def test_a_revoked_site_is_named(study: StudyFolder, here: Path, wardround: Run, capsys: Capture) -> None:
    kits.join(study.path / "invitations" / "north.invitation", here / "away" / "north")
    assert wardround("study", "admit", "away/north.request") == 0
    assert wardround("study", "revoke", "north", "clinics") == 0
    assert "site north are revoked" in capsys.readouterr().out
    assert authority.issued(study)["north"]["revoked"]


def test_another_plan_is_offered_to_every_site(study: StudyFolder, wardround: Run, capsys: Capture) -> None:
    assert wardround("study", "plan", "plan.toml", "--set", "rounds.num=30") == 0
    assert "wardround site approve" in capsys.readouterr().out
    assert "num = 30" in study.plan_file.read_text()


def test_the_only_study_here_needs_no_name(study: StudyFolder, wardround: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wardround("study", "status") == 0
    monkeypatch.chdir(study.path)
    assert wardround("study", "status") == 0


def test_of_two_studies_one_must_be_named(study: StudyFolder, wardround: Run, capsys: Capture) -> None:
    shutil.copytree(study.path, study.path.with_name("other"))
    assert wardround("study", "status") == 1
    assert "clinics, other" in capsys.readouterr().err
    assert wardround("study", "status", "other") == 0


def test_without_a_study_the_error_says_how_to_make_one(here: Path, wardround: Run, capsys: Capture) -> None:
    assert wardround("study", "status") == 1
    assert "wardround study new NAME" in capsys.readouterr().err


def test_status_needs_no_hub(study: StudyFolder, wardround: Run, capsys: Capture) -> None:
    assert wardround("study", "status") == 0
    shown = capsys.readouterr().out
    assert "clinics: not begun" in shown
    assert "wardround study start clinics" in shown
    stands(study, "training", failed={"south": "no answer before the deadline"})
    assert wardround("study", "status") == 0
    shown = capsys.readouterr().out
    assert ("clinics: training, round 3 of 9, AUROC 0.812 on validation images after round 3, 3.0 MB came, 6.0 MB went, 2 min in rounds, "
            "without south now") in shown
    assert "3: 1, 2, 3" in shown
    assert "round 2 went on without south: no answer before the deadline" in shown
    assert "wardround study resume clinics" in shown


def test_status_is_told_to_programs(study: StudyFolder, wardround: Run, capsys: Capture) -> None:
    stands(study, "paused")
    assert wardround("study", "status", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["phase"], found["round"], found["score"]) == ("paused", 3, 0.8125)


def test_start_wants_all_sites_and_leaves_the_study_alone(study: StudyFolder, wardround: Run, capsys: Capture, no_hub: list[Path]) -> None:
    assert wardround("study", "start", "--detach", "--with-local") == 0
    assert State(study).control == Control(want="run", wait_for=2, with_local=True)
    assert no_hub == [Path("clinics")]
    assert "goes on by itself" in capsys.readouterr().out


def test_start_waits_for_no_more_sites_than_there_are(study: StudyFolder, wardround: Run, no_hub: list[Path]) -> None:
    assert wardround("study", "start", "--wait-for", 3) == 1
    assert no_hub == []


@pytest.mark.parametrize(("phase", "code", "said"), [("failed", 1, "the run failed: the plan has no model"),
                                                     ("stopped", 1, "stopped after round 3. Nothing was tested")])
def test_start_ends_as_the_run_does(study: StudyFolder, wardround: Run, capsys: Capture, no_hub: list[Path], phase: Phase, code: int,
                                    said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "begin", lambda *args, **kwargs: stands(study, phase, text="the plan has no model"))
    assert wardround("study", "start") == code
    assert said in capsys.readouterr().err


def test_a_finished_study_shows_its_results(study: StudyFolder, wardround: Run, no_hub: list[Path],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(steering, "begin", lambda *args, **kwargs: stands(study, "finished"))
    monkeypatch.setattr(standing, "results", lambda status: shown.append(status.phase))
    assert wardround("study", "start") == 0
    assert shown == ["finished"]


def test_a_run_without_a_site_is_never_finished_alone(study: StudyFolder, wardround: Run, capsys: Capture) -> None:
    stands(study, "finished", failed={"south": "not connected"})
    assert wardround("study", "status") == 0
    assert "clinics: finished without south, round 3 of 9" in capsys.readouterr().out


def test_ctrl_c_leaves_the_watching_and_says_that_the_study_goes_on(study: StudyFolder, wardround: Run, capsys: Capture,
                                                                     no_hub: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steering, "follow", interrupted)
    assert wardround("study", "start") == 130
    assert "The study goes on by itself" in capsys.readouterr().out
    assert State(study).control.want == "run"


def test_a_service_is_the_server(study: StudyFolder, wardround: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def serve(study: StudyFolder, **wishes: object) -> None:
        asked.append(wishes)
        raise SystemExit(0)

    monkeypatch.setattr(steering, "serve", serve)
    assert wardround("study", "start", "--serve", "--wait-for", "1") == 0
    assert asked == [{"wait_for": 1, "with_local": False}]


@pytest.mark.parametrize("want", ["pause", "stop"])
def test_pause_and_stop_wait_until_it_is_so(study: StudyFolder, wardround: Run, capsys: Capture, no_hub: list[Path], want: str) -> None:
    stands(study, "training")
    State(study).see(Hub(pid=os.getpid(), job="1", connected={"north": time.time()}))
    assert wardround("study", want, "--timeout", 0) == 1
    assert "the study is training, round 3 of 9, and rests when the round ends that has begun" in capsys.readouterr().err
    State(study).see(Hub(pid=2**22 + 1))  # which is dead
    assert wardround("study", want, "--timeout", 0) == (0 if want == "pause" else 1)  # a stop has the best round tested first
    assert no_hub == ([] if want == "pause" else [Path("clinics")])
    assert State(study).control.want == want


def test_resume_starts_the_hub_again(study: StudyFolder, wardround: Run, no_hub: list[Path]) -> None:
    State(study).want(want="pause", wait_for=2)
    assert wardround("study", "resume") == 0
    assert State(study).control == Control(want="run", wait_for=2)
    assert no_hub == [Path("clinics")]


def test_before_the_test_there_are_no_results(study: StudyFolder, wardround: Run, capsys: Capture) -> None:
    stands(study, "training")
    assert wardround("study", "results") == 1
    assert "has no results yet: it is training" in capsys.readouterr().err


def test_results_are_the_reports_own(study: StudyFolder, plan: Path, wardround: Run, capsys: Capture) -> None:
    assert wardround("run", plan, "--set", "rounds.num=1", "--out", "runs") == 0
    shutil.copytree("runs/tiny/federated-seed0", study.runs / "run")
    (study.runs / "run" / "predictions.csv").unlink()  # no row leaves a site
    stands(study, "finished", failed={"south": "not connected"})
    capsys.readouterr()
    assert wardround("study", "results") == 0
    shown = capsys.readouterr().out
    assert "Hospital" in shown
    assert "clinics/runs/run/report.html" in shown
    assert "clinics/runs/run/model.safetensors" in shown
    assert shown.rstrip().endswith("south")
