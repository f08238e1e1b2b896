"""A hospital's commands: nothing is approved unread, nothing starts unapproved, and what was done can be looked up."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from wardround.network import certificates, kits, sitehost
from wardround.network.approval import Approvals, login_name
from wardround.network.auditlog import AuditLog
from wardround.network.folders import SiteFolder
from wardround.network.study import new_study
from wardround.plan.schema import DataPlan, EvaluationPlan, ModelPlan, Plan, RoundsPlan, SitesPlan

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]
PLAN = Plan(name="tiny", data=DataPlan(dataset="folder", size=16, classes=("left", "right")), model=ModelPlan(name="cnn"),
            sites=SitesPlan(num=1), rounds=RoundsPlan(num=3), evaluation=EvaluationPlan(resamples=100))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the coordinator sends, and the site's folder before its kit was accepted."""
    home = tmp_path_factory.mktemp("made")
    study = new_study("clinics", PLAN, ["north"], "localhost:1", home / "study")
    shutil.copy(study.path / "invitations" / "north.invitation", home)
    site = kits.join(home / "north.invitation", home / "clinics-north")
    shutil.copy(kits.admit(study, kits.request_file(site)), home)
    return home


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the hospital."""
    shutil.copytree(made, tmp_path / "here", ignore=shutil.ignore_patterns("study"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def site(here: Path) -> SiteFolder:
    return SiteFolder(here / "clinics-north")


@pytest.fixture
def ready(here: Path, images: Path, wardround: Run) -> Callable[..., int]:
    """Accept the kit by its command."""
    return lambda *more: wardround("site", "ready", "north.kit", "--data", images, *more)


def answers(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What somebody types."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_joining_shows_the_fingerprint_and_the_request(here: Path, made: Path, site: SiteFolder, wardround: Run, capsys: Capture) -> None:
    assert wardround("site", "join", "north.invitation", "--out", "again") == 0
    shown = capsys.readouterr().out
    assert certificates.keys.spoken(site.record()["fingerprint"]) in shown
    assert str(here / "north.request") in shown
    assert (here / "again" / "key.pem").exists()


def test_a_file_that_is_no_invitation_is_refused(here: Path, wardround: Run, capsys: Capture) -> None:
    assert wardround("site", "join", "north.kit") == 1
    assert "is not the coordinator's invitation" in capsys.readouterr().err


def test_a_plan_is_approved_by_whoever_has_read_it(ready: Callable[..., int], site: SiteFolder, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: Capture) -> None:
    answers(monkeypatch, "y\n")
    assert ready("--by", "Dr Who") == 0
    shown = capsys.readouterr().out
    for part in ("ok       images: 90 images", "note     connection:", "The plan\n- ", "What leaves this site\n- ", "Tensors: ",
                 "What never leaves it\n- ", "Hash of the plan: ", "Approved by Dr Who on "):
        assert part in shown
    approval = Approvals(site.approvals_file).last()
    assert approval is not None
    assert approval.by == "Dr Who"
    assert approval.hash in shown


@pytest.mark.parametrize("typed", ["n\n", ""])
def test_without_a_yes_nothing_is_approved(ready: Callable[..., int], site: SiteFolder, monkeypatch: pytest.MonkeyPatch, capsys: Capture,
                                           typed: str) -> None:
    answers(monkeypatch, typed)
    assert ready() == 1
    assert "was not approved" in capsys.readouterr().err
    assert Approvals(site.approvals_file).last() is None


def test_scripts_approve_in_the_name_of_their_user(ready: Callable[..., int], site: SiteFolder) -> None:
    assert ready("--yes") == 0
    approval = Approvals(site.approvals_file).last()
    assert approval is not None
    assert approval.by == login_name()


def test_a_problem_keeps_even_a_script_from_approving(here: Path, site: SiteFolder, wardround: Run, capsys: Capture) -> None:
    assert wardround("site", "ready", "north.kit", "--data", "nowhere", "--yes") == 1
    shown = capsys.readouterr()
    assert "PROBLEM  images: " in shown.out
    assert "cannot be approved yet" in shown.err
    assert Approvals(site.approvals_file).last() is None


def test_an_edited_kit_is_refused_before_anything_is_looked_at(here: Path, wardround: Run, images: Path, capsys: Capture) -> None:
    kit = json.loads((here / "north.kit").read_text())
    (here / "north.kit").write_text(json.dumps({**kit, "host": "elsewhere.example.org"}))
    assert wardround("site", "ready", "north.kit", "--data", images, "--yes") == 1
    assert "was edited or damaged" in capsys.readouterr().err


def test_an_approved_plan_is_not_asked_for_again(ready: Callable[..., int], wardround: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ready("--yes") == 0
    answers(monkeypatch, "")
    assert wardround("site", "ready", "north.kit") == 0


def test_another_plan_is_shown_by_what_has_changed(ready: Callable[..., int], site: SiteFolder, wardround: Run, capsys: Capture) -> None:
    assert ready("--yes", "--by", "Dr Who") == 0
    site.plan_file.write_text(site.plan_file.read_text().replace("num = 3", "num = 30"))
    capsys.readouterr()
    assert wardround("site", "approve", "--yes") == 0
    shown = capsys.readouterr().out
    assert "Changed since the plan that Dr Who approved on" in shown
    assert "- rounds.num: 3 -> 30" in shown


def test_code_of_others_is_asked_for_by_name(ready: Callable[..., int], site: SiteFolder, wardround: Run, monkeypatch: pytest.MonkeyPatch,
                                             capsys: Capture) -> None:
    assert ready("--yes") == 0
    site.plan_file.write_text(site.plan_file.read_text().replace('"cnn"', '"wardround.testing:toy_net"'))
    answers(monkeypatch, "n\n")
    capsys.readouterr()
    assert wardround("site", "approve") == 1
    shown = capsys.readouterr()
    assert "model.name = wardround.testing:toy_net" in shown.out
    assert "it was not imported" in shown.err
    answers(monkeypatch, "y\ny\n")
    assert wardround("site", "approve") == 0


def test_a_withdrawn_plan_is_not_trained(ready: Callable[..., int], site: SiteFolder, wardround: Run, capsys: Capture) -> None:
    assert ready("--yes") == 0
    assert wardround("site", "withdraw") == 0
    assert "is withdrawn" in capsys.readouterr().out
    assert Approvals(site.approvals_file).last() is None
    assert wardround("site", "withdraw") == 1


def test_a_plan_can_be_read_any_time(ready: Callable[..., int], wardround: Run, capsys: Capture) -> None:
    assert wardround("site", "plan") == 1
    assert "comes with the coordinator's kit" in capsys.readouterr().err
    assert ready("--yes") == 0
    capsys.readouterr()
    assert wardround("site", "plan") == 0
    shown = capsys.readouterr().out
    assert "What leaves this site" in shown
    assert "- nothing" in shown  # has changed


def test_limits_are_shown_with_their_file(ready: Callable[..., int], site: SiteFolder, wardround: Run, capsys: Capture) -> None:
    assert wardround("site", "limits") == 1
    assert "limits.toml does not exist" in capsys.readouterr().err
    assert ready("--yes") == 0
    site.limits_file.write_text('hours = "20:00-06:00"\n')
    capsys.readouterr()
    assert wardround("site", "limits") == 0
    shown = capsys.readouterr().out
    assert "20:00-06:00" in shown
    assert "max_rounds      no limit" in shown
    assert "clinics-north/limits.toml" in shown


def test_nothing_starts_before_the_approval(ready: Callable[..., int], wardround: Run, capsys: Capture) -> None:
    assert wardround("site", "start") == 1
    assert "has no certificate yet" in capsys.readouterr().err
    assert ready("--yes") == 0
    assert wardround("site", "withdraw") == 0
    capsys.readouterr()
    assert wardround("site", "start") == 1
    assert "is not approved" in capsys.readouterr().err


def test_start_serves_the_site_of_this_folder(site: SiteFolder, wardround: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    served = []
    monkeypatch.setattr(sitehost, "serve", lambda site, watch: served.append(site.path))
    assert wardround("site", "start", "--folder", site.path) == 0
    assert wardround("site", "start") == 0
    assert served == [site.path, Path("clinics-north")]


def test_a_unit_for_systemd_starts_this_folder(site: SiteFolder, wardround: Run, capsys: Capture) -> None:
    assert wardround("site", "start", "--unit") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("[Unit]")
    assert f"site start --folder {site.path}" in shown


def test_status_tells_what_left_the_site(ready: Callable[..., int], site: SiteFolder, wardround: Run, capsys: Capture) -> None:
    assert ready("--yes", "--by", "Dr Who") == 0
    log = AuditLog(site.audit_file)
    log.write("order", kind="Order", run="run", round=1, bytes=10)
    log.write("sent", kind="Update", run="run", round=1, bytes=2500, arrays={})
    log.write("refused", run="run", round=1, cause="refused: it is 12:00 here")
    capsys.readouterr()
    assert wardround("site", "status") == 0
    shown = capsys.readouterr().out
    for part in ("north of study clinics", "not running", "Order of round 1", "by Dr Who on", "2.5 kB",
                 "it is 12:00 here", "none yet"):
        assert part in shown


def test_status_tells_why_the_server_does_not_let_it_in(site: SiteFolder, wardround: Run, capsys: Capture) -> None:
    site.flare.mkdir()
    (site.flare / "log.txt").write_text("registration rejected: the certificate of 'north' was revoked\n")
    assert wardround("site", "status") == 0
    assert "does not let this site in: the certificate of 'north' was revoked" in capsys.readouterr().out


def test_of_no_site_or_two_one_must_be_named(site: SiteFolder, here: Path, wardround: Run, capsys: Capture,
                                             monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(site.path, here / "other")
    assert wardround("site", "status") == 1
    assert "clinics-north, other" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert wardround("site", "status") == 1
    assert "wardround site join" in capsys.readouterr().err


def test_a_folder_that_is_no_sites_is_refused(here: Path, wardround: Run, capsys: Capture) -> None:
    assert wardround("site", "status", "--folder", here) == 1
    assert "is not a site's folder" in capsys.readouterr().err
