"""NVFLARE's own files of the server, the coordinator and a site, with everything shut that a study does not need.

A workspace has startup/ (addresses, certificates) and local/ (what its owner allows). NVFLARE's defaults allow shipped code, a shell and
log streaming to those with an admin role; here nobody has them (tests/network/test_forbidden.py tries each over a real connection).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wardround.network.folders import SiteFolder, StudyFolder
from wardround.runs.folder import write_json

CONTROLLER = "wardround.network.controller.StudyController"
EXECUTOR = "wardround.network.executor.SiteExecutor"
STUDY, SITE = "WARDROUND_STUDY", "WARDROUND_SITE"  # environment of NVFLARE's processes: the study's folder, the site's
DEAD_AFTER_S = 15  # without a heartbeat; a site beats every HEARTBEAT_S
HEARTBEAT_S = 4
LOG_BYTES = 4 * 1024**2

SLOW_S = 1800.0  # a piece of a message may take so long on its way
SLOW_LINES: Mapping[str, Any] = {
    "streaming_retry_wait": 120.0,  # NVFLARE sends again what is not acknowledged in 5 s: on a line of 10 Mbit/s all of it, again and again
    "streaming_retry_timeout": SLOW_S, "streaming_ack_wait": int(SLOW_S), "streaming_ack_progress_timeout": SLOW_S,
    "streaming_read_timeout": int(SLOW_S), "streaming_ack_interval": 1024**2, "streaming_window_size": 8 * 1024**2}

NOTHING = {"submit_job": "none", "clone_job": "none", "manage_job": "none", "download_job": "none", "view": "none", "operate": "none",
           "shell_commands": "none", "byoc": "none", "server-predeployed-flwr": "none"}
COORDINATOR = {**NOTHING, "submit_job": "any", "manage_job": "any", "view": "any"}


def coordinator_of(study: str) -> str:
    """The name in the coordinator's certificate."""
    return f"coordinator@{study}"


def write_server(study: StudyFolder) -> None:
    """The server's workspace. Its port for sites is the study's; the coordinator's own listens on this machine only."""
    record = study.record()
    startup, local = _fresh(study.server, "server", study.authority / "server.crt", study.authority / "server.key", study.authority)
    write_json(startup / "fed_server.json", {
        "format_version": 2, "require_signed_jobs": False, "client_outcome_wait_timeout": 3.0,
        "servers": [{"name": record["name"], "service": {"target": f"{record['host']}:{record['port']}", "scheme": "http"},
                     "admin_server": record["host"], "admin_host": "127.0.0.1", "admin_port": record["admin_port"],
                     "ssl_private_key": "server.key", "ssl_cert": "server.crt", "ssl_root_cert": "rootCA.pem",
                     "connection_security": "mtls"}]})
    storage = study.server.absolute() / "storage"  # the server works in a folder of its own
    write_json(local / "resources.json", {
        "format_version": 2, **_only(CONTROLLER),
        "servers": [{"admin_storage": "transfer", "max_num_clients": 100, "heart_beat_timeout": DEAD_AFTER_S, "admin_timeout": 10.0}],
        "snapshot_persistor": {"path": "nvflare.app_common.state_persistors.storage_state_persistor.StorageStatePersistor",
                               "args": {"uri_root": "/", "storage": _storage(storage / "snapshots")}},
        "components": [
            _component("job_scheduler", "nvflare.app_common.job_schedulers.job_scheduler.DefaultJobScheduler", max_jobs=1,
                       min_schedule_interval=1.0, max_schedule_interval=5.0, max_schedule_count=1000),
            _component("job_manager", "nvflare.apis.impl.job_def_manager.SimpleJobDefManager", uri_root=str(storage / "jobs"),
                       job_store_id="job_store"),
            _component("job_store", "nvflare.app_common.storages.filesystem_storage.FilesystemStorage"),
            _component("process_launcher", "wardround.network.launcher.ServerLauncher"),
            _component("gate", "wardround.network.gate.Gate")]})
    write_json(local / "authorization.json", {"format_version": "1.0", "permissions": {"project_admin": COORDINATOR}})


