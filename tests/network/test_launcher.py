"""A job's command is taken apart as it was put together, whatever the folder's name; otherwise it is NVFLARE's own."""

import shlex
import sys

import pytest
from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.job_launcher_spec import JobProcessArgs
from nvflare.app_common.job_launcher.client_process_launcher import ClientProcessJobLauncher
from nvflare.app_common.job_launcher.process_launcher import ProcessJobLauncher
from nvflare.app_common.job_launcher.server_process_launcher import ServerProcessJobLauncher

from wardround.errors import NetworkError
from wardround.network.launcher import ServerLauncher, SiteLauncher

PAIRS = [(ServerLauncher, ServerProcessJobLauncher), (SiteLauncher, ClientProcessJobLauncher)]


def context(workspace: str) -> FLContext:
    found = FLContext()
    found.set_prop(FLContextKey.JOB_PROCESS_ARGS, {
        JobProcessArgs.EXE_MODULE: ("-m", "nvflare.private.fed.app.pretended"), JobProcessArgs.WORKSPACE: ("-m", workspace),
        JobProcessArgs.STARTUP_DIR: ("-w", workspace + "/startup"), JobProcessArgs.APP_ROOT: ("-r", workspace + "/job/app"),
        JobProcessArgs.SERVICE_PORT: ("--port", 8102), JobProcessArgs.OPTIONS: ("--set", "secure_train=true org=clinics"),
        JobProcessArgs.AUTH_TOKEN: ("-t", "a secret")})
    return found


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_in_a_plain_folder_the_command_is_nvflare_s(ours: type[ProcessJobLauncher], theirs: type[ProcessJobLauncher]) -> None:
    plain = context("/data/study/server")
    assert ours().get_command({}, plain) == theirs().get_command({}, plain)


@pytest.mark.parametrize("workspace", ["/My Studies/server", "/a#b/server", "/it's/server", '/a "b"/server', "/$HOME/ser\\ver", "/a\tb/é"])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_folder_of_any_name_is_one_word(ours: type[ProcessJobLauncher], theirs: type[ProcessJobLauncher], workspace: str) -> None:
    words = shlex.split(ours().get_command({}, context(workspace)), True)
    assert words[:5] == [sys.executable, "-m", "nvflare.private.fed.app.pretended", "-m", workspace]
    assert words[-3:] == ["--set", "secure_train=true", "org=clinics"]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_no_secret_is_in_a_command_line(ours: type[ProcessJobLauncher], theirs: type[ProcessJobLauncher]) -> None:
    assert "secret" not in ours().get_command({}, context("/study"))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_job_without_a_command_is_refused(ours: type[ProcessJobLauncher], theirs: type[ProcessJobLauncher]) -> None:
    with pytest.raises(NetworkError, match="pinned"):
        ours().get_command({}, FLContext())
