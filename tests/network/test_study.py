"""A new study is a whole folder or none, with a plan that every hospital can run alike."""

import os
import stat
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from field import plan_of

from wardround.errors import NetworkError, PlanError
from wardround.network import authority
from wardround.network import study as studies
from wardround.network.approval import plan_hash
from wardround.network.auditlog import lines, verify
from wardround.network.folders import StudyFolder
from wardround.network.study import change_plan, new_study, plan_for
from wardround.plan.load import dump_plan, load_plan
from wardround.plan.schema import Plan

SITES = ("north", "south")
PLAN = plan_of(*SITES)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One key for all, and no waiting for the disk: both have their own tests."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    key = QUICK.setdefault("key", authority.keys.new_key())
    monkeypatch.setattr(authority.keys, "new_key", lambda: key)


QUICK: dict[str, str] = {}


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def make(out: Path, *, name: str = "clinics", plan: Plan = PLAN, sites: tuple[str, ...] = SITES,
         address: str = "fl.hospital.org:8102") -> StudyFolder:
    return new_study(name, plan, sites, address, out)


def test_a_new_study_has_all_that_a_coordinator_needs(tmp_path: Path) -> None:
    study = make(tmp_path / "a study")
    assert {path.name for path in study.path.iterdir()} == {"study.json", "plan.toml", "authority", "invitations", "audit.jsonl"}
    record = study.record()
    assert (record["name"], record["host"], record["port"], record["admin_port"]) == ("clinics", "fl.hospital.org", 8102, 8103)
    assert record["sites"] == ["north", "south"]
    assert {path.name for path in (study.path / "invitations").iterdir()} == {"north.invitation", "south.invitation"}


def test_its_first_line_in_the_audit_log_names_the_plan(tmp_path: Path) -> None:
    study = make(tmp_path / "study")
    (line,) = lines(study.audit_file)
    assert line.kind == "study-made" and line.facts["plan"] == plan_hash(study.plan_file.read_text()) and verify(study.audit_file).ok


def test_it_lies_under_its_name_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new_study("clinics", PLAN, SITES, "localhost:8102").path == Path("clinics")
    assert (tmp_path / "clinics" / "study.json").is_file()


