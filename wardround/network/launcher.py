"""How NVFLARE's server and a site's client begin the process of a job: as NVFLARE's own launchers do, but in a folder of any name.

NVFLARE joins a job's command with spaces and takes it apart at spaces again, so that "My Studies/clinics" would be two words.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Any

from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.job_launcher_spec import JobProcessArgs
from nvflare.app_common.job_launcher.client_process_launcher import ClientProcessJobLauncher
from nvflare.app_common.job_launcher.server_process_launcher import ServerProcessJobLauncher
from nvflare.utils.job_launcher_utils import get_client_job_args, get_server_job_args

from wardround.errors import NetworkError


class ServerLauncher(ServerProcessJobLauncher):  # type: ignore[misc]
    """Begins the server's end of a job."""

    def get_command(self, job_meta: dict[str, Any], fl_ctx: FLContext) -> str:
        """What NVFLARE takes apart and runs."""
        return _command(fl_ctx, get_server_job_args())


class SiteLauncher(ClientProcessJobLauncher):  # type: ignore[misc]
    """Begins a site's end of a job."""

    def get_command(self, job_meta: dict[str, Any], fl_ctx: FLContext) -> str:
        """What NVFLARE takes apart and runs."""
        return _command(fl_ctx, get_client_job_args())


def _command(fl_ctx: FLContext, names: Sequence[str]) -> str:
    given = fl_ctx.get_prop(FLContextKey.JOB_PROCESS_ARGS)
    if not given:
        raise NetworkError("NVFLARE begins a job without saying how: is another version than the pinned one installed?")
    words = [sys.executable]
    for name in names:
        if name in given:
            flag, value = given[name]
            words += [flag, *(str(value).split() if name == JobProcessArgs.OPTIONS else [str(value)])]  # options are several words
    return shlex.join(words)
