"""NVFLARE's own files have everything shut that a study does not need; NVFLARE's classes themselves are asked what the files allow."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nvflare.apis.fl_exception import UnsafeComponentError
from nvflare.app_common.widgets.component_path_authorizer import ComponentPathAuthorizer
from nvflare.fuel.sec.authz import Authorizer, AuthzContext, Person
from nvflare.security.security import COMMAND_CATEGORIES

from wardround.network.folders import SiteFolder, StudyFolder
from wardround.network.startup import CONTROLLER, EXECUTOR, NOTHING, coordinator_of, write_admin, write_server, write_site

ROLES = ("project_admin", "org_admin", "lead", "member", "project_manager", "")
ODD = 'x", "class_allow_list": ["*"], "y": "{SYSTEM}\n\\'
RECORD = {"name": "clinics", "host": "fl.hospital.org", "port": 8102, "admin_port": 8103, "sites": ["north"]}
SITE = {"study": "clinics", "site": "north", "host": "fl.hospital.org", "port": 8102}


def made_study(folder: Path, **changes: Any) -> StudyFolder:
    study = StudyFolder(folder)
    study.authority.mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps({**RECORD, **changes}))
    for name in ("root.crt", "server.crt", "server.key", "admin.crt", "admin.key"):
        (study.authority / name).write_text(f"pretended {name}")
    return study


def made_site(folder: Path, **changes: Any) -> SiteFolder:
    folder.mkdir(parents=True)
    (folder / "site.json").write_text(json.dumps({**SITE, **changes}))
    for name in ("root.crt", "site.crt", "key.pem"):
        (folder / name).write_text(f"pretended {name}")
    return SiteFolder(folder)


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    study = made_study(tmp_path / "a study")
    write_server(study)
    write_admin(study)
    return study


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    site = made_site(tmp_path / "a site")
    write_site(site)
    return site


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def allowed(workspace: Path, org: str, role: str) -> set[str]:
    """The rights that NVFLARE gives a user of this role by the workspace's own file, on its own job and on another's."""
    authorizer = Authorizer(org, COMMAND_CATEGORIES)
    assert not authorizer.load_policy(read(workspace / "local" / "authorization.json"))
    user, other = Person("somebody", org, role), Person("another", "elsewhere", role)
    rights = {*NOTHING, *COMMAND_CATEGORIES, "any", "*", "byoc", "never heard of"}
    return {right for right in rights for submitter in (user, other)
            if authorizer.authorize(AuthzContext(right, user, submitter))[0]}


def categories(rights: set[str]) -> set[str]:
    return {str(getattr(COMMAND_CATEGORIES.get(right, right), "value", COMMAND_CATEGORIES.get(right, right))) for right in rights}


@pytest.mark.parametrize("role", ROLES[1:])
def test_no_role_but_the_coordinator_s_may_anything_anywhere(study: StudyFolder, site: SiteFolder, role: str) -> None:
    assert allowed(study.server, "clinics", role) == allowed(site.flare, "clinics", role) == set()


def test_the_coordinator_may_run_jobs_and_look_at_the_server(study: StudyFolder) -> None:
    assert categories(allowed(study.server, "clinics", "project_admin")) == {"submit_job", "manage_job", "view"}


def test_the_coordinator_may_run_jobs_at_a_site_and_nothing_else(site: SiteFolder) -> None:
    assert categories(allowed(site.flare, "clinics", "project_admin")) == {"submit_job", "manage_job"}


@pytest.mark.parametrize("right", ["byoc", "shell_commands", "operate", "download_job", "clone_job"])
def test_nobody_ships_code_opens_a_shell_or_restarts_programs(study: StudyFolder, site: SiteFolder, right: str) -> None:
    assert all(right not in categories(allowed(workspace, "clinics", role)) for workspace in (study.server, site.flare) for role in ROLES)


def is_listed(workspace: Path, path: str) -> bool:
    """Whether NVFLARE lets a job name the class."""
    place = SimpleNamespace(get_resources_file_path=lambda: str(workspace / "local" / "resources.json"))
    try:
        ComponentPathAuthorizer().authorize_component_config({"path": path}, workspace=place)
    except UnsafeComponentError as error:
        assert "not in allow_list" in str(error)
        return False
    return True


OTHERS = ["subprocess.Popen", "os.system", "nvflare.app_common.np.np_trainer.NPTrainer", "wardround.network.agent.SiteAgent",
          "wardround.network.executor.SiteExecutors", "wardround.lookup.Names",
          "nvflare.app_common.widgets.job_log_streamer.JobLogStreamer"]


def test_a_job_at_a_site_may_name_our_executor_and_no_other_class(site: SiteFolder) -> None:
    assert read(site.flare / "local" / "resources.json")["class_allow_list"] == [EXECUTOR]
    assert is_listed(site.flare, EXECUTOR)
    assert not any(is_listed(site.flare, path) for path in (*OTHERS, CONTROLLER))


def test_a_job_at_the_server_may_name_our_controller_and_no_other_class(study: StudyFolder) -> None:
    assert read(study.server / "local" / "resources.json")["class_allow_list"] == [CONTROLLER]
    assert is_listed(study.server, CONTROLLER)
    assert not any(is_listed(study.server, path) for path in (*OTHERS, EXECUTOR))


def test_a_list_is_enforced_not_only_warned_of(study: StudyFolder, site: SiteFolder) -> None:
    for workspace in (study.server, site.flare):
        assert read(workspace / "local" / "resources.json")["class_list_enforcement_mode"] == "enforce"


def test_a_site_streams_no_log(site: SiteFolder) -> None:
    told = read(site.flare / "local" / "resources.json")
    assert told["allow_log_streaming"] is False
    assert "log_streamer" not in json.dumps(told).lower()


def test_the_coordinator_s_port_is_open_on_this_machine_only(study: StudyFolder) -> None:
    (server,) = read(study.server / "startup" / "fed_server.json")["servers"]
    assert (server["admin_host"], server["admin_port"]) == ("127.0.0.1", 8103)
    assert server["service"] == {"target": "fl.hospital.org:8102", "scheme": "http"}
    admin = read(study.admin / "startup" / "fed_admin.json")["admin"]
    assert (admin["host"], admin["port"], admin["username"]) == ("127.0.0.1", 8103, coordinator_of("clinics"))


def test_every_connection_has_certificates_at_both_ends(study: StudyFolder, site: SiteFolder) -> None:
    found = (read(study.server / "startup" / "fed_server.json")["servers"][0], read(study.admin / "startup" / "fed_admin.json")["admin"],
             read(site.flare / "startup" / "fed_client.json")["client"])
    assert {each["connection_security"] for each in found} == {"mtls"}


def test_the_server_runs_one_job_at_a_time(study: StudyFolder) -> None:
    (scheduler,) = [part for part in read(study.server / "local" / "resources.json")["components"] if part["id"] == "job_scheduler"]
    assert scheduler["args"]["max_jobs"] == 1


def test_nothing_of_a_study_is_kept_in_a_folder_that_all_programs_share(study: StudyFolder) -> None:
    text = (study.server / "local" / "resources.json").read_text()
    assert "/tmp/nvflare" not in text and text.count(str(study.server / "storage")) == 2


def test_a_study_given_by_a_relative_path_is_kept_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made_study(tmp_path / "study")
    write_server(StudyFolder(Path("study")))
    assert str(tmp_path / "study" / "server" / "storage") in (tmp_path / "study" / "server" / "local" / "resources.json").read_text()


@pytest.mark.usefixtures("no_umask")
def test_nobody_else_reads_keys_or_writes_settings_whatever_the_umask(tmp_path: Path) -> None:
    study, site = made_study(tmp_path / "study"), made_site(tmp_path / "site")
    for _ in range(2):  # also over files that are there
        write_server(study)
        write_admin(study)
        write_site(site)
    keys = (study.server / "startup" / "server.key", study.admin / "startup" / "client.key", site.flare / "startup" / "client.key")
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert {stat.S_IMODE((key.parent.parent / name).stat().st_mode) for key in keys for name in ("startup", "local")} == {0o700}


def test_every_part_has_its_own_key_and_the_study_s_root(study: StudyFolder, site: SiteFolder) -> None:
    assert (study.server / "startup" / "server.key").read_text() == "pretended server.key"
    assert (study.admin / "startup" / "client.key").read_text() == "pretended admin.key"
    assert (site.flare / "startup" / "client.key").read_text() == "pretended key.pem"
    assert (site.flare / "startup" / "client.crt").read_text() == "pretended site.crt"
    for workspace in (study.server, study.admin, site.flare):
        assert (workspace / "startup" / "rootCA.pem").read_text() == "pretended root.crt"


def test_edits_of_the_files_do_not_last_and_what_jobs_left_stays(site: SiteFolder) -> None:
    (site.flare / "local" / "authorization.json").write_text('{"permissions": {"lead": "any"}}')
    (site.flare / "local" / "authorization.json.default").write_text("more")
    (site.flare / "job").mkdir()
    write_site(site)
    assert allowed(site.flare, "clinics", "lead") == set()
    assert not (site.flare / "local" / "authorization.json.default").exists()
    assert (site.flare / "job").is_dir()


def test_odd_names_and_hosts_are_text_and_nothing_more(tmp_path: Path) -> None:
    study = made_study(tmp_path / "study", name=ODD, host=ODD)
    site = made_site(tmp_path / "site", study=ODD, site=ODD, host=ODD)
    write_server(study)
    write_admin(study)
    write_site(site)
    assert read(study.server / "startup" / "fed_server.json")["servers"][0]["name"] == ODD
    assert read(study.server / "startup" / "fed_server.json")["servers"][0].keys() == {
        "name", "service", "admin_server", "admin_host", "admin_port", "ssl_private_key", "ssl_cert", "ssl_root_cert",
        "connection_security"}
    assert read(site.flare / "startup" / "fed_client.json")["client"]["fqsn"] == ODD
    assert read(site.flare / "local" / "resources.json")["class_allow_list"] == [EXECUTOR]


def test_logs_are_kept_small_and_nothing_is_printed(site: SiteFolder) -> None:
    told = read(site.flare / "local" / "log_config.json")
    assert all(handler["class"].endswith("RotatingFileHandler") and handler["maxBytes"] <= 2**22 for handler in told["handlers"].values())