def write_admin(study: StudyFolder) -> None:
    """What the hub connects to the server with."""
    record = study.record()
    startup, local = _fresh(study.admin, "client", study.authority / "admin.crt", study.authority / "admin.key", study.authority)
    write_json(startup / "fed_admin.json", {"format_version": 1, "admin": {
        "project_name": record["name"], "username": coordinator_of(record["name"]), "server_identity": record["host"], "scheme": "http",
        "host": "127.0.0.1", "port": record["admin_port"], "connection_security": "mtls", "uid_source": "user_input",
        "with_file_transfer": True, "upload_dir": "transfer", "download_dir": "transfer", "client_key": "client.key",
        "client_cert": "client.crt", "ca_cert": "rootCA.pem"}})
    write_json(local / "resources.json", {"format_version": 1, "admin": {
        "idle_timeout": 1e9, "login_timeout": 10.0, "with_debug": False, "authenticate_msg_timeout": 5.0, "prompt": "> "}})


def write_site(site: SiteFolder) -> None:
    """A site's workspace. local/ is the hospital's: the coordinator may start and end jobs of our one executor there, and nothing else."""
    record = site.record()
    startup, local = _fresh(site.flare, "client", site.path / "site.crt", site.key_file, site.path)
    write_json(startup / "fed_client.json", {
        "format_version": 2,
        "servers": [{"name": record["study"], "identity": record["host"],
                     "service": {"target": f"{record['host']}:{record['port']}", "scheme": "http"}}],
        "client": {"ssl_private_key": "client.key", "ssl_cert": "client.crt", "ssl_root_cert": "rootCA.pem", "fqsn": record["site"],
                   "is_leaf": True, "connection_security": "mtls"}})
    write_json(local / "resources.json", {
        "format_version": 2, **_only(EXECUTOR), "allow_log_streaming": False,
        "client": {"retry_timeout": 30, "compression": "Gzip"},
        "components": [
            _component("resource_manager", "nvflare.app_common.resource_managers.passthrough_resource_manager.PassthroughResourceManager"),
            _component("resource_consumer",
                       "nvflare.app_common.resource_consumers.passthrough_resource_consumer.PassthroughResourceConsumer"),
            _component("process_launcher", "wardround.network.launcher.SiteLauncher")]})
    allowed = {**NOTHING, "submit_job": "any", "manage_job": "any"}
    write_json(local / "authorization.json", {"format_version": "1.0", "permissions": {"project_admin": allowed}})


def _fresh(workspace: Path, named: str, certificate: Path, key: Path, authority: Path) -> tuple[Path, Path]:
    """startup/ with NAMED.crt, NAMED.key and the root of `authority`, local/ with settings of log and lines; what jobs left stays."""
    startup, local = workspace / "startup", workspace / "local"
    for folder in (startup, local):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, mode=0o700)
    for source, ending in ((certificate, "crt"), (key, "key")):
        target = startup / f"{named}.{ending}"
        target.touch(mode=0o600)
        target.write_bytes(source.read_bytes())
    (startup / "rootCA.pem").write_bytes((authority / "root.crt").read_bytes())
    write_json(local / "log_config.json", LOGGING)
    write_json(local / "comm_config.json", SLOW_LINES)
    write_json(local / "privacy.json", {"scopes": [{"name": "all"}], "default_scope": "all"})
    return startup, local


def _only(*classes: str) -> dict[str, Any]:
    """Jobs may name these classes and no other."""
    return {"class_list_enforcement_mode": "enforce", "class_allow_list": list(classes)}


def _component(name: str, path: str, **arguments: Any) -> dict[str, Any]:
    return {"id": name, "path": path, "args": arguments}


def _storage(folder: Path) -> dict[str, Any]:
    return {"path": "nvflare.app_common.storages.filesystem_storage.FilesystemStorage", "args": {"root_dir": str(folder), "uri_root": "/"}}


def _handler(name: str, level: str) -> dict[str, Any]:
    return {"class": "logging.handlers.RotatingFileHandler", "level": level, "formatter": "plain", "filename": name, "mode": "a",
            "maxBytes": LOG_BYTES, "backupCount": 2}


HANDLERS: Sequence[str] = ("logFileHandler", "errorFileHandler")
LOGGING: Mapping[str, Any] = {
    "version": 1, "disable_existing_loggers": False,
    "formatters": {"plain": {"()": "nvflare.fuel.utils.log_utils.BaseFormatter",
                             "fmt": "%(asctime)s - %(name)s - %(levelname)s - %(fl_ctx)s - %(message)s"}},
    "handlers": {"logFileHandler": _handler("log.txt", "DEBUG"), "errorFileHandler": _handler("error_log.txt", "ERROR")},
    "loggers": {"root": {"level": "INFO", "handlers": list(HANDLERS)}},
}