def test_an_empty_folder_may_become_a_study(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    assert make(tmp_path / "study").record()["name"] == "clinics"


@pytest.mark.usefixtures("no_umask")
@pytest.mark.parametrize("is_there", [False, True])
def test_nobody_else_can_look_into_it_whatever_the_umask(tmp_path: Path, is_there: bool) -> None:
    if is_there:
        (tmp_path / "study").mkdir(mode=0o777)
    study = make(tmp_path / "study")
    assert stat.S_IMODE(study.path.stat().st_mode) == stat.S_IMODE(study.authority.stat().st_mode) == 0o700
    assert stat.S_IMODE((study.authority / "root.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(("changes", "why"), [
    ({"name": "two words"}, "cannot name a study"), ({"name": "../x"}, "cannot name a study"), ({"name": ""}, "cannot name a study"),
    ({"sites": ("north", "a b")}, "cannot name a site"), ({"sites": ('x","y":"z',)}, "cannot name a site"),
    ({"sites": ("north", "north")}, "name each site once"), ({"sites": ("north", "North")}, "name each site once"),
    ({"sites": ()}, "name each site once"), ({"sites": ("server", "north")}, "the study's server is called so"),
    ({"sites": ("localhost",), "address": "localhost:8102"}, "the study's server is called so"),
    ({"address": "fl.hospital.org"}, "give the name under which"), ({"address": ":8102"}, "give the name under which"),
    ({"address": "a b:8102"}, "give the name under which"), ({"address": "[::1]:8102"}, "give the name under which"),
    ({"address": "localhost:"}, "a port from 1 to 65534"), ({"address": "localhost:0"}, "a port from 1 to 65534"),
    ({"address": "localhost:65535"}, "a port from 1 to 65534"), ({"address": "localhost:²"}, "a port from 1 to 65534"),
    ({"address": "localhost:-1"}, "a port from 1 to 65534")])
def test_names_and_addresses_that_cannot_be_are_refused_and_nothing_is_made(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    with pytest.raises(NetworkError, match=why):
        make(tmp_path / "study", **changes)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_cannot_be_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="has 2 sites"):
        make(tmp_path / "study", plan=plan_of("a", "b", "c", settings=("cohort.min_sites=3",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_there", [False, True])
def test_a_study_whose_making_fails_on_the_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    def fails(study: StudyFolder, sites: object) -> None:
        raise OSError(28, "No space left on device")

    if is_there:
        (tmp_path / "study").mkdir()
    monkeypatch.setattr(studies, "invite", fails)
    with pytest.raises(OSError, match="No space left"):
        make(tmp_path / "study")
    assert [path for path in tmp_path.rglob("*") if path != tmp_path / "study"] == []
    assert (tmp_path / "study").exists() == is_there


def test_what_a_killed_command_left_is_no_study_and_hinders_none(tmp_path: Path) -> None:
    (tmp_path / "study" / ".part" / "authority").mkdir(parents=True)
    (tmp_path / "study" / ".part" / "study.json").touch()
    with pytest.raises(NetworkError, match="is not a study's folder"):
        StudyFolder(tmp_path / "study").record()
    assert make(tmp_path / "study").record()["name"] == "clinics"
    assert not (tmp_path / "study" / ".part").exists()


@pytest.mark.parametrize("kind", ["a study", "somebody's folder", "a file"])
def test_what_is_there_already_is_not_touched(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "study"
    if kind == "a study":
        make(place)
    elif kind == "a file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "notes").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(NetworkError, match=r"is there already and not empty.*--out DIR"):
        make(place)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


# the plan


def test_every_hospital_has_its_own_folder_and_the_study_s_names() -> None:
    found = plan_for(plan_of("a", "b", settings=("data.folder=/images",)), SITES)
    assert found.sites.partition == "folders" and found.sites.names == SITES and found.sites.num == 2
    assert found.data.folder is None


def test_classes_are_written_out() -> None:
    assert PLAN.data.classes == ()
    assert len(plan_for(PLAN, SITES).data.classes) >= 2


def test_nothing_is_left_to_what_a_machine_prefers() -> None:
    found = plan_for(plan_of(*SITES, settings=("engine.precision=auto", "engine.layout=auto", "engine.name=local")), SITES)
    assert (found.engine.name, found.engine.precision, found.engine.layout) == ("local", "fp32", "contiguous")


def test_a_precision_that_was_asked_for_stays() -> None:
    assert plan_for(plan_of(*SITES, settings=("engine.precision=bf16",)), SITES).engine.precision == "bf16"


@pytest.mark.parametrize("setting", ["data.dataset=mine.py:Reader", "model.name=mine.py:Net", "strategy.name=mine.py:FedMine"])
def test_code_in_a_file_of_one_s_own_does_not_travel(setting: str) -> None:
    with pytest.raises(PlanError, match=r"names a file of your own.*package that every site installs"):
        plan_for(plan_of(*SITES, settings=(setting,)), SITES)


def test_grey_values_are_not_learnt_over_sites() -> None:
    with pytest.raises(PlanError, match=r"data\.harmonise = 'site'.*Leave it out"):
        plan_for(plan_of(*SITES, settings=("data.harmonise=site",)), SITES)


def test_no_site_of_a_study_is_made_malicious() -> None:
    with pytest.raises(PlanError, match=r"attack\.kind = 'sign-flip' makes sites malicious, which is for simulations only"):
        plan_for(plan_of(*SITES, settings=("attack.kind=sign-flip",)), SITES)


def test_secure_sums_need_three_sites() -> None:
    secure = plan_of("north", "south", "east", settings=("aggregation.secure=true",))
    assert plan_for(secure, ["north", "south", "east"]).aggregation.secure
    with pytest.raises(PlanError, match=r"needs at least 3 sites, and the study has 2"):
        plan_for(secure, ["north", "south"])


@pytest.mark.parametrize(("fraction", "is_refused"), [(1.0, False), (0.7, False), (0.4, True)])
def test_so_many_sites_are_asked_that_a_secure_sum_can_be_opened(fraction: float, is_refused: bool) -> None:
    sites = ("a", "b", "c", "d", "e")
    plan = plan_of(*sites, settings=("aggregation.secure=true", f"cohort.fraction={fraction}", "cohort.min_sites=1"))
    with pytest.raises(PlanError, match="asks 2 of 5 sites, and a secure sum is opened by 4") if is_refused else nullcontext():
        plan_for(plan, sites)


def test_classes_that_are_not_known_must_be_written_out() -> None:
    plan = plan_of(*SITES, settings=("data.dataset=folder", "data.folder=/images"))
    with pytest.raises(PlanError, match=r"data\.classes must be written out for 'folder'"):
        plan_for(plan, SITES)
    assert plan_for(plan.model_copy(update={"data": plan.data.model_copy(update={"classes": ("healthy", "ill")})}), SITES)


def test_more_sites_than_there_are_cannot_be_needed() -> None:
    with pytest.raises(PlanError, match=r"cohort\.min_sites = 3, but the study has 2 sites"):
        plan_for(plan_of("a", "b", "c", settings=("cohort.min_sites=3",)), SITES)


def test_a_name_that_does_not_exist_is_refused_before_hospitals_see_it() -> None:
    with pytest.raises(PlanError, match="fedavg"):
        plan_for(plan_of(*SITES, settings=("strategy.name=fedavgg",)), SITES)


def test_a_network_s_plan_is_the_same_made_twice_and_read_back(tmp_path: Path) -> None:
    made = plan_for(PLAN, SITES)
    path = tmp_path / "plan.toml"
    path.write_text(dump_plan(made))
    assert load_plan(path, []) == made == plan_for(made, SITES)
    assert dump_plan(load_plan(path, [])) == path.read_text()


def test_another_plan_has_another_hash_which_is_logged(tmp_path: Path) -> None:
    study = make(tmp_path / "study")
    before = plan_hash(study.plan_file.read_text())
    after = change_plan(study, plan_of(*SITES, settings=("rounds.num=7",)))
    assert after == plan_hash(study.plan_file.read_text()) != before
    assert load_plan(study.plan_file, []).rounds.num == 7
    assert [(line.kind, line.facts["plan"]) for line in lines(study.audit_file)][-1] == ("plan-changed", after)


def test_a_plan_that_cannot_be_leaves_the_former_one(tmp_path: Path) -> None:
    study = make(tmp_path / "study")
    before = study.plan_file.read_text()
    with pytest.raises(PlanError):
        change_plan(study, plan_of(*SITES, settings=("data.harmonise=site",)))
    assert study.plan_file.read_text() == before
