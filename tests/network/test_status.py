"""Where a study and a site stand, read off their files alone."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wardround.core.events import Event, Note, RoundFinished, RunFinished, RunStarted
from wardround.errors import NetworkError
from wardround.network import authority, keys, kits
from wardround.network.approval import Approvals
from wardround.network.auditlog import AuditLog
from wardround.network.control import Hub, Progress, State
from wardround.network.folders import SiteFolder, StudyFolder
from wardround.network.status import is_alive, look, look_at_site
from wardround.runs.journal import Journal

SITES = ["north", "south", "east"]
NOBODY = 2**22 + 1  # no process has this number
STARTED = RunStarted(arm="federated", num_rounds=9, num_sites=3, num_train=60, num_parameters=5, phantom=False, metric="auroc")


def finished(number: int, *, failed: dict[str, str] | None = None, auroc: float | None = None) -> RoundFinished:
    there = {site: 0.5 for site in SITES if site not in (failed or {})}
    return RoundFinished(round=number, lr=0.1, train_loss=0.5, train_loss_by_site=there, failed=failed or {}, bytes_up=100, bytes_down=200,
                         seconds=2.0, val={} if auroc is None else {"auroc": auroc})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = StudyFolder(tmp_path_factory.mktemp("made") / "study")
    study.path.mkdir()
    record = {"name": "clinics", "host": "localhost", "port": 8002, "admin_port": 8003, "sites": SITES}
    (study.path / "study.json").write_text(json.dumps(record))
    study.plan_file.write_text('name = "clinics"\n')
    authority.found(study, name="clinics", host="localhost")
    kits.invite(study, SITES)
    return study.path


@pytest.fixture
def study(made: Path, tmp_path: Path) -> StudyFolder:
    shutil.copytree(made, tmp_path / "study")
    return StudyFolder(tmp_path / "study")


@pytest.fixture(scope="module")
def joined(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = kits.join(made / "invitations" / "north.invitation", tmp_path_factory.mktemp("hospital") / "clinics-north")
    kits.accept(site, kits.admit(StudyFolder(made), kits.request_file(site)))
    return site.path


@pytest.fixture
def site(joined: Path, tmp_path: Path) -> SiteFolder:
    shutil.copytree(joined, tmp_path / "clinics-north")
    return SiteFolder(tmp_path / "clinics-north")


def ran(study: StudyFolder, *events: Event, **progress: object) -> None:
    """A run that has come so far."""
    (study.runs / "run-1").mkdir(parents=True)
    journal = Journal(study.runs / "run-1" / "journal.jsonl")
    for event in events:
        journal.write(event)
    journal.close()
    State(study).tell(Progress(**{"phase": "training", "run": "run-1", "round": 2, "num_rounds": 9, **progress}))  # type: ignore[arg-type]


def by_name(study: StudyFolder) -> dict[str, tuple[object, ...]]:
    return {site.name: (site.heard_s is not None, site.away) for site in look(study).sites}


@pytest.fixture
def hub(study: StudyFolder) -> Iterator[None]:
    """This process, as a hub that hears of north and south."""
    now = time.time()
    State(study).see(Hub(pid=os.getpid(), text="job 1 is running", connected={"north": now - 2, "south": now}))
    yield


def test_a_new_study_has_not_begun(study: StudyFolder) -> None:
    found = look(study)
    assert (found.study, found.phase, found.run, found.round, found.score, found.is_served, found.is_over) == (
        "clinics", "none", None, 0, None, False, False)
    assert [(site.name, site.heard_s, site.away, site.round) for site in found.sites] == [(name, None, "", 0) for name in SITES]
    assert found.warnings == ()


def test_round_score_and_bytes_are_the_journals(study: StudyFolder) -> None:
    ran(study, STARTED, finished(1, auroc=0.75), finished(2))
    found = look(study)
    assert (found.round, found.num_rounds, found.metric, found.score, found.score_round) == (2, 9, "auroc", 0.75, 1)
    assert (found.bytes_up, found.bytes_down, found.seconds) == (200, 400, 4.0)
    assert found.run == study.runs / "run-1"


def test_a_repeated_round_counts_once(study: StudyFolder) -> None:
    ran(study, STARTED, finished(1, failed={"south": "not connected"}), finished(1))
    found = look(study)
    assert found.bytes_up == 100
    assert found.without == ()


def test_a_site_that_was_dropped_is_told_by_its_rounds(study: StudyFolder) -> None:
    ran(study, STARTED, finished(1), finished(2, failed={"south": "no answer before the deadline"}))
    found = look(study)
    assert {site.name: (site.round, site.missed) for site in found.sites} == {"north": (2, ()), "south": (1, (2,)), "east": (2, ())}
    assert found.without == ("south",)
    assert found.notes == ("round 2 went on without south: no answer before the deadline",)


def test_a_site_that_was_not_tested_counts_as_dropped(study: StudyFolder) -> None:
    end = RunFinished(rounds=1, best_round=1, stopped_early=False, seconds=1.0, without=("east",))
    ran(study, STARTED, finished(1), Note(text="site east has no local arm: not connected"), end, phase="finished")
    found = look(study)
    assert found.is_over
    assert found.without == ("east",)
    assert found.notes == ("site east has no local arm: not connected",)


@pytest.mark.usefixtures("hub")
def test_the_hub_knows_at_once_who_is_connected(study: StudyFolder) -> None:
    ran(study, STARTED, sites={"north": "", "south": "not connected", "east": ""})
    found = look(study)
    assert found.is_served
    assert found.hub == "job 1 is running"
    assert 2 <= (found.sites[0].heard_s or 0) < 60
    assert by_name(study) == {"north": (True, ""), "south": (True, "waits for the next round"), "east": (False, "not connected")}


@pytest.mark.usefixtures("hub")
def test_what_else_keeps_a_site_away_is_the_runs_word(study: StudyFolder) -> None:
    ran(study, STARTED, sites={"north": "its plan is not approved"})
    assert by_name(study)["north"] == (True, "its plan is not approved")


def test_without_a_hub_nobody_is_connected(study: StudyFolder) -> None:
    State(study).see(Hub(pid=NOBODY, connected={"north": time.time()}))
    found = look(study)
    assert not found.is_served
    assert found.sites[0].heard_s is None


def test_a_process_is_known_by_its_start() -> None:
    assert is_alive(os.getpid(), time.time())
    assert not is_alive(os.getpid(), time.time() - 10**6)  # seen long before this process began: it was another one
    assert not is_alive(NOBODY, time.time())


def test_a_certificate_that_ends_soon_is_told(study: StudyFolder, site: SiteFolder) -> None:
    soon = (datetime.now(UTC) + timedelta(days=5, hours=1)).isoformat()
    entry = {"serial": "1", "key": "", "fingerprint": "", "not_after": soon, "when": "", "revoked": None, "former": []}
    (study.authority / "issued.json").write_text(json.dumps({"north": entry}))
    assert "the certificate of site 'north' expires on" in look(study).warnings[0]
    assert look_at_site(site).warnings == ()


def test_status_is_json(study: StudyFolder) -> None:
    ran(study, STARTED, finished(1))
    assert json.loads(json.dumps(asdict(look(study)), default=str))["sites"][0]["name"] == "north"


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="is not a study's folder"):
        look(StudyFolder(tmp_path))


def test_a_new_site_has_done_nothing(site: SiteFolder) -> None:
    found = look_at_site(site)
    assert (found.site, found.study, found.server, found.is_running, found.registration, found.order, found.sent, found.models) == (
        "north", "clinics", "localhost:8002", False, None, "", (), ())
    assert not found.is_approved


def test_a_site_tells_what_left_it_by_round(site: SiteFolder) -> None:
    log = AuditLog(site.audit_file)
    log.write("order", kind="Order", run="run-1", round=1, bytes=10)
    for size in (70, 30):
        log.write("sent", kind="Update", run="run-1", round=1, bytes=size, arrays={})
    log.write("order", kind="EvaluateOrder", run="run-1", round=2, bytes=10)
    log.write("refused", run="run-1", round=2, cause="refused: too late")
    log.write("sent", kind="SiteFailed", run="run-1", round=2, bytes=5, arrays={})
    log.write("sent", kind="Ready", run="run-2", round=1, bytes=7, arrays={})
    found = look_at_site(site)
    assert [(sent.run, sent.round, sent.num, sent.num_bytes) for sent in found.sent] == [
        ("run-1", 1, 2, 100), ("run-1", 2, 1, 5), ("run-2", 1, 1, 7)]
    assert found.order.startswith("EvaluateOrder of round 2, ")
    assert found.refused[0].endswith(": refused: too late")


def test_an_approval_holds_for_the_plan_that_is_offered(site: SiteFolder) -> None:
    Approvals(site.approvals_file).approve(site.plan_file.read_text(), by="Dr Who")
    assert look_at_site(site).is_approved
    site.plan_file.write_text('name = "another"\n')
    found = look_at_site(site)
    assert not found.is_approved
    assert [held.by for held in found.approvals] == ["Dr Who"]


def test_a_sites_program_runs_until_it_ends_or_is_gone(site: SiteFolder) -> None:
    log = AuditLog(site.audit_file)
    log.write("site-started", pid=os.getpid())
    assert look_at_site(site).is_running
    log.write("site-ended")
    assert not look_at_site(site).is_running
    log.write("site-started", pid=NOBODY)
    assert not look_at_site(site).is_running


def test_models_that_came_back_are_named(site: SiteFolder) -> None:
    for name in ("run-1", ".run-2.part"):
        (site.models / name).mkdir(parents=True)
    (site.models / "run-1" / "model.json").write_text("{}")
    assert look_at_site(site).models == (site.models / "run-1",)


def test_what_the_server_said_last_is_told(site: SiteFolder) -> None:
    site.flare.mkdir()
    (site.flare / "log.txt").write_text("... Successfully registered client:north ...\n")
    found = look_at_site(site).registration
    assert found is not None
    assert found.ok


def test_fingerprints_are_the_same_at_both_ends(study: StudyFolder, site: SiteFolder) -> None:
    assert keys.spoken(site.record()["fingerprint"]) == keys.spoken(authority.fingerprint(authority.root_of(study)))
