"""What the coordinator's own certificate must not be able to do at a hospital, tried over a real connection; each is refused, and in the
hospital's audit log. What is refused of messages is in test_agent.py, test_desk.py and tests/fleet/test_nvflare.py."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from field import hospitals, plan_of
from nvflare.fuel.flare_api.api_spec import AuthorizationError
from nvflare.fuel.flare_api.flare_api import new_secure_session

from wardround.network.auditlog import lines, verify
from wardround.network.jobs import write_job
from wardround.network.rehearsal import Rehearsal
from wardround.network.startup import EXECUTOR, coordinator_of

pytestmark = [pytest.mark.network, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]

SITE = "north"
Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A study with one site that is connected and waits; nothing is trained."""
    folder = tmp_path_factory.mktemp("forbidden")
    hospitals(folder / "data", SITE)
    with Rehearsal(folder, plan_of(SITE), {SITE: folder / "data" / SITE}) as field:
        field.state.want(want="pause")
        field.start_hub()
        field.start_site(SITE)
        field.until(lambda: field.state.hub is not None and SITE in field.state.hub.connected, 90, "the connection")
        yield field


@pytest.fixture(scope="module")
def session(field: Rehearsal) -> Iterator[Any]:
    """Whoever has the coordinator's key."""
    opened = new_secure_session(coordinator_of("rehearsal"), str(field.study.admin.absolute()), timeout=30)
    yield opened
    opened.close()


def causes(field: Rehearsal) -> list[str]:
    return [str(line.facts["cause"]) for line in lines(field.sites[SITE].audit_file) if line.kind == "refused"]


def is_logged(field: Rehearsal, word: str) -> bool:
    field.until(lambda: any(word in cause for cause in causes(field)), 20, f"a refusal with '{word}' in the site's audit log")
    return verify(field.sites[SITE].audit_file).ok


COMMANDS = {"ls": ("ls north", "sys.shell"), "cat": ("cat north startup/fed_client.json", "sys.shell"),
            "shutdown": ("shutdown client north", "train.shutdown"), "restart": ("restart client north", "train.restart"),
            "system information": ("sys_info client north", "sys.info"),
            "resources": ("report_resources client north", "resource_manager.report_resources")}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_but_a_job_is_obeyed_at_a_site(field: Rehearsal, session: Any, name: str) -> None:
    command, action = COMMANDS[name]
    try:
        answer = str(session.do_command(command))
    except AuthorizationError as error:
        answer = str(error)
    assert "not authorized" in answer
    assert is_logged(field, action)
    assert field.processes("client", SITE)


def shipped(marker: Path) -> Change:
    def change(job: Path) -> None:
        (job / "app" / "custom").mkdir()
        (job / "app" / "custom" / "evil.py").write_text(f"open({str(marker)!r}, 'w')")
    return change


def executor(path: str, arguments: dict[str, Any]) -> Change:
    def change(job: Path) -> None:
        config = job / "app" / "config" / "config_fed_client.json"
        told = json.loads(config.read_text())
        told["executors"][0]["executor"] = {"path": path, "args": arguments}
        config.write_text(json.dumps(told))
    return change


def fate(session: Any, job: Path) -> str:
    """How NVFLARE ended a job."""
    name, until = session.submit_job(str(job)), time.monotonic() + 60
    while time.monotonic() < until:
        meta = session.get_job_meta(name)
        if str(meta.get("status", "")).startswith("FINISHED"):
            return f"{meta['status']} {meta.get('job_deploy_detail')}"
        time.sleep(0.3)
    return "it still runs"


def test_a_job_with_code_is_refused(field: Rehearsal, session: Any, tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", [SITE])
    shipped(tmp_path / "marker")(job)
    assert "BYOC not permitted" in fate(session, job)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("where", ["an unlisted class of NVFLARE", "a shell", "a shell inside our executor's arguments"])
def test_a_job_with_a_class_that_is_not_ours_is_refused(field: Rehearsal, session: Any, tmp_path: Path, where: str) -> None:
    marker = tmp_path / "marker"
    shell = {"path": "subprocess.Popen", "args": {"args": ["touch", str(marker)]}}
    changes = {"an unlisted class of NVFLARE": executor("nvflare.app_common.np.np_trainer.NPTrainer", {}),
               "a shell": executor(shell["path"], shell["args"]),  # type: ignore[arg-type]
               "a shell inside our executor's arguments": executor(EXECUTOR, {"x": shell})}
    job = write_job(tmp_path / "job", [SITE])
    changes[where](job)
    before = len(causes(field))
    assert fate(session, job).startswith("FINISHED:")
    field.until(lambda: any("is not in allow_list" in cause for cause in causes(field)[before:]), 20, "the refusal in the audit log")
    assert not marker.exists()


def test_a_site_s_log_is_not_streamed_to_the_server(field: Rehearsal) -> None:
    told = json.loads((field.sites[SITE].flare / "local" / "resources.json").read_text())
    assert told["allow_log_streaming"] is False
    assert not list(field.study.server.rglob("error_log.txt.*north*"))
