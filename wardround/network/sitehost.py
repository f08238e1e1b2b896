"""A site's program: it keeps NVFLARE's client running, which calls the study's server and never listens to anybody outside."""

from __future__ import annotations

import getpass
import os
import re
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from wardround.core.events import Note, Watch
from wardround.errors import NetworkError, Resumable
from wardround.extras import need
from wardround.network.approval import Approvals, plan_hash
from wardround.network.auditlog import AuditLog
from wardround.network.folders import SiteFolder
from wardround.network.kits import expiring
from wardround.network.servant import Servant, end_all, settings
from wardround.network.startup import HEARTBEAT_S, SITE, write_site
from wardround.network.watchman import SITE_ROUTINE, Watchman
from wardround.runs.alone import alone

TICK_S = 0.5
PLAIN = re.compile(r"[\w/.@:+-]+", re.ASCII)  # what needs no quotes in a unit file
CLIENT = "nvflare.private.fed.app.client.client_train"


def check(site: SiteFolder) -> None:
    """NetworkError unless the site is ready to be started: admitted, its data known, the plan approved."""
    record = site.record()
    if not (site.path / "site.crt").is_file():
        raise NetworkError(f"{site.path} has no certificate yet. Send {record['site']}.request to the coordinator, then: "
                           f"wardround site ready {record['site']}.kit --data FOLDER")
    if not record.get("data"):
        raise NetworkError(f"{site.path} does not know where the images are: wardround site ready KIT --data FOLDER")
    if not Path(record["data"]).is_dir():
        raise NetworkError(f"the folder of images {record['data']} is not there. Is its disk connected? Of another folder tell the site: "
                           "wardround site ready KIT --data FOLDER")
    if not site.plan_file.is_file():
        raise NetworkError(f"{site.plan_file} is not there. Take the coordinator's kit again: wardround site ready KIT --data FOLDER")
    if not Approvals(site.approvals_file).is_approved(plan_hash(site.plan_file.read_text(encoding="utf-8"))):
        raise NetworkError(f"the plan in {site.plan_file} is not approved. Look at it and approve it: wardround site ready, or "
                           "wardround site approve")


def serve(site: SiteFolder, watch: Watch) -> None:
    """Stay connected until a signal ends it; what dies is started again, after a pause that grows."""
    need("nvflare", extra="network", purpose="a study over a network")
    check(site)
    record, audit = site.record(), AuditLog(site.audit_file)
    is_told_to_end: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: is_told_to_end.append(number))
    folder = site.path.resolve()  # NVFLARE's processes are found by it
    workspace = SiteFolder(folder).flare
    servant = Servant(module=CLIENT, workspace=workspace, output=site.state / "client.log",
                      arguments=("-s", "fed_client.json", "--set", "secure_train=true", "config_folder=config",
                                 f"heart_beat_interval={HEARTBEAT_S}", f"org={record['study']}", f"uid={record['site']}"),
                      environment=settings(**{SITE: str(folder)}))
    with ExitStack() as stack:
        try:
            stack.enter_context(alone(site.state))
        except Resumable as error:
            raise NetworkError(f"the site's program runs already in {site.path}: see wardround site status") from error
        for sentence in expiring(site):
            watch(Note(text=sentence))
        end_all(workspace)
        write_site(SiteFolder(folder))
        stack.callback(servant.end)
        audit.write("site-started", pid=os.getpid())
        watch(Note(text=f"site '{record['site']}' calls {record['host']}:{record['port']} and waits for orders. Ctrl-C ends it."))
        watchman = Watchman(workspace, audit, SITE_ROUTINE)
        while not is_told_to_end:
            watchman.look()
            if servant.has_died():
                audit.write("client-died", deaths=servant.num_deaths)
                watch(Note(text=f"the connection program ended and is started again; why, is in {workspace / 'log.txt'} and "
                                f"{servant.output}"))
            if servant.is_due:
                servant.start()
            time.sleep(TICK_S)
        audit.write("site-ended")


def systemd_unit(site: SiteFolder) -> str:
    """A unit for `systemctl`: the site's program starts with the machine and is started again when it fails."""
    record, folder, cache = site.record(), site.path.resolve(), cache_folder()
    program = Path(sys.executable).parent / "wardround"
    if odd := next((path for path in (folder, cache, program) if not str(path).isprintable()), None):
        raise NetworkError(f"{str(odd)!r} cannot be written into a unit file: its name holds control characters. Move the folder.")
    cache.mkdir(parents=True, exist_ok=True)  # a unit with a folder that is not there does not start
    variables = str(folder).replace("$", "$$")  # which would be filled in, in arguments only
    return "\n".join([
        "[Unit]", f"Description=wardround: site {record['site']} of study {record['study']}", "After=network-online.target",
        "Wants=network-online.target", "", "[Service]", f"ExecStart={_quoted(program)} site start --folder {_quoted(variables)}",
        f"WorkingDirectory={str(folder).replace('%', '%%')}", f"User={getpass.getuser()}",
        "Restart=always", "RestartSec=10", "KillMode=control-group", "NoNewPrivileges=true", "ProtectSystem=strict", "PrivateTmp=true",
        f"ReadWritePaths={_quoted(folder)} {_quoted(cache)}", "", "[Install]", "WantedBy=multi-user.target", ""])


def _quoted(path: Path | str) -> str:
    """One word of a unit file, in which % begins a specifier."""
    if PLAIN.fullmatch(str(path)):
        return str(path)
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def cache_folder() -> Path:
    """Where decoded images are kept; the unit must be able to write there."""
    from wardround.places import cache_root

    return cache_root()
